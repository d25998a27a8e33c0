"""A term on each part of a tuple: products of sets, sums of regularisers."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import PyTree

from banach.core import tree
from banach.core.problem import Misuse
from banach.terms.term import Scalar, Term


class Product(Term):
    """g(x_1, ..., x_m) = sum g_j(x_j), for a variable that is a tuple of m parts.

    `terms` has one Term for each part; with indicators it is the product of sets,
    such as the mixed strategies of two players: Product((Simplex(), Simplex())). It
    offers what all of its terms offer.

    Args:
        terms: one Term for each part, one by one or as one tuple.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 2.1.

    Example:
        >>> both = bn.Product(bn.Nonnegative(), bn.L1(1.0))
        >>> tuple(
        ...     np.asarray(v)
        ...     for v in both.prox((np.array([-1.0]), np.array([3.0])), 1.0)
        ... )
        (array([0.], dtype=float32), array([2.], dtype=float32))
    """

    terms: tuple[Term, ...]

    def __init__(self, *terms: Any):
        if len(terms) == 1 and isinstance(terms[0], tuple | list):
            terms = tuple(terms[0])
        wrong = [type(t).__name__ for t in terms if not isinstance(t, Term)]
        if wrong or not terms:
            raise Misuse(
                f"Product needs terms of banach.terms, got {', '.join(wrong) or 'none'}"
                "; a part without a term is bn.Zero()"
            )
        self.terms = terms

    def is_convex(self) -> bool:
        """Whether all of them are convex."""
        return all(t.is_convex() for t in self.terms)

    def offers(self) -> frozenset[str]:
        """What all terms offer."""
        return frozenset.intersection(*(t.offers() for t in self.terms))

    def value(self, x: PyTree) -> Scalar:
        """The sum of the values."""
        return sum(t.value(v) for t, v in self._pairs(x))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """Each prox."""
        return tuple(term.prox(part, t) for term, part in self._pairs(v))

    def project(self, v: PyTree) -> PyTree:
        """Each projection."""
        self._need("project")
        return tuple(term.project(part) for term, part in self._pairs(v))

    def lmo(self, g: PyTree) -> PyTree:
        """Each minimiser."""
        self._need("lmo")
        return tuple(term.lmo(part) for term, part in self._pairs(g))

    def center(self, like: PyTree) -> PyTree:
        """Each centre."""
        return tuple(term.center(part) for term, part in self._pairs(like))

    def violation(self, x: PyTree) -> Scalar:
        """The 2-norm of the distances."""
        return tree.norm([term.violation(part) for term, part in self._pairs(x)])

    def mu(self) -> Any:
        """The least of the constants."""
        least = self.terms[0].mu()
        for term in self.terms[1:]:
            least = jnp.minimum(least, term.mu())
        return least

    def rho(self) -> Any:
        """The largest of the constants."""
        most = self.terms[0].rho()
        for term in self.terms[1:]:
            most = jnp.maximum(most, term.rho())
        return most

    def diameter(self, like: PyTree | None = None) -> Any:
        """The 2-norm of the diameters, rounded up."""
        parts = [None] * len(self.terms) if like is None else like
        sizes = [t.diameter(v) for t, v in zip(self.terms, parts, strict=True)]
        square = sum(jnp.square(jnp.asarray(d)) for d in sizes)
        rounded = 1 + 4 * len(sizes) * float(jnp.finfo(square.dtype).eps)
        return jnp.sqrt(square) * rounded

    @property
    def unpenalised(self) -> Any:
        """The masks of the parts."""
        return tuple(t.unpenalised for t in self.terms)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """The sum of the brackets; the slack of the sum itself is added."""
        self._need("conjugate")
        e = e if isinstance(e, tuple) else (e,) * len(self.terms)
        rows = [
            term.fenchel_young(part, u, w)
            for (term, part), u, w in zip(self._pairs(x), v, e, strict=True)
        ]
        values, slacks = (jnp.stack(column) for column in zip(*rows, strict=True))
        g = len(rows) * float(jnp.finfo(values.dtype).eps)
        return jnp.sum(values), (1 + g) * jnp.sum(slacks) + g * jnp.sum(abs(values))

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """The least of the factors."""
        e = e if isinstance(e, tuple) else (e,) * len(self.terms)
        factors = [
            term.dual_scale(u, w)
            for (term, u), w in zip(self._pairs(v), e, strict=True)
        ]
        return jnp.min(jnp.stack(factors))

    def _need(self, oracle: str) -> None:
        if oracle not in self.offers():
            lacks = [type(t).__name__ for t in self.terms if oracle not in t.offers()]
            self.refuse(oracle, f"{', '.join(lacks)} lacks it")

    def _pairs(self, x: PyTree) -> list[tuple[Term, PyTree]]:
        if not isinstance(x, tuple) or len(x) != len(self.terms):
            size = f"{len(x)} parts" if isinstance(x, tuple) else type(x).__name__
            raise Misuse(
                f"Product of {len(self.terms)} terms acts on a tuple of as many "
                f"parts, got {size}"
            )
        return list(zip(self.terms, x, strict=True))

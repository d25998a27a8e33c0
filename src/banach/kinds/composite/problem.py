"""Minimise a smooth function plus a term with a prox, projection or LMO."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.facts import CONSTRUCTION, DECLARED, Fact, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.view import Way
from banach.kinds import inputs
from banach.kinds.bases import check_scalar, within
from banach.kinds.smooth.problem import Smooth
from banach.terms.term import Term

Scalar = Float[Array, ""]
_TERM = frozenset({"prox", "project", "lmo"})


@kind(
    name="Composite",
    oracles="""value grad hvp hess residual jacobian sample stochastic_grad prox project
    lmo""",
    checks="step frank_wolfe",
    views="inclusion_of_gradient forward_backward envelope",
    cures={
        "prox": "State the problem as bn.Composite",
        "lmo": "Use a compact set (bn.Simplex, bn.L1Ball, bn.Box) as the term",
        "project": "Use a set (bn.Box, bn.Simplex, ...) as the term",
    },
    zoo="composite",
)
class Composite(Problem):
    """minimise F(x) = f(x) + g(x), f smooth and g a Term of banach.terms.

    value, grad, hvp and hess are those of f; `objective` is F. Where f is a
    `bn.FiniteSum` so are the gradients of its terms. `step` is the t of
    the residual check ||x - prox(x - t grad f(x), t)|| / t. It belongs to the
    problem, never to a method: t = `step` if given, else 1 / (L + rho) where L is
    declared, else 1. `rho` > 0 says that g + rho/2 ||.||^2 is convex but g is not:
    then nothing is claimed convex. Terms that are not convex (SCAD, MCP) say so
    themselves, and rho is at least theirs.

    Args:
        smooth: smooth(x, *args), a JAX function to one real number, or a `bn.Smooth`
            or `bn.FiniteSum`.
        term: g, a Term of banach.terms.
        x0: the start, a pytree of floating arrays; None: that of a `bn.Smooth`.
        args: further arguments of smooth, pytrees of arrays.
        L: a Lipschitz constant of the gradient of f.
        convex: whether f is convex.
        mu: the constant of strong convexity of f.
        step: the t of the residual check.
        rho: how far g is from convex, a number >= 0; at least the term's own.
        reference: the point that "small" is relative to, like x.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real number, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> pull = bn.Composite(
        ...     lambda x: jnp.sum((x - 2.0) ** 2), bn.L1(1.0), np.zeros(2), L=2.0
        ... )
        >>> bn.solve(pull).x.round(6)
        array([1.5, 1.5])
    """

    smooth: Problem
    term: Term
    x0: PyTree
    reference: PyTree
    step: Any
    rho: Any
    weak: bool = eqx.field(static=True)

    def __init__(
        self,
        smooth: Callable[..., Scalar] | Smooth,
        term: Term,
        x0: PyTree = None,
        args: tuple = (),
        *,
        L: Real | None = None,
        convex: bool | None = None,
        mu: Real | None = None,
        step: Real | None = None,
        rho: Real = 0,
        reference: PyTree = None,
    ):
        inputs.is_term(term, "Composite")
        inputs.optional(convex, "convex")
        if isinstance(smooth, Problem):
            args = inputs.arguments(args)
            given = {"args": args or None, "L": L, "convex": convex, "mu": mu}
            extra = [k for k, v in given.items() if v is not None]
            if extra:
                raise Misuse(
                    f"{', '.join(extra)} belong to the smooth part; declare them on "
                    "the Smooth that you pass, or pass its function instead"
                )
        else:
            if x0 is None:
                raise Misuse("Composite of a function needs x0, the start; pass x0=")
            x0, args = inputs.read(x0, args)
            name = "Composite's smooth part"
            fun = inputs.function(smooth, x0, args, name)
            check_scalar(fun.narrow, name)
            smooth = Smooth(fun, x0, args, L=L, mu=mu, convex=bool(convex))
        inputs.smooth_part(smooth, "Composite")
        self.smooth = smooth
        base = smooth.start().x
        self.term = inputs.in_dtype(term, tree.dtype(base))
        self.x0 = base if x0 is None else inputs.like(base, x0, "x0")
        at = smooth.reference_point() if reference is None else Point(reference)
        self.reference = inputs.reference(base, None if at is None else at.x)
        self.step = inputs.constant(step, "step")
        rho = validation.number(rho, "rho", low="nonnegative")
        # Zero is the one value of rho that changes what may be claimed.
        self.weak = compat.is_tracer(rho) or float(rho) > 0
        if not term.is_convex():
            own = (rho, term.rho())
            rho = jnp.maximum(*own) if compat.any_tracer(own) else max(map(float, own))
            self.weak = True
        self.rho = inputs.constant(rho, "rho") if self.weak else np.zeros(())
        _fits(self.term, base)
        if not self.essential():
            raise Misuse(
                f"{type(term).__name__} offers none of prox, project and lmo, so no "
                "method can respect it; use a term that offers one"
            )

    def restated(self) -> "Composite":
        """Through the constructor; the smooth part validates itself."""
        self.smooth.validate()
        return self.through_constructor()

    def oracles(self) -> frozenset[str]:
        """Those of the smooth part and those of the term."""
        return self.smooth.oracles() | self.essential()

    def essential(self) -> frozenset[str]:
        """What the term offers: ignoring all of it solves another problem."""
        return _TERM & self.term.offers()

    def space(self) -> PyTree:
        """Structure of the variable."""
        return self.smooth.space()

    def start(self) -> Point:
        """x0, projected where the term is a set that x0 lies outside of."""
        if "project" not in self.term.offers():
            return Point(self.x0)
        return Point(within(self.term, self.x0))

    def facts(self) -> Facts:
        """Those of the smooth part, joined with the term's."""
        f = self.smooth.facts()
        properties = dict(f.properties)
        constants = {
            k: Fact(f.get(k), f.provenance(k))
            for k in ("L", "mu", "M", "radius")
            if f.get(k) is not None
        }
        properties.pop("self_concordant", None)
        if self.weak:
            for name in ("convex", "strongly_convex"):
                properties.pop(name, None)
            constants.pop("mu", None)
            own = not self.term.is_convex()
            constants["rho"] = Fact(self.rho, CONSTRUCTION if own else DECLARED)
        if "lmo" in self.term.offers():
            properties["compact"] = CONSTRUCTION
            if "radius" not in constants:
                constants["radius"] = Fact(
                    lambda: self.term.diameter(self.x0), CONSTRUCTION
                )
        return Facts(properties, constants)

    def residual_step(self) -> Scalar:
        """The t of the residual check, from the problem alone."""
        dtype = tree.dtype(self.x0)
        L = self.smooth.facts().L
        if self.step is not None:
            t = self.step
        elif L is not None:
            t = 1 / (jnp.asarray(L, dtype) + jnp.asarray(self.rho, dtype))
        else:
            t = 1
        return jnp.asarray(t, dtype)

    def value(self, x: PyTree) -> Scalar:
        """f(x), the smooth part."""
        return self.smooth.value(x)

    def grad(self, x: PyTree) -> PyTree:
        """The gradient of the smooth part."""
        return self.smooth.grad(x)

    def value_and_grad(self, x: PyTree) -> tuple[Scalar, PyTree]:
        """Value and gradient of the smooth part."""
        return self.smooth.value_and_grad(x)

    @property
    def n(self) -> int:
        """Number of terms of the smooth part, where it is a sum (static)."""
        return self.smooth.n

    def prices(self) -> Mapping[str, float]:
        """Those of the smooth part."""
        return self.smooth.prices()

    def sample(self, x: PyTree, key: Array, size: int) -> Float[Array, " size"]:
        """Drawn terms of a smooth part that is a sum."""
        return self.smooth.sample(x, key, size)

    def stochastic_grad(
        self,
        x: PyTree,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"] | None = None,
        key: Array | None = None,
    ) -> PyTree:
        """The gradient of the mean of the indexed terms of the smooth part."""
        return self.smooth.stochastic_grad(x, index, mask, key)

    def hvp(self, x: PyTree, v: PyTree) -> PyTree:
        """The Hessian of the smooth part applied to v."""
        return self.smooth.hvp(x, v)

    def hess(self, x: PyTree) -> Float[Array, "n n"]:
        """The dense Hessian of the smooth part."""
        return self.smooth.hess(x)

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """argmin g(x) + ||x - v||^2 / (2 t)."""
        return self.term.prox(v, t)

    def project(self, v: PyTree) -> PyTree:
        """The nearest point of the set."""
        return self.term.project(v)

    def lmo(self, g: PyTree) -> PyTree:
        """A minimiser of <g, x> over the set."""
        return self.term.lmo(g)

    def objective(self, x: PyTree) -> Scalar:
        """F(x) = f(x) + g(x)."""
        return self.value(x) + self.term.value(x)

    def term_value(self, x: PyTree) -> Scalar:
        """g(x)."""
        return self.term.value(x)

    def views(self) -> tuple[Way, ...]:
        """As an inclusion, a fixed point and a smooth function."""
        from banach.kinds.composite import views

        return views.of(self)

    def optimality(self, point: Point) -> Point:
        """x - prox(x - t grad f(x), t); zero exactly at stationary points."""
        if "prox" not in self.term.offers():
            raise Misuse(f"{type(self.term).__name__} has no prox to differentiate")
        x, t = point.x, self.residual_step()
        forward = tree.axpy(-t, self.grad(x), x)
        return Point(tree.sub(x, self.prox(forward, t)))

    def reference_point(self) -> Point | None:
        """The declared reference of this problem or of its smooth part."""
        return None if self.reference is None else Point(self.reference)

    def formula(self) -> str:
        """The objective as text."""
        smooth, comma, rest = self.smooth.formula().partition(", ")
        return f"{smooth} + {type(self.term).__name__}(x){comma}{rest}"

    def default_check(self) -> str:
        """Frank-Wolfe gap over a compact set with convex f, else the step."""
        facts = self.facts()
        compact = facts.has("convex") and facts.has("compact")
        if compact or "prox" not in self.term.offers():
            return "frank_wolfe"
        return "step"


def _fits(term: Term, x0: PyTree) -> None:
    """Refuse a term that cannot act on the variable."""
    with inputs.context(x0, ()):
        call = term.prox if "prox" in term.offers() else lambda v, t: term.lmo(v)
        inputs.acts(lambda v: call(v, 1.0), x0, f"the term {type(term).__name__}")

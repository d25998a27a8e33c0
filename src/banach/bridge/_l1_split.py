"""The same problem in another form, with the way there and back.

A method may see the other form. Checks see only the original problem, at the point
that `back` returns.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.core import compat, tree
from banach.core.facts import CONSTRUCTION, Facts
from banach.core.point import Point
from banach.core.problem import Misuse, Problem


class Reform(NamedTuple):
    """A problem in another form; `to` and `back` map points of the two."""

    problem: Problem
    to: Callable[[Point], Point]
    back: Callable[[Point], Point]


class Split(Problem):
    """f(x) + sum l1 |x| + l2 x^2 / 2 as a smooth function over a box.

    x = p - q with q only where l1 > 0, and there p >= 0 and q >= 0:

    minimise f(p - q) + sum l1 (p + q) + sum l2 (p - q)^2 / 2.

    The variable is one vector, p (all coordinates in the order of `tree.ravel`)
    followed by q. At a minimiser p q = 0, so that p + q = |x| and the values agree;
    elsewhere this objective is never below the original one.
    """

    kind: ClassVar[str] = "Split"

    base: Problem
    l1: Float[Array, " n"]
    l2: Float[Array, " n"]
    at: tuple[int, ...] = eqx.field(static=True)

    def oracles(self) -> frozenset[str]:
        """Value, gradient, Hessian products of the base, and the projection."""
        return (self.base.oracles() & {"value", "grad", "hvp"}) | {"project"}

    def essential(self) -> frozenset[str]:
        """The bounds."""
        return frozenset({"project"})

    def space(self) -> PyTree:
        """One vector of n + len(at) entries."""
        n = self.base.size() + len(self.at)
        return jax.ShapeDtypeStruct((n,), self.l1.dtype)

    def start(self) -> Point:
        """The base's start, split."""
        return self.to(self.base.start())

    def facts(self) -> Facts:
        """Convexity carries over; L doubles at most and is not claimed."""
        f = self.base.facts()
        kept = {k: v for k, v in f.properties.items() if k in ("convex", "smooth")}
        return Facts({**kept, "smooth": kept.get("smooth", CONSTRUCTION)})

    def bounds(self) -> tuple[Any, Any]:
        """Lower and upper sides of the variable."""
        n, m = self.base.size(), len(self.at)
        lower = np.full(n + m, -np.inf)
        lower[list(self.at)] = 0
        lower[n:] = 0
        return lower, np.full(n + m, np.inf)

    def x(self, z: Float[Array, " m"]) -> Float[Array, " n"]:
        """p - q as one vector."""
        n = self.base.size()
        return z[:n].at[self._at()].add(-z[n:])

    def to(self, point: Point) -> Point:
        """Positive and negative parts."""
        flat = tree.ravel(point.x)[0]
        part = flat[self._at()]
        p = flat.at[self._at()].set(jnp.maximum(part, 0))
        return Point(jnp.concatenate([p, jnp.maximum(-part, 0)]))

    def back(self, point: Point) -> Point:
        """x = p - q in the structure of the base."""
        return Point(self._unravel(self.x(point.x)))

    def value(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        """f(p - q) + sum l1 (p + q) + sum l2 (p - q)^2 / 2."""
        x = self.x(z)
        return self.base.value(self._unravel(x)) + self._term(z, x)

    def grad(self, z: Float[Array, " m"]) -> Float[Array, " m"]:
        """The gradient of `value`."""
        return self.value_and_grad(z)[1]

    def value_and_grad(self, z):
        """Value and gradient, with the base's own gradient."""
        x = self.x(z)
        f, g = self.base.value_and_grad(self._unravel(x))
        g = tree.ravel(g)[0] + self.l2 * x
        at = self._at()
        up = g.at[at].add(self.l1[at])
        return f + self._term(z, x), jnp.concatenate([up, self.l1[at] - g[at]])

    def hvp(self, z, v):
        """The Hessian of `value` applied to v."""
        d = self.x(v)
        h = self.base.hvp(self._unravel(self.x(z)), self._unravel(d))
        h = tree.ravel(h)[0] + self.l2 * d
        return jnp.concatenate([h, -h[self._at()]])

    def project(self, z: Float[Array, " m"]) -> Float[Array, " m"]:
        """Clip to the bounds."""
        return jnp.maximum(z, jnp.asarray(self.bounds()[0], z.dtype))

    def objective(self, x: Float[Array, " m"]) -> Float[Array, ""]:
        """The value: the bounds are a set."""
        return self.value(x)

    def optimality(self, point: Point) -> Point:
        """z - project(z - grad), zero exactly at stationary points."""
        z = point.x
        return Point(z - self.project(z - self.grad(z)))

    def formula(self) -> str:
        """The objective as text."""
        return f"{self.base.formula()}, with x = p - q, p >= 0, q >= 0"

    def default_check(self) -> str:
        """The step residual."""
        return "step"

    def _term(self, z, x):
        n, at = self.base.size(), self._at()
        lin = jnp.sum(self.l1[at] * (z[:n][at] + z[n:]))
        return lin + jnp.sum(self.l2 * jnp.square(x)) / 2

    def _at(self) -> np.ndarray:
        return np.asarray(self.at, int)

    def _unravel(self, flat):
        shapes = self.base.space()
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return tree.ravel(zeros)[1](flat)


def split(problem: Problem, l1: Any, l2: Any = 0.0) -> Reform:
    """A problem with the term sum l1 |x| + l2 x^2 / 2 as smooth over a box.

    l1 and l2 are numbers or weights like the variable (or its ravelled vector);
    `problem.value` and `problem.grad` must be those of the smooth part. Raises
    Misuse for traced weights: which coordinates split is structure.
    """
    if compat.any_tracer((l1, l2)):
        raise Misuse(
            "which coordinates split depends on the weights, which are traced here; "
            "call it outside jit and vmap"
        )
    dtype = tree.dtype(problem.space())
    one, two = (_flat(w, problem.space(), dtype) for w in (l1, l2))
    at = tuple(np.flatnonzero(one > 0).tolist())
    form = Split(problem, one, two, at)
    return Reform(form, form.to, form.back)


def _flat(weights: Any, space: PyTree, dtype: Any) -> Any:
    """Weights as one vector in the order of tree.ravel."""
    leaves, structure = jax.tree.flatten(space)
    parts = jax.tree.leaves(weights)
    if len(parts) != len(leaves):
        if len(parts) != 1:
            raise Misuse(
                f"weights have {len(parts)} leaves, the variable {len(leaves)}: "
                f"{structure}"
            )
        parts = parts * len(leaves)
    spread = [np.broadcast_to(p, s.shape) for p, s in zip(parts, leaves, strict=True)]
    return np.concatenate([np.ravel(p) for p in spread]).astype(dtype)

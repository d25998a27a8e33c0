"""Minimise a ratio: regularised least squares over the largest entries of x."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.facts import Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds import inputs
from banach.kinds.bases import Started
from banach.kinds.fractional import line

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]


@kind(
    name="Fractional",
    oracles="value residual coordinate",
    checks="coordinate_gap",
    prefers={"": "fractional_coordinate_descent"},
    cures={"coordinate": "State the ratio as bn.Fractional"},
    zoo="ratio",
)
class Fractional(Started):
    """minimise F(x) = (1/2 ||A x - b||^2 + lam ||x||_1) / ||x||_(k), x not 0.

    ||x||_(k) is the sum of the k largest |x_j|, a convex norm: the ratio is not convex
    and rewards few large entries, more so than the l1 norm alone. F is at least lam.
    Along one coordinate its global minimum has a closed form; the default check is that
    no change of one coordinate lowers F by much.

    Args:
        A: (m, n), no column 0.
        b: (m,), with A'b not 0.
        lam: a number > 0.
        k: an integer from 1 to n.
        x0: the start, (n,), not 0; None: each coordinate's own least squares over n.
        reference: the point that "small" is relative to; not used by the check.

    Raises:
        Misuse: shapes that do not fit, a column of zeros, a start at 0.

    Example:
        >>> ratio = bn.Fractional(np.eye(2), np.array([3.0, 1.0]), 1.0, 1)
        >>> bn.solve(ratio).x.round(4)
        array([3.1623, 0.    ])
    """

    A: Float[Array, "m n"]
    b: Float[Array, " m"]
    lam: Any
    x0: Vector
    reference: Vector | None
    k: int = eqx.field(static=True)

    def __init__(
        self,
        A: ArrayLike,
        b: ArrayLike,
        lam: Real,
        k: int,
        x0: ArrayLike | None = None,
        *,
        reference: ArrayLike | None = None,
    ):
        M: Any = validation.array(A, "A", ndim=2)
        y: Any = validation.array(b, "b", ndim=1)
        if M.shape[0] != y.shape[0] or not M.shape[1]:
            raise Misuse(
                f"b must have as many entries as A has rows: A has shape "
                f"{tuple(M.shape)}, b {tuple(y.shape)}"
            )
        known = not compat.any_tracer((M, y))
        if known and not np.all(np.any(np.asarray(M) != 0, axis=0)):
            raise Misuse("A has a column of zeros, along which F need not be attained")
        first: Any = x0
        if first is None:
            back = M.T @ y if known else jnp.matmul(M.T, y, precision=tree.PRECISION)
            first = back / ((M**2).sum(axis=0) * M.shape[1])
        first = inputs.variable(first, "x0")
        if np.shape(first) != (M.shape[1],):
            raise Misuse(f"x0 must have shape ({M.shape[1]},), got {np.shape(first)}")
        self.x0, (self.A, self.b) = inputs.canonical(first, (M, y))
        if not compat.is_tracer(self.x0) and not np.any(np.asarray(self.x0)):
            raise Misuse("x0 is 0, where F is not defined; pass another start as x0=")
        self.lam = inputs.cast(
            validation.number(lam, "lam", low="positive"), self.x0.dtype, "lam"
        )
        self.k = validation.integer(k, "k", low=1, high=M.shape[1])
        self.reference = inputs.reference(self.x0, reference)

    def restated(self) -> "Fractional":
        """Through the constructor."""
        return self.through_constructor()

    def facts(self) -> Facts:
        """None."""
        return Facts({}, {})

    def formula(self) -> str:
        """The ratio as text."""
        return (
            f"minimise (1/2 ||A x - b||^2 + lam ||x||_1) / ||x||_({self.k}), "
            f"{self.size()} unknowns"
        )

    def residual(self, x: Vector) -> Float[Array, " m"]:
        """A x - b."""
        return jnp.matmul(self.A, x, precision=tree.PRECISION) - self.b

    def numerator(self, x: Vector, r: Float[Array, " m"]) -> Scalar:
        """1/2 ||r||^2 + lam ||x||_1."""
        return jnp.vdot(r, r, precision=tree.PRECISION) / 2 + self.lam * jnp.sum(
            jnp.abs(x)
        )

    def denominator(self, x: Vector) -> Scalar:
        """The sum of the k largest |x_j|."""
        return jnp.sum(jnp.sort(jnp.abs(x))[x.size - self.k :])

    def value(self, x: Vector) -> Scalar:
        """F(x), infinite at 0."""
        return self.numerator(x, self.residual(x)) / self.denominator(x)

    def objective(self, x: Vector) -> Scalar:
        """F(x)."""
        return self.value(x)

    def lines(self, x: Vector, r: Float[Array, " m"]) -> line.Line:
        """F along every coordinate through x: leaves (n,)."""
        slope = jnp.matmul(self.A.T, r, precision=tree.PRECISION)
        bend = jnp.sum(self.A**2, axis=0)
        one = functools.partial(self._line, jnp.asarray(x), r)
        return jax.vmap(one)(jnp.arange(x.size), slope, bend)

    def coordinate(
        self,
        x: Vector,
        r: Float[Array, " m"],
        i: Int[Array, ""] | int,
        theta: Any,
        ratio: bool,
    ) -> tuple[Vector, Float[Array, " m"]]:
        """x and A x - b with coordinate i at the global minimum of its model.

        The model has the curvature (1 + theta) ||a_i||^2: of the ratio, or of
        numerator - F(x) denominator.
        """
        x, column = jnp.asarray(x), jnp.take(self.A, i, axis=1)
        slope = jnp.vdot(column, r, precision=tree.PRECISION)
        bend = (1 + theta) * jnp.sum(column**2)
        level = None if ratio else self.numerator(x, r) / self.denominator(x)
        z, _ = line.least(self._line(x, r, jnp.asarray(i), slope, bend), level)
        return x.at[i].set(z), r + column * (z - x[i])

    def _line(self, x: Vector, r: Array, i: Array, slope: Any, bend: Any) -> line.Line:
        """F along coordinate i; others are summed alone, so that no 0 is rounded."""
        others = jnp.where(jnp.arange(x.size) == i, 0, jnp.abs(x))
        size = jnp.sort(others)[::-1]
        base = jnp.vdot(r, r, precision=tree.PRECISION) / 2
        return line.Line(
            x=x[i],
            slope=slope,
            bend=bend,
            base=base + self.lam * jnp.sum(others),
            lam=jnp.asarray(self.lam, x.dtype),
            apart=jnp.sum(size[: self.k - 1]),
            far=size[self.k - 1],
            alone=~jnp.any((x != 0) & (jnp.arange(x.size) != i)),
        )

    def optimality(self, point: Point) -> Point:
        """x less the global minimiser along each coordinate; 0 at coordinate minima."""
        x = point.x
        return Point(x - line.least(self.lines(x, self.residual(x)), None)[0])

    def undefined(self, x: Vector) -> Any:
        """Whether F(x) is not a number, or x is 0."""
        return ~jnp.isfinite(self.value(x))

    def space(self) -> jax.ShapeDtypeStruct:
        """That of x0."""
        return jax.ShapeDtypeStruct(self.x0.shape, self.x0.dtype)

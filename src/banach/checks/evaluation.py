"""How checks evaluate at a point: judged dtype, values with their slack, screens."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.checks import rounding
from banach.core import tree, validation
from banach.core.check import Check
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least, some, subnormal
from banach.core.traced_function import TracedFunction

Scalar = Float[Array, ""]
# By the bits of a number: a power of ten, and a slack above which it is rounding of
# products of two ordinary numbers.
_FAR = {64: 75, 32: 9}
_CANCELS = {64: 1e-190, 32: 1e-30}


class Judged(NamedTuple):
    """A value, a bound of its rounding error entry by entry, and its provenance."""

    value: PyTree
    error: PyTree
    rounding: str


def lift(problem: Problem, point: Point) -> tuple[Problem, Point]:
    """Problem and point in float64 where that is possible; exact for float32."""
    double = jax.dtypes.canonicalize_dtype("float64")
    if tree.dtype(point.x) == double:
        return problem, Point(jax.tree.map(jnp.asarray, point.x), point.dual)
    return _widened(problem, double), _widened(Point(point.x, point.dual), double)


def lifted_reference(problem: Problem) -> tuple[Problem, Point] | None:
    """Problem and reference in float64, None where there is no reference.

    The problem is lifted first: a null model that is computed, and rounded, in a
    narrower dtype is another point, where an objective may be far above its own.
    """
    if problem.reference_point() is None:
        return None
    judged, _ = lift(problem, problem.start())
    return judged, judged.reference_point()


def _widened(x: PyTree, double: Any) -> PyTree:
    """Floating leaves in a wider dtype; the small numbers that XLA reads as 0 too."""

    def one(leaf: Any) -> Any:
        dtype = jnp.result_type(leaf)
        if not jnp.issubdtype(dtype, jnp.inexact):
            return leaf
        leaf = jnp.asarray(leaf)
        wide = leaf.astype(double)
        if dtype != jnp.float32 or double != jnp.float64:
            return wide
        bits = jax.lax.bitcast_convert_type(leaf, jnp.uint32)
        size = bits & jnp.uint32(2**31 - 1)
        small = size.astype(double) * 2.0**-149
        small = jnp.where(bits >= jnp.uint32(2**31), -small, small)
        return jnp.where(size < jnp.uint32(2**23), small, wide)

    return jax.tree.map(one, x)


def rounded_down(constant: Any, dtype: Any) -> Scalar:
    """A positive constant in a dtype, never above it: mu, a radius of safety.

    A narrower dtype rounds to nearest, which may be up.
    """
    given = constant if hasattr(constant, "dtype") else np.asarray(constant)
    value = jnp.asarray(constant, dtype)
    if np.dtype(given.dtype) == np.dtype(dtype):
        return value
    return value * (1 - 4 * gam(1, dtype))


def judged_dtype(problem: Problem) -> Any:
    """The dtype that certificates of this problem are computed in."""
    return jnp.promote_types(
        tree.dtype(problem.space()), jax.dtypes.canonicalize_dtype("float64")
    )


class Traced:
    """A function traced once at a point: how its rounding is known, and the bound.

    A trace of a long program costs as much as the bound; who asks for both asks here.
    """

    def __init__(self, fun: Callable[[PyTree], PyTree], x: PyTree):
        self._fun, self._x = fun, x
        self._closed, self._shape = jax.make_jaxpr(fun, return_shape=True)(x)
        self._known = rounding.supported(self._closed)

    @property
    def rounding(self) -> str:
        """How the error of the value is known."""
        return "modelled" if self._known else "estimated"

    def judge(self) -> Judged:
        """The value with a bound of its error, modelled where rules exist.

        Otherwise the error is estimated from perturbed re-evaluations, and enlarged a
        hundred times, so that it may only certify far below the tolerance.
        """
        if self._known:
            made = rounding.traced_with_error(self._closed, self._shape, (self._x,))
            return Judged(*made, self.rounding)
        # A bound method is a pytree with the problem's data in it: they move as well.
        key = jax.random.key(0)
        value, error = rounding.perturbed(lambda f, v: f(v), key, self._fun, self._x)
        # What vanishes moves by nothing, and is charged all the same.
        error = jax.tree.map(lambda e: 100 * (e + least(e.dtype)), error)
        return Judged(value, error, self.rounding)


def judge(fun: Callable[[PyTree], PyTree], x: PyTree) -> Judged:
    """fun(x) with a bound of its rounding error; see `Traced`."""
    return Traced(fun, x).judge()


def believed(what: str, label: str) -> tuple[str, ...]:
    """The line of `assumes` for a rounding error that is only estimated."""
    return (f"{what} rounding: estimated",) if label == "estimated" else ()


def half_square(norm: Scalar, e: Scalar, mu: Scalar) -> tuple[Scalar, Scalar]:
    """norm^2 / (2 mu) and its slack, where norm is off by at most e.

    Divided by sqrt(2 mu) before it is squared: ||g||^2 alone vanishes, or overflows,
    long before ||g||^2 / mu does.
    """
    dtype = norm.dtype
    root = jnp.sqrt(mu) * math.sqrt(2.0)
    q, p = norm / root, e / root + least(dtype)
    value = jnp.square(q)
    slack = 1.01 * (2 * q * p + jnp.square(p)) + gam(16, dtype) * value
    return value, slack + 4 * least(dtype)


def fixed(x: PyTree) -> PyTree:
    """A repaired point, computed once: what is judged is what is returned.

    XLA copies what makes a point into everything that reads it and rounds each copy
    otherwise (a quotient here, a product with the reciprocal there); the certificate
    would then speak of other bits than those that come back. It drops optimisation
    barriers before it does so. A loop whose turns it cannot foresee has one result.
    """

    def turn(loop: Any) -> Any:
        i, v = loop
        return i + 1, jax.tree.map(lambda u: jnp.where(i >= 0, u, -u), v)

    turns = tree.all_finite(x).astype(jnp.int32)
    return jax.lax.while_loop(lambda loop: loop[0] < turns, turn, (jnp.int32(0), x))[1]


def settled(x: PyTree) -> PyTree:
    """x with 0 in place of every entry that is read as 0."""
    return jax.tree.map(lambda v: jnp.where(abs(v) < least(v.dtype), 0, v), x)


def stopped(problem: Problem) -> tuple[str, ...]:
    """The lines of `assumes` for functions whose derivative was stopped by hand.

    What JAX calls the gradient of such a function is not that of its values.
    """
    found = jax.tree.leaves(problem, is_leaf=lambda v: isinstance(v, TracedFunction))
    names = {
        f.program.name
        for f in found
        if isinstance(f, TracedFunction) and f.program.stops_gradient
    }
    return tuple(
        f"derivative of {name} is that of its values: stop_gradient found in it"
        for name in sorted(names)
    )


def norm_slack(norm: Scalar, error: PyTree, size: int) -> Scalar:
    """Slack of a 2-norm of `size` entries whose errors are at most `error`.

    ||error|| + gam(n + 4) (||error|| + norm), and n tiny for flushed subnormals.
    """
    e = tree.norm(error)
    dtype = norm.dtype
    g, tiny = gam(size + 4, dtype), least(dtype)
    return 1.01 * (e * (1 + g) + g * norm) + size * tiny


def read(check: Check, **lows: str | None) -> None:
    """Misuse unless each of these fields is None or a number as a caller states it.

    Arrays of floats are the library's own, measured on the problem.
    """
    for name, low in lows.items():
        value = getattr(check, name)
        measured = isinstance(value, jax.Array) or (
            isinstance(value, np.ndarray)
            and value.dtype.kind == "f"
            and not validation.masked(value)
        )
        if value is not None and not measured:
            validation.number(value, name, low=low)


def screened(
    passes: Any, cheap: Callable[[], PyTree], full: Callable[[], PyTree]
) -> PyTree:
    """`full()` where the screen passes (always when it is None), else `cheap()`."""
    if passes is None:
        return full()
    return jax.lax.cond(passes, full, cheap)


def below(screen: Any, value: Scalar, scale: Scalar) -> Any:
    """Whether a cheap value is good enough to be worth its slack."""
    if screen is None:
        return None
    return jnp.isfinite(value) & (value <= jnp.asarray(screen, value.dtype) * scale)


def behind(
    screen: Any,
    scale: Scalar,
    cheap: Callable[[], Scalar],
    full: Callable[[], tuple[Scalar, Scalar]],
    part: int,
) -> tuple[Scalar, Scalar]:
    """`full()`, a value with its slack, where there is no screen or it passes.

    Else the cheap value, and as a placeholder one `part`-th of it.
    """
    if screen is None:
        return full()
    value = cheap()
    return screened(
        below(screen, value, scale), lambda: (value, abs(value) / part), full
    )


def null_scale(F: Scalar, zero: Scalar) -> Scalar:
    """An objective F >= 0 at the null model as a scale; `zero` says that it is 0.

    1 where F is exactly 0; 0, which certifies nothing, where it only vanished: what
    is small against a number that is not known to be 0 is not known to be small.
    """
    return usable(F, jnp.zeros_like(F), zero)


def usable(value: Scalar, slack: Scalar, nothing: Any) -> Scalar:
    """A scale: the value at the reference where it exceeds its slack.

    Elsewhere the value is no scale, and `nothing` says whether the reference may be
    taken for a solution: because the value is 0 by construction, or because all
    numbers are `ordinary`, so that a value within its slack is what rounding leaves of
    terms that cancel. There is then nothing to be relative to, and the quantity is
    absolute: the scale is 1, or the size of those terms, slack / eps, where that is
    less (where there are no terms the slack is a few smallest normal numbers, and the
    scale is 1). Otherwise the value may have vanished in underflow, and the scale is
    0, which certifies nothing: what is small against a number that is not known to
    be 0 is not known to be small.
    """
    good = jnp.isfinite(value) & jnp.isfinite(slack) & (value > slack)
    terms = slack / jnp.finfo(value.dtype).eps
    cancel = jnp.isfinite(slack) & (slack > _CANCELS[jnp.finfo(value.dtype).bits])
    absolute = jnp.where(cancel, jnp.minimum(terms, 1), jnp.ones_like(value))
    return jnp.where(good, value, jnp.where(nothing, absolute, 0))


def terms(error: Array) -> Array:
    """The size of the terms behind rounding errors; 0 where only products vanished."""
    info = jnp.finfo(error.dtype)
    return jnp.where(error > _CANCELS[info.bits], error / info.eps, 0)


def ordinary(*given: PyTree) -> Any:
    """Whether all numbers that are not 0 lie in 1e-75 .. 1e75; the infinite ones may.

    1e-9 .. 1e9 where they are judged in float32, without 64 bits.
    Products of two of them are exact to rounding, and so are their squares.
    """

    def strange(v: Array) -> Array:
        size, end = jnp.abs(v), _FAR.get(jnp.finfo(v.dtype).bits, 4)
        far = (size < 10.0**-end) | (size > 10.0**end)
        return far & (size > 0) & jnp.isfinite(size)

    return ~(subnormal(given) | some(given, strange))


def power_of_two(size: Scalar) -> Scalar:
    """A power of two within a factor of two of a size; its inverse is normal too."""
    dtype = size.dtype
    info = jnp.finfo(dtype)
    exponent = jnp.floor(jnp.log2(jnp.where(size > 0, size, 1)))
    exponent = jnp.clip(exponent, info.minexp + 2, info.maxexp - 3)
    return jnp.ldexp(jnp.ones((), dtype), exponent.astype(jnp.int32))


def grad_norm(
    problem: Problem, x: PyTree, screen: Any, scale: Scalar
) -> tuple[Scalar, Scalar, str]:
    """||grad f(x)||_2, its slack and how that is known.

    Behind a screen that fails the slack is only a placeholder, an eighth of the
    value: such a certificate is outside any tolerance that the screen stands for,
    and the slack stays below the value where the norm is squared.
    """

    def full() -> tuple[Scalar, Scalar]:
        g = judge(problem.grad, x)
        norm = tree.norm(g.value)
        return norm, norm_slack(norm, g.error, problem.size())

    value, slack = behind(screen, scale, lambda: tree.norm(problem.grad(x)), full, 8)
    return value, slack, provenance(problem.grad, x)


def where_defined(problem: Problem, x: PyTree, value: Scalar) -> Scalar:
    """The value, NaN where f(x) is: a gradient alone can be 0 outside the domain."""
    return jnp.where(problem.undefined(x), jnp.nan, value)


def provenance(fun: Callable[[PyTree], PyTree], x: PyTree) -> str:
    """How `judge` would know the rounding error of fun at x."""
    known = rounding.supported(jax.make_jaxpr(fun)(x))
    return "modelled" if known else "estimated"


def declared(problem: Problem, *names: str) -> tuple[str, ...]:
    """The lines of `assumes` for facts that a certificate relies on."""
    facts = problem.facts()
    return tuple(facts.says(name) for name in names)

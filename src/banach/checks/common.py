"""What the checks share: judged dtype, norms with their slack, screens, scales."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.checks import rounding
from banach.core import tree
from banach.core.function import TracedFunction
from banach.core.point import Point
from banach.core.problem import Problem
from banach.parts.term import gam

Scalar = Float[Array, ""]


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
    return tree.cast(problem, double), tree.cast(Point(point.x, point.dual), double)


def judged_dtype(problem: Problem) -> Any:
    """The dtype that certificates of this problem are computed in."""
    return jnp.promote_types(
        tree.dtype(problem.space()), jax.dtypes.canonicalize_dtype("float64")
    )


def judge(fun: Callable[[PyTree], PyTree], x: PyTree) -> Judged:
    """fun(x) with a bound of its rounding error, modelled where rules exist.

    Otherwise the error is estimated from perturbed re-evaluations, and enlarged a
    hundred times, so that it may only certify far below the tolerance.
    """
    if rounding.supported(jax.make_jaxpr(fun)(x)):
        value, error = rounding.with_error(fun)(x)
        return Judged(value, error, "modelled")
    # A bound method is a pytree with the problem's data in it: they move as well.
    key = jax.random.key(0)
    value, error = rounding.perturbed(lambda f, v: f(v), key, fun, x)
    return Judged(value, tree.scale(100, error), "estimated")


def believed(what: str, label: str) -> tuple[str, ...]:
    """The line of `assumes` for a rounding error that is only estimated."""
    return (f"{what} rounding: estimated",) if label == "estimated" else ()


def stopped(problem: Problem) -> tuple[str, ...]:
    """The lines of `assumes` for functions whose derivative was stopped by hand.

    What JAX calls the gradient of such a function is not that of its values.
    """
    found = jax.tree.leaves(problem, is_leaf=lambda v: isinstance(v, TracedFunction))
    names = {
        f.program.name
        for f in found
        if isinstance(f, TracedFunction) and getattr(f.program, "stops_gradient", False)
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
    g, tiny = gam(size + 4, dtype), float(jnp.finfo(dtype).tiny)
    return 1.01 * (e * (1 + g) + g * norm) + size * tiny


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


def usable(value: Scalar, slack: Scalar) -> Scalar:
    """A scale: the value at the reference where it exceeds its slack, else 1."""
    good = jnp.isfinite(value) & jnp.isfinite(slack) & (value > slack)
    return jnp.where(good, value, jnp.ones_like(value))


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

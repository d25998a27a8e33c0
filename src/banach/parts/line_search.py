"""Line searches: Armijo, and one that works at the noise floor.

A search evaluates the objective at trial steps inside one bounded loop, so the
objective is traced once. A trial whose value or slope is not finite is
rejected and the step shrinks. Every search also returns what it cost.

A test that compares function values stops working once the decrease is smaller
than the rounding error of the value: the gradient then stalls at about the
square root of the unit roundoff. `approximate_wolfe` compares slopes instead,
which keep their relative accuracy.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree

Scalar = Float[Array, ""]


class LineSearchResult(eqx.Module):
    """Where a line search ended and what it cost.

    When `success` is false, x is the best point whose value the search could
    accept (the start itself if there was none, with step 0).
    """

    x: PyTree
    f: Scalar
    g: PyTree
    step: Scalar
    value_calls: Int[Array, ""]
    grad_calls: Int[Array, ""]
    success: Bool[Array, ""]


def armijo(
    value: Callable[[PyTree], Scalar],
    grad: Callable[[PyTree], PyTree],
    x: PyTree,
    f: Scalar,
    g: PyTree,
    direction: PyTree,
    initial_step: Scalar,
    *,
    decrease: Float[Array, ""] | float = 1e-4,
    noise: Float[Array, ""] | float = 0.0,
    ceiling: Scalar | None = None,
    max_steps: int = 40,
) -> LineSearchResult:
    """Halve the step until the value falls enough.

    f(x + a d) <= f(x) + decrease * a * g.d + noise * eps * |f(x)|

    With `ceiling` in the place of f(x), where values may rise for a while (Grippo,
    Lampariello and Lucidi 1986).

    The loop calls `value` only; `grad` is called once, at the point returned,
    also after a failure. With noise > 0 (units of roundoff) a step whose
    decrease is lost in rounding is accepted; with 0 the search fails there.

    Source: Armijo (1966); Nocedal and Wright (2006), algorithm 3.1.
    """
    f = jnp.asarray(f)
    slope = jnp.asarray(tree.vdot(g, direction), f.dtype)
    slack = _slack(noise, f)
    top = f if ceiling is None else jnp.asarray(ceiling, f.dtype)

    def active(s):
        return ~s.done & (s.calls < max_steps) & (slope < 0)

    def body(s):
        trial = tree.axpy(s.step, direction, x)
        value_trial = value(trial)
        done = value_trial <= top + decrease * s.step * slope + slack
        done = done & jnp.isfinite(value_trial)
        return _Backtrack(
            tree.where(done, trial, s.x),
            jnp.where(done, value_trial, s.f),
            jnp.where(done, s.step, s.step * jnp.asarray(0.5, f.dtype)),
            s.calls + 1,
            done,
        )

    zero = jnp.zeros((), jnp.int32)
    first = _Backtrack(
        x, f, jnp.asarray(initial_step, f.dtype), zero, jnp.asarray(False)
    )
    last = jax.lax.while_loop(active, body, first)
    return LineSearchResult(
        last.x,
        last.f,
        grad(last.x),
        jnp.where(last.done, last.step, 0),
        last.calls,
        jnp.ones((), jnp.int32),
        last.done,
    )


def approximate_wolfe(
    value_and_grad: Callable[[PyTree], tuple[Scalar, PyTree]],
    x: PyTree,
    f: Scalar,
    g: PyTree,
    direction: PyTree,
    initial_step: Scalar,
    *,
    decrease: Float[Array, ""] | float = 0.1,
    curvature: Float[Array, ""] | float = 0.9,
    noise: Float[Array, ""] | float = 32.0,
    max_steps: int = 40,
) -> LineSearchResult:
    """Find a step that meets the Wolfe or the approximate Wolfe conditions.

    In both cases phi'(a) >= curvature * phi'(0), and

    phi(a) <= phi(0) + decrease * a * phi'(0),   or
    phi'(a) <= (2 decrease - 1) phi'(0)  and  phi(a) <= phi(0) + noise eps |phi(0)|

    where eps is the unit roundoff of f's dtype, 0 < decrease < 1/2 and decrease <
    curvature < 1. For a quadratic phi the two first inequalities are the same
    statement; the second form needs no difference of values, so the search
    keeps working down to the rounding error of the gradient. Raise `noise` when
    f is a difference of much larger numbers.

    Source: Hager and Zhang (2005), SIAM J. Optim. 16(1), equations 4.1-4.3.
    """
    f = jnp.asarray(f)
    slope = jnp.asarray(tree.vdot(g, direction), f.dtype)
    slack = _slack(noise, f)

    def low(a, phi, dphi):
        return phi <= f + slack

    def accept(a, phi, dphi):
        wolfe = phi <= f + decrease * a * slope
        flat = low(a, phi, dphi) & (dphi <= (2 * decrease - 1) * slope)
        return (wolfe | flat) & (dphi >= curvature * slope)

    return _bracket(
        value_and_grad,
        x,
        f,
        g,
        direction,
        initial_step,
        slope,
        low,
        accept,
        max_steps,
    )


class _Backtrack(eqx.Module):
    x: PyTree
    f: Scalar
    step: Scalar
    calls: Int[Array, ""]
    done: Bool[Array, ""]


class _End(eqx.Module):
    """One end of the bracket: step, value, slope."""

    a: Scalar
    f: Scalar
    d: Scalar


class _Search(eqx.Module):
    x: PyTree
    g: PyTree
    lo: _End
    hi: _End
    trial: Scalar
    calls: Int[Array, ""]
    done: Bool[Array, ""]


def _bracket(
    value_and_grad, x, f, g, direction, initial_step, slope, low, accept, limit
):
    """The state machine of the search, one evaluation a turn.

    Invariant: lo is low with a negative slope and was not acceptable; hi, once
    finite, is not low, or has a slope >= 0, or is not finite. An acceptable
    interval then lies between them: the minimiser of phi over [lo, hi] is interior.
    """
    dtype = f.dtype
    tiny = jnp.finfo(dtype).eps

    def active(s):
        # A bracket of two roundoffs holds no further step.
        empty = jnp.isfinite(s.hi.a) & (s.hi.a - s.lo.a <= 2 * tiny * s.hi.a)
        return ~s.done & (s.calls < limit) & (slope < 0) & ~empty

    def body(s):
        point = tree.axpy(s.trial, direction, x)
        phi, grad = value_and_grad(point)
        dphi = jnp.asarray(tree.vdot(grad, direction), dtype)
        new = _End(s.trial, phi, dphi)
        finite = jnp.isfinite(phi) & jnp.isfinite(dphi)
        done = finite & accept(new.a, phi, dphi)
        up = finite & low(new.a, phi, dphi) & (dphi < 0)
        keep = done | up
        lo = tree.where(keep, new, s.lo)
        hi = tree.where(keep, s.hi, new)
        trial = jnp.where(
            jnp.isinf(hi.a), _extend(s.lo, new), _interpolate(lo, hi, tiny)
        )
        # An interpolation that left most of the bracket must not do so twice.
        shrunk = (hi.a - lo.a) <= 0.66 * (s.hi.a - s.lo.a)
        middle = lo.a + (hi.a - lo.a) / 2
        trial = jnp.where(shrunk | jnp.isinf(s.hi.a), trial, middle)
        return _Search(
            tree.where(keep, point, s.x),
            tree.where(keep, grad, s.g),
            lo,
            hi,
            trial,
            s.calls + 1,
            done,
        )

    zero = jnp.zeros((), dtype)
    far = _End(zero + jnp.inf, zero + jnp.inf, zero)
    first = _Search(
        x,
        g,
        _End(zero, f, slope),
        far,
        jnp.asarray(initial_step, dtype),
        jnp.zeros((), jnp.int32),
        jnp.asarray(False),
    )
    last = jax.lax.while_loop(active, body, first)
    return LineSearchResult(
        last.x, last.lo.f, last.g, last.lo.a, last.calls, last.calls, last.done
    )


def _extend(old, new):
    """Extrapolate the slopes linearly to zero, to between 1.1 and 10 times."""
    bend = new.d - old.d
    gain = jnp.where(bend > 0, -new.d / jnp.where(bend > 0, bend, 1), jnp.inf)
    return jnp.clip(new.a + gain * (new.a - old.a), 1.1 * new.a, 10.0 * new.a)


def _interpolate(lo, hi, tiny):
    """Cubic interpolation; secant of the slopes where values are only rounding."""
    width = hi.a - lo.a
    told_apart = jnp.abs(hi.f - lo.f) > 1e3 * tiny * jnp.abs(lo.f)
    d1 = lo.d + hi.d - 3 * (hi.f - lo.f) / width
    square = d1**2 - lo.d * hi.d
    d2 = jnp.sqrt(jnp.maximum(square, 0))
    bottom = hi.d - lo.d + 2 * d2
    cubic = 1 - (hi.d + d2 - d1) / jnp.where(bottom == 0, 1, bottom)
    bend = hi.d - lo.d
    secant = jnp.where(hi.d >= 0, -lo.d / jnp.where(bend == 0, 1, bend), 0.5)
    part = jnp.where(told_apart & (square >= 0), cubic, secant)
    part = jnp.where(jnp.isfinite(part), jnp.clip(part, 0.01, 0.99), 0.5)
    # Far outside the domain nothing is known: leave quickly, then bisect.
    blind = ~jnp.isfinite(hi.f) | ~jnp.isfinite(hi.d)
    part = jnp.where(blind, jnp.where(lo.a == 0, 0.1, 0.5), part)
    return lo.a + part * width


def _slack(noise, f):
    return jnp.asarray(noise, f.dtype) * jnp.finfo(f.dtype).eps * jnp.abs(f)

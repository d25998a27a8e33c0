"""How long a damped Newton step is: rules for alpha in x+ = x - alpha n, n = H^-1 g.

Every rule works with the local norm of the Hessian at x, so that it sees nothing
of the choice of coordinates. A rule gets `at(alpha)`, which evaluates the function
at x - alpha n, and returns where it ended. Lengths are in (0, 1].
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core import compat, tree
from banach.core.problem import Misuse
from banach.core.validated_fields import count, number, switch
from banach.parts.newton import dual_square

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]


class Local(eqx.Module):
    """The function at one point, and the Newton direction with its factor there.

    `decrement` is G = sqrt(g.n), the gradient's norm in the local dual norm.
    """

    f: Scalar
    g: Vector
    n: Vector
    lower: Float[Array, "n n"]
    decrement: Scalar


class Trial(eqx.Module):
    """x - alpha n: value and gradient there, damping, evaluations spent."""

    alpha: Scalar
    theta: Scalar
    f: Scalar
    g: Vector
    success: Bool[Array, ""]
    calls: Int[Array, ""]


At = Callable[[Scalar], tuple[Scalar, Vector]]


class Explicit(eqx.Module):
    """alpha = 1 / (1 + theta), theta = (9 M)^(1/(q-1)) G^((q-2)/(q-1)).

    `M` is the constant of local Hoelder continuity of order q in [2, 4]: of the
    Hessian up to q = 3 (where M relates to self-concordance), of the third
    derivative above.
    """

    M: Scalar = number("Explicit M", "nonnegative")
    q: Scalar = number("Explicit q", "positive")

    def __check_init__(self):
        if not compat.is_tracer(self.q) and not 2 <= float(self.q) <= 4:
            raise Misuse(f"Explicit q must be from 2 to 4, got {float(self.q):g}")

    def first(self, dtype) -> Scalar:
        """Damping is not remembered."""
        return jnp.zeros((), dtype)

    def __call__(self, at: At, here: Local, theta: Scalar) -> Trial:
        """One evaluation, always taken when finite."""
        kind = here.g.dtype
        q, M = jnp.asarray(self.q, kind), jnp.asarray(self.M, kind)
        theta = (9 * M) ** (1 / (q - 1)) * here.decrement ** ((q - 2) / (q - 1))
        alpha = 1 / (1 + theta)
        f, g = at(alpha)
        good = jnp.isfinite(f) & tree.all_finite(g)
        return Trial(alpha, theta, f, g, good, jnp.ones((), jnp.int32))


class Backtracking(eqx.Module):
    """Least damping, up to a factor, whose step meets the descent condition.

    theta = previous / grow, times grow until
    g+.n >= ||g+||*^2 / (2 alpha theta), alpha = 1 / (1 + theta),
    with the dual norm of the Hessian at x. Only gradients are compared, so the
    rule works down to their rounding error.
    """

    theta: Scalar = number("Backtracking theta", "positive", default=1e-2)
    grow: Scalar = number("Backtracking grow", "positive", default=4.0)
    max_steps: int = count("Backtracking max_steps", default=60)

    def __check_init__(self):
        if not compat.is_tracer(self.grow) and not float(self.grow) > 1:
            raise Misuse(f"Backtracking grow must be above 1, got {float(self.grow):g}")

    def first(self, dtype) -> Scalar:
        """The damping that counts as the one before the first step."""
        return jnp.asarray(self.theta, dtype)

    def __call__(self, at: At, here: Local, theta: Scalar) -> Trial:
        """At most max_steps evaluations."""
        kind = here.g.dtype
        grow = jnp.asarray(self.grow, kind)
        least = jnp.finfo(kind).eps

        def active(t):
            return ~t.success & (t.calls < self.max_steps)

        def body(t):
            theta = jnp.where(t.calls == 0, t.theta, t.theta * grow)
            alpha = 1 / (1 + theta)
            f, g = at(alpha)
            enough = dual_square(here.lower, g) / (2 * alpha * theta)
            good = (jnp.vdot(g, here.n) >= enough) & jnp.isfinite(f)
            return Trial(alpha, theta, f, g, good, t.calls + 1)

        zero = jnp.zeros((), kind)
        start = jnp.maximum(theta / grow, least)
        no, calls = jnp.asarray(False), jnp.zeros((), jnp.int32)
        return jax.lax.while_loop(
            active, body, Trial(zero, start, here.f, here.g, no, calls)
        )


class Search(eqx.Module):
    """Golden-section search for alpha in [0, 1], the end 1 included.

    `regulated` minimises (f(x - alpha n) - f(x)) / ||grad f(x - alpha n)||*^2, else
    f itself (greedy Newton). Decreases lost in rounding are taken from gradients
    by the trapezoid rule.
    """

    regulated: bool = switch("Search regulated", default=True)
    max_steps: int = count("Search max_steps", default=20)

    def first(self, dtype) -> Scalar:
        """Damping is not remembered."""
        return jnp.zeros((), dtype)

    def __call__(self, at: At, here: Local, theta: Scalar) -> Trial:
        """max_steps evaluations: the end 1, then points inside."""
        kind = here.g.dtype
        golden = jnp.asarray((5**0.5 - 1) / 2, kind)
        eps = jnp.finfo(kind).eps

        def merit(alpha):
            f, g = at(alpha)
            change = f - here.f
            slopes = -alpha * (jnp.vdot(here.g, here.n) + jnp.vdot(g, here.n)) / 2
            lost = jnp.abs(change) <= 100 * eps * jnp.abs(here.f)
            change = jnp.where(lost, slopes, change)
            if self.regulated:
                square = dual_square(here.lower, g)
                change = change / jnp.where(square > 0, square, eps * eps)
            good = jnp.isfinite(change) & tree.all_finite(g)
            return Trial(
                alpha,
                jnp.where(good, change, jnp.inf),
                f,
                g,
                good & (change < 0),
                jnp.ones((), jnp.int32),
            )

        def body(_, state):
            lo, hi, a, value, best = state
            # One interior point a is known; the other is its mirror image.
            b = lo + hi - a
            trial = merit(b)
            left = jnp.minimum(a, b)
            right = jnp.maximum(a, b)
            at_left = jnp.where(a <= b, value, trial.theta)
            at_right = jnp.where(a <= b, trial.theta, value)
            down = at_left <= at_right
            lo, hi = jnp.where(down, lo, left), jnp.where(down, right, hi)
            kept = jnp.where(down, left, right)
            value = jnp.minimum(at_left, at_right)
            best = tree.where(trial.theta < best.theta, trial, best)
            return lo, hi, kept, value, best

        ends = jax.lax.map(merit, jnp.stack([jnp.ones((), kind), golden]))
        one = jax.tree.map(lambda v: v[0], ends)
        inside = jax.tree.map(lambda v: v[1], ends)
        best = tree.where(inside.theta < one.theta, inside, one)
        zero, top = jnp.zeros((), kind), jnp.ones((), kind)
        state = (zero, top, golden, inside.theta, best)
        best = jax.lax.fori_loop(2, self.max_steps, body, state)[-1]
        calls = jnp.asarray(self.max_steps, jnp.int32)
        return eqx.tree_at(
            lambda t: (t.theta, t.calls), best, (1 / best.alpha - 1, calls)
        )

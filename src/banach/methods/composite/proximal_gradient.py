"""Proximal gradient (ISTA), with a step of 1/L or one found by backtracking."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import flag, real, upper
from banach.core.method import Method, Refusal

_TRIALS = 60


class ProximalGradientState(eqx.Module):
    """Iterate with f and its gradient, the estimate of L, and what it cost."""

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    lipschitz: Float[Array, ""]
    trials: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "prox"},
    assumes={"smooth"},
    paper="beck2009fista",
    rate_of="F(x) - F*",
    rate=lambda c, t: c.L * c.radius**2 / (2 * t),
    cost=None,
)
class ProximalGradient(Method):
    """Gradient steps on f, each followed by the prox of the term.

    x+ = prox(x - grad f(x) / L, 1 / L)

    With backtrack=True, `lipschitz` is only a first guess: L doubles until the
    quadratic model bounds f at the new point,

    f(x+) <= f(x) + <grad f(x), x+ - x> + L/2 ||x+ - x||^2,

    and shrinks by a tenth after each step (Nesterov 2013). Where the difference of
    values drowns in rounding, <grad f(x+) - grad f(x), x+ - x> <= L ||x+ - x||^2 is
    asked instead. The rate of the card is proved for convex f and a fixed L.

    Fails with backtrack=False when `lipschitz` is below the true constant, and is
    slow where the condition number is large: fista then needs its square root.
    """

    lipschitz: Any = real()
    backtrack: bool = flag(True, static=True)

    @classmethod
    def suggest(cls, problem, facts, backtrack=None):
        L = upper(facts, "L")
        if L is None and backtrack is False:
            return Refusal(
                "L",
                "proximal_gradient with backtrack=False needs L: declare L=... on the "
                "problem, pass lipschitz=..., or let it search (backtrack=True)",
            )
        return cls(1.0, backtrack=True) if L is None else cls(L, backtrack=False)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        dtype = tree.dtype(start.x)
        one = jnp.ones((), jnp.int32)
        guess = jnp.asarray(self.lipschitz, dtype)
        f = jnp.asarray(f, dtype)
        return ProximalGradientState(start.x, f, g, guess, one, jnp.asarray(False))

    def step(self, problem, state, key):
        def trial(L):
            x = problem.prox(tree.axpy(-1 / L, state.g, state.x), 1 / L)
            f, g = problem.value_and_grad(x)
            return x, jnp.asarray(f, state.f.dtype), g

        def search(carry):
            L, _, _, n = carry
            x, f, g = trial(L)
            ok = self._bounded(state, L, x, f, g)
            return jnp.where(ok, L, 2 * L), (x, f, g), ok, n + 1

        if self.backtrack:
            zero = jnp.zeros((), jnp.int32)
            first = (state.lipschitz, (state.x, state.f, state.g), zero > 0, zero)
            L, (x, f, g), ok, n = jax.lax.while_loop(
                lambda c: ~c[2] & (c[3] < _TRIALS), search, first
            )
            # A search that failed leaves everything as it was.
            x, f, g = tree.where(ok, (x, f, g), (state.x, state.f, state.g))
            L = 0.9 * L
        else:
            (x, f, g), L, n = trial(state.lipschitz), state.lipschitz, 1
        stuck = tree.max_abs(tree.sub(x, state.x)) == 0
        return ProximalGradientState(x, f, g, L, state.trials + n, stuck)

    def _bounded(self, state, L, x, f, g):
        """Whether the quadratic model of curvature L bounds f at x."""
        d = tree.sub(x, state.x)
        square = L * tree.vdot(d, d)
        above = f - state.f - tree.vdot(state.g, d)
        noise = 64 * jnp.finfo(f.dtype).eps * jnp.maximum(abs(f), abs(state.f))
        bend = tree.vdot(tree.sub(g, state.g), d)
        ok = (above <= square / 2) | ((square <= noise) & (bend <= square))
        return ok & jnp.isfinite(f) & tree.all_finite(g)

    def calls(self, state):
        return {"value": state.trials, "grad": state.trials, "prox": state.trials - 1}

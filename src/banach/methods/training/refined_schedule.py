"""Linear decay of the step, then the schedule that its gradient norms ask for."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, upper, word
from banach.core.method import Method, Refusal
from banach.parts import batches
from banach.parts.schedules import refine_schedule

ADAM_PEAK = 1e-2
"""For Adam no constant of the problem gives it. Not tuned."""
_BASES = {"sgd": (optax.identity, 2), "adam": (optax.scale_by_adam, 1)}


class RefinedScheduleState(eqx.Module):
    """Iterate, its start, the base's state, norms seen, multipliers, order, step."""

    x: PyTree
    start: PyTree
    inner: PyTree
    norms: Float[Array, " T"]
    eta: Float[Array, " T"]
    order: batches.Shuffle
    t: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="defazio2023when",
    random=True,
)
class RefinedSchedule(Method):
    """Runs of T steps from the start; each takes its schedule from the one before.

    x+ = x - peak eta_t u_t,  u_t the direction of `base` for the batch gradient g_t

    The first run decays linearly, eta_t = (T - t) / (T - 1), which is optimal for the
    last iterate in the worst case; after it eta is refined from the norms that were
    seen, eta_t = w_t sum_{p>t} w_p / max, with w_t = G_t^-2 of the running median G of
    ||g_t||_2 for base "sgd", and G_t^-1 of ||g_t||_1 for "adam". The answer is the last
    iterate of a run of `steps`; after `rounds` runs the method is stuck.

    Fails as its base does where peak is wrong: schedules do not choose it. Norms that
    fall to nothing (a model that interpolates) put all weight on the last steps.
    """

    peak: Any = real()
    steps: int = count(low=2, static=True)
    base: str = word(*_BASES, default="sgd")
    batch: int = count(32, static=True)
    rounds: int = count(2, static=True)

    @classmethod
    def suggest(cls, problem, facts, base=None):
        L = upper(facts, "L")
        if base == "sgd" and L is None:
            return Refusal("L", "declare L=..., pass peak=..., or take base='adam'")
        batch = min(32, max(1, problem.n // 8))
        steps = 20 * math.ceil(problem.n / batch)
        if base == "adam" or L is None:
            return cls(ADAM_PEAK, steps, "adam", batch)
        return cls(1 / L, steps, "sgd", batch)

    def init(self, problem, start, key):
        batches.fits(self.batch, problem.n)
        dtype = tree.dtype(start.x)
        # What alike norms give; refining constants would be folded at compile time.
        linear = jnp.arange(self.steps - 1, -1, -1, dtype=dtype) / (self.steps - 1)
        inner = _BASES[self.base][0]().init(start.x)
        return RefinedScheduleState(
            start.x, start.x, inner, jnp.ones_like(linear), linear,
            batches.shuffled(problem.n, key), jnp.zeros((), jnp.int32),
        )  # fmt: skip

    def step(self, problem, state, key):
        # Its answer is where the last run ends: a look may come long after.
        ended = self.stuck(state)
        return jax.lax.cond(
            ended, lambda s: s, lambda s: self._step(problem, s, key), state
        )

    def _step(self, problem, state, key):
        draw, noise = jax.random.split(key)
        k = state.t % self.steps
        again = (k == 0) & (state.t > 0)
        make, power = _BASES[self.base]
        eta = jax.lax.cond(
            again, lambda s: refine_schedule(s.norms, order=power), lambda s: s.eta,
            state,
        )  # fmt: skip
        fresh = (state.start, make().init(state.start))
        x, inner = tree.where(again, fresh, (state.x, state.inner))
        order = batches.ready_for(state.order, self.batch, draw)
        index = batches.window(order, 0, self.batch)
        g = problem.stochastic_grad(x, index, None, noise)
        size = tree.norm(g) if power == 2 else tree.total(jax.tree.map(jnp.abs, g))
        norms = state.norms.at[k].set(size.astype(eta.dtype))
        u, inner = make().update(g, inner, x)
        x = tree.axpy(-jnp.asarray(self.peak, eta.dtype) * eta[k], u, x)
        order = batches.spent(order, self.batch)
        t = state.t + 1
        return RefinedScheduleState(x, state.start, inner, norms, eta, order, t)

    def stuck(self, state):
        return state.t >= self.rounds * self.steps

    @property
    def typical(self):
        return {"stochastic_grad": self.batch}

    def calls(self, state):
        return {"stochastic_grad": state.t * self.batch}

"""Normalised momentum, a refined start and periodic lower updates (BO-REP)."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method
from banach.methods.bilevel._block_estimators import draw_rows


class BoRepState(eqx.Module):
    """(x, y), tracker z of the linear system, momentum m, steps, lower calls."""

    pair: PyTree
    z: PyTree
    m: PyTree
    k: Int[Array, ""]
    lower: Int[Array, ""]


@method(
    problem="Bilevel",
    needs=[
        "sample_upper_grad",
        "sample_lower_grad",
        "sample_lower_hvp",
        "sample_cross",
    ],
    assumes={"lower_strongly_convex"},
    paper="hao2024bilevel",
    random=True,
)
class BoRep(Method):
    """Upper steps of fixed length, for F whose smoothness grows with its gradient.

    y    refined before the first step by epoch-SGD: epochs of projected SGD, each
         twice as long with half the step in a ball smaller by sqrt 2, started at
         the mean of the one before; then `updates` SGD steps every `period` steps,
         in the ball of `radius` around the y they start at
    z+ = z - nu (G_yy z - F_y)
    m+ = beta m + (1 - beta) (F_x - G_xy z+)
    x+ = x - eta_k m+ / ||m+||,  eta_k = eta 2^(-k / half_life)

    Every derivative is a mean over `batch` fresh rows. x moves by eta_k whatever
    ||m|| is, so that y*(x) moves slowly even where F is steep. The analysis keeps eta
    fixed (half_life inf), the experiments shrink it in stages. I = period, N = updates,
    gamma = lower_step in the paper. Reconstructed from its abstract, the authors' code
    and, for epoch-SGD, Hazan and Kale (2014).

    Fails with lower_step or nu above 2 / L of the sampled g: y and z diverge.
    """

    eta: Any = real()
    lower_step: Any = real()
    nu: Any = real()
    beta: Any = real(0.9, low="nonnegative", below=1)
    half_life: Any = real(np.inf, infinite=True)
    radius: Any = real(np.inf, infinite=True)
    batch: int = count(32, static=True)
    period: int = count(2, static=True)
    updates: int = count(5, low=0, static=True)
    epochs: int = count(5, low=0, static=True)
    first_epoch: int = count(10, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        # Samples are steeper than their mean, and L is often estimated.
        step = 0.25 / facts.get("lower_L")
        # Each entry of x moves by 0.05 at first, in the root mean square.
        n = tree.size(problem.start().x[0])
        return cls(eta=0.05 * n**0.5, lower_step=step, nu=step, half_life=200.0)

    def init(self, problem, start, key):
        x, y = start.x

        def epoch(e, y):
            rate, length = 0.5**e, self.first_epoch * 2**e
            args = (rate, rate**0.5, jax.random.fold_in(key, e), length)
            return tree.scale(1 / length, self._sgd(problem, x, y, *args)[1])

        y = jax.lax.fori_loop(0, self.epochs, epoch, problem.in_blocks(y))
        used = self.first_epoch * (2**self.epochs - 1)
        zero, pair = jnp.zeros((), jnp.int32), (x, problem.unstack(y))
        used = jnp.asarray(used, jnp.int32)
        return BoRepState(pair, tree.zeros_like(y), tree.zeros_like(x), zero, used)

    def step(self, problem, state, key):
        (x, y), n, counts = state.pair, _all(problem), problem.counts()
        y = problem.in_blocks(y)
        first, second, third, fourth = jax.random.split(key, 4)
        due = (state.k > 0) & (state.k % self.period == 0)
        y = jax.lax.cond(
            due,
            lambda: self._sgd(problem, x, y, 1, 1, first, self.updates)[0],
            lambda: y,
        )
        at = (x, problem.unstack(y))
        upper = draw_rows(second, counts[0], self.batch, counts[1])
        fx, fy = problem.sample_upper_grad(at, n, upper)
        rows = draw_rows(third, counts[0], self.batch, counts[2])
        left = tree.sub(problem.sample_lower_hvp(at, state.z, n, rows), fy)
        z = tree.axpy(-jnp.asarray(self.nu), left, state.z)
        rows = draw_rows(fourth, counts[0], self.batch, counts[2])
        p = tree.sub(fx, problem.sample_cross(at, z, n, rows))
        m = tree.lerp(1 - jnp.asarray(self.beta), state.m, p)
        size = tree.norm(m)
        eta = self.eta * 0.5 ** (state.k.astype(size.dtype) / self.half_life)
        x = tree.axpy(-eta / jnp.where(size > 0, size, 1), m, x)
        used = state.lower + jnp.where(due, self.updates, 0)
        return BoRepState((x, at[1]), z, m, state.k + 1, used)

    def calls(self, state):
        names = ("sample_upper_grad", "sample_lower_hvp", "sample_cross")
        return {**dict.fromkeys(names, state.k), "sample_lower_grad": state.lower}

    def _sgd(self, problem, x, y, rate, ball, key, steps):
        """Projected SGD on every block from y: the last iterate and their sum."""
        n, (m, _, size) = _all(problem), problem.counts()
        length, radius = jnp.asarray(rate * self.lower_step), ball * self.radius

        def one(j, pair):
            w, total = pair
            rows = draw_rows(jax.random.fold_in(key, j), m, self.batch, size)
            g = problem.sample_lower_grad((x, problem.unstack(w)), n, rows)
            away = tree.sub(tree.axpy(-length, g, w), y)
            far = tree.norm(away)
            w = tree.axpy(jnp.minimum(1, radius / jnp.where(far > 0, far, 1)), away, y)
            return w, tree.add(total, w)

        return jax.lax.fori_loop(0, steps, one, (y, tree.zeros_like(y)))


def _all(problem):
    return jnp.arange(problem.counts()[0], dtype=jnp.int32)

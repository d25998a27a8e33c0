"""Blockwise stochastic variance reduction for many lower problems (BSVRB)."""

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
from banach.core.point import Point
from banach.methods.bilevel import _block_estimators as blockwise


class BsvrbState(eqx.Module):
    """w = (x, y, v) now and before, by blocks; trackers; the problem's (x, y) and v."""

    w: PyTree
    old: PyTree
    s: PyTree
    u: PyTree
    z: PyTree
    k: Int[Array, ""]
    pair: PyTree
    offer: PyTree


@method(
    problem="Bilevel",
    needs=[
        "sample_upper_grad",
        "sample_lower_grad",
        "sample_lower_hvp",
        "sample_cross",
    ],
    assumes={"lower_strongly_convex"},
    paper="hu2023blockwise",
    cost={
        "sample_upper_grad": 2,
        "sample_lower_grad": 2,
        "sample_lower_hvp": 2,
        "sample_cross": 2,
    },
    init_cost={
        "sample_upper_grad": 1,
        "sample_lower_grad": 1,
        "sample_lower_hvp": 1,
        "sample_cross": 1,
    },
    random=True,
)
class Bsvrb(Method):
    """A few lower problems a step, each gradient tracked with variance reduction.

    With q_i(w) either of grad_y g_i and (G_i)_yy v_i - (F_i)_y, the tracker of a
    sampled block moves, that of another stays (MSVR; version 2 of the paper):

    s_i = (1 - a) s_i + a q_i(w) + c (q_i(w) - q_i(w-))
    y_i+ = y_i - tau s_i,  v_i+ = v_i - tau_v u_i,  for every block
    z+ = h(w) + (1 - b) (z - h(w-)),  h = 1/I sum_i (F_i)_x - (G_i)_xy v_i  (STORM)
    x+ = x - eta z+

    I of m blocks are drawn and `batch` rows of each; q(w) and q(w-), w- one step ago,
    use the same rows. c = (m - I)/(I (1 - a)) + 1 - a exceeds STORM's 1 - a by the
    drift of blocks not sampled. Each v_i is kept in a ball of `v_radius`. eta halves
    every `half_life` steps (inf: as analysed). Reconstructed from the abstract and the
    authors' code, which makes up for all missed steps of y_i and v_i when i is sampled.
    Version 1, which inverts tracked Hessians, is not built.

    Fails with tau or tau_v above 2 / L, or a so small that c multiplies the noise.
    """

    eta: Any = real(low="nonnegative")
    tau: Any = real()
    tau_v: Any = real()
    a: Any = real(0.5, below=1)
    b: Any = real(0.5, most=1)
    v_radius: Any = real(np.inf, infinite=True)
    half_life: Any = real(np.inf, infinite=True)
    sampled: int = count(1, static=True)
    batch: int = count(32, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        m = problem.counts()[0]
        sampled = max(1, m // 4)
        # y moves with a tracker that is up to m / I steps old.
        tau = 0.5 / facts.get("lower_L") * sampled / m
        eta = 0.25 / facts.get("upper_L") * sampled / m
        return cls(eta=eta, tau=tau, tau_v=tau, sampled=sampled, half_life=1000.0)

    def init(self, problem, start, key):
        x, y = start.x[0], problem.in_blocks(start.x[1])
        w = (x, y, tree.zeros_like(y))
        m = problem.counts()[0]
        rows = self._rows(problem, m, key)
        s, u, h = self._looks(problem, blockwise.draw_blocks(key, m, m), rows, w)
        return _state(problem, w, w, s, u, h, jnp.zeros((), jnp.int32))

    def step(self, problem, state, key):
        first, second = jax.random.split(key)
        blocks = blockwise.draw_blocks(first, self.sampled, problem.counts()[0])
        now, (x, y, v) = state.w, state.w
        rows = self._rows(problem, blocks.shape[0], second)
        new = self._looks(problem, blocks, rows, now)
        old = self._looks(problem, blocks, rows, state.old)

        dtype = tree.dtype(x)
        a, b = jnp.asarray(self.a, dtype), jnp.asarray(self.b, dtype)
        s = blockwise.msvr(state.s, blocks, new[0], old[0], a)
        u = blockwise.msvr(state.u, blocks, new[1], old[1], a)
        z = blockwise.storm(state.z, new[2], old[2], b)
        eta = self.eta * 0.5 ** (state.k.astype(dtype) / self.half_life)
        x = tree.axpy(-eta, z, x)
        y = tree.axpy(-jnp.asarray(self.tau), s, y)
        v = tree.axpy(-jnp.asarray(self.tau_v), u, v)
        v = blockwise.project_blocks(v, jnp.asarray(self.v_radius, dtype))
        return _state(problem, (x, y, v), now, s, u, z, state.k + 1)

    def point(self, state):
        return Point(state.pair, state.offer)

    def _rows(self, problem, count, key):
        """Rows of upper, rows of lower for the trackers, rows of lower for h."""
        _, upper, lower = problem.counts()
        sizes = zip(jax.random.split(key, 3), (upper, lower, lower), strict=True)
        return [blockwise.draw_rows(k, count, self.batch, n) for k, n in sizes]

    def _looks(self, problem, blocks, rows, w):
        """grad_y g_i, (G_i)_yy v_i - (F_i)_y and h of the sampled blocks at w."""
        x, y, v = w
        at, v = (x, problem.unstack(y)), jax.tree.map(lambda q: q[blocks], v)
        fx, fy = problem.sample_upper_grad(at, blocks, rows[0])
        s = problem.sample_lower_grad(at, blocks, rows[1])
        u = tree.sub(problem.sample_lower_hvp(at, v, blocks, rows[1]), fy)
        h = tree.sub(fx, problem.sample_cross(at, v, blocks, rows[2]))
        return s, u, h


def _state(problem, w, old, s, u, z, k):
    """The problem's adjoint is v_i / m, because F is the mean of the F_i."""
    x, y, v = w
    offer = problem.unstack(tree.scale(1 / problem.counts()[0], v))
    return BsvrbState(w, old, s, u, z, k, (x, problem.unstack(y)), offer)

"""Gradient descent on gradients that unbiased compressed differences learn."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, part, real, upper
from banach.core.method import Method, Refusal
from banach.methods.distributed import _rows
from banach.methods.distributed._compressors import RandK, Unbiased
from banach.parts import worker_map


class DianaState(eqx.Module):
    x: PyTree
    h: Float[Array, "workers n"]  # what is learned of each worker's gradient
    mean: Float[Array, " n"]  # of h, kept by the server


@method(
    problem="DistributedSum",
    needs={"local_grad"},
    assumes={"smooth"},
    paper="mishchenko2024diana",
    cost={"local_grad": 1},
    random=True,
)
class Diana(Method):
    """Each worker sends the compressed difference of its gradient and a learned shift.

    m_i = Q(grad f_i(x) - h_i),  h_i = 0 at first
    x+ = x - step_size mean(h_i + m_i),  h_i+ = h_i + alpha m_i

    Q (`compressor`) is unbiased, E ||Q(v) - v||^2 <= omega ||v||^2. As h_i tends to
    grad f_i(x*), the noise of compression vanishes: where F is strongly convex,
    convergence is linear to the solution, whatever the workers' data; alpha = 0 learns
    nothing, and stalls. The paper's Q draws each sign with the chance |v_k| / ||v||,
    which is `Quantised(1)`; its momentum and regulariser are left out. `suggest` takes
    Rand-K of a tenth, alpha = 1 / (1 + omega) and the step 1 / (L_worker (1 + 6 omega /
    W)) of W workers, proved by Gorbunov, Hanzely and Richtarik (2020) for convex f_i.

    Fails (diverges) where step_size or alpha is much above these.
    """

    step_size: Real = real()
    alpha: Real = real(low="nonnegative", most=1)
    compressor: Unbiased = part(Unbiased)

    @classmethod
    def suggest(cls, problem, facts):
        L, n = upper(facts, "L_worker"), problem.size()
        if L is None:
            return Refusal(
                "fact L_worker",
                "diana needs a bound on the curvature of every worker's f_i: "
                "DistributedSum(..., L=...), or give Diana(step_size, alpha, "
                "compressor) yourself",
            )
        return cls.of(RandK(max(1, n // 10)), L, n, problem.workers)

    @classmethod
    def of(cls, compressor: Unbiased, L, n: int, workers: int):
        """The proved settings for a compressor of n entries, and L of every f_i."""
        omega = compressor.omega(n)
        return cls(1 / (L * (1 + 6 * omega / workers)), 1 / (1 + omega), compressor)

    def init(self, problem, start, key):
        x, _ = tree.ravel(start.x)
        h = jnp.zeros((problem.workers, x.size), x.dtype)
        return DianaState(start.x, h, jnp.zeros_like(x))

    def step(self, problem, state, key):
        v = _rows.flat(problem.local_grad(state.x)) - state.h
        m = _rows.received(problem.mesh, self.compressor.unbiased, v, key)
        sent = worker_map.mean(problem.mesh, m)
        x, unravel = tree.ravel(state.x)
        x = unravel(x - self.step_size * (state.mean + sent))
        return DianaState(x, state.h + self.alpha * m, state.mean + self.alpha * sent)

    def sent(self, problem, steps):
        return _rows.sent(problem, steps, steps * _rows.bits(problem, self.compressor))

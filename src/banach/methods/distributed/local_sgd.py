"""Several gradient steps on each worker's own sum between averages."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, count, real, upper, usable
from banach.core.method import Method, Refusal
from banach.methods.distributed import _own_points, _rows
from banach.parts import worker_map


class LocalSgdState(eqx.Module):
    x: PyTree
    rounds: Int[Array, ""]


@method(
    problem="DistributedSum",
    needs={"coded_grad"},
    assumes={"smooth"},
    paper="stich2019local",
    random=True,
)
class LocalSgd(Method):
    """Workers take `local_steps` steps alone, H of them, then average their iterates.

    y_i+ = y_i - step_size / (1 + decay t) g_i(y_i),  H times from y_i = x
    x+ = mean(y_i)

    g_i is the gradient of worker i's own f_i, of `batch` of its terms drawn with
    replacement where batch is given; t counts local steps. Where workers' data are
    alike, H times fewer messages reach what single steps reach. Where they are not,
    steps of constant size end at a floor that grows with H and step_size, however
    exact g_i is. `suggest` takes the paper's steps,
    4 / (mu (a + t)) with a = 16 L_worker / mu + H, and where mu is unknown
    1 / (4 L_worker) without decay. The paper's workers draw from all terms, and it
    hands out a weighted average of all iterates; here each draws from its own, and the
    last average is handed out.

    Fails (diverges) where step_size is above 2 / L_worker.
    """

    step_size: Real = real()
    decay: Real = real(0.0, low="nonnegative")
    local_steps: int = count(5, static=True)
    batch: int | None = count(None, static=True, optional=True)

    @classmethod
    def suggest(cls, problem, facts, local_steps=5, batch=None):
        L, mu = upper(facts, "L_worker"), usable(facts, "mu")
        if L is None:
            return Refusal(
                "fact L_worker",
                "local_sgd needs a bound on the curvature of every worker's f_i: "
                "DistributedSum(..., L=...), or give LocalSgd(step_size) yourself",
            )
        if mu is None:
            return cls(1 / (4 * L), 0.0, local_steps, batch)
        a = 16 * L / mu + local_steps
        return cls(4 / (mu * a), 1 / a, local_steps, batch)

    def init(self, problem, start, key):
        return LocalSgdState(start.x, jnp.int32(0))

    def step(self, problem, state, key):
        x, unravel = tree.ravel(state.x)

        def one(j, y):
            if self.batch is None:
                g = _own_points.gradients(problem, y)
            else:
                drawn = jax.random.fold_in(key, j)
                g = _own_points.sampled(problem, y, drawn, self.batch)
            t = (self.local_steps * state.rounds + j).astype(y.dtype)
            return y - self.step_size / (1 + self.decay * t) * g

        alike = jnp.broadcast_to(x, (problem.workers, x.size))
        y = jax.lax.fori_loop(0, self.local_steps, one, alike)
        x = worker_map.mean(problem.mesh, y)
        return LocalSgdState(unravel(x), state.rounds + 1)

    def calls(self, state):
        return {"coded_grad": self.local_steps * state.rounds}

    def sent(self, problem, steps):
        return _rows.sent(problem, steps, steps * _rows.bits(problem))

"""Local gradient steps, corrected by how each worker's gradient differs from all."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, count, real, upper
from banach.core.method import Method, Refusal
from banach.methods.distributed import _own_points, _rows
from banach.parts import worker_map


class ScaffoldState(eqx.Module):
    x: PyTree
    c: Float[Array, "workers n"]  # the control variate of each worker
    rounds: Int[Array, ""]


@method(
    problem="DistributedSum",
    needs={"coded_grad"},
    assumes={"smooth"},
    paper="karimireddy2020scaffold",
    random=True,
)
class Scaffold(Method):
    """Local SGD whose workers step along g_i - c_i + c, as if they held all data.

    y_i+ = y_i - step_size (g_i(y_i) - c_i + c),  K times from y_i = x;  c = mean(c_i),
    K = `local_steps`
    c_i+ = c_i - c + (x - y_i) / (K step_size)
    x+ = x + server_step mean(y_i - x)

    g_i is the gradient of worker i's own f_i, of `batch` of its terms drawn with
    replacement where batch is given. This is option II of the paper's algorithm 1, for
    one of its samplings: in each round a set of `sampled` workers (None: all) takes
    part and the others keep their c_i. c_i starts at 0. With exact gradients it is
    linear to the solution where F is strongly convex, whatever the workers' data.
    `suggest` takes step_size 1 / (2 K L_worker) and all workers; the paper's proofs ask
    for 1 / (81 K L_worker server_step).

    Fails (diverges) where step_size is far above 1 / (K L_worker).
    """

    step_size: Real = real()
    server_step: Real = real(1.0)
    local_steps: int = count(5, static=True)
    sampled: int | None = count(None, static=True, optional=True)
    batch: int | None = count(None, static=True, optional=True)

    @classmethod
    def suggest(cls, problem, facts, local_steps=5, **given):
        L = upper(facts, "L_worker")
        if L is None:
            return Refusal(
                "fact L_worker",
                "scaffold needs a bound on the curvature of every worker's f_i: "
                "DistributedSum(..., L=...), or give Scaffold(step_size) yourself",
            )
        own = {"step_size": 1 / (2 * local_steps * L), "local_steps": local_steps}
        return cls(**(own | given))

    def init(self, problem, start, key):
        x, _ = tree.ravel(start.x)
        c = jnp.zeros((problem.workers, x.size), x.dtype)
        return ScaffoldState(start.x, c, jnp.int32(0))

    def step(self, problem, state, key):
        (x, unravel), workers = tree.ravel(state.x), problem.workers
        (drawn, key), c = jax.random.split(key), state.c
        mean = worker_map.mean(problem.mesh, c)

        def one(j, y):
            if self.batch is None:
                g = _own_points.gradients(problem, y)
            else:
                own = jax.random.fold_in(key, j)
                g = _own_points.sampled(problem, y, own, self.batch)
            return y - self.step_size * (g - c + mean)

        alike = jnp.broadcast_to(x, (workers, x.size))
        y = jax.lax.fori_loop(0, self.local_steps, one, alike)
        new = c - mean + (x - y) / (self.local_steps * self.step_size)
        some = workers if self.sampled is None else min(self.sampled, workers)
        share = jnp.ones((), x.dtype)
        if some < workers:
            part = jax.random.permutation(drawn, workers)[:, None] < some
            y, new, share = (
                jnp.where(part, y, x),
                jnp.where(part, new, c),
                share * workers / some,
            )
        moved = worker_map.mean(problem.mesh, y - x)
        x = x + self.server_step * share * moved
        return ScaffoldState(unravel(x), new, state.rounds + 1)

    def calls(self, state):
        return {"coded_grad": self.local_steps * state.rounds}

    def sent(self, problem, steps):
        share = min(self.sampled or problem.workers, problem.workers) / problem.workers
        sent = _rows.sent(problem, steps, 2 * steps * share * _rows.bits(problem))
        return {"up": sent["up"], "down": int(2 * share * sent["down"])}

"""Compressed gradient descent with controlled error feedback."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, count, part, real, upper
from banach.core.method import Method, Refusal
from banach.methods.distributed._compressors import Compressor, of_share
from banach.parts import worker_map


class EcontrolState(eqx.Module):
    x: PyTree
    h: Float[Array, "workers n"]  # what the server believes of each gradient
    e: Float[Array, "workers n"]  # what each worker has held back
    mean: Float[Array, " n"]  # of h, kept by the server
    steps: Int[Array, ""]


@method(
    problem="DistributedSum",
    needs={"local_grad", "local_sample"},
    assumes={"smooth"},
    paper="gao2024econtrol",
    random=True,
)
class Econtrol(Method):
    """Each worker sends a compressed message, and lets its error back in by `eta`.

    d_i = C(eta e_i + g_i - h_i),  e_i+ = e_i + g_i - h_i - d_i,  h_i+ = h_i + d_i
    x+ = x - step_size mean(h_i+)

    g_i is the gradient of worker i's own f_i at x, of `batch` of its terms drawn with
    replacement where batch is given. h starts at the first full gradients, sent
    uncompressed; e at 0. eta = 0 is EF21 (Richtarik, Sokolov and Fatkhullin 2021).

    Linear where f is strongly convex and gradients are full, whatever the workers'
    data, though EF21 needs a sixth of the bits there: eta pays with batches.
    `suggest` takes eta = delta / (3 r (1 + r)), r = sqrt(1 - delta), delta of the
    compressor, and the step of EF21's proof, (1 - r) / L, L of the f_i: both far above
    what the paper's proofs ask for, which were read in part.

    Fails (diverges) where step_size or eta is too large for delta.
    """

    step_size: Real = real()
    eta: Real = real(low="nonnegative")
    compressor: Compressor = part(Compressor)
    batch: int | None = count(None, static=True, optional=True)

    @classmethod
    def suggest(cls, problem, facts):
        L = upper(facts, "L_worker")
        if L is None:
            return Refusal(
                "fact L_worker",
                "econtrol needs a bound on the curvature of every worker's f_i: "
                "DistributedSum(..., L=...), or give Econtrol(step_size=...) yourself",
            )
        return cls.of(of_share(0.1, problem.size()), L, problem.size())

    @classmethod
    def of(cls, compressor: Compressor, L: float, n: int, batch: int | None = None):
        """Step size and eta for a compressor of n entries, and L of every f_i."""
        delta = compressor.delta(n)
        r = math.sqrt(1 - delta)
        eta = delta / (3 * r * (1 + r)) if r else 0.0
        return cls((1 - r) / L, eta, compressor, batch)

    def init(self, problem, start, key):
        g = _rows(problem.local_grad(start.x))
        mean = worker_map.mean(problem.mesh, g)
        return EcontrolState(start.x, g, jnp.zeros_like(g), mean, jnp.int32(0))

    def step(self, problem, state, key):
        x, (drawn, coin) = state.x, jax.random.split(key)
        whole = self.batch is None
        g = _rows(
            problem.local_grad(x) if whole
            else problem.local_sample(x, drawn, self.batch)
        )  # fmt: skip

        def work(eta, g, h, e, key):
            d = self.compressor(eta * e + g - h, key)
            return d, h + d, e + g - h - d

        keys = jax.random.split(coin, g.shape[0])
        d, h, e = worker_map.each(
            problem.mesh, work, self.eta, g, state.h, state.e, keys
        )
        mean = state.mean + worker_map.mean(problem.mesh, d)
        flat, unravel = tree.ravel(x)
        x = unravel(flat - self.step_size * mean)
        return EcontrolState(x, h, e, mean, state.steps + 1)

    def calls(self, state):
        full = state.steps if self.batch is None else 0 * state.steps
        return {"local_grad": 1 + full, "local_sample": state.steps - full}

    def sent(self, problem, steps):
        n, word = problem.size(), 8 * tree.word(problem.start().x)
        message = self.compressor.sent(n, word)
        up = problem.workers * (n * word + steps * message)
        return {"up": up // 8, "down": problem.workers * steps * n * word // 8}


def _rows(stacked: PyTree) -> Float[Array, "workers n"]:
    return jax.vmap(lambda one: tree.ravel(one)[0])(stacked)

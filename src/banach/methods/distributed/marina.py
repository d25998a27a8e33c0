"""Gradient descent along compressed differences, with whole gradients now and then."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, part, real, upper
from banach.core.method import Method, Refusal
from banach.methods.distributed import _rows
from banach.methods.distributed._compressors import RandK, Unbiased
from banach.parts import worker_map


class MarinaState(eqx.Module):
    x: PyTree
    g: Float[Array, " n"]  # the server's estimate of grad F(x)
    own: Float[Array, "workers n"]  # the workers' gradients at x


@method(
    problem="DistributedSum",
    needs={"local_grad"},
    assumes={"smooth"},
    paper="gorbunov2021marina",
    cost={"local_grad": 1},
    init_cost={"local_grad": 1},
    random=True,
)
class Marina(Method):
    """Workers send Q of how their gradients changed, or with a chance p all of them.

    x+ = x - step_size g
    g+ = grad F(x+) with probability p, else g + mean(Q(grad f_i(x+) - grad f_i(x)))

    Q (`compressor`) is unbiased, E ||Q(v) - v||^2 <= omega ||v||^2; g is not, and no
    convexity is needed: mean ||grad F||^2 falls like 1 / steps at the step 1 / (L (1 +
    sqrt((1 - p) omega / (p W)))) of W workers. `suggest` takes it with L_worker as L,
    Rand-K of a tenth, and for p the share of a message in whole ones, as the paper
    does; tuned, it may need more bits than `diana`. g starts as grad F(x0), sent whole.
    What is said to be sent are expectations over the common coin.

    Fails where step_size is much above that: g drifts from the gradient.
    """

    step_size: Real = real()
    p: Real = real(most=1)
    compressor: Unbiased = part(Unbiased)

    @classmethod
    def suggest(cls, problem, facts):
        L, n = upper(facts, "L_worker"), problem.size()
        if L is None:
            return Refusal(
                "fact L_worker",
                "marina needs a bound on the curvature of every worker's f_i: "
                "DistributedSum(..., L=...), or give Marina(step_size, p, compressor) "
                "yourself",
            )
        c = RandK(max(1, n // 10))
        p = _rows.bits(problem, c) / _rows.bits(problem)
        spread = (1 - p) * c.omega(n) / (p * problem.workers)
        return cls(1 / (L * (1 + math.sqrt(spread))), p, c)

    def init(self, problem, start, key):
        own = _rows.flat(problem.local_grad(start.x))
        return MarinaState(start.x, worker_map.mean(problem.mesh, own), own)

    def step(self, problem, state, key):
        coin, drawn = jax.random.split(key)
        x, unravel = tree.ravel(state.x)
        x = unravel(x - self.step_size * state.g)
        own = _rows.flat(problem.local_grad(x))
        all_ = jax.random.uniform(coin, (), own.dtype) < self.p
        Q = self.compressor.unbiased
        change = _rows.received(problem.mesh, Q, own - state.own, drawn)
        whole = worker_map.mean(problem.mesh, own)
        g = jnp.where(all_, whole, state.g + worker_map.mean(problem.mesh, change))
        return MarinaState(x, g, own)

    def sent(self, problem, steps):
        whole, few = _rows.bits(problem), _rows.bits(problem, self.compressor)
        p = float(self.p)
        return _rows.sent(problem, steps, whole + steps * (p * whole + (1 - p) * few))

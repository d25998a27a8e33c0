"""Gradient descent whose workers send compressed differences to what is known."""

import math

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, part, real, upper
from banach.core.method import Method, Refusal
from banach.methods.distributed import _rows
from banach.methods.distributed._compressors import Compressor, of_share
from banach.parts import worker_map


class Ef21State(eqx.Module):
    x: PyTree
    g: Float[Array, "workers n"]  # what the server believes of each gradient
    mean: Float[Array, " n"]


@method(
    problem="DistributedSum",
    needs={"local_grad"},
    assumes={"smooth"},
    paper="richtarik2021ef21",
    cost={"local_grad": 1},
    init_cost={"local_grad": 1},
    random=True,
)
class Ef21(Method):
    """Each worker keeps an estimate g_i of its gradient and sends what corrects it.

    x+ = x - step_size mean(g_i)
    g_i+ = g_i + C(grad f_i(x+) - g_i),  g_i = C(grad f_i(x0)) at first

    C (`compressor`) contracts, E ||C(v) - v||^2 <= (1 - delta) ||v||^2; it need not be
    unbiased. Whatever the workers' data, mean ||grad F||^2 falls like 1 / steps, and F
    - F* linearly where F is strongly convex. `suggest` takes Top-K of a tenth and the
    step of the paper's theorem, 1 / (L + L_worker r / (1 - r)), r = sqrt(1 - delta),
    with L_worker in place of the root mean square of the workers' constants.

    Fails where step_size is much above that: estimates lag, and it diverges. Batches
    bring noise that C keeps: `econtrol` is made for them.
    """

    step_size: Real = real()
    compressor: Compressor = part(Compressor)

    @classmethod
    def suggest(cls, problem, facts):
        worker = upper(facts, "L_worker")
        if worker is None:
            return Refusal(
                "fact L_worker",
                "ef21 needs a bound on the curvature of every worker's f_i: "
                "DistributedSum(..., L=...), or give Ef21(step_size, compressor)",
            )
        L, n = upper(facts, "L"), problem.size()
        return cls.of(of_share(0.1, n), worker if L is None else L, worker, n)

    @classmethod
    def of(cls, compressor: Compressor, L, L_worker, n: int):
        """The proved step for a compressor of n entries; L is that of F."""
        r = math.sqrt(1 - compressor.delta(n))
        return cls(1 / (L + L_worker * r / (1 - r)), compressor)

    def init(self, problem, start, key):
        g = _rows.flat(problem.local_grad(start.x))
        g = _rows.received(problem.mesh, self.compressor, g, key)
        return Ef21State(start.x, g, worker_map.mean(problem.mesh, g))

    def step(self, problem, state, key):
        x, unravel = tree.ravel(state.x)
        x = unravel(x - self.step_size * state.mean)
        behind = _rows.flat(problem.local_grad(x)) - state.g
        c = _rows.received(problem.mesh, self.compressor, behind, key)
        mean = state.mean + worker_map.mean(problem.mesh, c)
        return Ef21State(x, state.g + c, mean)

    def sent(self, problem, steps):
        return _rows.sent(
            problem, steps, (1 + steps) * _rows.bits(problem, self.compressor)
        )

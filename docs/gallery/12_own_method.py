"""A race of your own method.

Polyak's momentum in a dozen lines joins the library's methods on logistic regression
over 569 tumours (scikit-learn's breast cancer data). It brings no tolerance and no word
of its own: the check that judges the others judges it, on the same scale.
"""

from typing import Any

import equinox as eqx
import jax
import matplotlib.pyplot as plt

import banach as bn
from banach.core.hyperparameters import fact, real


class Memory(eqx.Module):
    """What a step needs of the steps before; the first field is the answer."""

    x: Any
    old: Any


@bn.method(
    name="heavy_ball", family="mine", problem="Smooth", needs={"grad"},
    assumes={"smooth"}, paper="polyak1964methods", cost={"grad": 1},
)  # fmt: skip
class HeavyBall(bn.Method):
    """x+ = x - step_size grad f(x) + momentum (x - x-)."""

    step_size: Any = fact("L", lambda L: 1 / L, instead="lbfgs")  # L from the problem
    momentum: Any = real(0.9, low="nonnegative", below=1)

    def init(self, problem, start, key):
        """Before the first step."""
        return Memory(start.x, start.x)

    def step(self, problem, state, key):
        """One step; oracles of the problem are counted by the card."""
        g, t, m = problem.grad(state.x), self.step_size, self.momentum
        x = jax.tree.map(lambda x, o, g: x - t * g + m * (x - o), state.x, state.old, g)
        return Memory(x, state.x)


field = [HeavyBall(), "proximal_gradient", "fista", "polak_ribiere", "lbfgs"]
race = bn.race("logistic:breast_cancer", field)
for run in sorted(race.runs, key=lambda run: run.calls["grad"]):
    print(f"{run.label:24s} {run.status:10s} after {run.calls['grad']} gradients")

race.plot(against="grad")
plt.show()

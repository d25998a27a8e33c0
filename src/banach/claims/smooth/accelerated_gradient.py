"""Adaptive restart gives the speed of the optimal momentum without knowing mu.

O'Donoghue and Candes restart where the momentum points uphill, and see "in many cases"
(here: four in five) the linear rate that constant momentum has when told mu. Their best
fixed interval, e sqrt(8 L / mu), pays e sqrt(2) times that (section 3.1). Reduced:
quadratics of 200 unknowns and condition 1e4, and real tables; mu is the least
eigenvalue of the Hessian at the solution. Seen: it is lost where the error at the start
has equal parts in every mode of the Hessian.
"""

import functools

import numpy as np

from banach import zoo
from banach.claims import instances, runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.smooth import _instances
from banach.core import tree
from banach.methods.smooth.accelerated_gradient import AcceleratedGradient
from banach.methods.smooth.trust_region_newton import TrustRegionNewton
from banach.parts.line_search_methods import Direction, Fixed, Searched
from banach.parts.momentum import constant_weight


class Momentum(Direction):
    """Nesterov's scheme 2.2.11 (2004) between the points of its gradients.

    y+ = x+ + weight (x+ - x),  x+ = y - step grad f(y); the state is y - x.
    """

    step: float
    weight: float

    def init(self, g):
        """No momentum."""
        return tree.zeros_like(g)

    def direction(self, g, state):
        """y+ - y."""
        moved = tree.axpy(-self.step, g, state)
        return tree.axpy(self.weight, moved, tree.scale(-self.step, g))

    def update(self, s, y, g, state):
        """y+ - x+."""
        return tree.axpy(self.step, tree.sub(g, y), s)


@proved("Beck and Teboulle 2009, theorem 4.4", at_most(1.0))
def rate():
    """f(x_t) - f* over 2 L R^2 / (t + 1)^2, the largest of 1,000 steps, no restart."""
    return _instances.against(
        METHODS["none"], lambda L, R, t: 2 * L * R**2 / (t + 1) ** 2
    )


def told(problem):
    """Constant momentum that knows mu at the solution."""
    exact = runs.trace(problem, TrustRegionNewton(np.inf), 30, x=runs.where)
    mu = np.linalg.eigvalsh(problem.hess(exact["x"][-1]))[0]
    step = 1 / float(problem.facts().L)
    return Searched(Momentum(step, constant_weight(mu * step)), Fixed(1.0))


METHODS = {
    "restart": lambda p: AcceleratedGradient(1 / p.facts().L, True),
    "none": lambda p: AcceleratedGradient(1 / p.facts().L, False),
    "told mu": told,
}


@functools.cache
def race():
    """Gradients until ||g|| fell by 1e-8, on six quadratics and five regressions."""
    quadratics = instances.bowls(200, 1e4)
    problems = {f"quadratic, {k}": p for k, p in quadratics.items()}
    problems |= {f"logistic, {k}": p for k, p in instances.logistic().items()}
    problems["equal error in every mode"] = zoo.load("quadratic:200")
    return runs.prices(problems, METHODS, runs.gradient_norm, 1e-8, 10_000, "grad")


@reported("O'Donoghue and Candes 2015, section 3.1", at_most(np.e * 2**0.5, 0.8))
def recovered():
    """Gradients with restart over those of momentum that is told mu."""
    return runs.ratios(race(), "restart", "told mu")


@reported("O'Donoghue and Candes 2015, section 3.2", at_most(1.0))
def restarted():
    """Gradients with restart over those without; 0: not in 10,000 without."""
    return runs.ratios(race(), "restart", "none")


@ours("a user's question", at_most(2.0))
def certain():
    """Gradients with restart over those of momentum that is told mu, on each."""
    return runs.ratios(race(), "restart", "told mu")

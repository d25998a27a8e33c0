"""Adaptive restart gives the speed of the optimal momentum without knowing mu.

O'Donoghue and Candes recover "in many cases", hence the mean, the rate of constant
momentum that is told mu; their best fixed interval pays e sqrt(2) times that. Seen: not
on quadratic:200, whose error has equal parts in every mode. Reduced: 200 unknowns.
"""

import functools

import numpy as np

from banach.bridge.optax import Optax
from banach.claims import instances, runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.smooth import _instances
from banach.methods.smooth.accelerated_gradient import AcceleratedGradient
from banach.parts.momentum import constant_weight


def told(problem):
    """Nesterov's constant momentum, told mu at the solution."""
    hessian, L = problem.hess(_instances.minimiser(problem)), problem.facts().L
    weight = constant_weight(np.linalg.eigvalsh(hessian)[0] / L)
    return Optax("nesterov", learning_rate=1 / L, momentum=weight)


MINE = functools.partial(runs.suggested, AcceleratedGradient)
PLAIN = functools.partial(MINE, restart=False)
METHODS = {"restart": MINE, "none": PLAIN, "told mu": told}


@proved("Beck and Teboulle 2009, theorem 4.4", at_most(1.0))
def rate():
    """f(x_t) - f* over 2 L R^2 / (t + 1)^2, the largest of 1,000 steps, no restart."""
    return _instances.against(PLAIN, lambda L, R, t: 2 * L * R**2 / (t + 1) ** 2)


@functools.cache
def race():
    """Gradients until ||g|| fell by 1e-8, on six quadratics and five regressions."""
    problems = {f"logistic, {k}": p for k, p in instances.logistic().items()}
    problems |= _instances.functions("quadratic:200") | instances.bowls(200, 1e4)
    return runs.prices(problems, METHODS, runs.gradient_norm, 1e-8, 10_000, "grad")


@reported("O'Donoghue and Candes 2015, abstract", at_most(np.e * 2**0.5, "mean"))
def recovered():
    """Gradients with restart over those of momentum that is told mu."""
    return runs.ratios(race(), "restart", "told mu")


@reported("O'Donoghue and Candes 2015, section 3.2", at_most(1.0))
def restarted():
    """Gradients with restart over those without; 0: not in 10,000 without."""
    return runs.ratios(race(), "restart", "none")


@ours("a user's question", at_most(2.0))
def certain():
    """The same over momentum that is told mu, on each problem."""
    return recovered.measure()

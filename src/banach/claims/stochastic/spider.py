"""SPIDER's gradients are as small as proved, after as many steps as proved.

Fang, Li, Lin and Zhang (2018), who measured nothing; the theorem was proved again,
since the paper was not at hand. Nonconvex means of sigmoids on scikit-learn's tables,
where its hypotheses hold. Means of five seeds.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved
from banach.claims.stochastic import _instances as instances
from banach.methods.stochastic.spider import Spider


def tracked(n0, epsilon):
    """Mean ||F'|| of the theorem's K steps over 5 epsilon, by problem."""
    found, L = {}, instances.BENT
    for name, problem in instances.sigmoids().items():
        D, batch = float(problem.value(problem.x0)), int(problem.n**0.5 / n0)
        K = int(4 * L * problem.n**0.5 / batch * D / epsilon**2) + 1
        g = instances.mean(problem, Spider(L, epsilon, batch), K, runs.gradient_norm)
        found[name] = np.mean(g[:-1]) / (5 * epsilon)
    return found


@proved("Fang et al. 2018, theorem 2, epsilon = 1/50, n_0 = 1", at_most(1.0))
def stationary():
    """Mean ||F'(x_k)|| of 4 L n_0 D/epsilon^2 steps over 5 epsilon."""
    return tracked(1, 0.02)


@proved("Fang et al. 2018, theorem 2, epsilon = 1/50, n_0 = 7", at_most(1.0))
def small_batches():
    """The same with batches of sqrt(n) / 7."""
    return tracked(7, 0.02)


def tried(problem, s):
    """Steps of at most s / (2 L_max), and epsilon out of the way."""
    n, batch = problem.n, int(problem.n**0.5)
    method = Spider(instances.largest(problem) / s, 10.0, batch)
    return method, instances.PASSES * n // (2 * batch), 1


@ours("against SGD", at_most(1.0))
def after_twenty():
    """F - F* after twenty passes over that of SGD with decreasing steps, both tuned."""
    return instances.against_sgd(tried, [2.0**k for k in range(-3, 7)])

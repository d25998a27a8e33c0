"""SVRG converges linearly at its proved epochs, and goes on where SGD does not.

Johnson and Zhang (2013). Expectations are means of five seeds. Reduced: five tables
instead of MNIST, RCV1 and COVTYPE.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.stochastic import _instances as instances
from banach.methods.stochastic.svrg import Svrg


@proved("Johnson and Zhang 2013, theorem 1, eta = 0.1 / L, m = 50 L / mu", at_most(1.0))
def rate():
    """Mean F(x~_s) - F* over alpha^s (F(x~_0) - F*), option II, four epochs."""
    found = {}
    for name, problem in instances.sums().items():
        mu, L = 1 / problem.n, instances.largest(problem)
        eta, m = 0.1 / L, int(50 * L / mu)
        alpha = 1 / (mu * eta * (1 - 2 * L * eta) * m) + 2 * L * eta / (1 - 2 * L * eta)
        method = Svrg(eta, m, 1, last=False)
        f = instances.mean(problem, method, 4, runs.objective)
        far = f - instances.best(problem)[1]
        found[name] = np.max((far / far[0] / alpha ** np.arange(5))[1:])
    return found


def tried(problem, s):
    """Of the step size s / L, epochs of five passes."""
    return Svrg(s / instances.largest(problem), 2 * problem.n, 1), 8, 1


GRID = [1 / 27, 1 / 9, 1 / 3, 1.0, 3.0]


@reported("Johnson and Zhang 2013, figure 2, against tuned SGD", at_most(1.0))
def after_twenty():
    """F - F* after twenty passes over that of SGD with decreasing steps, both tuned."""
    return instances.against_sgd(tried, GRID)


@ours("against whole gradients", at_most(1.0))
def passes():
    """Gradients of terms to 1e-6 of F - F*, step tuned, over those of L-BFGS."""
    return instances.over_lbfgs(instances.passes(tried, GRID))

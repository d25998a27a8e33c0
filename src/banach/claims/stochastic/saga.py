"""SAGA converges linearly at its proved steps, in fewer gradients than whole passes do.

Defazio, Bach and Lacoste-Julien (2014). Expectations are means of five seeds. Reduced:
five tables instead of MNIST, COVTYPE, IJCNN1 and MILLIONSONG. The figures were not
at hand: who is compared in them is told from memory.
"""

import jax
import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.stochastic import _instances as instances
from banach.methods.stochastic.saga import Saga


def distances(problem, step_size):
    """Mean ||x_k - x*||^2 of ten passes, k, and the constants n, L, ||x0 - x*||^2."""
    n, (x, least) = problem.n, instances.best(problem)

    def far(problem, point):
        return ((point.x - x) ** 2).sum()

    seen = instances.mean(problem, Saga(step_size, 1), 10 * n, far, every=n // 4)
    k = np.arange(len(seen)) * (n // 4)
    return seen, k, float(problem.value(problem.x0)) - least


@proved("Defazio et al. 2014, section 2, gamma = 1 / (3 L)", at_most(1.0))
def rate():
    """Mean ||x_k - x*||^2 over (1 - min(1/(4n), mu/(3L)))^k (d0 + 2n/(3L) gap0)."""
    found = {}
    for name, problem in instances.sums().items():
        n, mu, L = problem.n, 1 / problem.n, instances.largest(problem)
        d, k, gap = distances(problem, 1 / (3 * L))
        falls = (1 - min(1 / (4 * n), mu / (3 * L))) ** k
        found[name] = np.max(d / falls) / (d[0] + 2 * n / (3 * L) * gap)
    return found


@proved("Defazio et al. 2014, theorem 1, gamma = 1 / (2 (mu n + L))", at_most(1.0))
def known_mu():
    """Mean ||x_k - x*||^2 over (1 - mu/(2 (mu n + L)))^k (d0 + n/(mu n + L) gap0)."""
    found = {}
    for name, problem in instances.sums().items():
        n, mu, L = problem.n, 1 / problem.n, instances.largest(problem)
        d, k, gap = distances(problem, 1 / (2 * (mu * n + L)))
        falls = (1 - mu / (2 * (mu * n + L))) ** k
        found[name] = np.max(d / falls) / (d[0] + n / (mu * n + L) * gap)
    return found


@proved("Defazio et al. 2014, section 2, convex", at_most(1.0))
def averages():
    """Mean F(1/k sum x_t) - F* over 4n/k (2L/n d0 + gap0), the largest."""
    found = {}
    for name, problem in instances.sums().items():
        n, L = problem.n, instances.largest(problem)
        x, least = instances.best(problem)
        k, looks = np.arange(1, 10 * n + 1), slice(None, None, n // 4)
        xs = [
            runs.trace(problem, Saga(1 / (3 * L), 1), 10 * n, seed=s, x=runs.where)["x"]
            for s in range(5)
        ]
        middle = np.cumsum(np.array(xs)[:, 1:], axis=1) / k[:, None]
        F = jax.jit(jax.vmap(jax.vmap(problem.value)))
        ends = np.mean(F(middle[:, looks]), axis=0) - least
        first = float(problem.value(problem.x0)) - least
        bound = 4 * n / k[looks] * (2 * L / n * np.sum(x**2) + first)
        found[name] = np.max(ends / bound)
    return found


def tried(problem, s):
    """Of the step size s / L."""
    n = problem.n
    return Saga(s / instances.largest(problem), 1), instances.PASSES * n, n // 10


GRID = [1 / 27, 1 / 9, 1 / 3, 1.0, 3.0]


@reported("Defazio et al. 2014, figure 1, against L-BFGS", at_most(1.0))
def passes():
    """Gradients of terms to 1e-6 of F - F*, step tuned, over those of L-BFGS."""
    return instances.over_lbfgs(instances.passes(tried, GRID))


@ours("against SGD", at_most(1.0))
def after_twenty():
    """F - F* after twenty passes over that of SGD with decreasing steps, both tuned."""
    return instances.against_sgd(tried, GRID)

"""AdaGrad-Norm finds small gradients at its proved rates, knowing no constant.

Ward, Wu and Bottou (2019). Theorem 2.2 was proved again, theorem 2.1 is told from
memory: the paper was not at hand. The functions are nonconvex means of sigmoids on
scikit-learn's tables, where every hypothesis holds.
"""

import numpy as np

from banach.claims import instances as shared
from banach.claims import runs
from banach.claims.course import at_most, ours, proved
from banach.claims.stochastic import _instances as instances
from banach.methods.stochastic.adagrad_norm import AdagradNorm
from banach.methods.stochastic.sgd import Sgd


def least_squares(problem, method, steps, seed=0):
    """min_{j < N} ||F'(x_j)||^2 for N = 1 .. steps."""
    g = runs.trace(problem, method, steps, seed=seed, g=runs.gradient_norm)["g"]
    return np.minimum.accumulate(g[:-1] ** 2)


@proved("Ward et al. 2019, theorem 2.2, b_0 >= eta L", at_most(1.0))
def whole():
    """N min ||F'||^2 over 2 D (b_0 + 2 D/eta)/eta, eta = 10, b_0 = eta L, 300 steps."""
    found, eta = {}, 10.0
    for name, problem in instances.sigmoids().items():
        D, b0 = float(problem.value(problem.x0)), eta * instances.BENT
        g = least_squares(problem, AdagradNorm(eta, b0, problem.n), 300)
        bound = 2 * D * (b0 + 2 * D / eta) / eta
        found[name] = np.max(g * np.arange(1, 301) / bound)
    return found


@proved("Ward et al. 2019, theorem 2.2, b_0 < eta L", at_most(1.0))
def small_start():
    """N min ||F'||^2 over (eta L)^2 - b_0^2 + 4 (..)^2, eta = 10, b_0 = 1e-3."""
    found, eta, b0 = {}, 10.0, 1e-3
    for name, problem in instances.sigmoids().items():
        D, bend = float(problem.value(problem.x0)), eta * instances.BENT
        g = least_squares(problem, AdagradNorm(eta, b0, problem.n), 300)
        last = D / eta + (0.75 + np.log(bend / b0)) * bend
        found[name] = np.max(g * np.arange(1, 301) / (bend**2 - b0**2 + 4 * last**2))
    return found


@proved("Ward et al. 2019, theorem 2.1, delta = 1/5", at_most(1.0))
def noisy():
    """min ||F'||^2 over (2 b_0/N + 2^1.5 (g + s)/sqrt(N)) Q/delta^1.5, of 5 seeds."""
    found, eta, b0 = {}, 1.0, 0.1
    N = np.arange(1, 501)
    for name, problem in instances.sigmoids().items():
        # Batches of more than half: every step draws afresh.
        D, b = float(problem.value(problem.x0)), problem.n // 2 + 1
        s, g = 0.25 / np.sqrt(b), 0.25
        inside = np.log(20 * N * (g**2 + s**2) / b0**2 + 10)
        Q = D / eta + (4 * s + eta * instances.BENT) / 2 * inside
        bound = (2 * b0 / N + 2**1.5 * (g + s) / np.sqrt(N)) * Q / 0.2**1.5
        method = AdagradNorm(eta, b0, b)
        rows = [least_squares(problem, method, 500, s) for s in range(5)]
        found[name] = np.max(rows / bound)
    return found


@ours("against SGD, over steps from 1/4 to 1024 times 1/L", at_most(1.0))
def robust():
    """The largest F - F* after 20 passes of eta/b_0, over SGD's with 1/sqrt steps."""
    found = {}
    for name, problem in shared.sums(0.01).items():
        L, b, n = float(problem.facts().L), 16, problem.n
        steps = 20 * n // b
        ends = {}
        for cls in (AdagradNorm, Sgd):
            rows = []
            for s in 4.0 ** np.arange(-1, 6):
                made = (
                    cls(1.0, L / s, b) if cls is AdagradNorm else cls(s / L, b / n, b)
                )
                seen = runs.trace(problem, made, steps, every=steps, f=runs.objective)
                rows.append(seen["f"][-1])
            ends[cls] = np.max(rows) - instances.best(problem)[1]
        found[name] = ends[AdagradNorm] / ends[Sgd]
    return found

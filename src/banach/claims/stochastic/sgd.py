"""Decreasing steps converge like 1 / t, and first passes do more than a batch method's.

Bottou, Curtis and Nocedal (2018), for a c-strongly convex F. Their theorem wants
independent draws: batches of more than half of the data are, since the rest of a pass
is thrown away. Reduced: five tables instead of RCV1.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, proved, reported, tuned
from banach.methods.smooth.lbfgs import Lbfgs
from banach.methods.stochastic.sgd import Sgd


def gap(problem, method, steps, every=1):
    """Mean F - F* of five seeds, at each look."""
    how = {"every": every, "f": runs.objective}
    least = runs.trace(problem, Lbfgs(10), 300, f=runs.objective)["f"].min()
    rows = [runs.trace(problem, method, steps, seed=s, **how)["f"] for s in range(5)]
    return np.mean(rows, axis=0) - least


@proved("Bottou, Curtis and Nocedal 2018, strongly convex, decreasing", at_most(1.0))
def decreasing():
    """Mean F - F* over nu / (gamma + t), beta = 2 / c, the largest of 500 steps."""
    found = {}
    for name, problem in instances.sums(0.01).items():
        L, c, n = float(problem.facts().L), float(problem.facts().mu), problem.n
        b = n // 2 + 1
        # Gradients of logistic terms are at most ||a_i||, and l2 adds no noise.
        M = np.mean(np.sum(problem.data["a"] ** 2, axis=1)) / b * (n - b) / (n - 1)
        far = gap(problem, Sgd(1 / L, c / (2 * L), b), 500)
        nu = max(2 * L * M / c**2, 2 * L / c * far[0])
        found[name] = np.max(far * (2 * L / c + np.arange(501)) / nu)
    return found


@reported("Bottou, Curtis and Nocedal 2018, against L-BFGS", at_most(1.0))
def first_passes():
    """F - F* after two passes, one term a step, over that after L-BFGS's first step."""
    found, grid = {}, [2.0**k for k in range(-7, 4)]
    for name, problem in instances.sums(0.01).items():
        L, n = float(problem.facts().L), problem.n
        ends = {s: gap(problem, Sgd(s / L, 0.0, 1), 2 * n, n)[-1] for s in grid}
        found[name] = tuned(grid, ends.get)[1] / gap(problem, Lbfgs(10), 1)[-1]
    return found

"""Decreasing steps converge like 1 / t, constant steps stop above the solution.

Bottou, Curtis and Nocedal (2018): for an F that is c-strongly convex, E F(x_t) - F* is
at most nu / (gamma + t) with steps beta / (gamma + t) (theorem 4.7), falls linearly to
a floor proportional to a constant step (theorem 4.6), and the first passes over the
data do more than as many evaluations of a batch method (section 3.3). The theorems
want independent draws: batches of more than half of the data are that here, since the
rest of a pass is thrown away. Reduced: real tables instead of RCV1.
"""

import functools

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, ours, proved, reported, tuned
from banach.kinds.finite_sum.problem import FiniteSum
from banach.methods.smooth.lbfgs import Lbfgs
from banach.methods.smooth.trust_region_newton import TrustRegionNewton
from banach.methods.stochastic.sgd import Sgd

SEEDS, STEPS, L2 = 5, 500, 0.01


def loss(x, datum):
    """Of one row and its sign."""
    a, sign = datum
    return jnp.logaddexp(0.0, -sign * (a @ x))


@functools.cache
def sums():
    """Mean logistic losses with l2: name, the sum, the same whole, its least value."""
    found = []
    for name, whole in instances.logistic(L2).items():
        best = runs.trace(whole, TrustRegionNewton(np.inf), 30, f=runs.objective)
        L = float(whole.facts().L)
        terms = FiniteSum(loss, whole.x0, whole.args, l2=L2, convex=True, L=L)
        found.append((name, terms, whole, best["f"].min()))
    return found


def gaps(problem, least, method, steps, seeds=SEEDS, every=1):
    """Mean F - F* of some seeds, at each look."""
    rows = [
        runs.trace(problem, method, steps, every=every, seed=s, f=runs.objective)["f"]
        for s in range(seeds)
    ]
    return np.mean(rows, axis=0) - least


def noisy(problem):
    """(L, c, a batch of independent draws, the bound M of its gradient's variance).

    Gradients of logistic terms are at most ||a_i||, and l2 adds no noise.
    """
    n, facts = problem.n, problem.facts()
    batch = n // 2 + 1
    spread = np.mean(np.sum(np.asarray(problem.data[0]) ** 2, axis=1))
    M = spread / batch * (n - batch) / (n - 1)
    return float(facts.L), float(facts.mu), batch, M


@proved("Bottou, Curtis and Nocedal 2018, theorem 4.7", at_most(1.0))
def decreasing():
    """Mean F - F* over nu / (gamma + t), beta = 2 / c, the largest of 500 steps."""
    worst, curves = {}, {}
    for name, problem, _, least in sums():
        L, c, batch, M = noisy(problem)
        gap = gaps(problem, least, Sgd(1 / L, c / (2 * L), batch), STEPS)
        nu = max(2 * L * M / c**2, 2 * L / c * gap[0])
        bound = nu / (2 * L / c + np.arange(STEPS + 1))
        worst[name] = np.max(gap / bound)
        curves[name] = {"SGD": gap, "bound": bound}
    return Seen(worst, curves, ("steps", "F - F*"))


@proved("Bottou, Curtis and Nocedal 2018, theorem 4.6", at_most(1.0))
def constant():
    """Mean F - F* over floor + (1 - c / L)^t (F_0 - F* - floor), the step 1 / L."""
    worst = {}
    for name, problem, _, least in sums():
        L, c, batch, M = noisy(problem)
        gap = gaps(problem, least, Sgd(1 / L, 0.0, batch), STEPS)
        floor = M / (2 * c)
        bound = floor + (1 - c / L) ** np.arange(STEPS + 1) * (gap[0] - floor)
        # Before the first step both are equal.
        worst[name] = np.max(gap[1:] / bound[1:])
    return worst


@reported("Bottou, Curtis and Nocedal 2018, figure 3.1", at_most(1.0))
def first_passes():
    """F - F* after two passes, one term a step, over L-BFGS's after two evaluations."""
    found = {}
    for name, problem, whole, least in sums():
        L, n = float(problem.facts().L), problem.n
        batch = runs.trace(whole, Lbfgs(10), 2, f=runs.objective)
        allowed = batch["f"][batch["grad"] <= 2].min() - least

        def cost(times, problem=problem, least=least, n=n, L=L):
            return gaps(problem, least, Sgd(times / L, 0.0, 1), 2 * n, 3, n)[-1]

        _, best = tuned([2.0**k for k in range(-7, 4)], cost)
        found[name] = best / allowed
    return found


@ours("a user's question", at_most(0.75))
def halving():
    """The floor of the step 1 / (2 L) over that of 1 / L, batches of 8 by shuffling."""
    found = {}
    for name, problem, _, least in sums():
        L, steps = float(problem.facts().L), problem.n // 8
        half, whole = (
            gaps(problem, least, Sgd(s / L, 0.0, 8), 100 * steps, 2, steps)[50:].mean()
            for s in (0.5, 1.0)
        )
        found[name] = half / whole
    return found

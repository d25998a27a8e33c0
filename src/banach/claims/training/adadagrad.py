"""Batches that grow with the noise spend gradients better than large fixed ones.

Reduced: logistic regressions and a 64-32-10 network on digits, training loss after 20
passes (theirs: MNIST, CIFAR-10 and ImageNet, held-out accuracy); the learning rate of
every variant is tuned. A sum of a few hundred terms is soon exhausted: eta = 0.5 asks
for all of it within some thirty steps, and then steps cost a pass each.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, ours, reported, tuned
from banach.claims.training._instances import sums
from banach.methods.training.adadagrad import Adadagrad

PASSES, FIRST, STEPS = 20, 16, 300
NEVER = 1e12  # an eta that no variance exceeds
RATES = [0.005 * 4.0**k for k in range(8)]
SOURCE = "Lau, Liu and Kolar 2024, "


@functools.cache
def course(name, rate, steps=STEPS, small=runs.objective, batch=FIRST, **given):
    """The loss, or what `small` is, by step, and the terms seen so far."""
    problem = sums()[name]
    method = Adadagrad(rate, problem.n, batch=batch, chunk=64, **given)
    return runs.trace(problem, method, steps, small=small)


@functools.cache
def loss(name, steps=STEPS, **given):
    """The loss of the best rate after 20 passes, or what all rates reach by 300."""
    seen = [course(name, rate)["stochastic_grad"][-1] for rate in RATES]
    budget = min(PASSES * sums()[name].n, *seen)

    def cost(rate):
        rows = course(name, rate, steps, **given)
        return float(rows["small"][rows["stochastic_grad"] <= budget][-1])

    return tuned(RATES, cost)[1]


@reported(SOURCE + "min ||grad F||^2 = O(1 / K) of AdaGrad-Norm", at_most(1.0))
def rate():
    """K min ||grad F||^2 at K = 300 over that at K = 50, where a rate is 1 / K."""
    found, curves = {}, {}
    for name in sums():
        given = dict(coordinatewise=False, small=runs.gradient_norm)
        norms = [course(name, rate, **given)["small"] for rate in RATES]
        squares = np.minimum.accumulate(min(norms, key=np.min)[1:] ** 2)
        found[name], curves[name] = 6 * squares[299] / squares[49], squares
    return Seen(found, {"min ||grad F||^2": curves})


@reported(SOURCE + "better than large fixed batches", at_most(1.0, "mean"))
def large_batches():
    """The loss after equal gradients over that of batches of the whole sum."""
    return {k: loss(k) / loss(k, PASSES, batch=p.n) for k, p in sums().items()}


@ours("small fixed batches", at_most(1.0))
def small_batches():
    """The loss after equal gradients over that of batches of 16."""
    return {
        k: loss(k) / loss(k, -(-PASSES * p.n // FIRST), eta=NEVER)
        for k, p in sums().items()
    }

"""In 4 bits better than Adam, even than Adam in full precision, and stable.

Reduced: 64-h-10 networks on digits of five widths h, weights rounded to 4 bits straight
through, training loss after 400 steps of batches of 32, moments restarted every 100
(theirs: LLaMA of 130M to 1B parameters, activations rounded too); rates tuned on both
sides.
"""

import functools

import jax
import numpy as np
import optax

from banach.claims.course import at_most, ours, reported
from banach.claims.training import _lanes
from banach.methods.training.stable_spam import StableSpam

SOURCE = "Huang et al. 2025, "
T, RATES = 400, _lanes.RATES
WIDTHS = {"16 wide": 16, "32 wide": 32, "64 wide": 64, "96 wide": 96, "fresh": None}


def rule(rate):
    """With restarts often enough for 400 steps."""
    return StableSpam(rate, every=100).transformation()


def spiked(g, key, t):
    """The gradient, in one of a hundred steps 100 times as large."""
    hit = jax.random.bernoulli(jax.random.fold_in(key, 3), 0.01)
    return jax.tree.map(lambda v: jax.numpy.where(hit, 100 * v, v), g)


@functools.cache
def raced(name, bits, change=None):
    """Mean last losses by rate: (ours, Adam's)."""
    problem = _lanes.network(WIDTHS[name], bits)
    return [
        _lanes.losses(problem, make, T, rates=RATES, change=change).mean(axis=(1, 2))
        for make in (rule, optax.adam)
    ]


def best(losses):
    """At the best rate."""
    return losses[_lanes.least(losses)]


@reported(SOURCE + "better than Adam in 4 bits", at_most(1.0, "mean"))
def in_four_bits():
    """The loss in 4 bits over that of Adam in 4 bits."""
    return {n: best(raced(n, 4)[0]) / best(raced(n, 4)[1]) for n in WIDTHS}


@reported(SOURCE + "in 4 bits better than Adam in 16", at_most(1.0, "mean"))
def over_full_precision():
    """The loss in 4 bits over that of Adam with weights that are not rounded."""
    return {n: best(raced(n, 4)[0]) / best(raced(n, None)[1]) for n in WIDTHS}


@ours("stable under spikes at large rates", at_most(0.7))
def spikes():
    """The loss at 16 times Adam's best rate, spiked gradients, over Adam's there."""
    found = {}
    for name in WIDTHS:
        mine, adam = raced(name, 4, spiked)
        i = _lanes.least(adam) + 2
        found[name] = mine[i] / np.nan_to_num(adam[i], nan=np.inf)
    return found


@ours("no worse than Adam where nothing is rounded", at_most(1.03))
def clean():
    """The loss over that of Adam, no rounding and no spikes."""
    return {n: best(raced(n, None)[0]) / best(raced(n, None)[1]) for n in WIDTHS}

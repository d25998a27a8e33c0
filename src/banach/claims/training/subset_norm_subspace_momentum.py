"""Adam's results from a fifth of its memory.

Reduced: 64-h-10 networks on digits of five widths h, training loss after 400 steps of
batches of 32, rank 4 renewed every 50 steps (theirs: LLaMA of 60M to 1B parameters,
perplexity); rates tuned on both sides.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims import instances
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.training import _lanes
from banach.methods.training.subset_norm_subspace_momentum import (
    SubsetNormSubspaceMomentum,
)

SOURCE = "Nguyen and Nguyen 2025, "
T = 400
WIDTHS = {"48 wide": 48, "64 wide": 64, "96 wide": 96, "128 wide": 128, "fresh": None}


def rule(rate, **given):
    """Both parts, the subspace of rank 4."""
    given = {"rank": 4, "every": 50} | given
    return SubsetNormSubspaceMomentum(rate, **given).transformation()


@proved(SOURCE + "subsets of one entry, and of all", at_most(1e-12))
def special_cases():
    """Distance from AdaGrad (entries) and from AdaGrad-Norm (all) after 20 steps."""

    def apart(rng):
        far = 0.0
        for subsets, axes in (("entries", ()), ("all", (0, 1))):
            tx = rule(0.3, b1=0.0, eps=0.0, rank=0, adagrad=True, subsets=subsets)
            x = y = rng.standard_normal((4, 3))
            state, total = tx.init(jnp.asarray(x)), 0.0
            for g in rng.standard_normal((20, 4, 3)):
                u, state = tx.update(jnp.asarray(g), state, jnp.asarray(x))
                x, total = x + np.asarray(u), total + np.sum(g**2, axes, keepdims=True)
                y = y - 0.3 * g / np.sqrt(total)
            far = max(far, np.max(np.abs(x - y)))
        return far

    return instances.drawn(apart)


@functools.cache
def raced(name):
    """The last losses at the best rates: both parts, subset norms alone, Adam."""
    problem = _lanes.network(WIDTHS[name])
    norms = functools.partial(rule, rank=0)
    return [_lanes.best(problem, make, T) for make in (rule, norms, optax.adam)]


@reported(SOURCE + "no worse than Adam", at_most(1.0, "mean"))
def against_adam():
    """The loss of both parts over that of Adam."""
    return {n: raced(n)[0] / raced(n)[2] for n in WIDTHS}


@reported(SOURCE + "subset norms alone, no worse than Adam", at_most(1.0, "mean"))
def norms():
    """The loss of subset norms with full momentum over that of Adam."""
    return {n: raced(n)[1] / raced(n)[2] for n in WIDTHS}


@ours("a quarter of Adam's memory at this size", at_most(0.25))
def memory():
    """Numbers kept for the network over twice its weights (theirs: a fifth)."""
    found = {}
    for name in WIDTHS:
        start = _lanes.network(WIDTHS[name]).start().x
        kept = jax.eval_shape(rule(0.1).init, start).kept
        count = lambda tree: sum(v.size for v in jax.tree.leaves(tree))  # noqa: E731
        found[name] = count(kept) / (2 * count(start))
    return found

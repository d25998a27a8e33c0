"""Adafactor trains as Adam does, from as many numbers as rows and columns.

Reduced: a 64-h-10 network on digits for five widths h, training loss after 400 steps of
batches of 32, rates tuned on both sides (theirs: a transformer on WMT 2014, BLEU).
"""

import functools

import jax
import numpy as np
import optax

from banach.claims import instances
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.training import _lanes
from banach.methods.training.adafactor import Adafactor

SOURCE = "Shazeer and Stern 2018, "
T, WIDTHS = 400, {"16 wide": 16, "32 wide": 32, "64 wide": 64, "128 wide": 128}


@proved(SOURCE + "lemma 1, the best factors of rank one", at_most(1 + 1e-9))
def rank_one():
    """Divergence of V from R C' / sum over the least of 100 perturbed factors."""

    def ratio(rng):
        V = rng.gamma(0.5, size=(6, 4)) + 1e-3

        def divergence(r, c):
            W = np.outer(r, c)
            return np.sum(V * np.log(V / W) - V + W)

        r, c = V.mean(axis=1) / V.mean(), V.mean(axis=0)
        near = [
            divergence(
                r * np.exp(s * rng.standard_normal(6)),
                c * np.exp(s * rng.standard_normal(4)),
            )
            for s in np.geomspace(1e-3, 1, 100)
        ]
        return divergence(r, c) / min(near)

    return instances.drawn(ratio)


@functools.cache
def raced(name):
    """The last losses at the best rates: ours, ours of constant steps, Adam's."""
    problem = _lanes.network(WIDTHS.get(name))

    def rule(rate, **given):
        return Adafactor(rate, **given).transformation()

    plain = functools.partial(rule, relative=False, scaled=False)
    fixed = lambda rate: optax.adam(rate, b1=0.0)  # noqa: E731
    makes = rule, plain, optax.adam, fixed
    return [_lanes.best(problem, make, T) for make in makes]


NETWORKS = [*WIDTHS, "fresh"]


@reported(SOURCE + "table 2, comparable to Adam", at_most(1.05))
def against_adam():
    """The loss of Adafactor as in the paper over that of Adam."""
    return {n: raced(n)[0] / raced(n)[2] for n in NETWORKS}


@ours("factors lose little against a full second moment", at_most(1.05))
def factored():
    """The loss with constant steps over that of Adam without momentum."""
    return {n: raced(n)[1] / raced(n)[3] for n in NETWORKS}


@proved(SOURCE + "section 3, sublinear memory", at_most(1.0))
def memory():
    """Numbers kept for a matrix over rows plus columns."""
    shapes = {"64 x 32": (64, 32), "32 x 10": (32, 10), "500 x 300": (500, 300)}
    found = {}
    for name, shape in shapes.items():
        tx = Adafactor(0.1).transformation()
        kept = jax.eval_shape(tx.init, jax.ShapeDtypeStruct(shape, "float32")).kept
        found[name] = sum(v.size for v in jax.tree.leaves(kept)) / sum(shape)
    return found

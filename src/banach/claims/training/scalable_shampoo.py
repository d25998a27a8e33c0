"""Shampoo whose roots are old and whose lengths are AdaGrad's takes fewer steps.

Reduced: networks of 32 units on five tables, batches of 32 (theirs: Transformers, BERT,
Criteo and ResNet-50 on accelerators); rates are tuned, no time is measured.
"""

import functools

import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import at_most, ours, out_of_reach, reported
from banach.claims.training import _lanes
from banach.claims.training._matrix_instances import network, tables
from banach.methods.training.scalable_shampoo import ScalableShampoo
from banach.parts.kronecker import inverse_root

SOURCE = "Anil, Gupta, Koren, Regan and Singer 2020, "
STEPS = 400


@functools.cache
def loss(name, steps, every=20):
    """The loss after so many batches, at the best rate."""

    def make(rate):
        return ScalableShampoo(rate, every=every).transformation()

    return _lanes.best(network(name), make, steps, seeds=2)


@reported(SOURCE + "fewer steps than Adam", at_most(1.0, "mean"))
def steps():
    """The loss after 240 batches over that of Adam after 400: 0.6 of the steps."""
    peer = {k: _lanes.best(network(k), optax.adam, STEPS, seeds=2) for k in tables()}
    return {k: loss(k, 240) / peer[k] for k in tables()}


@ours("roots may be old", at_most(1.1, "mean"))
def stale():
    """The loss of 240 batches with roots of every 20 steps over that of every 5."""
    return {k: loss(k, 240) / loss(k, 240, 5) for k in tables()}


@ours("roots are certified", at_most(1e-4))
def roots():
    """Largest entry of |X^4 A - I|, A the statistic of a first layer's rows."""
    found = {}
    for name, (A, _) in tables().items():
        S = A.T @ A / len(A)
        X, _ = map(np.asarray, inverse_root(jnp.asarray(S), 4, 1e-6))
        ridge = 1e-6 * np.linalg.eigvalsh(S)[-1] * np.eye(len(S))
        found[name] = np.abs(
            np.linalg.matrix_power(X, 4) @ (S + ridge) - np.eye(len(S))
        ).max()
    return found


time = out_of_reach(
    SOURCE + "wall-clock time",
    "Roots on processors beside the accelerators cost no time of theirs.",
    "One processor; no time is measured in a claim.",
)

"""A moving subspace trains nearly as the whole space does, with a small state.

Reduced: networks of 32 units on five tables, rank 8, 200 batches of 32 (theirs: LLaMA
models of 60 million to 7 billion parameters on C4); rates are tuned on all sides.
GaLore is written here: the same Adam, its basis the leading singular vectors of the
gradient, anew every 50 steps.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach import train
from banach.claims.course import at_least, at_most, ours, reported
from banach.claims.training import _lanes
from banach.claims.training._matrix_instances import network, tables
from banach.methods.training.online_subspace_descent import (
    OnlineSubspaceDescent,
    _matrix,
    _upright,
)

SOURCE = "Liang, Liu, Chen and Liu 2024, "
RANK, STEPS, EVERY = 8, 200, 50


@functools.cache
def loss(name, **given):
    """The loss at the end, at the best rate."""

    def make(rate):
        return OnlineSubspaceDescent(rate, rank=RANK, **given).transformation()

    return _lanes.best(network(name), make, STEPS, seeds=2)


def _galore(rate):
    """Adam on P'G, P from a decomposition every 50 steps."""
    adam = optax.scale_by_adam()

    def low(P, G):
        return G if P is None else P.T @ G

    def shaped(g):
        G = _matrix(g, RANK)
        return g if G is None else G

    def init(params):
        flat = jax.tree.leaves(params)
        P = [
            None if _matrix(v, RANK) is None else jnp.zeros((min(v.shape), RANK))
            for v in flat
        ]
        G = [low(p, shaped(v)) for p, v in zip(P, flat, strict=True)]
        return P, adam.init(G), 0

    def update(g, state, params=None):
        P, inner, t = state
        flat, treedef = jax.tree.flatten(g)
        G = [shaped(v) for v in flat]
        new = [
            None if p is None else jax.lax.cond(
                t % EVERY == 0,
                lambda p=p, M=M: jnp.linalg.svd(M, full_matrices=False)[0][:, :RANK],
                lambda p=p: p,
            )
            for p, M in zip(P, G, strict=True)
        ]  # fmt: skip
        D, inner = adam.update([low(p, M) for p, M in zip(new, G, strict=True)], inner)
        d = [D if p is None else p @ D for p, D in zip(new, D, strict=True)]
        d = [
            -rate * (v if p is None or _upright(w) else v.T).reshape(w.shape)
            for p, v, w in zip(new, d, flat, strict=True)
        ]
        return jax.tree.unflatten(treedef, d), (new, inner, t + 1)

    return optax.GradientTransformation(init, update)


@reported(SOURCE + "table 1, against GaLore", at_most(1.0, "mean"))
def galore():
    """The loss after 200 batches over that of GaLore."""
    return {
        k: loss(k) / _lanes.best(network(k), _galore, STEPS, seeds=2) for k in tables()
    }


@reported(SOURCE + "the subspace has to move", at_most(1.0, "mean"))
def moves():
    """The loss over that with the basis of the first gradient kept."""
    return {k: loss(k) / loss(k, basis_rate=0.0, penalty=0.0) for k in tables()}


@ours("near Adam", at_most(1.5, "mean"))
def adam():
    """The loss over that of Adam in the whole space."""
    return {
        k: loss(k) / _lanes.best(network(k), optax.adam, STEPS, seeds=2)
        for k in tables()
    }


@ours("memory", at_least(2.0), few="a count of bytes")
def memory():
    """Bytes of Adam's state over its own: rank 32 of 512 x 512."""
    W = jax.ShapeDtypeStruct((512, 512), np.float32)
    ways = optax.adam(1e-3), train.online_subspace_descent(1e-3, rank=32)
    whole, low = (train.memory(tx, W).state for tx in ways)
    return {"512 x 512": whole / low}

"""Moments in 8 bits train as those in 32 do, with no hyperparameter changed.

Reduced: networks of 32 units and softmax regressions on five tables, 200 batches of 32
(theirs: language models, ImageNet, translation); the rate is the best of 32-bit Adam.
Small arrays are quantised too, or nothing would be. Errors are of Adam's moments after
100 gradients of a network.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach import train
from banach.claims.course import at_most, ours, reported, tuned
from banach.claims.training import _lanes
from banach.claims.training._matrix_instances import network, softmax, tables
from banach.methods.training.blockwise_8bit_state import Blockwise_8bitState
from banach.parts.quantised_state import dequantise, quantise

SOURCE = "Dettmers, Lewis, Shleifer and Zettlemoyer 2022, "
STEPS, RATES = 200, _lanes.RATES[2:9]
BLOCK = 128  # arrays have some thousand entries: several blocks each, as in the paper


def _codes(rate):
    return Blockwise_8bitState(rate, block=BLOCK, least=1).transformation()


@ours("32-bit performance within 2 per cent", at_most(1.02, "mean"))
def performance():
    """The loss at the best rate of 32-bit Adam over that Adam's."""
    found = {}
    for of in (network, softmax):
        for name in tables():
            p = of(name)
            whole = _lanes.losses(p, optax.adam, STEPS, rates=RATES).mean((1, 2))
            rate, best = tuned(RATES, lambda r, w=whole: w[RATES.index(r)])
            codes = _lanes.losses(p, _codes, STEPS, rates=[rate]).mean()
            found[f"{name}, {of.__name__}"] = codes / best
    return found


@reported(SOURCE + "a quarter of the memory", at_most(0.26), few="a count of bytes")
def memory():
    """Bytes of the state over those of 32-bit Adam, blocks of 2048."""
    W = {"layer": jax.ShapeDtypeStruct((1024, 1024), jnp.float32)}
    ways = (train.blockwise_8bit_state(1e-3), optax.adam(1e-3))
    ours, theirs = (train.memory(tx, W).state for tx in ways)
    return {"1024 x 1024": ours / theirs}


@functools.cache
def moments(name):
    """m and v of Adam after 100 gradients of a network, flat."""
    p = jax.tree.map(jnp.asarray, network(name))
    tx = optax.adam(1e-3)

    @jax.jit
    def run(x):
        def step(carry, rows):
            x, s = carry
            u, s = tx.update(p.stochastic_grad(x, rows), s, x)
            return (optax.apply_updates(x, u), s), None

        order = jnp.asarray(_lanes.rows(p.n, 100, 32, 0))
        return jax.lax.scan(step, (x, tx.init(x)), order)[0][1][0]

    s = run(p.start().x)
    return [np.concatenate([np.ravel(v) for v in t]) for t in (s.mu, s.nu)]


def _error(name, rounded):
    """Mean error of m / (sqrt(v) + eps) by rounded moments."""
    m, v = moments(name)
    step = lambda m, v: np.asarray(m) / (np.sqrt(np.asarray(v)) + 1e-8)  # noqa: E731
    return np.abs(step(*map(rounded, (m, v))) - step(m, v)).mean()


def _dynamic(block):
    return lambda x: dequantise(quantise(jnp.asarray(x), block))


def _linear(x):
    rows = np.pad(x, (0, -len(x) % BLOCK)).reshape(-1, BLOCK)
    top = np.abs(rows).max(axis=1, keepdims=True) + 1e-300
    levels = 255 if (x >= 0).all() else 127
    return (np.round(rows / top * levels) / levels * top).reshape(-1)[: len(x)]


@reported(SOURCE + "table 3, dynamic against linear", at_most(1.0))
def dynamic():
    """Mean error of Adam's steps by the dynamic map over that by equal spaces."""
    return {k: _error(k, _dynamic(BLOCK)) / _error(k, _linear) for k in tables()}


@reported(SOURCE + "table 3, block-wise against one scale", at_most(1.0))
def blocks():
    """Mean error of Adam's steps in blocks of 128 over that with one scale for all."""
    return {
        k: _error(k, _dynamic(BLOCK)) / _error(k, _dynamic(10**6)) for k in tables()
    }

"""Products with an inverse Fisher matrix are exact at linear cost, and prune well.

Reduced: networks of 32 units and softmax regressions on five tables, windows of 64
gradients (theirs: ResNets and BERT, windows of 1024, pruning step by step with
training between); pruning is in one shot and without training after it.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import at_least, at_most, proved, reported
from banach.claims.training import _lanes
from banach.claims.training._matrix_instances import network, tables
from banach.core import tree
from banach.methods.training.m_fac import MFac
from banach.parts.inverse_fisher import inverse_fisher_diagonal, inverse_fisher_product

SOURCE = "Frantar, Kurtic and Alistarh 2021, "
ROWS, DAMPING, STEPS = 64, 1e-5, 200
RATES = [1e-6 * 4.0**k for k in range(11)]


@functools.cache
def trained(name):
    """The problem, its flat weights after 600 steps of Adam, 64 gradients there."""
    p = jax.tree.map(jnp.asarray, network(name))
    tx = optax.adam(0.01)

    @jax.jit
    def run(x, order, late):
        def step(carry, rows):
            x, s = carry
            u, s = tx.update(p.stochastic_grad(x, rows), s, x)
            return (optax.apply_updates(x, u), s), None

        x = jax.lax.scan(step, (x, tx.init(x)), order)[0][0]
        return x, jax.vmap(lambda r: tree.ravel(p.stochastic_grad(x, r))[0])(late)

    n = p.n
    x, G = run(p.start().x, _lanes.rows(n, 600, 32, 0), _lanes.rows(n, ROWS, 16, 1))
    return p, *tree.ravel(x), G


@proved(SOURCE + "exact products", at_most(1e-5))
def exact():
    """||F u - x|| / ||x|| of u = F^-1 x, F formed, damping 1e-3."""
    found = {}
    for name in tables():
        _, w, _, G = trained(name)
        x = np.random.default_rng(0).standard_normal(w.size)
        u = np.asarray(inverse_fisher_product(G, x, 1e-3))
        G = np.asarray(G)
        left = 1e-3 * u + G.T @ (G @ u) / ROWS - x
        found[name] = np.linalg.norm(left) / np.linalg.norm(x)
    return found


@reported(SOURCE + "better pruning in one shot", at_least(0.0))
def pruning():
    """Accuracy with 30 per cent of the weights less that of pruning by size."""
    found = {}
    for name, (A, y) in tables().items():
        _, w, back, G = trained(name)
        diagonal = inverse_fisher_diagonal(G, DAMPING)

        def accuracy(w, score, back=back, A=A, y=y):
            W = back(w * (score >= jnp.quantile(score, 0.7)))
            return float(jnp.mean(jnp.argmax(jnp.tanh(A @ W[0]) @ W[1], axis=1) == y))

        # What is taken away moves the others, all at once as in the paper.
        score = w**2 / diagonal
        gone = jnp.where(score < jnp.quantile(score, 0.7), w / diagonal, 0)
        moved = w - inverse_fisher_product(G, gone, DAMPING)
        found[name] = accuracy(moved, score) - accuracy(w, jnp.abs(w))
    return found


@reported(SOURCE + "optimisation better than SGD", at_most(1.0, "mean"))
def optimisation():
    """The loss after 200 batches over that of momentum, both at their best rate."""
    found = {}
    for name in tables():

        def make(rate):
            return MFac(rate).transformation()

        def momentum(rate):
            return optax.sgd(rate, 0.9)

        mine = _lanes.best(network(name), make, STEPS, RATES)
        found[name] = mine / _lanes.best(network(name), momentum, STEPS)
    return found

"""Preconditioners of a Lie group whiten and find inverse Hessians without damping.

Reduced: quadratics of 100 unknowns of condition 1e4 (Hessian-vector pairs), logistic
regressions and networks of 32 units on five tables (theirs: vision, language and
reinforcement learning); rates are tuned on both sides, fit_rate is the default 0.1.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import at_most, ours, reported
from banach.claims.instances import seeds
from banach.claims.training import _lanes
from banach.claims.training._matrix_instances import network, tables
from banach.methods.training.psgd_lie import PsgdLie, _columns
from banach.parts.lie_preconditioners import LowRank, XShaped

SOURCE = "Pooladzandi and Li 2024, "
STEPS = 200


@functools.partial(jax.jit, static_argnames=("low", "steps"))
def _fitted(H, key, low, steps):
    """P as a matrix after steps on pairs v, Hv with rates that fall."""
    n = len(H)
    if low:
        Q = LowRank(*_columns(n, 10, H.dtype), jnp.ones(n) / 1e2)
    else:
        Q = XShaped(jnp.ones(n), jnp.zeros(n))

    def step(Q, now):
        t, key = now
        v = jax.random.normal(key, (n,), H.dtype)
        rate = 0.5 * (1 - t / steps) + 1e-3
        turn = (t % 2 == 1,) if low else ()
        return Q.fitted(v, H @ v, rate, *turn), None

    keys = jax.random.split(key, steps)
    Q, _ = jax.lax.scan(step, Q, (jnp.arange(steps), keys))
    return jax.vmap(Q.apply)(jnp.eye(n))


def _condition(P, H):
    values = np.abs(np.linalg.eigvals(np.asarray(P) @ H))
    return values.max() / values.min()


@ours("fit to Hessian-vector pairs, sparse group", at_most(10.0))
def sparse():
    """Condition of P H, H of condition 1e4 with entries i and n - 1 - i mixed."""
    found = {}
    for name, seed in seeds().items():
        rng = np.random.default_rng(seed)
        values = np.logspace(-4, 0, 100)[rng.permutation(100)]
        c, s = np.cos(turn := rng.uniform(0, np.pi, 50)), np.sin(turn)
        B = np.diag(np.concatenate([c, c[::-1]]))
        B = B + np.fliplr(np.diag(np.concatenate([-s, s[::-1]])))
        H = B @ np.diag(values) @ B.T
        found[name] = _condition(_fitted(H, jax.random.key(seed), False, 20_000), H)
    return found


@ours("fit to Hessian-vector pairs, low rank", at_most(10.0))
def low_rank():
    """Condition of P H, H a diagonal of 1e-2 to 1 and 5 directions of 100, rank 10."""
    found = {}
    for name, seed in seeds().items():
        rng = np.random.default_rng(seed)
        d = np.logspace(-2, 0, 100)[rng.permutation(100)]
        U = np.linalg.qr(rng.standard_normal((100, 5)))[0]
        H = np.diag(d) + 100 * U @ U.T
        found[name] = _condition(_fitted(H, jax.random.key(seed), True, 20_000), H)
    return found


@functools.cache
def _best(name, group):
    def make(rate):
        return PsgdLie(rate, group=group).transformation()

    return _lanes.best(network(name), make, STEPS, seeds=2)


@functools.cache
def _momentum(name):
    return _lanes.best(network(name), lambda r: optax.sgd(r, 0.9), STEPS, seeds=2)


@reported(SOURCE + "better than first-order rules, sparse group", at_most(1.0, "mean"))
def against_momentum():
    """The loss of networks after 200 batches over that of momentum."""
    return {k: _best(k, "x") / _momentum(k) for k in tables()}


@reported(SOURCE + "better than first-order rules, low rank", at_most(1.0, "mean"))
def low_rank_against_momentum():
    """The loss of networks after 200 batches over that of momentum, rank 10."""
    return {k: _best(k, "low_rank") / _momentum(k) for k in tables()}

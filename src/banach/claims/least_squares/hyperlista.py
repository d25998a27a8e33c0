"""Three numbers tune an unrolled recovery, whose errors fall faster and faster.

Gaussian A with unit columns, signals of a tenth of normal entries, no noise, 16 layers.
Reduced: 125 x 250 (theirs 250 x 500), the number of entries fixed (where it is drawn,
single dense signals of this size diverge, and are all that the NMSE shows); for each of
five matrices 40 samples to tune on and 100 to test. In place of trained networks stands
ALISTA with thresholds a rho^k and supports c k up to a cap, on a grid of these samples.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import instances
from banach.claims.course import Seen, at_least, at_most, ours, reported
from banach.methods.least_squares._hyperlista_tuning import losses, tuned

M, N, LAYERS = 125, 250, 16


def matrix(seed):
    """Gaussian, with columns of norm 1."""
    A = np.random.default_rng(seed).standard_normal((M, N))
    return A / np.linalg.norm(A, axis=0)


def signals(seed, count=100, share=0.1):
    """Normal entries, a share of them at random places."""
    rng = np.random.default_rng([seed, 1])
    on = np.tile(np.arange(N) < round(share * N), (count, 1))
    return rng.standard_normal((count, N)) * rng.permuted(on, axis=1)


@jax.jit
def alista(A, X, c):
    """Errors after each layer: step, threshold, its ratio, support a layer, cap."""
    step, first, rho, more, cap = c
    P = jnp.linalg.pinv(A)
    W, B = P / jnp.sum(P * A.T, axis=1)[:, None], X @ A.T

    def one(x, k):
        z = x - step * (x @ A.T - B) @ W.T
        p = jnp.floor(jnp.minimum(more * (k + 1), cap) * N).astype(int)
        down, theta = -jnp.sort(-abs(z), axis=1), first * rho**k
        kept = (p > 0) & (abs(z) >= down[:, jnp.maximum(p - 1, 0)][:, None])
        x = jnp.where(abs(z) <= theta, 0, z - ~kept * jnp.sign(z) * theta)
        return x, jnp.sum((x - X) ** 2) / jnp.sum(X**2)

    return jax.lax.scan(one, 0 * X, jnp.arange(LAYERS))[1]


@jax.jit
def fista(A, X, lam):
    """Errors after each step on 1/2 ||A x - b||^2 + lam ||x||_1."""
    L, B = jnp.linalg.norm(A, 2) ** 2, X @ A.T

    def one(carry, _):
        x, y, t = carry
        v = y - (y @ A.T - B) @ A / L
        new = jnp.sign(v) * jnp.maximum(abs(v) - lam / L, 0)
        after = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        y = new + (t - 1) / after * (new - x)
        return (new, y, after), jnp.sum((new - X) ** 2) / jnp.sum(X**2)

    return jax.lax.scan(one, (0 * X, 0 * X, 1.0), None, LAYERS)[1]


@functools.cache
def settings(seed):
    """The c's of HyperLISTA, those of ALISTA and the lam of FISTA."""
    A, X = matrix(seed), signals(seed + 77, 40)
    own = tuned(A, X, LAYERS)
    grid = itertools.product(
        (1.0,), np.geomspace(0.4, 1.2, 4), (0.5, 0.55, 0.6, 0.65, 0.7),
        (0.02, 0.03, 0.05), (0.1, 0.12, 0.15),
    )  # fmt: skip
    scalars = min(grid, key=lambda c: float(alista(A, X, c)[-1]))
    lam = min(np.geomspace(1e-4, 1, 17), key=lambda v: float(fista(A, X, v)[-1]))
    return (own.c1, own.c2, own.c3), scalars, lam


def decibels(seed, **shift):
    """HyperLISTA, ALISTA and FISTA: NMSE of each layer."""
    c, scalars, lam = settings(seed)
    A, size = matrix(seed), shift.pop("size", 1.0)
    X = size * signals(seed, **shift)
    rows = losses(A, X, LAYERS, c), alista(A, X, scalars), fista(A, X, lam)
    return [10 * np.log10(np.asarray(v)) for v in rows]


@functools.cache
def seen():
    """The same on five matrices, as tuned."""
    return {name: decibels(s) for name, s in instances.seeds().items()}


@reported(
    "Chen et al. 2021, abstract: superlinear (proved for an instance's parameters)",
    at_least(1.0),
)
def superlinear():
    """Decibels gained in layers 9 to 16 over those in layers 1 to 8."""
    names = ("HyperLISTA", "ALISTA", "FISTA")
    curves = {k: dict(zip(names, v, strict=True)) for k, v in seen().items()}
    found = {k: (v[0][15] - v[0][7]) / v[0][7] for k, v in seen().items()}
    few = {k: curves[k] for k in ("seed 0", "fresh")}
    return Seen(found, few, ("layers", "NMSE in dB"))


@reported("Chen et al. 2021, abstract: as good as LISTA models", at_most(0.0))
def against_alista():
    """NMSE after 16 layers in dB, less ALISTA's."""
    return {k: own[-1] - other[-1] for k, (own, other, _) in seen().items()}


@ours("what unrolling is for", at_most(-20.0))
def against_fista():
    """NMSE after 16 layers in dB, less FISTA's with the best lam."""
    return {k: own[-1] - other[-1] for k, (own, _, other) in seen().items()}


@reported("Chen et al. 2021, abstract: better on unseen sparsity", at_most(0.0))
def denser():
    """NMSE after 16 layers in dB, less ALISTA's, with 15 % of entries."""
    rows = {k: decibels(s, share=0.15) for k, s in instances.seeds().items()}
    return {k: v[0][-1] - v[1][-1] for k, v in rows.items()}


@reported("Chen et al. 2021, abstract: better on unseen magnitudes", at_most(0.0))
def larger():
    """NMSE after 16 layers in dB, less ALISTA's, with entries three times as large."""
    rows = {k: decibels(s, size=3.0) for k, s in instances.seeds().items()}
    return {k: v[0][-1] - v[1][-1] for k, v in rows.items()}

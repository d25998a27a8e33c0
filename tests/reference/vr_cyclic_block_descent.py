"""Cai, Song, Wright and Diakonikolas (2023), with the same draws: PAGE in blocks."""

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.composite.problem import Composite
from banach.kinds.finite_sum.problem import FiniteSum
from banach.terms.norms import L1, L2Norm

RNG = np.random.default_rng(12)
A, B, N, D = RNG.standard_normal((9, 5)), RNG.standard_normal(9), 9, 5
X0 = np.array([0.5, -0.2, 0.3, 0.1, -0.4])


def _of(x):
    return jnp.concatenate([x["a"], x["b"]]) if isinstance(x, dict) else x


def _loss(x, d):
    r = jnp.matmul(d[0], _of(x), precision="highest") - d[1]
    return r**2 / (1 + r**2)


def robust(leaves=False, term=None, **facts):
    """A mean of Geman and McClure's losses and a term: (problem, oracles)."""
    start = {"a": X0[:2], "b": X0[2:]} if leaves else X0
    total = FiniteSum(_loss, start, (A, B), **facts)

    def terms(x):
        r = A @ x - B
        return A * (2 * r / (1 + r**2) ** 2)[:, None]

    def prox(v, t):
        if term is None:
            return np.sign(v) * np.maximum(np.abs(v) - 0.05 * t, 0)
        return v * max(1 - 0.05 * t / np.linalg.norm(v), 0)

    return Composite(total, term or L1(0.05)), SimpleNamespace(terms=terms, prox=prox)


def told(sizes, **values):
    return lambda keys: {"keys": keys[1:], "sizes": sizes, **values}


OWN = {"step_size": 0.3, "probability": 0.4, "batch": 2}
PAGE = told([3, 2], step_size=1 / (4 + 4 * np.sqrt(0.75 / 0.75)), batch=3,
            probability=0.25)  # fmt: skip
CASES = [
    Case(*robust(L=4.0), told=PAGE, steps=12),
    Case(*robust(), {**OWN, "blocks": 3}, told([2, 2, 1]), steps=12),
    Case(*robust(leaves=True), OWN, told([2, 3]), steps=12),
    Case(*robust(term=L2Norm(0.05)), OWN, told([5]), steps=8),
]


def iterates(o, x0, steps, *, keys, sizes, step_size, probability, batch, blocks=None):
    ends = np.cumsum([0, *sizes])
    parts = [slice(a, b) for a, b in itertools.pairwise(ends)]
    x, G, before, out = x0.copy(), np.zeros(D), [None] * len(parts), []
    for k, key in enumerate(keys):
        coin, draw = jax.random.split(key)
        whole = k == 0 or jax.random.uniform(coin) < probability
        fixed = x.copy()
        for j, part in enumerate(parts):
            if whole:
                g = o.terms(x).mean(axis=0)
            else:
                drawn = np.asarray(
                    jax.random.randint(jax.random.fold_in(draw, j), (batch,), 0, N)
                )
                g = G + np.mean(o.terms(x)[drawn] - o.terms(before[j])[drawn], axis=0)
            before[j] = x.copy()
            G[part] = g[part]
            x[part] = o.prox(fixed - step_size * G, step_size)[part]
        out.append(x.copy())
    return out

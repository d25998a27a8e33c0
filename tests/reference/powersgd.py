"""PowerSGD, algorithms 1 and 2 of Vogels, Karimireddy and Jaggi (2019)."""

from types import SimpleNamespace

import jax
import numpy as np
from reference import _workers
from reference._case import Case

import banach as bn

WORKERS, ROWS, COLUMNS, EACH = 3, 4, 3, 5
_rng = np.random.default_rng(11)
A = _rng.standard_normal((WORKERS, EACH, ROWS))
Y = _rng.standard_normal((WORKERS, EACH, COLUMNS)) + np.arange(WORKERS)[:, None, None]
L = max(np.linalg.norm(np.c_[a, np.ones(EACH)], 2) ** 2 / EACH for a in A)


def problem():
    """A matrix and a vector fitted by least squares."""

    def loss(x, d):
        a, y = d
        return ((a @ x["matrix"] + x["vector"] - y) ** 2).sum() / 2

    x0 = {"matrix": np.zeros((ROWS, COLUMNS)), "vector": np.zeros(COLUMNS)}
    whole = bn.FiniteSum(loss, x0, (A.reshape(-1, ROWS), Y.reshape(-1, COLUMNS)))
    return bn.DistributedSum(whole, WORKERS, L=L)


def local(W, b):
    off = [a @ W + b - y for a, y in zip(A, Y, strict=True)]
    pairs = zip(A, off, strict=True)
    return [(a.T @ r / EACH, r.sum(axis=0) / EACH) for a, r in pairs]


def first(rank, **values):
    """The first right factor, and what the method finds by itself."""

    def told(keys):
        q = jax.random.normal(jax.random.split(keys[0])[0], (COLUMNS, rank))
        return {"Q": np.asarray(q), **values}

    return told


ORACLES = SimpleNamespace(local=local)
_own = {"step_size": 0.1 / (4 * L), "momentum": 0.9}
CASES = [
    Case(problem(), ORACLES, told=first(2, **_own), steps=20),
    Case(
        problem(),
        ORACLES,
        given={"step_size": 0.05, "momentum": 0.4, "rank": 1},
        told=first(1),
    ),
    # Nothing is compressed of a vector; the momentum is the default.
    Case(
        _workers.problem(),
        SimpleNamespace(local=_workers.local_grad),
        given={"step_size": 0.01},
        told={"Q": None, "momentum": 0.9},
    ),
]


def iterates(oracles, x0, steps, *, Q, step_size, momentum, rank=2):
    if Q is None:
        x, m, out = x0, 0 * x0, []
        for _ in range(steps):
            g = oracles.local(x).mean(axis=0)
            m = momentum * m + g
            x = x - step_size * (g + m)
            out.append(x)
        return out
    W, b, out = np.zeros((ROWS, COLUMNS)), np.zeros(COLUMNS), []
    e, mW, mb = [np.zeros_like(W)] * WORKERS, 0 * W, 0 * b
    for _ in range(steps):
        g = oracles.local(W, b)
        D = [held + own[0] for held, own in zip(e, g, strict=True)]
        P = np.linalg.qr(np.mean([d @ Q for d in D], axis=0))[0]
        Q = np.mean([d.T @ P for d in D], axis=0)
        e = [d - P @ Q.T for d in D]
        flat = np.mean([own[1] for own in g], axis=0)
        mW, mb = momentum * mW + P @ Q.T, momentum * mb + flat
        W, b = W - step_size * (P @ Q.T + mW), b - step_size * (flat + mb)
        out.append(np.concatenate([W.ravel(), b]))
    return out

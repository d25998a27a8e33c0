"""A small transport problem for the references of its methods."""

from types import SimpleNamespace

import numpy as np

from banach.kinds.transport.problem import Transport

M, N = 7, 6
rng = np.random.default_rng(3)
C = (rng.random((M, 1)) - rng.random(N)) ** 2 + 0.2 * rng.random((M, N))
A, B = (v / v.sum() for v in (rng.random(M) + 0.3, rng.random(N) + 0.3))


def transport(eps=0.02):
    """Of 7 x 6 entries: (problem, oracles)."""
    return Transport(C, A, B, eps), SimpleNamespace(C=C, a=A, b=B, eps=eps)


def scaled(oracles, decay, first):
    """The eps that scaling begins with; not of the papers."""
    o = oracles
    return max(o.eps, first * o.a @ o.C @ o.b) if decay < 1 else o.eps


def centred(f, g):
    """Both potentials in one vector, shifted to equal sums: the same plan."""
    t = (f.sum() - g.sum()) / (f.size + g.size)
    return np.concatenate([f - t, g + t])

"""Projection training: Bergmeister et al. (2026), two families of sets, by loops."""

from types import SimpleNamespace

import numpy as np
import sum_case
from reference._case import Case
from reference._draws import taker
from scipy.optimize import brentq

from banach.kinds.network_feasibility.problem import NetworkFeasibility

rng = np.random.default_rng(31)
X = rng.standard_normal((sum_case.N, 2))
Y = (X[:, 0] * X[:, 1] > 0) + 1 * (X[:, 0] > 1)
W = (rng.standard_normal((4, 3)), rng.standard_normal((3, 5)))
MARGIN = 0.7


def _case(activation, **given):
    problem = NetworkFeasibility(X, Y, W, activation, MARGIN)
    oracles = SimpleNamespace(activation=activation)
    told = {} if "inner" in given else {"inner": 50}
    told |= {} if "batch" in given else {"batch": sum_case.N}
    drawn = lambda keys: {"take": taker(keys), **told}  # noqa: E731
    return Case(problem, oracles, given, drawn, steps=5 if given else 1)


CASES = [
    _case(activation, batch=12, inner=4, iteration=iteration)
    for activation in ("relu", "step")
    for iteration in ("dr", "ap")
] + [_case("relu")]


def _products(w, b, a, z):
    """The multiplier's equation, where the dual is finite."""

    def gap(m):
        u = 1 - m * m
        return z - b + 2 * m + (m * (w @ w + a @ a) - (1 + m * m) * w @ a) / u**2

    m = brentq(gap, -1 + 1e-9, 1 - 1e-9, xtol=1e-16, rtol=1e-15)
    u = 1 - m * m
    return np.append((w - m * a) / u, b - m), (a - m * w) / u, z + m


def _operations(c, x):
    rows, z1, V, a, z2 = (v.copy() for v in c)
    for i in range(len(x)):
        p = np.append(x[i], 1)
        for j in range(rows.shape[1]):
            m = (rows[i, j] @ p - z1[i, j]) / (p @ p + 1)
            rows[i, j], z1[i, j] = rows[i, j] - m * p, z1[i, j] + m
        for j in range(V.shape[1]):
            V[i, j], a[i, j], z2[i, j] = _products(
                V[i, j, :-1], V[i, j, -1], a[i, j], z2[i, j]
            )
    return rows, z1, V, a, z2


def _margins(z, y):
    """Classes above the margin join the mean of the label's output, one by one."""
    above, z = [], z.copy()
    for k in sorted((k for k in range(len(z)) if k != y), key=lambda k: -z[k]):
        if z[k] + MARGIN > (z[y] + sum(z[j] + MARGIN for j in above)) / (
            1 + len(above)
        ):
            above.append(k)
    top = (z[y] + sum(z[j] + MARGIN for j in above)) / (1 + len(above))
    z[y], z[above] = top, top - MARGIN
    return z


def _activation(z, copies, kind):
    """The cheaper branch: a = z or z >= margin, and a = 0."""
    K, mean = len(copies), copies.mean()
    if kind == "relu":
        on = max((z + K * mean) / (1 + K), 0)
        branches = [(on, on), (min(z, 0), 0.0)]
    else:
        branches = [(max(z, MARGIN), 1.0), (min(z, -MARGIN), 0.0)]
    return min(branches, key=lambda v: (z - v[0]) ** 2 + np.sum((copies - v[1]) ** 2))


def _agreement(c, y, kind):
    rows, z1, V, a, z2 = (v.copy() for v in c)
    rows[:], V[:] = rows.mean(axis=0), V.mean(axis=0)
    for i in range(len(y)):
        z2[i] = _margins(z2[i], y[i])
        for k in range(z1.shape[1]):
            z1[i, k], a[i, :, k] = _activation(z1[i, k], a[i, :, k], kind)
    return rows, z1, V, a, z2


def iterates(o, x0, steps, *, take, batch, inner, iteration="dr"):
    cut, out = W[0].size, []
    W1, W2 = x0[:cut].reshape(W[0].shape), x0[cut:].reshape(W[1].shape)
    for t in range(steps):
        i = take(t, batch)
        x, y, m = X[i], Y[i], len(i)
        z1 = x @ W1[:, :-1].T + W1[:, -1]
        h = np.maximum(z1, 0) if o.activation == "relu" else (z1 >= 0) * 1.0
        z2 = h @ W2[:, :-1].T + W2[:, -1]
        a = np.repeat(h[:, None], len(W2), axis=1)
        c = (np.repeat(W1[None], m, 0), z1, np.repeat(W2[None], m, 0), a, z2)
        for _ in range(inner):
            b = _agreement(c, y, o.activation)
            if iteration == "ap":
                c = _operations(b, x)
            else:
                far = tuple(2 * p - q for p, q in zip(b, c, strict=True))
                pairs = zip(c, _operations(far, x), b, strict=True)
                c = tuple(p + q - r for p, q, r in pairs)
        b = _agreement(c, y, o.activation)
        W1, W2 = b[0][0], b[2][0]
        out.append(np.append(W1, W2))
    return out

"""A two-layer ReLU network with four patterns, and a gated one with six.

The answer is found without any method of ours: a long alternating-directions run in
NumPy tells which groups are alive and which constraints hold with equality, and
Newton's method on that smooth face gives the rest of the digits.
"""

import equinox as eqx
import numpy as np
from bed import Bed, gap

from banach.kinds.convex_relu.problem import ConvexRelu

_rng = np.random.default_rng(5)
_X = _rng.standard_normal((9, 2))
_y = np.abs(_X @ np.array([1.0, 0.4])) - 0.8 * np.abs(_X[:, 1]) + 0.1
_BETA = 0.3

relu = ConvexRelu(_X, _y, _BETA, patterns=4, seed=3)
gated_relu = ConvexRelu(_X, _y, _BETA, patterns=6, seed=3, gated=True)


def _matrices(problem):
    """F (n, G d) and the signed rows (G, n, d), groups of both signs stacked."""
    masks = np.asarray(problem.masks, float)
    signs = (1,) if problem.gated else (1, -1)
    F = np.hstack([s * D[:, None] * _X for s in signs for D in masks])
    M = np.concatenate([(2 * masks - 1)[:, :, None] * _X] * len(signs))
    return F, M[:, :0] if problem.gated else M


def _objective(problem):
    F, M = _matrices(problem)

    def of(x):
        g = np.asarray(x).reshape(len(M), -1)
        # An exact penalty: outside the cones the losses alone may fall too low.
        out = np.maximum(-np.einsum("gnd,gd->gn", M, g), 0).sum()
        fit = np.sum((F @ g.ravel() - _y) ** 2) / 2
        return float(fit + _BETA * np.linalg.norm(g, axis=1).sum() + 20 * out)

    return of


def _network(problem, x):
    """The training objective of the network of x (of its gates where gated)."""
    if problem.gated:
        return _objective(problem)(x)
    hidden = np.maximum(np.asarray(x) @ _X.T, 0)
    z = np.sum(hidden[0] - hidden[1], axis=0)
    return float(np.sum((z - _y) ** 2) / 2 + _BETA * np.linalg.norm(x, axis=2).sum())


def _solution(problem):
    F, M = _matrices(problem)
    groups, _, d = M.shape
    shape = np.asarray(problem.start().x).shape

    def at(theta):
        y = theta * _y
        alive, held = _face(F, M, y)
        bases = []
        for g in range(groups):
            if alive[g]:
                rank = np.linalg.matrix_rank(M[g][held[g]]) if held[g].any() else 0
                null = np.linalg.svd(M[g][held[g]])[2][rank:] if rank else np.eye(d)
                bases.append((g, null.T))
        columns = [F[:, g * d : (g + 1) * d] @ N for g, N in bases]
        A = np.hstack(columns)
        ends = np.cumsum([0] + [c.shape[1] for c in columns])
        c = np.linalg.lstsq(A, y, rcond=None)[0]
        start = _alternate(F, M, y)[0].reshape(groups, d)
        c = np.concatenate([N.T @ start[g] for g, N in bases])
        for _ in range(30):
            grad, hess = A.T @ (A @ c - y), A.T @ A
            for i in range(len(bases)):
                part = slice(ends[i], ends[i + 1])
                r = np.linalg.norm(c[part])
                e = c[part] / r
                grad[part] += _BETA * e
                hess[part, part] += _BETA / r * (np.eye(len(e)) - np.outer(e, e))
            c = c - np.linalg.solve(hess, grad)
        x = np.zeros((groups, d))
        for i, (g, N) in enumerate(bases):
            x[g] = N @ c[ends[i] : ends[i + 1]]
        return x.reshape(shape)

    return at


def _face(F, M, y):
    z, nu = _alternate(F, M, y)
    return np.linalg.norm(z.reshape(len(M), -1), axis=1) > 1e-9, nu < -1e-9


def _alternate(F, M, y, rho=0.5, steps=6000):
    groups, n, d = M.shape
    K = np.zeros((groups * n, groups * d))
    for g in range(groups):
        K[g * n : (g + 1) * n, g * d : (g + 1) * d] = M[g]
    H = np.linalg.inv(F.T @ F + rho * (np.eye(groups * d) + K.T @ K))
    z, s = np.zeros(groups * d), np.zeros(groups * n)
    lam, nu = z, s
    for _ in range(steps):
        u = H @ (F.T @ y + rho * (z - lam + K.T @ (s - nu)))
        v = (u + lam).reshape(groups, d)
        size = np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300)
        z = (v * np.maximum(1 - _BETA / rho / size, 0)).ravel()
        s = np.maximum(K @ u + nu, 0)
        lam, nu = u + lam - z, nu + K @ u - s
    return z, nu.reshape(groups, n)


def _poisoned(problem):
    def poison():
        X = problem.X.copy()
        X[3, 1] = np.nan
        return eqx.tree_at(lambda p: p.X, problem, X)

    return poison


def _bed(name, problem):
    solution = _solution(problem)
    best = solution(1.0)
    above = gap(_objective(problem), best)
    least = _objective(problem)(best)

    def narrow():
        kind = np.float32
        return ConvexRelu(
            _X.astype(kind), _y.astype(kind), kind(_BETA), problem.masks,
            gated=problem.gated,
        )  # fmt: skip

    # The same patterns, found by a seed or given, are called by two names.
    names = (problem.quantity, narrow().quantity)
    said = dict.fromkeys(names, lambda x: _network(problem, x) - least)

    return Bed(
        name=name,
        file=__file__,
        problem=problem,
        moved=lambda theta: eqx.tree_at(lambda p: p.y, problem, theta * problem.y),
        poisoned=_poisoned(problem),
        narrow=narrow,
        solution=solution,
        measures=above | said,
    )


BEDS = [_bed("relu", relu), _bed("gated_relu", gated_relu)]

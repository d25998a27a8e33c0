"""Blocked Shampoo: Anil et al. (2020), with the coupled iteration of appendix H."""

import numpy as np
from reference import _matrices

_some = {
    "learning_rate": 0.05, "b1": 0.6, "b2": 0.9, "eps": 0.01, "every": 3, "batch": 5,
}  # fmt: skip
CASES = [
    _matrices.case(10, **_some, weight_decay=0.2),
    _matrices.case(10, **_some, block=2, graft="sgd", nesterov=False),
    _matrices.case(4, **(_some | {"b2": 1.0})),
    _matrices.case(4, every=1, batch=5),
]


def root(A, p, eps):
    v = 1 + np.arange(len(A)) / len(A)
    for _ in range(40):
        v = A @ v / np.linalg.norm(A @ v)
    top = v @ A @ v
    A = A + eps * top * np.eye(len(A))
    z = (1 + p) / (2 * top * (1 + eps))
    X, M = np.eye(len(A)) * z ** (1 / p), z * A
    error, before, k = np.linalg.norm(M - np.eye(len(A))), np.inf, 0
    while k < 100 and error > 1e-6 and error < before:
        T = ((p + 1) * np.eye(len(A)) - M) / p
        X, M, before = X @ T, np.linalg.matrix_power(T, p) @ M, error
        error, k = np.linalg.norm(M - np.eye(len(A))), k + 1
    return X


def iterates(
    o, x0, steps, *, take, batch, learning_rate=1e-2, b1=0.9, b2=0.999, eps=1e-6,
    every=20, block=128, graft="adagrad", nesterov=True, weight_decay=0.0,
):  # fmt: skip
    x, m, seen, out = _matrices.split(x0), [0.0, 0.0], [0.0, 0.0], []
    L, P, new = {}, {}, 1.0 if b2 == 1 else 1 - b2
    for t in range(1, steps + 1):
        g = _matrices.gradients(_matrices.joined(x), take, batch, t)
        for n, G in enumerate(g):
            seen[n] = seen[n] + G**2
            U = np.zeros_like(G)
            p = 2 * G.ndim
            for i in range(0, G.shape[0], block):
                for j in range(0, G.shape[1] if n == 0 else 1, block):
                    at = np.s_[i : i + block, j : j + block][: G.ndim]
                    B = G[at] if n == 0 else G[at][:, None]
                    both = {"L": B @ B.T, "R": B.T @ B}
                    for side in "LR" if n == 0 else "L":
                        key = n, i, j, side
                        L[key] = b2 * L.get(key, 0.0) + new * both[side]
                        if t % every == 0:
                            P[key] = root(L[key], p, eps)
                    B = P.get((n, i, j, "L"), np.eye(len(B))) @ B
                    Q = P.get((n, i, j, "R"), np.eye(B.shape[1]))
                    U[at] = B @ Q if n == 0 else B[:, 0]
            D = G / np.sqrt(seen[n]) if graft == "adagrad" else G
            U = U * np.linalg.norm(D) / np.linalg.norm(U)
            m[n] = b1 * m[n] + U
            d = b1 * m[n] + U if nesterov else m[n]
            x[n] = x[n] - learning_rate * (d + weight_decay * x[n])
        out.append(_matrices.joined(x))
    return out

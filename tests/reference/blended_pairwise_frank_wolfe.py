"""Blended pairwise Frank-Wolfe: Tsuji, Tanaka and Pokutta (2022), algorithm 1.

The step is backtracking's (Pedregosa et al. 2020, algorithm 2; tau = 2, eta = 0.9).
"""

import numpy as np
from reference import _vertices

CASES = _vertices.CASES


def iterates(oracles, x0, steps, *, lipschitz):
    V, L, out = oracles.V, lipschitz, []
    w = oracles.weights + (1 - oracles.weights.sum()) / len(V)
    for _ in range(steps):
        x = w @ V
        f, g = oracles.value(x), oracles.grad(x)
        scores, used, eye = V @ g, np.flatnonzero(w > 0), np.eye(len(V))
        a, s = used[np.argmax(scores[used])], used[np.argmin(scores[used])]
        z, drop = np.argmin(scores), None
        d, most = eye[z] - w, 1.0
        if scores[a] - scores[s] >= g @ x - scores[z]:
            d, most, drop = eye[s] - eye[a], w[a], a
        w, L = _vertices.backtracked(oracles, w, d, (f, g), L, most, drop)
        out.append(w @ V)
    return out

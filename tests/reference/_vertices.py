"""Frank-Wolfe on active sets: Lacoste-Julien and Jaggi (2015), algorithms 1 and 2.

The step is backtracking's (Pedregosa et al. 2020, algorithm 2; tau = 2, eta = 0.9).
Weights of the l1 ball that the start leaves free are spread over all: ours.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.composite.problem import Composite
from banach.terms.sets import L1Ball, Simplex


def fitted(ball, x0):
    """Least squares of 9 x 5 on the simplex or the l1 ball of 1.5: both parts."""
    rng = np.random.default_rng(41)
    A, b, x0 = rng.standard_normal((9, 5)), rng.standard_normal(9), np.array(x0)
    problem = Composite(
        lambda x: jnp.sum((A @ x - b) ** 2) / 2, L1Ball(1.5) if ball else Simplex(), x0
    )
    eye = np.eye(5)
    return problem, SimpleNamespace(
        V=1.5 * np.vstack([eye, -eye]) if ball else eye,
        weights=np.r_[np.maximum(x0, 0), np.maximum(-x0, 0)] / 1.5 if ball else x0,
        value=lambda x: np.sum((A @ x - b) ** 2) / 2,
        grad=lambda x: A.T @ (A @ x - b),
    )


CASES = [
    Case(*fitted(False, [0.2] * 5), told={"lipschitz": 1.0}, steps=16),
    Case(*fitted(True, [0.3, -0.2, 0, 0, 0.5]), given={"lipschitz": 4.0}, steps=16),
    Case(*fitted(False, [1.0, 0, 0, 0, 0]), given={"lipschitz": 90.0}, steps=16),
]


def iterates(oracles, steps, lipschitz, pairwise):
    V, L, out = oracles.V, lipschitz, []
    w = oracles.weights + (1 - oracles.weights.sum()) / len(V)
    for _ in range(steps):
        x = w @ V
        f, g = oracles.value(x), oracles.grad(x)
        used = np.flatnonzero(w > 0)
        s, a = np.argmin(V @ g), used[np.argmax((V @ g)[used])]
        drop, most = a, w[a]
        if pairwise:
            d = np.eye(len(V))[s] - np.eye(len(V))[a]
        elif -g @ (V[s] - x) >= -g @ (x - V[a]):
            d, most, drop = np.eye(len(V))[s] - w, 1.0, None
        else:
            d, most = w - np.eye(len(V))[a], w[a] / (1 - w[a])
        w, L = backtracked(oracles, w, d, (f, g), L, most, drop)
        out.append(w @ V)
    return out


def backtracked(oracles, w, d, here, L, most, drop):
    """The weights after a step along d, and L; at its `most` one vertex is dropped."""
    x, move, L, (f, g) = w @ oracles.V, d @ oracles.V, 0.9 * L, here
    while True:
        t = min(-g @ move / (L * move @ move), most)
        bound = f + t * g @ move + L / 2 * t**2 * move @ move
        if oracles.value(x + t * move) <= bound:
            break
        L *= 2
    w = np.maximum(w + t * d, 0)
    if drop is not None and t == most:
        w[drop] = 0
    return w, L

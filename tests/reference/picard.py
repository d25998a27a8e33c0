"""Banach-Picard: repeated substitution; averaged as by Krasnoselskii and Mann."""

import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.fixed_point.problem import FixedPoint

W = np.random.default_rng(0).standard_normal((6, 6))
W *= 0.8 / np.linalg.norm(W, 2)


def sine(**facts):
    """sin(W x + 1), which contracts by 0.8: both parts."""

    def T(x, W):
        return jnp.sin(jnp.matmul(W, x, precision="highest") + 1)

    return FixedPoint(T, np.ones(6), (W,), **facts), lambda x: np.sin(W @ x + 1)


CASES = [
    Case(*sine(contraction=0.8), told={"relaxation": 1.0}),
    Case(*sine(nonexpansive=True), told={"relaxation": 0.5}),
    Case(*sine(), given={"relaxation": 0.3}),
]


def iterates(T, x0, steps, *, relaxation):
    x, out = x0, []
    for _ in range(steps):
        x = (1 - relaxation) * x + relaxation * T(x)
        out.append(x)
    return out

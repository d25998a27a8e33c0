"""AdaGrad-Norm: Ward, Wu and Bottou (2019), algorithm 1."""

import numpy as np
import sum_case
from reference import _draws

CASES = [
    _draws.case(sum_case.problem(), 12, told={"batch": 5}),
    _draws.case(sum_case.problem(), 12, learning_rate=0.4, b0=0.02, batch=7),
]


def iterates(oracles, x0, steps, *, take, batch, learning_rate=1.0, b0=0.1):
    x, square, out = x0, b0**2, []
    for t in range(steps):
        g = oracles.term_gradients(x)[take(t, batch)].mean(axis=0)
        square = square + np.sum(g**2)
        x = x - learning_rate / np.sqrt(square) * g
        out.append(x)
    return out

"""AdAdaGrad: Lau, Liu and Kolar (2024), with the norm and the coordinate test."""

import math

import numpy as np
import sum_case
from reference import _draws

_some = {"learning_rate": 0.3, "most": sum_case.N, "batch": 4, "chunk": 7}
_own = {"learning_rate": 0.1, "most": sum_case.N, "batch": 5, "chunk": 32}
_tests = {"eta": 0.8, "initial": 0.02}
CASES = [
    _draws.case(
        sum_case.problem(), 12, **_some, **_tests, test=test, coordinatewise=each
    )
    for test in ("norm", "coordinate")
    for each in (True, False)
] + [_draws.case(sum_case.problem(), 12, _own)]
EXEMPT = {"eta: Any = real(0.5)": "asks for all 40 terms at once; other cases feel eta"}


def iterates(
    oracles, x0, steps, *, take, learning_rate, most, batch, chunk, eta=0.5,
    initial=0.01, test="norm", coordinatewise=True,
):  # fmt: skip
    x, b, out = x0, batch, []
    v = np.full(x.shape, initial) if coordinatewise else initial
    for t in range(steps):
        rows = oracles.term_gradients(x)[take(t, b)]
        g, var = rows.mean(axis=0), rows.var(axis=0, ddof=1)
        v = v + (g**2 if coordinatewise else g @ g)
        x = x - learning_rate * g / np.sqrt(v)
        whole, each = var.sum() / (g @ g), np.max(var / g**2)
        need = (whole if test == "norm" else each) / eta**2
        if need > b:
            b = min(math.ceil(need), most)
        out.append(x)
    return out

"""NAG-GS and NAG4: Leplat et al. (2022), algorithm 1, x_0 = v_0."""

import sum_case
from reference import _draws

_some = {"learning_rate": 0.3, "mu": 0.7, "gamma": 2.0, "batch": 5}
CASES = [
    _draws.case(sum_case.problem(), 12, **_some),
    _draws.case(sum_case.problem(), 12, **_some, fixed=True),
    _draws.case(sum_case.problem(), 12, {"batch": 5}),
]


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=0.05, mu=1.0, gamma=1.5,
    fixed=False,
):  # fmt: skip
    x, v, alpha, out = x0, x0, learning_rate, []
    for k in range(steps + 1):
        x = (1 - alpha / (1 + alpha)) * x + alpha / (1 + alpha) * v
        out.append(x)
        if k < steps:
            g = oracles.term_gradients(x)[take(k, batch)].mean(axis=0)
            if not fixed:
                gamma = (gamma + alpha * mu) / (1 + alpha)
            b = alpha * mu / (alpha * mu + gamma)
            v = (1 - b) * v + b * x - b / mu * g
    return out[1:]

"""SCAFFOLD, algorithm 1 of Karimireddy et al. (2020), option II."""

import jax
import numpy as np
from reference import _local
from reference._case import Case


def draws(keys):
    """(who takes part, the key of its batches) of each round."""
    pairs = [jax.random.split(key) for key in keys[1:]]
    return {"draws": [(np.asarray(jax.random.permutation(a, 3)), b) for a, b in pairs]}


_own = {"step_size": 1 / (10 * _local.L), "server_step": 1.0, "local_steps": 5}
_batch = {"step_size": 0.03, "server_step": 1.2, "local_steps": 3, "batch": 2}
CASES = [
    Case(_local.problem(), _local.ORACLES, told=_own),
    Case(_local.problem(), _local.ORACLES, _batch | {"sampled": 2}, draws),
]


def iterates(
    oracles, x0, steps, *, step_size, server_step, local_steps, draws=None,
    sampled=3, batch=None,
):  # fmt: skip
    x, out, c_i = x0, [], np.zeros((3, x0.size))
    for r in range(steps):
        order, key = draws[r] if draws else (range(3), None)
        c, y = c_i.mean(axis=0), np.stack([x] * 3)
        for j in range(local_steps):
            if batch is None:
                g = oracles.own(y)
            else:
                g = oracles.drawn(y, jax.random.fold_in(key, j), batch)
            y = y - step_size * (g - c_i + c)
        inside = [i for i in range(3) if order[i] < sampled]
        for i in inside:
            c_i[i] += -c + (x - y[i]) / (local_steps * step_size)
        x = x + server_step * np.mean([y[i] - x for i in inside], axis=0)
        out.append(x)
    return out

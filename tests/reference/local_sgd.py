"""Local SGD, algorithm 1 of Stich (2019), on each worker's own terms."""

import jax
import numpy as np
from reference import _local
from reference._case import Case

# mu is that of the l2 term; nothing is known where there is none.
_a = 16 * _local.L / _local.L2 + 5
_own = {"step_size": 4 / (_local.L2 * _a), "decay": 1 / _a, "local_steps": 5}
_flat = {"step_size": 1 / (4 * _local.L), "decay": 0.0, "local_steps": 5, "l2": 0.0}
_batch = {"step_size": 0.05, "decay": 0.3, "local_steps": 3, "batch": 2}
_alone = {"step_size": 0.05, "local_steps": 2}
CASES = [
    Case(_local.problem(), _local.ORACLES, given=_alone, told={"decay": 0.0}),
    Case(_local.problem(), _local.ORACLES, told=_own),
    Case(_local.problem(l2=0.0), _local.ORACLES, told=_flat),
    Case(
        _local.problem(),
        _local.ORACLES,
        given=_batch,
        told=lambda keys: {"keys": keys[1:]},
    ),
]


def iterates(
    oracles, x0, steps, *, step_size, decay, local_steps, keys=None, batch=None, **l2
):
    x, out, t = x0, [], 0
    for r in range(steps):
        y = np.stack([x] * _local.W)
        for j in range(local_steps):
            if batch is None:
                g = oracles.own(y, **l2)
            else:
                g = oracles.drawn(y, jax.random.fold_in(keys[r], j), batch)
            y, t = y - step_size / (1 + decay * t) * g, t + 1
        x = y.mean(axis=0)
        out.append(x)
    return out

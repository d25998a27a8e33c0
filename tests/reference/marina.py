"""MARINA, algorithm 1 of Gorbunov et al. (2021), with Rand-K."""

import jax
import numpy as np
from reference import _workers
from reference._case import Case
from reference._compressed import coordinates, unbiased

from banach.methods.distributed._compressors import RandK


def told(n, k, **values):
    """A uniform number and each worker's coordinates, step after step."""

    def drawn(keys):
        pairs = [jax.random.split(key) for key in keys[1:]]
        coins = [float(jax.random.uniform(coin)) for coin, _ in pairs]
        kept = [coordinates(key, 3, n, k) for _, key in pairs]
        return {"coins": coins, "kept": kept, **values}

    return drawn


# One entry of 4: omega = 3, p = 1/4. Two of 20: omega = 9, p = 1/10.
_own = {"step_size": 1 / (_workers.L * (1 + np.sqrt(0.75 * 3 / 0.75))), "p": 0.25}
_root = np.sqrt(0.9 * 9 / 0.3)
_wide = {"step_size": 1 / (_workers.wide_L() * (1 + _root)), "p": 0.1}
_given = {"step_size": 0.03, "p": 0.4, "compressor": RandK(2)}
CASES = [
    Case(*_workers.case(), told=told(4, 1, **_own), steps=40),
    Case(*_workers.wide(), told=told(20, 2, **_wide), steps=40),
    Case(*_workers.case(), given=_given, told=told(4, 2)),
]


def iterates(oracles, x0, steps, *, coins, kept, step_size, p, compressor=None):
    x, out, own = x0, [], oracles.local_grad(x0)
    g = own.mean(axis=0)
    for t in range(steps):
        x, old = x - step_size * g, own
        own = oracles.local_grad(x)
        if coins[t] < p:
            g = own.mean(axis=0)
        else:
            g = g + unbiased(own - old, kept[t]).mean(axis=0)
        out.append(x)
    return out

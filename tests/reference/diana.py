"""DIANA without momentum and regulariser, Mishchenko et al. (2024), algorithm 1."""

import numpy as np
from reference import _workers
from reference._case import Case
from reference._compressed import coordinates, quantised, unbiased

from banach.methods.distributed._compressors import Quantised, RandK


def told(compressor, n, **values):
    """What each worker's Q makes of its row, step after step."""

    def drawn(keys):
        def rand(t, v):
            return unbiased(v, coordinates(keys[t + 1], len(v), n, compressor.k))

        def rounded(t, v):
            return quantised(v, keys[t + 1], compressor.levels)

        return {"Q": rand if isinstance(compressor, RandK) else rounded, **values}

    return drawn


# A tenth of 4 entries is one at least: omega = 3. Of 20 it is 2: omega = 9.
_own = {"step_size": 1 / (7 * _workers.L), "alpha": 0.25}
_wide = {"step_size": 1 / (19 * _workers.wide_L()), "alpha": 0.1}
_given = {"step_size": 0.03, "alpha": 0.2}
CASES = [
    Case(*_workers.case(), told=told(RandK(1), 4, **_own)),
    Case(*_workers.wide(), told=told(RandK(2), 20, **_wide)),
    Case(
        *_workers.case(),
        given=_given | {"compressor": Quantised(2)},
        told=told(Quantised(2), 4),
    ),
]


def iterates(oracles, x0, steps, *, Q, step_size, alpha, compressor=None):
    x, out = x0, []
    h = np.zeros_like(oracles.local_grad(x0))
    for t in range(steps):
        m = Q(t, oracles.local_grad(x) - h)
        x = x - step_size * (h + m).mean(axis=0)
        h = h + alpha * m
        out.append(x)
    return out

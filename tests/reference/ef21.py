"""EF21, algorithm 2 of Richtarik, Sokolov and Fatkhullin (2021)."""

import numpy as np
from reference import _workers
from reference._case import Case
from reference._compressed import top

from banach.methods.distributed._compressors import TopK

# Of 20 entries a tenth are two; nothing is known of F but the workers' bound.
_r = np.sqrt(0.9)
_own = {"step_size": (1 - _r) / _workers.wide_L(), "compressor": TopK(2)}
# Of 4 entries one: delta = 1/4, and F has the bound of the workers.
_known = {"step_size": (1 - np.sqrt(0.75)) / _workers.L, "compressor": TopK(1)}
CASES = [
    Case(*_workers.case(), given={"step_size": 0.05, "compressor": TopK(2)}),
    Case(*_workers.case(), told=_known),
    Case(*_workers.wide(), told=_own, steps=20),
]


def iterates(oracles, x0, steps, *, step_size, compressor):
    def compressed(rows):
        return np.stack([top(v, compressor.k) for v in rows])

    x, out = x0, []
    g = compressed(oracles.local_grad(x0))
    for _ in range(steps):
        x = x - step_size * g.mean(axis=0)
        g = g + compressed(oracles.local_grad(x) - g)
        out.append(x)
    return out

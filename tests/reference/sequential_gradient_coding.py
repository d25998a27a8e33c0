"""Gradient descent on as many models as a job's delay in rounds, plus one."""

import numpy as np
from reference import _workers
from reference._case import Case

from banach.methods.distributed import _coding_schemes as schemes
from banach.methods.distributed._stragglers import Bursts

_scheme = schemes.m_sgc(3, 1, 2, 1)
_given = {"step_size": 1 / _workers.L, "bursts": Bursts(0.3, 0.6), "spread": 0.4}
_own = {"step_size": 1 / _workers.L, "scheme": _scheme, "bursts": None, "spread": 0.5}
CASES = [
    Case(*_workers.case(), given=_given | {"scheme": scheme}, steps=20)
    for scheme in (schemes.gc(3, 0), schemes.gc(3, 1), schemes.sr_sgc(3, 1, 2, 1))
] + [
    Case(*_workers.case(), given=_given | {"scheme": _scheme}, steps=20),
    Case(*_workers.case(), told=_own, steps=20),
]
EXEMPT = {
    name: "whoever straggles, what is decoded is the gradient"
    for name in ("bursts", "patience")
}


def iterates(oracles, x0, steps, *, step_size, scheme, bursts, spread):
    lanes = scheme.lanes
    models = [np.array(x0) for _ in range(lanes)]
    sizes = [np.inf] * lanes
    waiting, out = {}, []
    for t in range(steps):
        waiting[t % lanes] = oracles.grad(models[t % lanes])  # begun now
        lane = (t + 1) % lanes  # complete before this lane's next turn
        if t + 1 >= lanes:
            g = waiting[lane]
            models[lane] = models[lane] - step_size * (1 + spread * lane / lanes) * g
            sizes[lane] = np.linalg.norm(g)
        out.append(models[int(np.argmin(sizes))])
    return out

"""Gradient descent on as many models as a job's delay in rounds, plus one."""

import numpy as np
from reference import _workers
from reference._case import Case

from banach.methods.distributed import _coding_schemes as schemes
from banach.methods.distributed._stragglers import Bursts

OFTEN = Bursts(slows=0.3, recovers=0.6)


def _given(scheme):
    return {
        "step_size": 1 / _workers.L, "scheme": scheme, "bursts": OFTEN, "spread": 0.4
    }  # fmt: skip


CASES = [
    Case(*_workers.case(), given=_given(schemes.gc(3, 0)), steps=20),
    Case(*_workers.case(), given=_given(schemes.gc(3, 1)), steps=20),
    Case(*_workers.case(), given=_given(schemes.sr_sgc(3, 1, 2, 1)), steps=20),
    Case(*_workers.case(), given=_given(schemes.m_sgc(3, 1, 2, 1)), steps=20),
    Case(
        *_workers.case(),
        told={"step_size": 1 / _workers.L, "scheme": schemes.m_sgc(3, 1, 2, 1)}
        | {"bursts": None, "spread": 0.5},
        steps=20,
    ),
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

"""Three operators, one of them by its gradient, and one averaged map.

Davis and Yin (2017): the map is averaged with 2 b / (4 b - t), b = 1 / L, so that the
distance to a fixed point never grows and the steps fall as 1 / sqrt(k). Total variation
of digits read line by line, the square by its gradient, within the box [0, 1]; the
fixed point is made from Condat's taut string. Theorem numbers are from memory.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved
from banach.claims.splitting import _instances as instances
from banach.methods.splitting.chambolle_pock import ChambollePock
from banach.methods.splitting.davis_yin import DavisYin

STEPS = 1000
# t = share / L; with b = 1 / L, alpha = 2 b / (4 b - t) and (1 - alpha) / alpha:
SHARES = (0.5, 1.0, 1.9)


def _margin(share):
    return 1 - share / 2


def _governed(problem, share):
    """s and s*, z in the unit of x."""
    method = runs.suggested(DavisYin, problem, step_size=share / float(problem.f.L))
    s, n, t = runs.states(method, problem, STEPS), float(method.norm), method.step_size
    x, y = instances.solution(problem)
    D = np.diff(np.eye(x.size), axis=0)
    best = np.concatenate([x + t * D.T @ y, (D @ x - t * n**2 * y) / n])
    return np.concatenate([s.a, s.b / n], axis=1), best


@proved("Davis and Yin 2017, proposition 2.1", at_most(1e-10))
def averaged():
    """Largest |s+ - s*|^2 - |s - s*|^2 + (1 - alpha) / alpha |s+ - s|^2, over
    |s0 - s*|^2, for t = 0.5, 1 and 1.9 over L."""
    found = {}
    for name, problem in instances.scans(smooth=True, box=True).items():
        rises = []
        for share in SHARES:
            s, best = _governed(problem, share)
            far = np.sum((s - best) ** 2, axis=1)
            moved = np.sum(np.diff(s, axis=0) ** 2, axis=1)
            rises.append(np.max(np.diff(far) + _margin(share) * moved) / far[0])
        found[name] = max(rises)
    return found


@proved("Davis and Yin 2017, theorem 3.1: the steps", at_most(1.0))
def rate():
    """Largest (k + 1) (1 - alpha) / alpha |s_(k+1) - s_k|^2 over |s0 - s*|^2."""
    found = {}
    for name, problem in instances.scans(smooth=True, box=True).items():
        worst = []
        for share in SHARES:
            s, best = _governed(problem, share)
            moved = np.sum(np.diff(s, axis=0) ** 2, axis=1)
            counts = np.arange(1, len(moved) + 1)
            first = np.sum((s[0] - best) ** 2)
            worst.append(_margin(share) * np.max(moved * counts) / first)
        found[name] = max(worst)
    return found


@ours("a user's question", at_most(1.0, "mean"))
def projected():
    """Steps to 1e-4 of the distance over those of Condat and Vu, who project on no
    graph."""
    found = {}
    for name, problem in instances.scans(smooth=True, box=True).items():
        own, other = (
            instances.steps_to(runs.suggested(m, problem), problem, 1e-4, 4000)
            for m in (DavisYin, ChambollePock)
        )
        found[name] = own / other
    return found

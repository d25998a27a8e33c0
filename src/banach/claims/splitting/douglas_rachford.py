"""Douglas-Rachford splitting is a proximal point algorithm, and so never goes astray.

Eckstein and Bertsekas (1992): the governing sequence is firmly nonexpansive, so that
its distance to a fixed point, and its steps, never grow; He and Yuan (2015) bound the
steps by 1 / sqrt(N). Total variation of digits read line by line; the fixed point is
made from Condat's taut string. Theorem numbers are from memory.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved
from banach.claims.splitting import _instances as instances
from banach.methods.splitting.chambolle_pock import ChambollePock
from banach.methods.splitting.douglas_rachford import DouglasRachford

STEPS = 1000


def _governed(problem, relaxation):
    """s and s*, z in the unit of x."""
    method = runs.suggested(DouglasRachford, problem, relaxation=relaxation)
    s = runs.states(method, problem, STEPS)
    n, t = float(method.norm), float(method.step_size)
    x, y = instances.solution(problem)
    D = np.diff(np.eye(x.size), axis=0)
    best = np.concatenate([x + t * D.T @ y, (D @ x - t * n**2 * y) / n])
    # A fixed point has (x - a)/t = grad f + K'y without the f that F holds.
    slope = x - np.asarray(problem.f.args[0]) if problem.f is not None else 0 * x
    best[: x.size] += t * slope
    return np.concatenate([s.a, s.b / n], axis=1), best


@proved("Eckstein and Bertsekas 1992, theorems 2, 3 and 8", at_most(1e-10))
def nearer():
    """Largest rise of |s - s*|, over |s0 - s*|, for relaxations of 1 and 1.8."""
    found = {}
    for name, problem in instances.scans().items():
        worst = 0.0
        for relaxation in (1.0, 1.8):
            s, best = _governed(problem, relaxation)
            far = np.linalg.norm(s - best, axis=1)
            worst = max(worst, np.max(np.diff(far)) / far[0])
        found[name] = worst
    return found


@proved("He and Yuan 2015, theorem 3.1", at_most(1.0))
def rate():
    """Largest |s_N - s_(N+1)|^2 (N + 1) over |s0 - s*|^2."""
    found = {}
    for name, problem in instances.scans(smooth=True).items():
        s, best = _governed(problem, 1.0)
        moved = np.sum(np.diff(s, axis=0) ** 2, axis=1)
        count = np.arange(1, len(moved) + 1)
        found[name] = np.max(moved * count) / np.sum((s[0] - best) ** 2)
    return found


@ours("a user's question", at_most(1.0, "mean"))
def factorised():
    """Steps to 1e-4 of the distance over those of Chambolle and Pock, which factorise
    nothing."""
    found = {}
    for name, problem in instances.scans(smooth=True).items():
        own, other = (
            instances.steps_to(runs.suggested(m, problem), problem, 1e-4, 4000)
            for m in (DouglasRachford, ChambollePock)
        )
        found[name] = own / other
    return found

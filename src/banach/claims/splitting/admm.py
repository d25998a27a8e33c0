"""ADMM: a Lyapunov function, over-relaxation, and a penalty that finds its size.

Boyd, Parikh, Chu, Peleato and Eckstein (2011), appendix A and section 3.4. Total
variation of digits read line by line, 64 unknowns; the solution is Condat's taut
string.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.splitting import _instances as instances
from banach.methods.splitting.admm import Admm

STEPS, CAP = 500, 20_000


def _steps(problem, **given):
    method = runs.suggested(Admm, problem, **given)
    x, _ = instances.solution(problem)
    far = np.linalg.norm(runs.states(method, problem, CAP).w - x, axis=1)
    near = np.flatnonzero(far <= 1e-4 * far[0])
    return float(near[0]) if near.size else np.inf


@proved("Boyd et al. 2011, appendix A, inequality A.1", at_most(1e-12))
def lyapunov():
    """Largest V+ - V + rho (|r+|^2 + |B (z+ - z)|^2) over V0; no over-relaxation."""
    found = {}
    for name, problem in instances.scans(smooth=True).items():
        method = runs.suggested(Admm, problem, alpha=1.0, adapt=0)
        s, n, rho = runs.states(method, problem, STEPS), method.norm, method.rho
        x, y = instances.solution(problem)
        b = np.asarray(problem.f.args[0])
        D = np.diff(np.eye(x.size), axis=0)
        ours = np.concatenate([s.q, s.u / n, s.w, s.z / n], axis=1)
        q = -(x - b + D.T @ y) / rho
        best = np.concatenate([q, n * y / rho, x, D @ x / n])
        V = rho * np.sum((ours - best) ** 2, axis=1)
        # With alpha = 1 the residual is what the multipliers move by.
        moved = rho * np.sum(np.diff(ours, axis=0) ** 2, axis=1)
        found[name] = np.max(np.diff(V) + moved) / V[0]
    return found


@reported("Boyd et al. 2011, section 3.4.3", at_most(1.0))
def relaxed():
    """Steps to 1e-4 of the distance with alpha = 1.6 over those with alpha = 1."""
    return {
        name: _steps(problem, adapt=0) / _steps(problem, alpha=1.0, adapt=0)
        for name, problem in instances.scans(smooth=True).items()
    }


@ours("a user's question", at_most(0.5))
def balanced():
    """Steps from a penalty 1,000 times too large, balanced over fixed."""
    found = {}
    for name, problem in instances.scans(smooth=True).items():
        rho = 1e3 * float(problem.facts().L)
        found[name] = _steps(problem, rho=rho) / _steps(problem, rho=rho, adapt=0)
    return found

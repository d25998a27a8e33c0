"""Gauss-Newton forgets coordinates, and its rate is the curvature times the residual.

Bjorck (1996), section 9.2: near a solution the error falls by rho, the spectral radius
of (J'J)^-1 sum r_i r_i'', a step. Reduced: fits of a decay; a line search is on, and
takes full steps there.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, between, proved
from banach.claims.least_squares import _instances
from banach.methods.least_squares.gauss_newton import GaussNewton

NOISES = (0.1, 0.2, 0.3, 0.4, 0.5)


@proved("Bjorck 1996, section 9.2 (invariance)", at_most(1e-8))
def coordinates():
    """Change of ||r|| over eight steps in coordinates x = M z, cond(M) = 100."""
    found = {}
    for name, problem in _instances.decays(*NOISES).items():
        Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
        other = _instances.moved(problem, Q * [0.1, 1.0, 10.0])
        ours, theirs = (
            runs.trace(p, GaussNewton(), 8, r=runs.residual_norm)["r"]
            for p in (problem, other)
        )
        found[name] = np.max(np.abs(ours - theirs)) / ours[0]
    return found


@proved("Bjorck 1996, section 9.2 (local rate)", between(0.9, 1.1))
def rate():
    """The factor a step of the error, between 1e-4 and 1e-11, over rho."""
    found, curves = {}, {}
    for name, problem in _instances.decays(*NOISES).items():
        x = runs.trace(problem, GaussNewton(), 60, x=runs.where)["x"]
        best = x[-1]
        for _ in range(4):
            best = best - np.linalg.solve(problem.hess(best), problem.grad(best))
        J = np.asarray(problem.jacobian(best))
        bent = np.linalg.solve(J.T @ J, np.asarray(problem.hess(best)) - J.T @ J)
        rho = np.abs(np.linalg.eigvals(bent)).max()
        errors = np.linalg.norm(x - best, axis=1)
        told = np.flatnonzero((errors < 1e-4) & (errors > 1e-11))
        a, b = told[0], told[-1]
        found[name] = (errors[b] / errors[a]) ** (1 / (b - a)) / rho
        line = errors[a] * rho ** (np.arange(len(errors)) - a)
        curves[name] = {"error": errors[:40], "rho^k, a bound": line[:40]}
    return Seen(found, curves, ("steps", "||x - x*||"))

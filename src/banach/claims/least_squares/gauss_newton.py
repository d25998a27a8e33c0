"""Gauss-Newton forgets coordinates, and its rate is the curvature times the residual.

Bjorck (1996), section 9.2: near a solution the error falls by rho, the spectral radius
of (J'J)^-1 sum r_i r_i'', a step: a limit, met here to a tenth. Reduced: fits of a
decay; a line search is on, and takes full steps there.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, between, proved, reported
from banach.claims.least_squares import _instances
from banach.methods.least_squares.gauss_newton import GaussNewton


@proved("Bjorck 1996, section 9.2 (invariance)", at_most(1e-8))
def coordinates():
    """Change of ||r|| over eight steps in coordinates x = M z, cond(M) = 100."""
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    M, problems = Q * [0.1, 1.0, 10.0], _instances.decays()
    return {k: _instances.change(GaussNewton(), p, M, 8) for k, p in problems.items()}


@reported("Bjorck 1996, section 9.2 (local rate)", between(0.9, 1.1))
def rate():
    """The factor a step of the error, between 1e-4 and 1e-11, over rho."""
    found, curves = {}, {}
    for name, problem in _instances.decays().items():
        x = runs.trace(problem, GaussNewton(), 60, x=runs.where)["x"]
        best = x[-1]
        for _ in range(4):
            H, J = problem.hess(best), np.asarray(problem.jacobian(best))
            best = best - np.linalg.solve(H, problem.grad(best))
        rho = np.abs(np.linalg.eigvals(np.linalg.solve(J.T @ J, H - J.T @ J))).max()
        errors = np.linalg.norm(x - best, axis=1)
        a, *_, b = np.flatnonzero((errors < 1e-4) & (errors > 1e-11))
        found[name] = (errors[b] / errors[a]) ** (1 / (b - a)) / rho
        line = errors[a] * rho ** np.arange(40 - a)
        curves[name] = {"error": errors[a:40], "rho^k": line}
    return Seen(found, curves, ("steps", "||x - x*||"))

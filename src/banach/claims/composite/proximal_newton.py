"""Newton's convergence beside a nonsmooth term, though models are minimised inexactly.

Reduced: sparse logistic regressions of 4 to 64 coefficients (theirs gisette and rcv1,
5,000 and 47,236). Left out: inverse covariance estimation, quasi-Newton forms, seconds.
"""

import numpy as np

from banach.claims import runs
from banach.claims.composite import _sparse_logistic
from banach.claims.course import Seen, at_most, ours, proved, reported
from banach.methods.composite.fista import Fista
from banach.methods.composite.proximal_newton import ProximalNewton

SMALL = _sparse_logistic.residual


def objectives(problem, steps):
    """F after each step."""
    return runs.trace(problem, ProximalNewton(), steps, f=runs.objective)["f"]


@proved("Lee, Sun and Saunders 2014, section 2.2 (descent)", at_most(1e-14))
def descent():
    """The largest rise of F in 30 steps, over F at the start."""
    found, curves = {}, {}
    for name, problem in _sparse_logistic.problems().items():
        f = objectives(problem, 30)
        found[name] = np.max(np.diff(f), initial=0.0) / f[0]
        curves[name] = {"F - least": np.maximum(f - f.min(), 1e-16)}
    return Seen(found, curves, ("steps", "F - least"))


@reported("Lee, Sun and Saunders 2014, section 3, inexact (order)", at_most(1.0))
def superlinear():
    """r+ / r over (r / r_0)^(1/4) at the first residual r+ below 1e-8 r_0."""
    found = {}
    for name, problem in _sparse_logistic.problems().items():
        r = runs.trace(problem, ProximalNewton(), 40, r=SMALL)["r"]
        k = int(np.argmax(r <= 1e-8 * r[0]))
        ratio, before = r[k] / r[k - 1], r[k - 1] / r[0]
        found[name] = ratio / before**0.25 if k else np.inf
    return found


@reported("Lee, Sun and Saunders 2014, section 5, figures", at_most(1.0))
def evaluations():
    """Gradients to a residual of 1e-6 of the first, over those of FISTA."""
    methods = {
        "own": lambda _: ProximalNewton(),
        "FISTA": lambda problem: Fista(float(problem.facts().L)),
    }
    rows = _sparse_logistic.problems()
    table = runs.prices(rows, methods, SMALL, 1e-6, 20_000, "grad")
    return runs.ratios(table, "own", "FISTA")


@ours("Lee, Sun and Saunders 2014, adaptive stopping", at_most(0.8, "mean"))
def adaptive():
    """Proxes to a residual of 1e-8 of the first, over those with models to 1e-8."""
    methods = {
        "own": lambda _: ProximalNewton(),
        "exact": lambda _: ProximalNewton(forcing=1e-8),
    }
    rows = _sparse_logistic.problems()
    table = runs.prices(rows, methods, SMALL, 1e-8, 100, "prox")
    return runs.ratios(table, "own", "exact")

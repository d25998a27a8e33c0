"""One rank of curvature in the prox, at the price of proximal gradients.

Reduced: Lassos of 10 to 200 coefficients (theirs 1,500 to 3,000 and a convolution).
Left out: SpaRSA, CGIST, FPC-AS and PSSas, seconds.
"""

import jax
import numpy as np

from banach.claims import instances, runs
from banach.claims.composite import _instances, _sparse_logistic
from banach.claims.course import at_most, ours, proved, reported
from banach.methods.composite.proximal_quasi_newton import ProximalQuasiNewton, _shifted
from banach.terms.norms import L1

SMALL = _sparse_logistic.residual


@proved("Becker and Fadili 2012, the prox in a diagonal +- rank one metric", at_most(1))
def scaled_prox():
    """||y - prox(y - tau H^-1 (y - v), tau)|| over 1e-12 ||v||, 40 unknowns."""
    found, term = {}, L1(0.5)
    solve = jax.jit(lambda v, w, tau: _shifted(lambda z: term.prox(z, tau), v, w)[0])
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        v, u = 3 * rng.standard_normal((2, 40))
        for tau in (0.1, 1.0, 4.0):
            y = np.asarray(solve(v, u / np.sqrt(tau + u @ u), tau))
            H = tau * np.eye(40) + np.outer(u, u)
            again = term.prox(y - tau * np.linalg.solve(H, y - v), tau)
            far = np.linalg.norm(y - np.asarray(again)) / np.linalg.norm(v)
            found[f"{name}, tau {tau}"] = far / 1e-12
    return found


def _gradients(rival, most):
    """Of its own to a residual of 1e-6 of the first on Lassos, over a rival's."""
    methods = {
        "own": lambda _: ProximalQuasiNewton(),
        "rival": lambda problem: rival(float(problem.facts().L)),
    }
    table = runs.prices(instances.lassos(), methods, SMALL, 1e-6, most, "grad")
    return runs.ratios(table, "own", "rival")


@reported("Becker and Fadili 2012, section 5, figures", at_most(1.0, "mean"))
def against_fista():
    """Gradients to a residual of 1e-6 of the first on Lassos, over those of FISTA."""
    return _gradients(_instances.fista, 20_000)


@reported("Becker and Fadili 2012, section 5, figures", at_most(0.5, "mean"))
def against_ista():
    """The same over proximal gradients of step 1 / L."""
    return _gradients(_instances.ista, 100_000)


@ours("a user's question", at_most(10.0))
def proxes():
    """Proxes a step on sparse logistic regressions, the mean of 100 steps."""
    found = {}
    for name, problem in _sparse_logistic.problems().items():
        own = ProximalQuasiNewton()
        found[name] = runs.trace(problem, own, 100, r=SMALL)["prox"][-1] / 100
    return found

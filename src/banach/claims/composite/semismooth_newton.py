"""Newton's convergence to a fixed point of the proximal gradient step.

On sparse logistic regressions and Lassos, most of them real. The default damping was
chosen on their steps with ten times the weight of what is compared here. Left out:
conjugate gradients, and seconds.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.composite import _sparse_logistic
from banach.claims.course import Seen, at_most, ours, proved
from banach.kinds.composite.problem import Composite
from banach.kinds.glm.losses import SquaredLoss
from banach.kinds.glm.problem import GLM
from banach.methods.composite.fista import Fista
from banach.methods.composite.proximal_newton import ProximalNewton
from banach.methods.composite.semismooth_newton import SemismoothNewton
from banach.terms.norms import L1

SOURCE = "Themelis, Ahookhosh and Patrinos 2019"
SHARE = 0.01  # of the weight that gives 0


def residuals(problem, steps):
    """||z - T(z)||, and F at T(z), after each step; the method."""
    method = runs.suggested(SemismoothNewton, problem)
    states = runs.states(method, problem, steps)
    r = np.linalg.norm(np.asarray(states.z) - np.asarray(states.x), axis=1)
    f = [float(problem.objective(jnp.asarray(x))) for x in np.asarray(states.x)]
    return r, np.array(f), method


@proved(f"{SOURCE}, convergence (squares of residuals are summable)", at_most(1.0))
def summable():
    """The sum of decrease (1 - ratio) ||r||^2 / (2 gamma) over phi(z_0) - F*."""
    found = {}
    for name, problem in _sparse_logistic.problems().items():
        r, f, own = residuals(problem, 40)
        gamma = own.ratio / own.lipschitz
        z, x = problem.x0, problem.prox(
            problem.x0 - gamma * problem.grad(problem.x0), gamma
        )  # fmt: skip
        d = x - z
        phi = problem.value(z) + problem.grad(z) @ d + d @ d / (2 * gamma)
        fallen = phi + problem.term_value(x) - f.min()
        falls = own.decrease * (1 - own.ratio) * r[:-1] ** 2 / (2 * gamma)
        found[name] = falls.sum() / fallen
    return found


@proved(f"{SOURCE}, order (quadratic where the Jacobian is regular)", at_most(1.0))
def superlinear():
    """r+ / r_0 over (r / r_0)^(3/2) at the first residual r+ below 1e-8 r_0."""
    found, curves = {}, {}
    for name, problem in _sparse_logistic.problems().items():
        r = residuals(problem, 40)[0]
        k = int(np.argmax(r <= 1e-8 * r[0]))
        found[name] = r[k] / r[0] / (r[k - 1] / r[0]) ** 1.5 if k else np.inf
        curves[name] = {"||r||": np.maximum(r, 1e-17)}
    return Seen(found, curves, ("steps", "||r||"))


def _lighter():
    """Both sorts of regressions at a hundredth of the weight that gives 0."""
    found = {}
    for name, smooth in instances.logistic().items():
        top = np.abs(np.asarray(smooth.grad(smooth.x0))).max()
        found[f"{name}, logistic"] = Composite(smooth, L1(SHARE * top))
    for name, old in instances.lassos().items():
        A, y = np.asarray(old.A), np.asarray(old.y)
        lam = SHARE * np.abs(A.T @ y).max()
        found[f"{name}, Lasso"] = GLM(A, y, SquaredLoss(), L1(lam))
    return found


def _against(other, of):
    methods = {
        "own": lambda problem: runs.suggested(SemismoothNewton, problem),
        "other": other,
    }
    table = runs.prices(_lighter(), methods, _sparse_logistic.residual, 1e-6, 5000, of)
    return runs.ratios(table, "own", "other")


@ours("gradients, against FISTA", at_most(0.2))
def gradients():
    """Gradients to a residual of 1e-6 of the first, over those of FISTA."""
    return _against(lambda problem: Fista(float(problem.facts().L)), "grad")


@ours("proximal steps, against proximal Newton", at_most(0.5, 0.8))
def proxes():
    """Proxes to a residual of 1e-6 of the first, over those of proximal_newton."""
    return _against(lambda _: ProximalNewton(), "prox")

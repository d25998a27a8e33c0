"""FISTA is as simple as ISTA and much faster.

Reduced: deblurring of 64 x 64 digits, 1,000 steps of ISTA (theirs 256 x 256, 10,000).
F* is the least value that restarted FISTA reaches in 15,000 steps.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, ours, proved, reported
from banach.methods.composite.fista import Fista
from banach.methods.composite.proximal_gradient import ProximalGradient

STEPS = 1000


def gaps(problem, **methods):
    """F - F* of each method at every step, and ||x0 - x*||."""
    watch = {"f": runs.objective, "x": runs.where}
    L = problem.facts().L
    best = runs.trace(problem, Fista(L, restart=True), 15 * STEPS, every=15, **watch)
    made = {k: make(L) for k, make in methods.items()}
    found = {
        k: runs.trace(problem, m, STEPS, f=runs.objective)["f"] for k, m in made.items()
    }
    # The rounding of F itself, a sum over the data.
    noise = 1e-13 * best["f"][0]
    radius = np.linalg.norm(best["x"][0] - best["x"][-1])
    return {k: np.maximum(f - best["f"].min(), noise) for k, f in found.items()}, radius


def fista(L):
    """Without the restart of O'Donoghue and Candes."""
    return Fista(L, restart=False)


def ista(L):
    """Steps of 1 / L."""
    return ProximalGradient(L, backtrack=False)


@proved("Beck and Teboulle 2009, theorem 4.4", at_most(1.0))
def rate():
    """F(x_k) - F* over 2 L R^2 / (k + 1)^2, the largest of 1,000 steps."""
    worst, curves = {}, {}
    for name, problem in {**instances.deblurring(1), **instances.lassos()}.items():
        rows, radius = gaps(problem, FISTA=fista, ISTA=ista)
        k = np.arange(1, STEPS + 1)
        bound = 2 * float(problem.facts().L) * radius**2 / (k + 1) ** 2
        worst[name] = np.max(rows["FISTA"][1:] / bound)
        curves[name] = {**{m: g[1:] for m, g in rows.items()}, "bound": bound}
    return Seen(worst, curves, ("steps", "F - F*"))


def share(rows):
    """Steps of FISTA for the value that ISTA ends with, over those of ISTA."""
    target = rows["ISTA"][-1]
    return np.argmax(rows["FISTA"] <= target) / np.argmax(rows["ISTA"] <= target)


@reported("Beck and Teboulle 2009, section 5.1, figure 5", at_most(0.2))
def deblurring():
    """Steps of FISTA for the value of 1,000 steps of ISTA, over those of ISTA."""
    problems = instances.deblurring(5).items()
    return {k: share(gaps(p, FISTA=fista, ISTA=ista)[0]) for k, p in problems}


@ours("a user's question", at_most(0.5))
def sparse_regression():
    """The same on the Lasso, where few coefficients are soon all that moves."""
    problems = instances.lassos().items()
    return {k: share(gaps(p, FISTA=fista, ISTA=ista)[0]) for k, p in problems}

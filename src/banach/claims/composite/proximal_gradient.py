"""ISTA converges like 1 / k, with a constant step or with backtracking.

Reduced: images of 64 x 64 (theirs 256 x 256). Our backtracking also lets L shrink
between steps; the proof needs no more than that L is at most twice the true one.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, ours, proved
from banach.methods.composite.fista import Fista
from banach.methods.composite.proximal_gradient import ProximalGradient

STEPS = 1000
WATCH = {"f": runs.objective, "x": runs.where}


def problems():
    """A deblurring and five Lassos."""
    return {**instances.deblurring(1), **instances.lassos()}


def traces(problem):
    """With the step 1 / L, and by backtracking from L = 1e-3."""
    L = problem.facts().L
    made = {"1 / L": (L, False), "backtracking": (1e-3, True)}
    return {
        k: runs.trace(problem, ProximalGradient(*m), STEPS, **WATCH)
        for k, m in made.items()
    }


@proved("Beck and Teboulle 2009, theorem 3.1", at_most(1.0))
def rate():
    """F(x_k) - F* over a L R^2 / (2 k), a = 1 or 2, the largest of 1,000 steps."""
    worst, curves = {}, {}
    k = np.arange(1, STEPS + 1)
    for name, problem in problems().items():
        L = float(problem.facts().L)
        best = runs.trace(problem, Fista(L, restart=True), 15000, every=15, **WATCH)
        radius = np.linalg.norm(best["x"][0] - best["x"][-1])
        lines = {"bound of 1 / L": L * radius**2 / (2 * k)}
        for a, (how, rows) in zip((1, 2), traces(problem).items(), strict=True):
            # Below the rounding of F itself nothing is seen.
            gap = np.maximum(rows["f"][1:] - best["f"].min(), 1e-13 * rows["f"][0])
            worst[f"{name}, {how}"] = np.max(gap / lines["bound of 1 / L"]) / a
            lines[how] = gap
        curves[name] = lines
    return Seen(worst, curves, ("steps", "F - F*"))


@proved("Beck and Teboulle 2009, section 3, the values of ISTA", at_most(1e-13))
def descent():
    """The largest rise of F in a step over F(x_0), to rounding."""
    return {
        f"{name}, {how}": np.max(np.diff(rows["f"])) / rows["f"][0]
        for name, problem in problems().items()
        for how, rows in traces(problem).items()
    }


@ours("a user's question", at_most(1.5))
def price_of_not_knowing():
    """Gradients to the value of 1,000 steps of 1 / L, by backtracking over those."""
    found = {}
    for name, problem in problems().items():
        rows = traces(problem)
        target = rows["1 / L"]["f"][-1] + 1e-12 * rows["1 / L"]["f"][0]
        calls = [r["grad"][np.argmax(r["f"] <= target)] for r in rows.values()]
        found[name] = calls[1] / calls[0]
    return found

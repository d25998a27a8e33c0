"""One step serves both: bounded iterates, and 1 / N^2 where g is strongly convex.

Chambolle and Pock (2011). Reduced: total variation of digits read line by line, 64
unknowns, where the paper has images of 256 x 256; the solution is Condat's taut string.
On so few unknowns algorithm 1 soon converges linearly and algorithm 2 stays at 1 / N:
the comparison of section 6.1 is reversed here.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.splitting import _instances as instances
from banach.methods.splitting.chambolle_pock import ChambollePock

STEPS, CAP = 2000, 20_000


def _norm(problem):
    return float(problem.facts().get("norm"))


@proved("Chambolle and Pock 2011, theorem 1 (a)", at_most(1.0))
def bounded():
    """Largest (1 - tau sigma L^2) E_n / E_0, E = |y - y*|^2 / s + |x - x*|^2 / t."""
    found = {}
    for name, problem in instances.scans().items():
        step = 0.95 / _norm(problem)
        s = runs.states(ChambollePock(step, step, 0.0), problem, STEPS)
        far, dual = instances.squares(s, *instances.solution(problem))
        found[name] = (1 - 0.95**2) * np.max(far + dual) / (far + dual)[0]
    return found


@proved("Chambolle and Pock 2011, theorem 2 and its proof", at_most(1 + 1e-6))
def accelerated():
    """Largest |x - x*|^2 over tau_N^2 (|x0 - x*|^2 / tau_0^2 + L^2 |y0 - y*|^2)."""
    found = {}
    for name, problem in instances.scans().items():
        n = _norm(problem)
        s = runs.states(ChambollePock(1 / n, 1 / n, 1.0), problem, STEPS)
        far, dual = instances.squares(s, *instances.solution(problem))
        bound = s.tau**2 * (far[0] * n**2 + n**2 * dual[0])
        # Of a distance that is rounding no theorem speaks.
        found[name] = np.max(np.where(far > 1e-24, far / bound, 0))
    return found


@reported("Chambolle and Pock 2011, section 6.1: ALG2 before ALG1", at_most(1.0))
def faster():
    """Steps of algorithm 2 over those of algorithm 1 to 1e-4 of the distance."""
    found = {}
    for name, problem in instances.scans().items():
        n = _norm(problem)
        two, one = (
            instances.steps_to(ChambollePock(1 / n, 1 / n, g), problem, 1e-4, CAP)
            for g in (1.0, 0.0)
        )
        found[name] = two / one
    return found


@ours("a user's question", at_most(2.0, "mean"))
def by_gradient():
    """Steps with the square by its gradient (Condat, Vu) over those by its prox."""
    smooth, found = instances.scans(smooth=True), {}
    for name, problem in instances.scans().items():
        n, other = _norm(problem), smooth[name]
        own = runs.suggested(ChambollePock, other)
        by_prox = ChambollePock(1 / n, 1 / n, 0.0)
        found[name] = instances.steps_to(own, other, 1e-4, STEPS) / instances.steps_to(
            by_prox, problem, 1e-4, STEPS
        )
    return found

"""One step serves both: bounded iterates, and 1 / N^2 where g is strongly convex.

Chambolle and Pock (2011). The theorems are tried on total variation of digits read
line by line, whose solution is Condat's taut string; the table on mosaics of digits of
24 x 24 pixels, theirs of 256 x 256, begun at the noisy image; its solution is that of
20,000 steps of algorithm 1.

That comparison is reversed here, in each of the set-ups tried, in this order: scan
lines to 1e-4 of the distance, fixed steps of 1 / L (ratios up to 668; infinite within
2,000 steps); mosaics of 32 x 32 begun at 0, fixed steps (up to 74); and what stands
below, nearest to the paper, both algorithms with their best steps (up to 6). The last
of them is the statement, the first is kept as ours. The table itself was not at hand:
that algorithm 2 comes first in it is from memory, and its steps are unknown here. That
the problems are too small is a guess that was not tried.
"""

from functools import partial

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported, tuned
from banach.claims.splitting import _instances as instances
from banach.methods.splitting.chambolle_pock import ChambollePock

STEPS, CAP = 2000, 20_000
GRID = [4.0**k for k in range(-3, 6)]


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
    """Steps of algorithm 2 over those of algorithm 1, to 1e-4 in the root mean square;
    tau = r / L and sigma = 1 / (r L) with the best r for each."""
    found = {}
    for name, problem in instances.images().items():
        best = _path(problem, 0.25, 0.0, CAP, every=100)[-1]

        def steps(r, gamma, problem=problem, best=best):
            x = _path(problem, r, gamma, 2000, every=2)
            near = np.sqrt(np.mean((x - best) ** 2, axis=1)) <= 1e-4
            return 2.0 * np.argmax(near) if near.any() else np.inf

        one, two = (tuned(GRID, partial(steps, gamma=g))[1] for g in (0.0, 1.0))
        found[name] = two / one
    return found


def _path(problem, r, gamma, steps, every):
    n = _norm(problem)
    method = ChambollePock(r / n, 1 / (r * n), gamma)
    return runs.trace(problem, method, steps, every=every, x=runs.where)["x"]


@ours("a user's question", at_most(1.0))
def accelerated_to_the_end():
    """The same ratio on 64 unknowns to 1e-4 of the distance, where algorithm 1 has
    become linear and algorithm 2 has not."""
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

"""Blocks of the largest promise, Newton steps on them, and how fast these end.

Reduced: matrices like their synthetic ones at 200 x 100 (theirs 1,000 x 1,000), without
holes. Left out: fixed blocks, GSD, GSQ by hard thresholding, message passing.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, ours, reported
from banach.kinds.glm.losses import LogisticLoss, SquaredLoss
from banach.kinds.glm.problem import GLM
from banach.methods.composite.greedy_bcd import GreedyBcd
from banach.terms.norms import L1

STEPS = 1000


def _uneven(rng, lam=1.0):
    """Columns with a common mean, and of sizes drawn from |N(0, 10^2)|."""
    A = (1 + rng.standard_normal((200, 100))) * 10 * rng.standard_normal(100)
    x = rng.standard_normal(100) * (rng.random(100) < 0.2)
    y = A @ x + rng.standard_normal(200)
    return GLM(A, y, SquaredLoss(), L1(lam))


@reported("Nutini, Laradji and Schmidt 2022, experiments: GSL against GS", at_most(1.0))
def lipschitz_rule():
    """Steps on 5 unknowns of 100 to 1e-6 of the first F - F*, gsl over gs."""
    found = {}
    for name, problem in instances.drawn(_uneven).items():
        # Newton on all unknowns at once.
        ways = GreedyBcd(block=100), GreedyBcd(5, "gsl"), GreedyBcd(5, "gs")
        rows = [runs.trace(problem, m, STEPS, f=runs.objective)["f"] for m in ways]
        best = min(f.min() for f in rows)
        gsl, gs = (
            np.append(np.flatnonzero(f <= best + 1e-6 * (f[0] - best)), STEPS)[0]
            for f in rows[1:]
        )
        found[name] = gsl / gs
    return found


@ours("theirs: superlinear once the support is identified", at_most(1e-2))
def superlinear():
    """The least ratio of successive F - F*, at least rounding, on l1-logistic."""
    found = {}
    for name, (A, y) in {
        **instances.tables(),
        "fresh": instances.drawn_table(),
    }.items():
        lam = 0.1 * np.abs(A.T @ (y - 0.5)).max()
        problem = GLM(A, y, LogisticLoss(), L1(lam))
        f = runs.trace(problem, GreedyBcd(block=20), 100, f=runs.objective)["f"]
        # Where it falls below rounding counts as falling to it.
        gap = np.maximum(f - f.min(), 1e-13 * f[0])
        found[name] = np.min(gap[1:] / gap[:-1])
    return found

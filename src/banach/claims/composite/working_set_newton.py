"""Newton's own last step, and few passes over the data.

Schmidt (2010) takes Bertsekas' (1982) two-metric projection for l1 terms: near the
answer its steps are Newton's on the nonzeros, which for a sum of squares is one step
from the moment that the signs are right. Massias, Gramfort and Salmon (2018) solve on
working sets; their seconds are compared in benchmarks/, passes over the data here.
"""

import numpy as np

from banach.claims.course import Seen, at_most, fresh, ours, proved
from banach.doors.solve import solve
from banach.kinds.glm.host_model import of
from banach.kinds.glm.models import Lasso
from banach.methods.composite.working_set_newton import WorkingSet
from banach.zoo import datasets


def _drawn(n, p, seed):
    """n rows, p columns, eight of which count, and noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p))
    return A, A[:, :8] @ rng.uniform(1, 5, 8) + rng.standard_normal(n)


def _instances():
    data = {
        "diabetes": datasets.diabetes(),
        "breast cancer": datasets.breast_cancer(),
        "tall": _drawn(200, 80, 1),
        "wide": _drawn(60, 200, 2),
        "fresh": _drawn(80, 150, fresh()),
    }
    found = {}
    for name, (A, y) in data.items():
        A, y = (A - A.mean(0)) / A.std(0), y - y.mean()
        found[name] = Lasso(A, y, lam=0.05 * float(abs(A.T @ y).max()))
    return found


@proved("Schmidt 2010 (two-metric projection: Newton's step at the end)", at_most(1e-8))
def last_step():
    """Relative distance to the answer one step after the signs s are its own."""
    found, curves = {}, {}
    for name, problem in _instances().items():
        model = of(problem)
        work = WorkingSet(model, np.zeros(model.A.shape[1]), 0.0)
        work.add(np.arange(model.A.shape[1]))
        path, signs = [], []
        while not work.settled:
            g = model.A.T @ model.slope(work.margins())
            signs.append(
                np.where(
                    work.c != 0, np.sign(work.c), -np.sign(g) * (abs(g) > model.l1)
                )
            )
            path.append(work.c.copy())
            work.solve(1)
        path.append(work.c.copy())
        wrong = [np.count_nonzero(s != np.sign(path[-1])) for s in signs]
        right = 1 + max((k for k, w in enumerate(wrong) if w), default=-1)
        after = path[right + 1]
        size = np.linalg.norm(path[-1])
        found[name] = np.linalg.norm(after - path[-1]) / size
        curves[name] = {"||c - c*||": [np.linalg.norm(c - path[-1]) for c in path]}
    return Seen(found, curves, ("steps", "distance"))


@ours("passes over the data, against FISTA", at_most(0.1))
def passes():
    """Gradients of all columns to a gap of 1e-8, over those of FISTA with restart."""
    found = {}
    for name, problem in _instances().items():
        mine = solve(problem, "working_set_newton", tol=1e-8)
        theirs = solve(problem, "fista", tol=1e-8)
        worst = np.inf if not mine.certified else mine.calls["grad"]
        found[name] = worst / theirs.calls["grad"]
    return found

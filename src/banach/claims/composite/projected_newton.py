"""Newton's speed within bounds: which of them hold is known after a few steps.

Bertsekas (1982) proves for strongly convex f and multipliers that are not 0 that the
bounds that hold at x* hold from some step on, and that the order is then Newton's. The
proposition numbers could not be had: the theorem is told by its words, and measured by
the bound of Newton's step. First measured were the order of three distances, which
reaches back to where the bounds are not known yet (it is shown as ours), and the bound
from where x alone shows the bounds of x*: 3.21 on wine, where I lacked one of them.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.composite import _boxes
from banach.claims.course import Seen, at_least, at_most, ours, proved
from banach.methods.composite.lbfgsb import Lbfgsb
from banach.methods.composite.projected_newton import ProjectedNewton


@functools.lru_cache
def _paths():
    """Name -> the iterates; the last of 40 is the answer."""
    return {
        name: runs.trace(problem, ProjectedNewton(), 40, x=runs.where)["x"]
        for name, problem in _boxes.problems().items()
    }


def _at(x):
    """The bounds that hold: -1, 1, and 0 where none does."""
    return np.where(x <= 0, -1, np.where(x >= 0.3, 1, 0))


def _held(problem, x):
    """The set I of the method, with its margin of 0.01."""
    g = np.asarray(problem.grad(x))
    e = min(0.01, np.linalg.norm(x - np.clip(x - g, 0, 0.3)))
    return ((x <= e) & (g > 0)) | ((x >= 0.3 - e) & (g < 0))


def _known(path):
    """The first step from which they are those of the last."""
    wrong = np.any(_at(path) != _at(path[-1]), axis=1)
    return 1 + np.max(np.flatnonzero(wrong), initial=-1)


@proved("Bertsekas 1982 (Newton's step once the bounds are known)", at_most(1.0))
def newton():
    """||x+ - x*|| over M / (2 mu) ||x - x*||^2 where I and x show the bounds of x*.

    M bounds the change of H, mu its least eigenvalue on the free coordinates at x.
    """
    found, curves, problems = {}, {}, _boxes.problems()
    for name, path in _paths().items():
        problem, far = problems[name], np.linalg.norm(path - path[-1], axis=1)
        free, A = _at(path[-1]) == 0, problem.smooth.args[0][:, _at(path[-1]) == 0]
        size = np.linalg.norm(A, axis=1).max(initial=0)
        M = size * np.linalg.norm(A, 2) ** 2 / len(A) / (6 * 3**0.5) if A.size else 0
        found[name] = 0.0
        for k in range(_known(path), 39):
            if free.any() and np.array_equal(_held(problem, path[k]), ~free):
                H = np.asarray(problem.hess(path[k]))[np.ix_(free, free)]
                limit = M / 2 / np.linalg.eigvalsh(H)[0] * far[k] ** 2
                if limit > 1e-12:
                    found[name] = max(found[name], far[k + 1] / limit)
        curves[name] = {"||x - x*||": far[:12]}
    return Seen(found, curves, ("steps", "distance"))


@ours("order, the steps before the bounds are known included", at_least(1.8))
def order():
    """The order of the last three ||x - x*|| above 1e-12; infinite where fewer are."""
    found = {}
    for name, path in _paths().items():
        far = np.linalg.norm(path - path[-1], axis=1)
        steps = np.diff(np.log(far[far > 1e-12][-3:]))
        found[name] = steps[1] / steps[0] if steps.size == 2 else np.inf
    return found


@proved("Bertsekas 1982 (identification after finitely many steps)", at_most(39))
def identification():
    """Steps of 40 after which the coordinates at their bounds are those of x*."""
    return {name: _known(path) for name, path in _paths().items()}


@ours("steps, against L-BFGS-B", at_most(0.5))
def steps():
    """Steps until ||x - P(x - g)|| is 1e-8 of the first, over those of lbfgsb."""
    table = runs.prices(
        _boxes.problems(),
        {"newton": lambda _: ProjectedNewton(), "lbfgsb": lambda _: Lbfgsb()},
        _boxes.movement, 1e-8, 2000, "steps",
    )  # fmt: skip
    return runs.ratios(table, "newton", "lbfgsb")

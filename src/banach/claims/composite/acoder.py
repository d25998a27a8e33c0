"""A-CODER: acceleration for blocks in a fixed order, by extrapolated partial gradients.

On five Lassos, whose constant is computed from the Hessian. Left out: the finite-sum
variant, and times against randomised methods (figures 1, 2).
"""

import functools

import numpy as np

from banach.claims import instances, runs
from banach.claims.composite import _instances
from banach.claims.course import Seen, at_most, ours, proved
from banach.methods.composite.acoder import Acoder

STEPS, BLOCKS = 1000, 5


def runs_of(n: int) -> np.ndarray:
    """The block of each unknown."""
    return np.arange(n) * BLOCKS // n


@functools.lru_cache
def tried():
    """Name -> problem, Hessian, constant, F and x of A-CODER, F*."""
    found = {}
    for name, problem in instances.lassos().items():
        H = np.asarray(problem.hess(problem.start().x))
        block = runs_of(len(H))
        seen = np.where(block[:, None] < block, H, 0)
        L = max(np.linalg.norm(H, 2), np.sqrt(2) * np.linalg.norm(seen, 2))
        watch = {"f": runs.objective, "x": runs.where}
        rows = runs.trace(problem, Acoder(L, blocks=BLOCKS), STEPS, **watch)
        own = _instances.Fista(float(problem.facts().L))
        best = runs.trace(problem, own, 15 * STEPS, every=15, **watch)
        found[name] = problem, H, L, rows, best
    return found


def cyclic(problem, H, steps):
    """F after each cycle of proximal steps of 1 / ||H_jj||, a block at a time."""
    x = np.zeros(len(H))
    c, lam = H @ x - np.asarray(problem.grad(x)), float(problem.term.lam)
    floor, block, out = float(problem.objective(x)), runs_of(len(H)), []
    steps_of = [1 / np.linalg.norm(H[np.ix_(b, b)], 2) for b in _sets(block)]
    for _ in range(steps):
        for b, t in zip(_sets(block), steps_of, strict=True):
            v = x[b] - t * (H[b] @ x - c[b])
            x[b] = np.sign(v) * np.maximum(np.abs(v) - t * lam, 0)
        out.append(floor + x @ H @ x / 2 - c @ x + lam * np.abs(x).sum())
    return np.array(out)


def _sets(block):
    return [np.flatnonzero(block == j) for j in range(BLOCKS)]


@proved("Lin, Song and Diakonikolas 2023, theorem 1 (constant re-derived)", at_most(1))
def rate():
    """F(y_k) - F* over ||x_0 - x*||^2 / (2 A_k), the largest of 1,000 cycles."""
    worst, curves = {}, {}
    for name, (_, _, L, rows, best) in tried().items():
        A = [0.4 / L]
        while len(A) < STEPS:
            r = 0.4 / L
            A.append(A[-1] + (r + np.sqrt(r**2 + 4 * r * A[-1])) / 2)
        gap = np.maximum(rows["f"][1:] - best["f"].min(), 1e-13 * rows["f"][0])
        bound = np.sum((best["x"][0] - best["x"][-1]) ** 2) / (2 * np.array(A))
        worst[name] = np.max(gap / bound)
        curves[name] = {"F - F*": gap, "bound": bound}
    few = {k: curves[k] for k in ("diabetes", "fresh")}
    return Seen(worst, few, ("cycles", "F - F*"))


@ours("a user's question", at_most(1.0))
def cyclic_descent():
    """Cycles to a gap of 1e-6 of the first, over those of cyclic proximal steps."""
    found = {}
    for name, (problem, H, _, rows, best) in tried().items():
        low = best["f"].min()
        target = low + 1e-6 * (rows["f"][0] - low)
        ways = rows["f"][1:], cyclic(problem, H, STEPS)
        mine, other = (
            np.append(np.flatnonzero(f <= target) + 1, STEPS)[0] for f in ways
        )
        found[name] = mine / other
    return found

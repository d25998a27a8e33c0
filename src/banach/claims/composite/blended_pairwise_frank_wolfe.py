"""Pairwise Frank-Wolfe without swaps: linear, as fast, and as sparse or sparser.

The theorem's share of a good step, 1/2 or mu / (4 M) (width / diameter)^2, is rederived
as by Lacoste-Julien and Jaggi (2015), not looked up in the paper: the larger gap
is at least half of the pairwise one; M = 2 L bounds the backtracking. Left out: kernel
herding, the lazy form.
"""

import numpy as np

from banach.claims import runs
from banach.claims.composite import _instances, _vertices
from banach.claims.course import at_most, ours, proved, reported
from banach.methods.composite.blended_pairwise_frank_wolfe import (
    BlendedPairwiseFrankWolfe,
)
from banach.methods.composite.pairwise_frank_wolfe import PairwiseFrankWolfe


@proved("Tsuji, Tanaka and Pokutta 2022, linear rate on polytopes", at_most(1.0))
def rate():
    """f(x_t) - f* over its bound for t / 2 good steps, the largest of 600 steps."""
    return _vertices.contraction(BlendedPairwiseFrankWolfe(1.0), overall=True)


@reported("Tsuji, Tanaka and Pokutta 2022, figures", at_most(1.0, "mean"))
def sparser():
    """Coefficients not 0 at a gap of 1e-3 of the first, over pairwise ones."""
    found = {}
    for name, problem in _vertices.lassos().items():
        L = float(problem.facts().L)
        own, old = (
            np.sum(runs.until(problem, kind(L), _instances.gap, 1e-3, 10_000).x != 0)
            for kind in (BlendedPairwiseFrankWolfe, PairwiseFrankWolfe)
        )
        found[name] = own / old
    return found


@ours("Tsuji, Tanaka and Pokutta 2022, figures", at_most(1.5, "mean"))
def as_fast():
    """Steps to a gap of 1e-6 of the first, over those of pairwise Frank-Wolfe."""
    methods = {
        "own": lambda problem: BlendedPairwiseFrankWolfe(float(problem.facts().L)),
        "pairwise": lambda problem: PairwiseFrankWolfe(float(problem.facts().L)),
    }
    rows = _vertices.lassos()
    table = runs.prices(rows, methods, _instances.gap, 1e-6, 20_000, "steps")
    return runs.ratios(table, "own", "pairwise")

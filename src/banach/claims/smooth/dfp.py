"""DFP with exact searches is BFGS; with loose ones it is slower.

Reduced: at most 40 unknowns. Nobody says by how much it is slower; Nocedal and Wright
only that it corrects a bad matrix less well, and is therefore the poorer of the two.
"""

import numpy as np

from banach.claims.course import at_most, ours, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.bfgs import Bfgs, BfgsDirection
from banach.methods.smooth.dfp import Dfp, DfpDirection


@proved("Fletcher and Powell 1963, ends on a quadratic", at_most(1e-5))
def termination():
    """||g|| after n steps over its first value, exact searches on a quadratic."""
    return _states.termination(DfpDirection())


@proved("Dixon 1972, one path with exact searches", at_most(1e-5))
def same_as_bfgs():
    """The largest distance of an iterate from that of BFGS, relative."""
    mine, theirs = (
        {k: v.x for k, (v, _) in _states.exact(d).items()}
        for d in (DfpDirection(), BfgsDirection())
    )
    return {k: np.abs(mine[k] - x).max() / np.abs(x).max() for k, x in theirs.items()}


@reported("Nocedal and Wright 2006, section 6.1", at_most(1.0, "mean"))
def inexact():
    """Evaluations of BFGS over those of DFP, both with BFGS's loose search."""
    return _instances.over(_instances.DENSE, Bfgs(0.9), Dfp(0.9))


@ours("a user's question", at_most(1.5, "mean"))
def default():
    """Evaluations over those of BFGS, each with its own default search."""
    return _instances.over(_instances.DENSE, Dfp(0.1), Bfgs(0.9))

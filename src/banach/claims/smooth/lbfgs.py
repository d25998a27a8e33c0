"""A few pairs suffice: L-BFGS needs fewer evaluations than conjugate gradients.

Liu and Nocedal compare with CONMIN, a conjugate gradient method with restarts; here it
is the better of two, SciPy's Polak-Ribiere-plus and CG_DESCENT, on each function.
Reduced: at most 650 unknowns, theirs had up to 10,000. That L-BFGS with exact searches
ends on a quadratic in n steps, whatever its memory, is Kolda, O'Leary and Nazareth's.
"""

import functools

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.hager_zhang import HagerZhang
from banach.methods.smooth.lbfgs import Lbfgs, LbfgsDirection


@proved("Kolda, O'Leary and Nazareth 1998", at_most(1e-5))
def termination():
    """||g|| after n steps over its first value, exact searches, m = 1 and 3."""
    return {
        f"m = {m}, {name}": size
        for m in (1, 3)
        for name, size in _states.termination(LbfgsDirection(m)).items()
    }


@functools.cache
def race():
    """Evaluations until ||g|| fell by 1e-8."""
    methods = {f"m = {m}": lambda p, m=m: Lbfgs(m) for m in (3, 5, 17)}
    others = {"CG_DESCENT": lambda p: HagerZhang(0.1)}
    peers = {"SciPy's CG": ("CG", {}), "SciPy": ("L-BFGS-B", {"maxcor": 5})}
    table = _instances.gradients(_instances.LARGE, methods, others, peers)
    for row in table.values():
        row["CG"] = min(row["CG_DESCENT"], row["SciPy's CG"])
    return table


@reported("Liu and Nocedal 1989, tables", at_most(1.0, "mean"))
def fewer():
    """Evaluations with m = 5 until ||g|| fell by 1e-8 over those of the better CG."""
    return runs.ratios(race(), "m = 5", "CG")


@reported("Liu and Nocedal 1989, tables", at_most(1.0, "mean"))
def storage():
    """Evaluations with m = 17 over those with m = 3."""
    return runs.ratios(race(), "m = 17", "m = 3")


@ours("a user's question", at_most(1.1, "mean"))
def scipy():
    """Evaluations with m = 5 over those of SciPy's L-BFGS-B with m = 5."""
    return runs.ratios(race(), "m = 5", "SciPy")

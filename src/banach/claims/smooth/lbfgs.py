"""A few pairs suffice: L-BFGS needs fewer evaluations than conjugate gradients.

Liu and Nocedal compare with CONMIN, a conjugate gradient method with restarts; here it
is the better of two, SciPy's Polak-Ribiere-plus and CG_DESCENT, on each function.
Reduced: at most 650 unknowns, theirs had up to 10,000. That L-BFGS with exact searches
ends on a quadratic in n steps, whatever its memory, is Kolda, O'Leary and Nazareth's.
"""

from banach.claims.course import at_most, ours, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.hager_zhang import HagerZhang
from banach.methods.smooth.lbfgs import Lbfgs, LbfgsDirection

NAMES = _instances.LARGE


@proved("Kolda, O'Leary and Nazareth 1998", at_most(1e-5))
def termination():
    """||g|| after n steps over its first value, exact searches, m = 1 and 3."""
    few, more = (_states.termination(LbfgsDirection(m)) for m in (1, 3))
    return few | {f"m = 3, {name}": size for name, size in more.items()}


@reported("Liu and Nocedal 1989, tables", at_most(1.0, "mean"))
def fewer():
    """Evaluations with m = 5 until ||g|| fell by 1e-8 over those of the better CG."""
    return _instances.over(NAMES, Lbfgs(5), HagerZhang(0.1), "CG")


@reported("Liu and Nocedal 1989, tables", at_most(1.0, "mean"))
def storage():
    """Evaluations with m = 17 over those with m = 3."""
    return _instances.over(NAMES, Lbfgs(17), Lbfgs(3))


@ours("a user's question", at_most(1.1, "mean"))
def scipy():
    """Evaluations with m = 10 over those of SciPy's L-BFGS-B with m = 10."""
    return _instances.over(NAMES, Lbfgs(10), "L-BFGS-B")

"""Hager and Zhang's directions descend by 7/8 ||g||^2, in any units of f.

The descent of 2005 holds for every floor that is not positive, hence for that of 2013;
that the latter knows no units of f follows from its formula, and is asked as ours.
Reduced: at most 650 unknowns, theirs were the CUTE problems, and no limited memory,
which is the other half of the paper.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_least, at_most, ours, out_of_reach, proved, reported
from banach.claims.smooth import _instances, _states
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.hager_zhang import HagerZhang
from banach.methods.smooth.nonlinear_cg import NonlinearCg

NAMES = _instances.LARGE
UNITS = ("rosenbrock:10", "dixon_price:10", "beale", "trigonometric:5", "logistic:10")


@proved("Hager and Zhang 2005, theorem 1.1", at_least(7 / 8 * (1 - 1e-6)))
def descent():
    """-g.d / ||g||^2, the least of 500 steps, by a good search and by a poor one."""
    methods = [HagerZhang(0.1), HagerZhang(0.9)]
    problems = _instances.functions(*NAMES).items()
    return {k: _states.least_descent(methods, p, 500) for k, p in problems}


@reported("Hager and Zhang 2005, numerical comparisons", at_most(1.0, "mean"))
def fewer():
    """Evaluations until ||g|| fell by 1e-8 over those of SciPy's PR-plus."""
    ours, peer = {"ours": lambda p: HagerZhang(0.1)}, {"SciPy": ("CG", {})}
    table = _instances.gradients(NAMES, ours, {}, peer)
    return runs.ratios(table, "ours", "SciPy")


memory = out_of_reach(
    "Hager and Zhang 2013, numerical results",
    "with a limited memory fewer evaluations on ill-conditioned CUTEr problems",
    "the memory is not implemented, nor are the CUTEr problems here",
)


@ours("the formula of the floor", at_most(1e-6))
def units():
    """The largest distance of 20 iterates of f from those of 1e-6 f and 1e6 f."""
    found = {}
    for name, base in _instances.functions(*UNITS).items():

        def scaled(x, c, base=base):
            return c * base.value(x)

        problems = [Smooth(scaled, base.x0, (np.array(c),)) for c in (1, 1e-6, 1e6)]
        paths = [runs.trace(p, HagerZhang(0.1), 20, x=runs.where) for p in problems]
        first, *others = (rows["x"] for rows in paths)
        found[name] = max(np.abs(x - first).max() for x in others) / np.abs(first).max()
    return found


@ours("a user's question", at_most(1.2, "mean"))
def floors():
    """Evaluations over those of nonlinear_cg, which has the floor of 2005."""
    new, old = {"2013": lambda p: HagerZhang(0.1)}, {"2005": lambda p: NonlinearCg(0.1)}
    return runs.ratios(_instances.gradients(NAMES, new, old, {}), "2013", "2005")

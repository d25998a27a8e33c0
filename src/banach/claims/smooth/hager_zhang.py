"""Hager and Zhang's directions descend by 7/8 ||g||^2, in any units of f.

The descent of 2005 holds for every floor that is not positive, hence for that of 2013;
that the latter knows no units of f follows from its formula, and is asked as ours.
Reduced: at most 650 unknowns, theirs were the CUTE problems, and no limited memory,
which is the other half of the paper.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_least, at_most, ours, out_of_reach, proved, reported
from banach.claims.smooth import _instances
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.hager_zhang import HagerZhang


@proved("Hager and Zhang 2005, theorem 1.1", at_least(7 / 8 * (1 - 1e-6)))
def descent():
    """-g.d / ||g||^2, the least of 500 steps, by a good search and by a poor one."""
    return _instances.descent(HagerZhang(0.1), HagerZhang(0.9))


@reported("Hager and Zhang 2005, numerical comparisons", at_most(1.0, "mean"))
def fewer():
    """Evaluations until ||g|| fell by 1e-8 over those of SciPy's PR-plus."""
    return _instances.over(_instances.LARGE, HagerZhang(0.1), "CG")


memory = out_of_reach(
    "Hager and Zhang 2013, numerical results",
    "with a limited memory fewer evaluations on ill-conditioned CUTEr problems",
    "the memory is not implemented, nor are the CUTEr problems here",
)


@ours("the formula of the floor", at_most(1e-6))
def units():
    """The largest distance of 20 iterates of f from those of 1e-6 f and 1e6 f."""
    found = {}
    for name, base in _instances.functions(*_instances.SMALL).items():

        def scaled(x, c, base=base):
            return c * base.value(x)

        problems = [Smooth(scaled, base.x0, (np.array(c),)) for c in (1, 1e-6, 1e6)]
        paths = [runs.trace(p, HagerZhang(0.1), 20, x=runs.where) for p in problems]
        first, *others = (rows["x"] for rows in paths)
        found[name] = max(np.abs(x - first).max() for x in others) / np.abs(first).max()
    return found

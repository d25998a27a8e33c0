"""CG_DESCENT descends by 7/8 ||g||^2 in every step and beats Polak-Ribiere-plus.

Reduced: at most 650 unknowns, theirs were the CUTE problems; evaluations in place of
their seconds. The baseline is the better, on each function, of SciPy's
Polak-Ribiere-plus, whose search is a strong Wolfe one, and ours. The paper's
interpolated first trial is replaced by one that costs no evaluation.
"""

from banach.claims import runs
from banach.claims.course import at_least, at_most, out_of_reach, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.nonlinear_cg import NonlinearCg
from banach.methods.smooth.polak_ribiere import PolakRibiere

NAMES = _instances.LARGE


@proved("Hager and Zhang 2005, theorem 1.1", at_least(7 / 8 * (1 - 1e-6)))
def descent():
    """-g.d / ||g||^2, the least of 500 steps, by a good search and by a poor one."""
    methods = [NonlinearCg(0.1), NonlinearCg(0.9)]
    problems = _instances.functions(*NAMES).items()
    return {k: _states.least_descent(methods, p, 500) for k, p in problems}


@reported("Hager and Zhang 2005, numerical comparisons", at_most(1.0, "mean"))
def fewer():
    """Evaluations until ||g|| fell by 1e-8 over those of Polak-Ribiere-plus."""
    ours = {"ours": lambda p: NonlinearCg(0.1)}
    other, peer = {"PR+": lambda p: PolakRibiere(0.1)}, {"SciPy": ("CG", {})}
    table = _instances.gradients(NAMES, ours, other, peer)
    for row in table.values():
        row["PR+"] = min(row["PR+"], row["SciPy"])
    return runs.ratios(table, "ours", "PR+")


seconds = out_of_reach(
    "Hager and Zhang 2005, numerical comparisons",
    "CG_DESCENT is faster than L-BFGS in seconds on the CUTE problems",
    "seconds on machines of 2005; in evaluations lbfgs needs fewer (see lbfgs)",
)

"""CG_DESCENT descends by 7/8 ||g||^2 in every step and beats Polak-Ribiere-plus.

Reduced: at most 650 unknowns, theirs were the CUTE problems; evaluations in place of
their seconds. SciPy's Polak-Ribiere-plus has a strong Wolfe search, as theirs, and
needs fewer evaluations than banach's. The paper's interpolated first trial is replaced
by one that costs no evaluation. Seen: a tie with who takes the better of both.
"""

import functools

from banach.claims import runs
from banach.claims.course import (
    at_least,
    at_most,
    ours,
    out_of_reach,
    proved,
    reported,
)
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


@functools.cache
def race():
    """Evaluations until ||g|| fell by 1e-8."""
    mine = {"ours": lambda p: NonlinearCg(0.1)}
    other, peer = {"banach": lambda p: PolakRibiere(0.1)}, {"SciPy": ("CG", {})}
    table = _instances.gradients(NAMES, mine, other, peer)
    for row in table.values():
        row["better"] = min(row["banach"], row["SciPy"])
    return table


@reported("Hager and Zhang 2005, numerical comparisons", at_most(1.0, "mean"))
def fewer():
    """Evaluations until ||g|| fell by 1e-8 over those of SciPy's PR-plus."""
    return runs.ratios(race(), "ours", "SciPy")


seconds = out_of_reach(
    "Hager and Zhang 2005, numerical comparisons",
    "CG_DESCENT is faster than L-BFGS in seconds on the CUTE problems",
    "seconds on machines of 2005; in evaluations lbfgs needs fewer (see lbfgs)",
)


@ours("a user's question", at_most(1.0, "mean"))
def better():
    """The same over the better, on each function, of SciPy's and banach's PR-plus."""
    return runs.ratios(race(), "ours", "better")

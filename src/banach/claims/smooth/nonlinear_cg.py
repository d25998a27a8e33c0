"""CG_DESCENT descends by 7/8 ||g||^2 in every step and beats Polak-Ribiere-plus.

Reduced: at most 650 unknowns, theirs were the CUTE problems; evaluations in place of
their seconds. SciPy's Polak-Ribiere-plus has a strong Wolfe search, as theirs, and
needs fewer evaluations than banach's. The paper's interpolated first trial is replaced
by one that costs no evaluation. Seen: a tie with who takes the better of both.
"""

from banach.claims.course import (
    at_least,
    at_most,
    ours,
    out_of_reach,
    proved,
    reported,
)
from banach.claims.smooth import _instances
from banach.methods.smooth.nonlinear_cg import NonlinearCg
from banach.methods.smooth.polak_ribiere import PolakRibiere


@proved("Hager and Zhang 2005, theorem 1.1", at_least(7 / 8 * (1 - 1e-6)))
def descent():
    """-g.d / ||g||^2, the least of 500 steps, by a good search and by a poor one."""
    return _instances.descent(NonlinearCg(0.1), NonlinearCg(0.9))


@reported("Hager and Zhang 2005, numerical comparisons", at_most(1.0, "mean"))
def fewer():
    """Evaluations until ||g|| fell by 1e-8 over those of SciPy's PR-plus."""
    return _instances.over(_instances.LARGE, NonlinearCg(0.1), "CG")


seconds = out_of_reach(
    "Hager and Zhang 2005, numerical comparisons",
    "CG_DESCENT is faster than L-BFGS in seconds on the CUTE problems",
    "seconds on machines of 2005; in evaluations lbfgs needs fewer (see lbfgs)",
)


@ours("a user's question", at_most(1.0, "mean"))
def better():
    """The same over the better, on each function, of SciPy's and banach's PR-plus."""
    mine, other = NonlinearCg(0.1), PolakRibiere(0.1)
    return _instances.over(_instances.LARGE, mine, other, "CG")

"""aGRAAL converges with one evaluation a step, no constant and no search.

Malitsky (2020): for monotone F, Lipschitz only near the iterates, an energy never
rises, and on Nash-Cournot equilibria of 1,000 firms the residual falls below that of
Tseng's method with a search. Reduced: 5,000 steps of 50,000, five draws of ten in each
scenario. The energy was derived from the algorithm, and agrees with the accounts of
the proof; the upper bound of the step is left out, as in the author's code.
"""

from functools import partial

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.minimax import _instances as instances
from banach.methods.minimax.backtracking_extragradient import BacktrackingExtragradient
from banach.methods.minimax.golden_ratio import GoldenRatio

OURS, PHI = GoldenRatio(1.5), 1.5


@proved("Malitsky 2020, the energy of the proof for aGRAAL", at_most(1e-12))
def energy():
    """Largest rise of phi / (phi - 1) ||a - z*||^2 + theta / 2 ||z - z-||^2."""
    found = {}
    for name, problem in instances.monotone().items():
        s = runs.states(OURS, problem, 300)
        far = np.sum((s.average[1:] - problem.reference) ** 2, axis=1)
        moved = np.sum(np.diff(s.z, axis=0) ** 2, axis=1)
        seen = PHI / (PHI - 1) * far + s.theta[:-1] / 2 * moved
        found[name] = np.max(np.diff(seen)) / seen[0]
    return found


@reported("Malitsky 2020, Nash-Cournot equilibria", at_most(1.0))
def markets():
    """Residual of aGRAAL over that of Tseng's method after 5,000 steps of each."""
    makes = {f"scenario {k}": partial(instances.market, scenario=k) for k in (1, 2)}
    found = {}
    for name, problem in instances.families(**makes).items():
        own, tseng = (
            runs.trace(problem, m, 5000, every=5000, r=instances.residual)["r"][-1]
            for m in (OURS, instances.Tseng())
        )
        found[name] = own / tseng
    return found


@ours("a user's question", at_most(1.0, "mean"))
def searching():
    """Evaluations to 1e-6 over those of extragradient with backtracking."""
    search = BacktrackingExtragradient(0.9, 0.7, 1.5)
    makes = {"ours": lambda _: OURS, "search": lambda _: search}
    small, problems = instances.residual, instances.monotone()
    table = runs.prices(problems, makes, small, 1e-6, 50_000, "operator")
    return runs.ratios(table, "ours", "search")

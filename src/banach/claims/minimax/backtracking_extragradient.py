"""Extragradient with backtracking comes closer at every step, without any constant.

Khobotov (1987), Marcotte (1991): with s found by s ||F(z) - F(v)|| <= share ||z - v||
the distance to every solution falls, whatever monotone continuous F is; a Lipschitz
constant need not exist. Reduced: nothing. Neither paper was at hand, so that no number
of a theorem is given and none of their experiments is tried.
"""

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, tuned
from banach.claims.minimax import _instances as instances
from banach.methods.minimax.backtracking_extragradient import BacktrackingExtragradient
from banach.methods.minimax.extragradient import Extragradient

OURS = BacktrackingExtragradient(0.9, 0.7, 1.5)


@proved("Khobotov 1987, Marcotte 1991", at_most(1e-12))
def closer():
    """How far a step stays behind the fall of ||z - z*||^2, over ||z0 - z*||^2."""
    found = {}
    for kind in (instances.cubic, instances.boxed, instances.bilinear):
        for name, problem in instances.drawn(kind).items():
            steps = instances.fejer(problem, OURS, 200, 0.9)
            found[f"{kind.__name__}, {name}"] = steps
    return found


def evaluations(problem, method):
    """Of F, until the residual is 1e-6 of the first."""
    return runs.until(problem, method, instances.residual, 1e-6, 20_000).price(
        "operator"
    )


def share(problem, grid):
    """Evaluations with the search over those with the best fixed step of a grid."""
    _, fixed = tuned(grid, lambda s: evaluations(problem, Extragradient(s)))
    return evaluations(problem, OURS) / fixed


@ours("a user's question", at_most(1.0))
def no_constant():
    """Evaluations to 1e-6 over those of the best fixed step, where no L exists.

    0 where no fixed step arrives within 20,000.
    """
    grid = [1e-4 * 2**k for k in range(12)]
    problems = instances.drawn(instances.cubic).items()
    return {name: share(problem, grid) for name, problem in problems}


@ours("a user's question", at_most(1.0))
def constant():
    """The same on games, where the step 1 / L is at hand."""
    grid = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1]
    problems = instances.drawn(instances.bilinear, least=0.2).items()
    return {name: share(problem, grid) for name, problem in problems}

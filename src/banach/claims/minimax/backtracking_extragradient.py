"""Extragradient with backtracking comes closer at every step, without any constant.

Khobotov (1987), Marcotte (1991): with s found by s ||F(z) - F(v)|| <= share ||z - v||
the distance to every solution falls, whatever monotone continuous F is. Neither paper
was at hand: no theorem is numbered here, and none of their experiments is tried.
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
    problems = instances.monotone().items()
    return {name: instances.fejer(p, OURS, 200, 0.9) for name, p in problems}


def share(problem, grid):
    """Evaluations with the search over those with the best fixed step of a grid."""

    def paid(method):
        run = runs.until(problem, method, instances.residual, 1e-6, 20_000)
        return run.price("operator")

    return paid(OURS) / tuned(grid, lambda s: paid(Extragradient(s)))[1]


@ours("a user's question", at_most(1.0))
def fixed_steps():
    """Evaluations to 1e-6 of the residual over those of the best fixed step.

    No L is known of cubics and markets (0: no step arrives within 20,000).
    """
    short = [1e-4 * 2**k for k in range(12)]
    near = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1]
    hard = instances.families(cubic=instances.cubic, market=instances.market)
    games = instances.families(game=lambda rng: instances.bilinear(rng, 0.2))
    found = {name: share(problem, short) for name, problem in hard.items()}
    return found | {name: share(problem, near) for name, problem in games.items()}

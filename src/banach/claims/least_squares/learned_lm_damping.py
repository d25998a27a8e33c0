"""A learned damping ends bundle adjustments in fewer steps than Marquardt's rule.

Belder, Vivanti and Tal (2023): an agent that chooses the damping considerably reduces
the steps to convergence, on synthetic and real bundle adjustments; their numbers could
not be read. Reduced: 16 points in 4 frames of a film, three weights instead of a
network, and nothing real. The games here are not those of the training.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, ours, reported
from banach.claims.least_squares import _games, _instances
from banach.methods.least_squares.learned_lm_damping import (
    Learned,
    LearnedLmDamping,
    Marquardt,
    Nielsen,
)

EACH = 3  # games to an instance


def seeds():
    """Three games for each of five seeds."""
    return {
        name: tuple(EACH * seed + i for i in range(EACH))
        for name, seed in instances.seeds().items()
    }


def over(rule):
    """Mean steps of three games, learned over a rule's."""
    found = {}
    for name, games in seeds().items():
        found[name] = _games.price(Learned(), games) / _games.price(rule, games)
    return found


@reported("Belder, Vivanti and Tal 2023, experiments", at_most(1))
def beside_marquardt():
    """Steps to within 1e-4 of the least ||r||, over Marquardt's with a factor of 10."""
    return over(Marquardt())


@ours("a user's question", at_most(0.85, "mean"))
def saved():
    """The same number: at least 15 per cent fewer, in the mean."""
    return over(Marquardt())


@ours("a user's question", at_most(1, "mean"))
def beside_nielsen():
    """The same, over Nielsen's rule."""
    return over(Nielsen())


@ours("a user's question", at_most(1 + 1e-6))
def cost():
    """||r|| after 150 steps over the lower of both rules', the worst of three games."""
    found = {}
    for name, games in seeds().items():
        ends = [
            [_games.end(_games.game(s), p) for p in (Learned(), Marquardt(), Nielsen())]
            for s in games
        ]
        found[name] = max(mine / min(theirs) for mine, *theirs in ends)
    return found


@ours("a user's question", at_most(1.1, "mean"))
def elsewhere():
    """Steps (at most 200) to the least ||r|| but 1e-6 of classical fits, over his."""
    found = {}
    for name, problem in _instances.classical(1, 10).items():
        norms = [
            runs.trace(problem, LearnedLmDamping(p, 1e-3), 200, r=runs.residual_norm)
            for p in (Learned(), Nielsen())
        ]
        steps = _instances.arrivals(*(rows["r"] for rows in norms))
        mine, theirs = np.minimum(steps, 200) + 1
        found[name] = mine / theirs
    return found

"""Linear convergence on polytopes, by steps away from vertices.

Lacoste-Julien and Jaggi (2015), theorem 1: f - f* contracts by 1 - mu / (4 L)
(width / diameter)^2 at each step that is good, that is, not cut short, and at least
half of the steps are; the pyramidal width of the simplex of even n is 2 / sqrt(n). L
is at most doubled by the backtracking.
"""

from banach.claims.composite import _vertices
from banach.claims.course import at_most, proved, reported
from banach.methods.composite.away_step_frank_wolfe import AwayStepFrankWolfe


@proved("Lacoste-Julien and Jaggi 2015, theorem 1", at_most(1.0))
def contraction():
    """h+ over its bound after a good step, the largest of 600 steps; h = f - f*."""
    return _vertices.contraction(AwayStepFrankWolfe(1.0))


@proved("Lacoste-Julien and Jaggi 2015, theorem 1 (half of the steps)", at_most(1.0))
def rate():
    """h_t over its bound for t / 2 good steps, the largest of 600 steps."""
    return _vertices.contraction(AwayStepFrankWolfe(1.0), overall=True)


@reported("Lacoste-Julien and Jaggi 2015, figure 2", at_most(0.5))
def steps():
    """Steps until the gap is 1e-4 of the first, over Frank-Wolfe's (10,000 at most)."""
    return _vertices.against_plain(AwayStepFrankWolfe)

"""Linear convergence on polytopes, by pairs of vertices.

Lacoste-Julien and Jaggi (2015), theorem 1: f - f* contracts by 1 - mu / (4 L)
(width / diameter)^2 at each step that is good, that is, not cut short; the pyramidal
width of the simplex of even n is 2 / sqrt(n). L is at most doubled by the backtracking.
Of the other steps there may be exponentially many; counts are no part of it.
"""

from banach.claims.composite import _vertices
from banach.claims.course import at_most, proved, reported
from banach.methods.composite.pairwise_frank_wolfe import PairwiseFrankWolfe


@proved("Lacoste-Julien and Jaggi 2015, theorem 1", at_most(1.0))
def contraction():
    """h+ over its bound after a good step, the largest of 600 steps; h = f - f*."""
    return _vertices.contraction(PairwiseFrankWolfe(1.0))


@reported("Lacoste-Julien and Jaggi 2015, figure 2", at_most(0.5))
def steps():
    """Steps until the gap is 1e-4 of the first, over Frank-Wolfe's (10,000 at most)."""
    return _vertices.against_plain(PairwiseFrankWolfe)

"""Away-step Frank-Wolfe: Lacoste-Julien and Jaggi (2015), algorithm 1."""

from reference import _vertices

CASES = _vertices.CASES


def iterates(oracles, x0, steps, *, lipschitz):
    return _vertices.iterates(oracles, steps, lipschitz, pairwise=False)

"""Pairwise Frank-Wolfe: Lacoste-Julien and Jaggi (2015), algorithm 2."""

from reference import _vertices

CASES = _vertices.CASES


def iterates(oracles, x0, steps, *, lipschitz):
    return _vertices.iterates(oracles, steps, lipschitz, pairwise=True)

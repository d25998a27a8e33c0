"""Objectives that are affine by their program: unbounded below, proved."""

from fractions import Fraction
from typing import Any

import jax
import numpy as np

from banach.core import compat
from banach.kinds import affine_detection

LARGEST = 10_000
"""Unknowns up to which an objective is read."""
# What is never affine in x: with one of these in it a program is not read at all.
_CURVED = frozenset(
    "integer_pow square pow exp log log1p expm1 tanh logistic sin cos sqrt rsqrt abs "
    "max min cumsum while scan cond erf".split()
)


def affine(
    fun: Any, x0: Any, args: tuple, lower: Any = -np.inf, upper: Any = np.inf
) -> str | None:
    """Why f is unbounded below within the bounds, or None, which says nothing.

    f has one slope in x_j wherever x is: it falls for ever where x_j may go.
    """
    program = fun.narrow.program
    size = sum(v.aval.size for v in program.jaxpr.invars)
    if size > LARGEST or compat.holds(program.jaxpr, _CURVED):
        return None
    if compat.any_tracer((fun, x0, args)):
        return None
    found = affine_detection.of_function(fun, x0, args)
    if not len(found.which):
        return None
    slopes: dict[int, Fraction] = {}
    for j, v in zip(found.column.tolist(), found.value.tolist(), strict=True):
        slopes[j] = slopes.get(j, Fraction(0)) + Fraction(v)
    n = sum(np.size(v) for v in jax.tree.leaves(x0))
    lower, upper = np.broadcast_to(lower, n), np.broadcast_to(upper, n)
    for j, slope in sorted(slopes.items()):
        end = None if j == n or slope == 0 else (lower, upper)[slope < 0][j]
        if end is not None and np.isinf(end):
            sign = "-" if slope > 0 else "+"
            return (
                f"f is affine in x, and x[{j}] -> {sign}inf lowers it without end (the "
                "coefficient is read from the program, exactly)"
            )
    return None

"""The terms that a method takes in random order, from the keys of its steps."""

from types import SimpleNamespace

import jax
import numpy as np
import sum_case
from reference._case import Case


def taker(keys):
    """take(t, size): the indices of step t, shuffled anew where too few are left."""
    order, used = np.asarray(jax.random.permutation(keys[0], sum_case.N)), 0

    def take(t, size):
        nonlocal order, used
        if used + size > sum_case.N:
            first = jax.random.split(keys[t + 1])[0]
            order, used = np.asarray(jax.random.permutation(first, sum_case.N)), 0
        used += size
        return order[used - size : used]

    return take


ORACLES = SimpleNamespace(term_gradients=sum_case.term_gradients)


def case(problem, steps, /, told=None, **given):
    """A case on a sum, whose reference is told the draws, and `told` (of the keys)."""

    def drawn(keys):
        more = told(keys) if callable(told) else told or {}
        return {"take": taker(keys), **more}

    return Case(problem, ORACLES, given, drawn, steps)


def probes(normal):
    """told: z(t), what step t draws to estimate a Hessian diagonal."""

    def told(keys):
        draw = jax.random.normal if normal else jax.random.rademacher

        def z(t):
            key = jax.random.split(jax.random.fold_in(keys[t], 2), 1)[0]
            return np.asarray(draw(key, (sum_case.D,), float))

        return {"z": z}

    return told

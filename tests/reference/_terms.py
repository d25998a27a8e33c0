"""A small mean whose terms' L_max is known, and the terms that a key draws."""

from types import SimpleNamespace

import jax
import numpy as np
import sum_case as case
from reference._case import Case

from banach.core.facts import DECLARED, Fact
from banach.kinds.finite_sum.problem import FiniteSum

L_MAX = 0.25 * np.max(np.sum(case.A**2, axis=1)) + case.L2


class Known(FiniteSum):
    """A sum that knows a bound of its terms."""

    def facts(self):
        return super().facts().extended({"L_max": Fact(L_MAX, DECLARED)})


def known():
    settings = dict(l2=case.L2, convex=True, L=case.L, reference=np.zeros(case.D))
    return Known(case.loss, case.X0, (case.A, case.Y), **settings)


ORACLES = SimpleNamespace(each=case.term_gradients)


def drawn(key, size):
    return np.asarray(jax.random.randint(key, (size,), 0, case.N))


def cases(steps, made, **own):
    """With L_max and without, and as given; `made` of L_B and batch is told."""

    def told(L, size, **more):
        return lambda keys: {"keys": keys[1:], **made(L, size), **more}

    few = told(case.L + (case.N - 1) * case.L / 5, 5, batch=5)
    return [
        Case(known(), ORACLES, {"batch": 1}, told(L_MAX, 1), steps),
        Case(case.problem(), ORACLES, told=few, steps=steps),
        Case(case.problem(), ORACLES, own, lambda keys: {"keys": keys[1:]}, steps),
    ]


def drawn_in_epoch(key, size, inner, last):
    """(Indices of inner step t, where the epoch ends) from the key of a step."""
    choice, key = jax.random.split(key)
    end = inner if last else int(jax.random.randint(choice, (), 0, inner))
    return lambda t: drawn(jax.random.fold_in(key, t), size), end

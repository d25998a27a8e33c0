"""Problems of one structure share programs and arrays, and never a decision.

What is decided of a problem (method, view, check, what follows, whether it can be
solved, the sizes that a check measures) is compared with what is decided of the same
data in a process that has seen nothing: after the others, in either order, with the
same arrays where they have the same numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import compat, memoised_calls
from banach.doors.solve import _plan
from banach.engine import problem_cache, tiers

RNG = np.random.default_rng(11)
# Large enough that what comes of the matrix alone is kept.
A = RNG.standard_normal((420, 20))
UNEVEN = A * np.r_[1e6, np.ones(19)]
LARGE = 3 * A
LOW = np.column_stack([A[:, :19], A[:, 0]])  # rank 19
CLEAR = np.where(A[:, 0] > 0, 1.0, -1.0)  # separable labels
MIXED = np.where(A[:, 0] + RNG.standard_normal(420) > 0, 1.0, -1.0)
NOISY = A[:, 1] + 0.1 * RNG.standard_normal(420)
SOME = np.where(np.arange(420) % 2, 1.0, 0.0)
ROWS = np.array([[1.0, 1.0], [2.0, 2.0]])


def square(x):
    return jnp.sum(x**2)


def line(x, c):
    return c @ x


def lasso(A, y=NOISY, lam=3.0):
    return bn.Lasso(A, y, lam)


FAMILIES = {
    "weights of the term": [
        lambda: bn.Lasso(A, NOISY, np.ones(20)),
        lambda: bn.Lasso(A, NOISY, np.r_[0.0, np.ones(19)]),
    ],
    "columns": [lambda: lasso(A), lambda: lasso(UNEVEN), lambda: lasso(LOW)],
    "targets": [
        lambda: lasso(A), lambda: lasso(A, A[:, 2]), lambda: lasso(LARGE),
        lambda: lasso(LARGE, MIXED), lambda: lasso(A, MIXED), lambda: lasso(A, CLEAR),
    ],
    "strong convexity": [
        lambda: bn.Ridge(A, NOISY, 0.1),
        lambda: bn.Ridge(A, NOISY, 0.0),
        lambda: bn.Ridge(LOW, NOISY, 0.0),
    ],
    "labels": [
        lambda: bn.LogisticRegression(A, MIXED, 0.0),
        lambda: bn.LogisticRegression(A, CLEAR, 0.0),
        lambda: bn.LogisticRegression(A, CLEAR, 1.0),
    ],
    "weights of samples": [
        lambda: bn.LogisticRegression(A, MIXED, 0.5, sample_weight=np.ones(420)),
        lambda: bn.LogisticRegression(A, MIXED, 0.5, sample_weight=SOME),
    ],
    "contradictions": [
        lambda: bn.Constrained(square, np.ones(2), linear=(ROWS, np.array([1.0, 2.0]))),
        lambda: bn.Constrained(square, np.ones(2), linear=(ROWS, np.array([1.0, 3.0]))),
    ],
    "slopes": [
        lambda: bn.Constrained(
            line, np.ones(2), args=(np.array([1.0, 0.0]),), lower=np.zeros(2)
        ),
        lambda: bn.Constrained(
            line, np.ones(2), args=(np.array([-1.0, 0.0]),), lower=np.zeros(2)
        ),
    ],
}  # fmt: skip
DIFFER = {
    "weights of the term": lambda d: d["check"],
    "columns": lambda d: d["view"],
    "strong convexity": lambda d: d["check"],
    "labels": lambda d: d["check"],
    "contradictions": lambda d: d["proof"],
    "slopes": lambda d: d["proof"],
}
"""What is decided otherwise of the members of a family."""


def bits(tree):
    return [
        (np.asarray(v).dtype, np.shape(v), np.asarray(v).tobytes())
        for v in jax.tree.leaves(tree)
    ]


def decided(problem):
    with compat.double():
        # The default of sparse models is made of no facts.
        method = "fista" if isinstance(getattr(problem, "term", None), bn.L1) else None
        plan = _plan(problem, method, None, None, None)
        found = {
            "method": plan.method.label(),
            "view": plan.method.seen_as(),
            "numbers": bits(plan.method),
            "check": plan.check.name,
            "after": plan.after,
            "proof": plan.proof,
            "start": bits(plan.start),
        }
        if plan.ready is not None:
            found["sizes"] = bits(plan.ready.judge.check)
            found["pace"] = plan.ready.pace, plan.ready.share, plan.ready.passes
            device = [np.asarray(v) for v in plan.data.leaves]
            found["data"] = bits(device)
        return found


def forget():
    problem_cache._RECENT.clear()
    problem_cache._KEPT.clear()
    memoised_calls._OF_ARRAYS.clear()
    tiers.clear()


@pytest.mark.parametrize("name", FAMILIES)
def test_no_decision_is_shared(name):
    makers = FAMILIES[name]
    structures = {jax.tree.structure(make()) for make in makers}
    assert len(structures) == 1
    alone = []
    for make in makers:
        forget()
        alone.append(decided(make()))
    differ = DIFFER.get(name, lambda d: d.get("sizes"))
    assert len({str(differ(d)) for d in alone}) > 1
    forget()
    held = []
    for turn in (makers, makers[::-1], makers):
        for make in turn:
            problem = make()
            held.append(problem)  # alive, so that its arrays are there to share
            assert decided(problem) == alone[makers.index(make)]


def test_a_matrix_changed_in_place_between_two_is_measured_again():
    M = A.copy()
    forget()
    first = decided(lasso(M))
    M[:, 3] *= 50
    second = decided(lasso(M))
    forget()
    assert second == decided(lasso(M.copy())) != first


def test_answers_in_turn_are_those_of_each_alone():
    """Separable labels without a penalty have no minimiser, and the others do."""
    makers = FAMILIES["labels"][:2]
    for make in (*makers, *makers[::-1], *makers):
        result = bn.solve(make(), max_steps=60)
        attained = make is makers[0]
        assert ("infimum" in str(result)) != attained

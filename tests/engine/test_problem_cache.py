"""What is kept of a problem is of the data as they are, and of nothing older."""

import numpy as np

import banach as bn
from banach.core import compat
from banach.core.result import problem_id
from banach.engine import problem_cache

RNG = np.random.default_rng(2)
A, Y = RNG.standard_normal((6, 3)), RNG.standard_normal(6)


def leaf(known, like):
    """The device array that stands for this array of the problem's."""
    return next(k for g, k in zip(known.given, known.leaves, strict=True) if g is like)


def test_a_matrix_with_other_targets_is_not_copied_again():
    with compat.double():
        one, two = bn.Ridge(A, Y, 0.1), bn.Ridge(A, Y + 1, 0.1)
        first, second = problem_cache.of(one), problem_cache.of(two)
        assert leaf(first, one.A) is leaf(second, two.A)
        assert leaf(first, one.y) is not leaf(second, two.y)
        np.testing.assert_array_equal(leaf(second, two.y), Y + 1)


def test_a_matrix_changed_in_place_is_another():
    B = A.copy()
    with compat.double():
        one = bn.Ridge(B, Y, 0.1)
        first = problem_cache.of(one)
        before = first.problem_id()
        B[2, 1] += 1e-9
        two = bn.Ridge(B, Y, 0.1)
        second = problem_cache.of(two)
        assert leaf(first, one.A) is not leaf(second, two.A)
        np.testing.assert_array_equal(leaf(second, two.A), B)
        assert first.problem_id() == before != second.problem_id()
        assert second.problem_id() == problem_id(two)


def test_the_same_numbers_in_other_arrays_are_the_same_problem():
    with compat.double():
        one = bn.Ridge(A, Y, 0.1)
        first = problem_cache.of(one)
        again = bn.Ridge(A.copy(), Y.copy(), 0.1)
        assert problem_cache.known(again).plans is first.plans
        assert problem_cache.known(again).problem_id() == problem_id(one)
        assert problem_cache.known(bn.Ridge(A.copy(), Y, 0.2)) is None
        assert problem_cache.known(bn.Ridge(A[::-1].copy(), Y, 0.1)) is None

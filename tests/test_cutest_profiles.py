"""Profiles of the benchmarks on a tiny made-up table."""

import math

import pytest

from benchmarks import profiles

TABLE = {
    "a": {"p": 1.0, "q": 8.0, "r": 3.0, "s": None},
    "b": {"p": 2.0, "q": 4.0},
}
PROBLEMS = ["p", "q", "r", "s"]


def test_ratios_are_to_the_best_and_a_failure_is_infinite():
    found = profiles.ratios(TABLE, PROBLEMS)
    assert found["a"] == [1.0, 2.0, 1.0, math.inf]
    assert found["b"] == [2.0, 1.0, math.inf, math.inf]
    # The unsolved problem stays in the count.
    assert profiles.share(found["a"], 1.0) == 0.5
    assert profiles.share(found["a"], 2.0) == 0.75
    assert profiles.share(found["b"], 1e9) == 0.5


def test_data_profiles_divide_by_the_unknowns_and_one():
    n = {"p": 1, "q": 3, "r": 2, "s": 9}
    found = profiles.data_ratios(TABLE, n, PROBLEMS)
    assert found["a"] == [0.5, 2.0, 1.0, math.inf]
    assert profiles.share(found["b"], 1.0) == 0.5


def test_means_of_ratios_where_both_solve():
    found = profiles.against(TABLE, "a", "b")
    assert found == [0.5, 2.0]
    assert profiles.geometric_mean(found) == pytest.approx(1.0)
    assert profiles.geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert math.isnan(profiles.geometric_mean([]))


def test_the_line_is_blind_to_an_outlier():
    points = [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 90.0)]
    assert profiles.line(points) == (1.0, 2.0)


def test_calls_in_units_of_gradients():
    from benchmarks import cutest_solvers

    calls = {"value": 9, "grad": 7, "hess": 2, "hvp": 3}
    assert cutest_solvers.unit(calls, n=5) == 9 + 2 * 3 + 5 * 2
    assert cutest_solvers.unit({"residual": 4, "jacobian": 3}, n=2) == 4 + 2 * 3

"""Answers of many starts are told apart, and the least value is found."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn


def waves(x):
    return jnp.sum(jnp.cos(3 * x) + x**2 / 4)


WAVES = bn.Smooth(waves, np.ones(1))


def test_minima_of_a_wave_and_how_often_each_is_found():
    found = bn.multistart(WAVES, 40, seed=3)
    assert len(found) == 40 and found.starts[0] == 1.0
    # Three wells on either side; the two nearest to 0 are the least, by symmetry.
    x = [float(found.results[a.starts[0]].x[0]) for a in found.answers]
    for point in x:
        assert abs(-3 * np.sin(3 * point) + point / 2) < 1e-4
        assert -9 * np.cos(3 * point) + 0.5 > 0
    assert sorted(abs(v) for v in x[:2]) == pytest.approx([0.9918, 0.9918], abs=1e-3)
    assert sum(len(a.starts) for a in found.answers) == int(
        sum(r.certified for r in found.results)
    )
    values = [a.value for a in found.answers]
    assert values == sorted(values)
    assert found.best.x == pytest.approx(x[0]) or found.best.x == pytest.approx(x[1])
    said = str(found)
    assert said.startswith("40 starts, 40 certified") and "no proof" in said


def test_a_fit_whose_first_guess_is_wrong():
    t = np.linspace(0, 5, 60)
    y = 2 * np.exp(-0.8 * t) * np.cos(6 * t)

    def residual(p):
        return p[0] * jnp.exp(-p[1] * t) * jnp.cos(p[2] * t) - y

    x0, low, high = np.array([1.0, 1.0, 3.0]), np.zeros(3), np.array([5, 5, 20.0])
    bounded = bn.least_squares(residual, x0, lower=low, upper=high)
    found = bn.multistart(bounded, 24)
    np.testing.assert_allclose(found.best.x, [2, 0.8, 6], rtol=1e-4)
    assert ((found.starts >= low) & (found.starts <= high)).all()
    np.testing.assert_array_equal(found.starts[0], x0)


def test_a_lower_value_that_is_not_certified_is_told():
    found = bn.multistart(WAVES, 6)
    lower = found.values.copy()
    lower[3] = found.values.min() - 1
    told = dataclasses.replace(found, values=lower)
    assert "NOT CERTIFIED below that: -1.74" in str(told)
    assert "NOT CERTIFIED" not in str(found)


def test_given_starts_and_one_result_each():
    found = bn.multistart(WAVES, [np.array([1.2]), np.array([-3.0])])
    assert [round(float(r.x[0]), 2) for r in found.results] == [0.99, -2.97]
    assert [list(a.starts) for a in found.answers] == [[0], [1]]


def test_roots_without_digits_of_value_are_told_apart_by_where_they_are():
    def residual(x):
        return jnp.array([x[0] ** 2 - 1, x[1] ** 2 - 4])

    found = bn.multistart(bn.Root(residual, np.array([0.5, 1.0])), 40)
    assert len(found.answers) == 4 and max(a.value for a in found.answers) < 1e-8


def test_draws_keep_bounds_on_one_side_and_go_to_both_signs():
    one = bn.least_squares(lambda p: p**2 - 1, np.array([2.0, -3.0]), lower=-4.0)
    starts = bn.multistart(one, 64).starts
    assert starts.min() == -4.0 and starts.max() > 4
    free = bn.multistart(bn.least_squares(lambda p: p**2 - 1, np.array([2.0])), 64)
    assert (free.starts < 0).any() and (free.starts > 2).any()


def test_the_same_seed_draws_the_same():
    one, two, other = (bn.multistart(WAVES, 5, seed=s).starts for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_runs_that_end_uncertified_are_counted_and_told():
    found = bn.multistart(WAVES, 6, max_steps=1, tol=1e-12)
    assert not found.answers and not found.best.certified
    assert "6 starts, 0 certified, 0 answers" in str(found)


@pytest.mark.parametrize(
    ("problem", "more", "said"),
    [
        (bn.Lasso(np.eye(2), np.ones(2), 0.1), {}, "convex"),
        (WAVES, {"starts": "many"}, "a number of starts"),
        (WAVES, {"starts": []}, "a number of starts"),
        (WAVES, {"starts": [np.ones(2)]}, r"starts\[0\]"),
        (WAVES, {"spread": -1.0}, "spread"),
    ],
)
def test_what_is_refused(problem, more, said):
    with pytest.raises(bn.Misuse, match=said):
        bn.multistart(problem, **more)

"""Objectives without a least value, and starts that pass as they stand."""

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn


def smooth(f, n=2, **facts):
    return bn.Smooth(f, np.zeros(n), **facts)


C = np.array([0.0, -0.25])


@pytest.mark.parametrize(
    ("problem", "way"),
    [
        (smooth(lambda x: x @ C + 3), "x[1] -> +inf"),
        (smooth(lambda x: jnp.sum(2 * x[:1]) / 7), "x[0] -> -inf"),
        (bn.Constrained(lambda x: x @ C, np.zeros(2), lower=0.0), "x[1] -> +inf"),
        (
            bn.Constrained(
                lambda x: x[0] - x[1], np.zeros(2), lower=[-np.inf, 0.0], upper=1.0
            ),
            "x[0] -> -inf",
        ),
    ],
)
def test_affine_objectives_are_unbounded(problem, way):
    status, proof = problem.unsolvable()
    assert status == "unbounded" and way in proof
    result = bn.solve(problem)
    assert (result.status, result.steps) == ("unbounded", 0)


@pytest.mark.parametrize(
    "problem",
    [
        smooth(lambda x: x @ x - 5 * x[0]),
        smooth(lambda x: 0 * x[0] + x[1] - x[1] + 1.0),
        smooth(lambda x: jnp.maximum(x[0], 0) + x[1] * x[1]),
        bn.Constrained(lambda x: x[0] - x[1], np.zeros(2), lower=0.0, upper=1.0),
        bn.Constrained(lambda x: x[0] + x[1], np.zeros(2), lower=0.0),
    ],
)
def test_what_has_a_least_value_is_not(problem):
    assert problem.unsolvable() is None


def test_a_fall_that_goes_on_is_said_with_its_values():
    falls = smooth(lambda x: x[0] ** 2 - 3 * x[1])
    said = falls.diagnosis(np.array([0.0, 2.0]))
    assert "not proved" in said and "-2.7e+06" not in said and "-9e+06" in said
    result = bn.solve(falls, max_steps=50)
    assert not result.certified and "keeps falling" in result.hint
    # exp falls for ever too, but not below 0; a bowl rises.
    assert smooth(lambda x: jnp.sum(jnp.exp(-x))).diagnosis(np.ones(2)) is None
    assert smooth(lambda x: x @ x).diagnosis(np.ones(2)) is None


def test_a_saddle_at_the_start_is_named_with_its_curvature():
    saddle = smooth(lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 + 7)
    # The default goes on from beside it; a method that was named does not.
    assert bn.solve(saddle).steps > 0
    result = bn.solve(saddle, "trust_region_newton")
    assert result.certified and result.steps == 0
    assert "saddle or a maximum" in result.hint and "eigenvalue -2" in result.hint
    assert "from 7 to 6.9901" in result.hint
    assert "says nothing of the distance" in str(result)


def test_a_flat_start_a_minimum_and_a_convex_one():
    flat = bn.solve(smooth(lambda x: jnp.sum(x**4)))
    assert flat.steps == 0 and "flat there to second order" in flat.hint
    assert bn.solve(smooth(lambda x: jnp.sum(x**2))).hint == ""
    assert bn.solve(smooth(lambda x: jnp.sum(x**4), convex=True)).hint == ""
    # A run that moved says nothing of its start.
    moved = bn.solve(bn.Smooth(lambda x: jnp.sum(x**4), np.ones(2)))
    assert moved.certified and moved.steps > 0 and moved.hint == ""


def test_a_bound_at_the_same_cost_is_offered():
    bowl = smooth(lambda x: jnp.sum((x - 1) ** 2), mu=2.0)
    result = bn.solve(bowl)
    assert result.certificate.grade == "residual"
    assert "check='strong_gap'" in result.hint
    better = bn.solve(bowl, check="strong_gap")
    assert better.certificate.grade == "bound" and better.hint == ""
    assert "bound: true wherever what it assumes is" in str(better)


def test_a_flat_bilevel_start_is_said_to_be_untried():
    problem = bn.Bilevel(
        lambda x, y: jnp.tanh(y) ** 2,
        lambda x, y: 0.5 * (y - x) ** 2,
        40.0,
        40.0,
        lower_mu=1.0,
    )
    result = bn.solve(problem)
    assert result.steps == 0 and "nothing was tried" in result.hint
    assert "residual: says nothing of the distance" in str(result)


def test_verify_refuses_a_second_point():
    result = bn.solve(smooth(lambda x: jnp.sum((x - 1) ** 2)))
    with pytest.raises(bn.Misuse, match=r"bn.verify\(result.problem, x\)"):
        bn.verify(result, x=np.ones(2))
    assert bn.verify(result.problem, np.ones(2)).certified

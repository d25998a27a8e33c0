"""A method of least squares stops after so many steps in a row that rounding hides."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.point import Point
from banach.methods.least_squares import _region

T = np.linspace(0, 3, 12)
Y = 2 * np.exp(-1.3 * T) + 0.1 * np.cos(7 * T)


def decay(b, t, y):
    return b[0] * jnp.exp(-b[1] * t) - y


PROBLEM = bn.NonlinearLeastSquares(decay, np.array([1.0, 1.0]), (T, Y))


@pytest.fixture(params=["levenberg_marquardt", "dogleg"])
def at_the_end(request):
    """(step, a state at a minimiser, where differences are roundings)."""
    solved = bn.solve(PROBLEM, request.param, tol=1e-10)
    assert solved.certified
    method = solved.method
    key = jax.random.key(0)
    # So near that it still moves, by less than sums of squares can show.
    near = Point(jnp.asarray(solved.x) * (1 + 1e-9))
    step = jax.jit(lambda state: method.step(PROBLEM, state, key))
    return step, method.init(PROBLEM, near, key)


def counted(state, quiet):
    return eqx.tree_at(lambda s: s.quiet, state, jnp.asarray(quiet, state.quiet.dtype))


def test_the_last_step_of_the_row_is_the_one_that_fills_it(at_the_end):
    step, state = at_the_end
    after = step(counted(state, _region.QUIET - 2))
    assert int(after.quiet) == _region.QUIET - 1
    assert np.any(np.asarray(after.x) != np.asarray(state.x))
    assert not bool(after.stuck)
    assert bool(step(counted(state, _region.QUIET - 1)).stuck)


def test_a_step_that_is_seen_begins_a_new_row():
    for name in ("levenberg_marquardt", "dogleg"):
        method = bn.solve(PROBLEM, name, max_steps=1).method
        key = jax.random.key(0)
        state = method.init(PROBLEM, Point(jnp.array([1.0, 1.0])), key)
        after = method.step(PROBLEM, counted(state, 7), key)
        assert int(after.quiet) == 0 and not bool(after.stuck)


@pytest.mark.parametrize("name", ["levenberg_marquardt", "dogleg"])
def test_a_step_to_where_nothing_is_defined_is_not_taken(name):
    """The Newton step for log b + 3 = 0 from b = 2 leads below zero."""
    problem = bn.NonlinearLeastSquares(lambda b: jnp.log(b) + 3, np.array([2.0]))
    method = bn.solve(problem, name, max_steps=1).method
    key = jax.random.key(0)
    wide = eqx.tree_at(lambda m: m.factor, method, jnp.asarray(100.0))
    state = wide.init(problem, Point(jnp.array([2.0])), key)
    after = wide.step(problem, state, key)
    assert float(after.x[0]) == 2.0 and np.isfinite(float(after.r[0]))
    assert bn.solve(problem, name).certified

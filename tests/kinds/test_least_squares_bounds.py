"""Nonlinear least squares within bounds: what is judged, found and told of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import banach as bn
from banach.methods.least_squares import _box
from banach.parts import least_squares as ls

T = np.linspace(0, 3, 12)
Y = 4 * np.exp(-0.9 * T) + 1.5 + 0.3 * np.random.default_rng(24).standard_normal(12)
X0 = {"a": 1.0, "k": 0.5, "c": 0.0}


def decay(p):
    return p["a"] * jnp.exp(-p["k"] * T) + p["c"] - Y


def of_vector(v):
    return v[0] * np.exp(-v[1] * T) + v[2] - Y


def test_the_subproblem_is_solved_to_the_end():
    """Against SciPy's BVLS, dependent columns and fixed coordinates among them."""
    rng, p = np.random.default_rng(1), 5
    solve = jax.jit(
        lambda J, r, a, low, high: _box.bounded(
            ls.linear_model(J, r, jnp.ones(p)), a, low, high
        )
    )
    with jax.enable_x64(True):
        for k in range(60):
            J, r = rng.standard_normal((7, p)), rng.standard_normal(7)
            J[:, 1] = J[:, 0] + 10.0 ** rng.uniform(-4, 0) * J[:, 1]
            a = 10.0 ** rng.uniform(-6, 0)
            low, high = rng.uniform(0, 1, (2, p)) * (rng.random((2, p)) < 0.8)
            low = np.where(rng.random(p) < 0.3, -np.inf, -low)
            z = np.asarray(solve(J, r, a, low, high))
            B = np.concatenate([J, np.sqrt(a) * np.eye(p)])
            c = np.append(r, np.zeros(p))
            # SciPy refuses a side that is empty.
            wide = np.where(high > low, high, high + 1e-300)
            best = scipy.optimize.lsq_linear(B, -c, (low, wide), "bvls", tol=1e-14)
            assert np.all((z >= low) & (z <= high)), k
            mine, theirs = (np.sum((B @ v + c) ** 2) for v in (z, best.x))
            assert mine <= theirs * (1 + 1e-12), k


@pytest.mark.parametrize(
    "bounds",
    [
        {"lower": {"a": 0.0}},
        {"lower": {"c": 0.0}, "upper": {"a": 3.5}},
        {"upper": {"a": 3.5, "k": 1.0}},
        {"lower": {"a": 5.0}},
    ],
)
def test_the_certified_answer_is_scipys(bounds):
    problem = bn.least_squares(decay, X0, data=Y, **bounds)
    result = bn.solve(problem, tol=1e-9)
    assert result.certified and "BoundedLevenberg" in str(result.method)
    assert result.certificate.quantity.startswith("||P_J r||")
    sides = np.array(
        [
            [bounds.get(side, {}).get(k, at) for k in "akc"]
            for side, at in (("lower", -np.inf), ("upper", np.inf))
        ]
    )
    start = np.clip([1.0, 0.5, 0.0], *(sides + np.array([[1e-3], [-1e-3]])))
    tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-14}
    theirs = scipy.optimize.least_squares(of_vector, start, bounds=sides, **tight)
    own = np.array([float(result.x[k]) for k in "akc"])
    np.testing.assert_allclose(own, theirs.x, rtol=1e-5, atol=1e-6)
    # At its bound, not near it.
    near = (abs(own - sides) < 1e-3).any(axis=0)
    assert np.all((own == sides).any(axis=0) == near)


def test_errors_where_no_bound_is_near_are_those_without_and_refused_at_one():
    free = bn.uncertainty(bn.solve(bn.least_squares(decay, X0, data=Y)))
    within = bn.uncertainty(
        bn.solve(bn.least_squares(decay, X0, data=Y, lower={"a": 0.0, "k": 0.0}))
    )
    np.testing.assert_allclose(within.standard_errors, free.standard_errors, rtol=1e-6)
    crossing = bn.solve(bn.least_squares(decay, X0, data=Y, lower={"k": 1.2}))
    assert "crosses its own" in str(bn.uncertainty(crossing))
    held = bn.solve(bn.least_squares(decay, X0, data=Y, upper={"a": 3.5}))
    with pytest.raises(bn.Misuse, match="a is at its bound"):
        bn.uncertainty(held)


def test_what_ignores_bounds_is_refused_and_peers_keep_them():
    problem = bn.least_squares(decay, X0, data=Y, upper={"a": 3.5})
    with pytest.raises(bn.Misuse, match=r"would ignore the bounds.*bounded_levenberg"):
        bn.solve(problem, "levenberg_marquardt")
    with pytest.raises(bn.Misuse, match="needs the oracle project"):
        bn.solve(bn.least_squares(decay, X0, data=Y), "bounded_levenberg_marquardt")
    peer = bn.solve(problem, "scipy:L-BFGS-B")
    assert peer.certified and float(peer.x["a"]) == 3.5
    assert "lower <= x <= upper" in problem.formula()


def test_an_answer_outside_is_judged_where_it_is_moved_to():
    problem = bn.least_squares(decay, X0, data=Y, upper={"a": 3.5})
    best = bn.solve(problem, tol=1e-9).x
    out = bn.verify(problem, {**best, "a": np.asarray(4.2)})
    assert out.certified and float(out.x["a"]) == 3.5
    free = bn.solve(bn.least_squares(decay, X0, data=Y)).x
    assert not bn.verify(problem, free).certified


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"lower": {"b": 0.0}}, "lower has b, which x0 has not: its names are a, c, k"),
        ({"lower": 1.0, "upper": 0.0}, "lower exceeds upper"),
        ({"lower": [0.0, 0.0]}, "one number or have the structure"),
        ({"upper": np.nan}, "NaN|nan"),
        ({"upper": "3"}, "number"),
    ],
)
def test_bounds_that_are_none_are_misuse(bounds, said):
    with pytest.raises(bn.Misuse, match=said):
        bn.least_squares(decay, X0, data=Y, **bounds)

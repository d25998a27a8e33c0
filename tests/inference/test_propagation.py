"""The delta method against textbook formulas and a simulation."""

import collections

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats

import banach as bn

rng = np.random.default_rng(8)
T = np.linspace(0.0, 3.0, 30)
Y = 4.0 * np.exp(-0.7 * T) + rng.normal(scale=0.1, size=30)
GRID = np.array([0.5, 2.0, 4.0])


def decay(p, t):
    return p["a"] * jnp.exp(-p["k"] * t)


@pytest.fixture(scope="module")
def fitted():
    start = {"a": 3.0, "k": 0.5}
    return bn.solve(bn.least_squares(lambda p: decay(p, T) - Y, start, data=Y))


def test_linear_bands_are_those_of_the_textbook():
    """Draper and Smith: s^2 x'(X'X)^-1 x for the mean, plus s^2 for an observation."""
    X = np.column_stack([rng.normal(size=(40, 2)), np.ones(40)])
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=40)
    new = rng.normal(size=(3, 3))
    b, squares, *_ = np.linalg.lstsq(X, y, rcond=None)
    s2, t = squares[0] / 37, stats.t.ppf(0.95, 37)
    mean = s2 * np.einsum("ij,jk,ik->i", new, np.linalg.inv(X.T @ X), new)
    result = bn.solve(bn.Ridge(X[:, :2], y, 0.0, intercept=True), tol=1e-12)
    for observation in (False, True):
        got = bn.propagate(
            result, lambda x: new @ x, level=0.9, observation=observation
        )
        np.testing.assert_allclose(got.values, new @ b, rtol=1e-8)
        np.testing.assert_allclose(got.standard_errors, np.sqrt(mean), rtol=1e-8)
        half = t * np.sqrt(mean + s2 * observation)
        np.testing.assert_allclose(got.lower, new @ b - half, rtol=1e-7)
        np.testing.assert_allclose(got.upper, new @ b + half, rtol=1e-7)


def test_counts_have_the_normal_band_of_their_mean():
    X = np.column_stack([rng.normal(size=(80, 2)), np.ones(80)])
    y = rng.poisson(np.exp(0.3 * X[:, 0] + 0.5)).astype(float)
    b = np.zeros(3)
    for _ in range(30):  # iteratively reweighted least squares
        mu = np.exp(X @ b)
        b += np.linalg.solve((X.T * mu) @ X, X.T @ (y - mu))
    new = np.array([[0.2, -1.0, 1.0], [2.0, 0.0, 1.0]])
    C = np.linalg.inv((X.T * np.exp(X @ b)) @ X)
    mean = np.exp(new @ b)
    want = mean * np.sqrt(np.einsum("ij,jk,ik->i", new, C, new))
    result = bn.solve(bn.PoissonRegression(X[:, :2], y, 0.0), tol=1e-12)
    got = bn.propagate(result, lambda x: jnp.exp(new @ x))
    np.testing.assert_allclose(got.values, mean, rtol=1e-7)
    np.testing.assert_allclose(got.standard_errors, want, rtol=1e-6)
    np.testing.assert_allclose(got.upper - mean, 1.959963985 * want, rtol=1e-6)
    with pytest.raises(bn.Misuse, match="drop it"):
        bn.propagate(result, lambda x: new @ x, observation=True)


def test_a_curve_and_a_derived_quantity(fitted):
    u = bn.uncertainty(fitted)
    a, k = fitted.x["a"], fitted.x["k"]
    band = bn.propagate(fitted, decay, (GRID,))
    slopes = np.stack([np.exp(-k * GRID), -a * GRID * np.exp(-k * GRID)])
    want = np.sqrt(np.einsum("it,ij,jt->t", slopes, u.covariance, slopes))
    np.testing.assert_allclose(band.standard_errors, want, rtol=1e-9)
    half = bn.propagate(fitted, lambda p: jnp.log(2) / p["k"])
    assert half.values.shape == ()
    want = np.log(2) / k**2 * u.standard_errors["k"]
    assert half.standard_errors == pytest.approx(want, rel=1e-9)
    # Known sigma: normal intervals, and its own square for a new observation.
    known = bn.propagate(fitted, decay, (GRID,), sigma=0.1, observation=True)
    wide = np.sqrt(known.standard_errors**2 + 0.01)
    np.testing.assert_allclose(known.upper - known.values, 1.959963985 * wide)
    assert "new observations" in str(known) and "nearly linear" in str(known)


def test_errors_are_the_spread_of_repetitions(fitted):
    """The half-life of 400 fits of fresh noise spreads as the error says."""
    truth = decay({"a": 4.0, "k": 0.7}, T)
    noise = np.random.default_rng(1).normal(scale=0.1, size=(400, 30))
    X = np.stack([np.exp(-0.7 * T), -4.0 * T * np.exp(-0.7 * T)], axis=1)
    # One Gauss-Newton step from the truth: the estimate to first order.
    found = 0.7 + np.linalg.lstsq(X, noise.T, rcond=None)[0][1]
    spread = np.std(np.log(2) / found)
    start = {"a": 3.0, "k": 0.5}
    y = np.asarray(truth) + noise[0]
    result = bn.solve(bn.least_squares(lambda p: decay(p, T) - y, start, data=y))
    said = bn.propagate(result, lambda p: jnp.log(2) / p["k"], sigma=0.1)
    assert said.standard_errors == pytest.approx(spread, rel=0.15)


def test_it_is_drawn_in_order_with_the_data(fitted):
    grid = GRID[::-1]
    band = bn.propagate(fitted, decay, (grid,))
    (ax,) = band.plot(grid, observed=(T, Y)).axes
    lines = {line.get_label(): line.get_xydata() for line in ax.get_lines()}
    np.testing.assert_allclose(lines["fit"], np.stack([GRID, band.values[::-1]], 1))
    np.testing.assert_allclose(lines["data"], np.stack([T, Y], 1))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "95% of the curve" in labels
    plt.close("all")
    with pytest.raises(bn.Misuse, match="called with"):
        band.plot(GRID[:2])
    with pytest.raises(bn.Misuse, match="one each"):
        band.plot(grid, observed=(T, Y[:3]))


def test_names_come_in_the_order_of_the_start_where_it_has_one():
    """JAX sorts a dict's keys; an OrderedDict keeps its own order."""
    start = collections.OrderedDict(k=0.5, a=3.0)
    fit = bn.least_squares(lambda p: decay(p, T) - Y, start, data=Y)
    assert bn.uncertainty(bn.solve(fit)).names == ("k", "a")


@pytest.mark.parametrize(
    ("fun", "args", "said"),
    [
        (3, (), "needs a function"),
        (lambda p: 1, (), "floating"),
        (lambda p, t: p["a"], (), "argument"),
        (lambda p: np.sin(p["a"]), (), "jax.numpy"),
        (lambda p: jnp.log(-p["a"]), (), "not finite"),
        (decay, GRID, "args must be a tuple"),
    ],
)
def test_what_cannot_be_propagated_is_refused(fitted, fun, args, said):
    with pytest.raises(bn.Misuse, match=said):
        bn.propagate(fitted, fun, args)


def test_one_sigma_a_row_says_none_of_a_new_observation(fitted):
    with pytest.raises(bn.Misuse, match="by hand"):
        bn.propagate(fitted, decay, (GRID,), sigma=np.full(30, 0.1), observation=True)

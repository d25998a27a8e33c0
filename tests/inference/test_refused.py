"""Where standard errors would not hold they are refused with the cure."""

import functools
import json
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import banach as bn

RNG = np.random.default_rng(5)
A = RNG.normal(size=(30, 3))
Y = A @ [1.0, 2.0, -1.0] + RNG.normal(size=30)
T = np.linspace(0, 2, 12)
D = 2 * np.exp(-1.5 * T) + 0.05 * np.sin(9 * T)


def ols(A=A, y=Y, **data):
    return bn.solve(bn.Ridge(A, y, 0.0, **data), tol=1e-10)


def fit(model, start, y=D, **run):
    return bn.solve(bn.least_squares(lambda p: model(p) - y, start, data=y), **run)


def twins(rows):
    return np.column_stack([rows, rows[:, 0] - 2 * rows[:, 1]])


def saddle():
    """r = (x^2 - 2, y): x = 0 is stationary, and a maximum of the sum of squares."""
    p = bn.least_squares(
        lambda p: jnp.array([p[0] ** 2 - 2, p[1] - 1, p[1] + p[0] * 1e-3, p[1]]),
        np.array([1e-4, 0.3]),
    )
    return bn.solve(p, start=np.array([0.0, 1 / 3]), max_steps=0)


REFUSED = {
    "ridge": (lambda: bn.solve(bn.Ridge(A, Y, 1.0)), "biased"),
    "lasso": (lambda: bn.solve(bn.Lasso(A, Y, 3.0)), "rows that had no part"),
    "elastic net": (
        lambda: bn.solve(bn.ElasticNetRegression(A, Y, 1.0, 1.0)), "no part"),
    "group": (lambda: bn.solve(bn.GroupLasso(A, Y, 1.0, [0, 0, 1])), "no part"),
    "simplex": (lambda: bn.solve(bn.SimplexLeastSquares(A, Y)), "ties coefficients"),
    "l2 logistic": (lambda: bn.solve(bn.LogisticRegression(A, Y > 0)), "with l2=0"),
    "at its bound": (
        lambda: bn.solve(bn.NonnegativeLeastSquares(A, Y)), "2 is at its bound"),
    "separable": (
        lambda: bn.solve(bn.LogisticRegression(A, A[:, 0] > 0, l2=0.0)),
        "no minimiser exists"),
    "uncertified": (
        lambda: fit(lambda p: p[0] * jnp.exp(-p[1] * T), np.array([9.0, 0.1]),
                    max_steps=1), "not certified"),
    "twin columns": (lambda: ols(twins(A)), "do not tell 0, 1, 3 apart"),
    "a constant beside the intercept": (
        lambda: ols(np.column_stack([A, np.ones(30)]), intercept=True),
        "the data tell nothing of 3|do not tell"),
    "few rows": (lambda: ols(A[:3], Y[:3]), "no degree of freedom"),
    "fewer rows": (lambda: ols(A[:2], Y[:2]), "2 rows of data tell no 3"),
    "exact": (lambda: ols(A, A @ [1.0, 2.0, 3.0]), "fitted exactly"),
    "smooth": (
        lambda: bn.minimize(lambda x: jnp.sum((x - 1) ** 2), np.zeros(2)),
        "no fit of data"),
    "softmax": (
        lambda: bn.solve(bn.SoftmaxRegression(A, np.arange(30) % 3)),
        "shifted together"),
    "hinge": (
        lambda: bn.solve(bn.SquaredHingeClassifier(A, Y > 0, 0.1)), "likelihood of no"),
    "without effect": (
        lambda: fit(lambda p: p[0] * jnp.exp(-T) + 0 * p[1], np.array([1.0, 0.0]),
                    max_steps=20), "tell nothing of x\\[1\\]"),
    "a saddle": (saddle, "saddle, a maximum or flat"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_cure(name):
    make, says = REFUSED[name]
    result = make()
    allowed = name in ("without effect", "a saddle", "twin columns") or (
        name.startswith("a constant")
    )
    with pytest.raises(bn.Misuse, match=says):
        bn.uncertainty(result, allow_uncertified=allowed)


def test_a_loose_answer_is_no_estimate_until_it_is_near_the_minimiser():
    start = np.array([2.1, 1.5])
    r = fit(lambda p: p[0] * jnp.exp(-p[1] * T), start, tol=0.9, max_steps=0)
    assert r.certified
    with pytest.raises(bn.Misuse, match="standard errors from the minimiser.* tol="):
        bn.uncertainty(r)
    u = bn.uncertainty(r, allow_uncertified=True)
    assert u.solver_error > 0.1 and "NOT AT THE MINIMISER" in str(u)
    # To first order, and the true distance is of that size.
    best = fit(lambda p: p[0] * jnp.exp(-p[1] * T), start, tol=1e-12)
    away = abs(r.x - best.x) / np.asarray(bn.uncertainty(best).standard_errors)
    assert away.max() < 2 * u.solver_error < 20 * away.max()


def test_correct_digits_bound_the_solver_error_of_a_nonlinear_fit():
    problem = bn.least_squares(
        lambda p: p[0] * jnp.exp(-p[1] * T) - D, np.array([2.1, 1.5]), data=D
    )
    first = bn.uncertainty(bn.solve(problem))
    assert first.solver_error_is == "first order"
    r = bn.solve(problem, digits=5)
    u = bn.uncertainty(r)
    assert u.solver_error_is == "bound" and u.solver_error < 1e-3
    best = bn.solve(problem, tol=1e-13, max_steps=100).x
    assert max(abs(r.x - best) / np.asarray(u.standard_errors)) <= u.solver_error


def test_an_uncertified_answer_says_so_in_words():
    r = fit(lambda p: p[0] * jnp.exp(-p[1] * T), np.array([9.0, 0.1]), max_steps=2)
    u = bn.uncertainty(r, allow_uncertified=True)
    assert not u.certified and "NOT CERTIFIED (budget)" in u.conditions[0]
    assert str(u).startswith("NOT CERTIFIED")


def test_float32_answers_are_judged_in_float64():
    r = bn.solve(bn.Ridge(A.astype("f4"), Y.astype("f4"), 0.0), tol=1e-5)
    assert r.x.dtype == np.float32
    u = bn.uncertainty(r)
    rows, y = A.astype("f4").astype(float), Y.astype("f4").astype(float)
    best = np.linalg.lstsq(rows, y)[0]
    errors = np.asarray(u.standard_errors)
    assert errors.dtype == np.float64
    away = max(abs(r.x - best) / errors)
    assert 0 < away <= u.solver_error < 1e-3


@functools.cache
def known(make):
    """(model, its minimiser, standard errors there)."""
    model = make(A, (Y > 0).astype(float), l2=0.0)
    best = bn.solve(model, tol=1e-13, max_steps=10_000).x
    return model, best, np.asarray(bn.uncertainty(bn.solve(model)).standard_errors)


@pytest.mark.parametrize("tol", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("make", [bn.LogisticRegression, bn.PoissonRegression])
def test_the_solver_error_of_counts_and_labels_is_a_bound(make, tol):
    model, best, errors = known(make)
    r = bn.solve(model, "lbfgs", tol=tol)
    u = bn.uncertainty(r, allow_uncertified=True)
    away = max(abs(r.x - best) / np.asarray(u.standard_errors))
    assert away <= u.solver_error and np.all(errors > 0)
    assert u.solver_error_is == "bound"


def test_an_exact_fit_has_the_errors_that_are_known_and_no_sandwich():
    r = ols(A, A @ [1.0, 2.0, 3.0])
    u = bn.uncertainty(r, sigma=2.0)
    want = 4 * np.linalg.inv(A.T @ A)
    np.testing.assert_allclose(u.covariance, want, rtol=1e-12)
    assert u.beside is None and u.distribution == "normal" and u.s2 < 1e-20
    with pytest.raises(bn.Misuse, match="no sandwich exists"):
        bn.uncertainty(r, sigma=2.0, kind="HC1")
    # As many rows as parameters, of known variance.
    few = bn.uncertainty(ols(A[:3], Y[:3]), sigma=1.0)
    want = np.linalg.inv(A[:3].T @ A[:3])
    np.testing.assert_allclose(few.covariance, want, rtol=1e-9)
    assert few.s2 is None and few.degrees_of_freedom == 0


def test_huber_has_a_sandwich_and_no_model():
    r = bn.solve(bn.HuberRegression(A, Y, 1.0, 0.0), tol=1e-10)
    with pytest.raises(bn.Misuse, match="kind='sandwich'"):
        bn.uncertainty(r)
    u = bn.uncertainty(r, kind="HC0")
    X = np.column_stack([A, np.ones(30)])
    e = X @ r.x - Y
    H = np.linalg.inv((X.T * (abs(e) <= 1)) @ X)
    meat = (X.T * np.clip(e, -1, 1) ** 2) @ X
    np.testing.assert_allclose(u.covariance, H @ meat @ H, rtol=1e-9)
    assert u.beside is None and "HC0" in str(u)


def test_a_row_that_decides_alone_has_no_hc3():
    rows = np.column_stack([A, np.zeros(30)])
    rows[4, 3] = 1.0
    r = ols(rows)
    for kind in ("HC2", "HC3", "sandwich"):
        with pytest.raises(bn.Misuse, match=r"row 4 has leverage 1.*HC1"):
            bn.uncertainty(r, kind=kind)
    assert bn.uncertainty(r).beside is None
    assert np.isfinite(np.asarray(bn.uncertainty(r, kind="HC1").standard_errors)).all()


def test_bounds_that_are_far_change_nothing():
    r = bn.solve(bn.BoxLeastSquares(A, Y, -50.0, 50.0), tol=1e-12)
    u, plain = bn.uncertainty(r), bn.uncertainty(ols())
    np.testing.assert_allclose(u.covariance, plain.covariance, rtol=1e-7)


def test_rows_of_weight_zero_do_not_count():
    w = np.ones(30)
    w[25:] = 0
    u, plain = bn.uncertainty(ols(sample_weight=w)), bn.uncertainty(ols(A[:25], Y[:25]))
    np.testing.assert_allclose(u.covariance, plain.covariance, rtol=1e-9)
    assert u.degrees_of_freedom == 22


WRONG = {
    "level": (dict(level=1.0), "level"),
    "kind": (dict(kind="HC4"), "HC3"),
    "sigma": (dict(sigma=np.ones(3)), "one a row, 30"),
    "negative": (dict(sigma=-1.0), "positive"),
    "flag": (dict(allow_uncertified=1), "allow_uncertified"),
    "alpha": (dict(alpha=0.05), "no argument 'alpha'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arguments(name):
    given, says = WRONG[name]
    with pytest.raises(bn.Misuse, match=says):
        bn.uncertainty(ols(), **given)


def test_what_it_takes():
    with pytest.raises(bn.Misuse, match=r"bn.uncertainty\(bn.solve"):
        bn.uncertainty(bn.Ridge(A, Y, 0.0))
    logit = bn.solve(bn.LogisticRegression(A, Y > 0, l2=0.0))
    with pytest.raises(bn.Misuse, match="drop sigma="):
        bn.uncertainty(logit, sigma=1.0)
    local = fit(lambda p: p[0] * jnp.exp(-p[1] * T), np.array([1.0, 1.0]))
    with pytest.raises(bn.Misuse, match="without its problem"):
        bn.uncertainty(pickle.loads(pickle.dumps(local)))


def test_plain_data(tmp_path):
    r = ols(columns=["a", "b", "a b"], intercept=True)
    u = bn.uncertainty(r)
    again = pickle.loads(pickle.dumps(u))
    assert str(again) == str(u) and again.names == ("a", "b", "a b", "intercept")
    told = json.loads(json.dumps(u.to_dict(), allow_nan=False))
    assert told["parameters"][3]["name"] == "intercept"
    assert told["parameters"][0]["lower"] == u.intervals["a"]["lower"]
    np.testing.assert_array_equal(told["covariance"], u.covariance)
    lines = str(u).splitlines()
    assert lines[0] == "95% intervals by the model, t with 26 degrees of freedom"
    assert lines[1].split() == "estimate std error lower upper t p HC3 error".split()
    assert lines[4].startswith("  a b ")
    r.save(tmp_path / "run.json")
    saved = bn.uncertainty(bn.load(tmp_path / "run.json"))
    np.testing.assert_array_equal(saved.covariance, u.covariance)
    assert saved.certified


def test_a_model_that_does_not_fit_is_told_in_the_first_line():
    """By the chance of chi-square, of known sigma alone."""
    rng, t = np.random.default_rng(3), np.arange(20.0)
    y = 3 * t + 1 + rng.standard_normal(20)
    for sigma, fits in ((1.0, True), (0.3, False)):
        line = bn.least_squares(
            lambda p, s=sigma: (p[0] * t + p[1] - y) / s, np.ones(2), data=y / sigma
        )
        result = bn.solve(line)
        u = bn.uncertainty(result, sigma=1)
        left = np.sum((np.polyval(np.polyfit(t, y, 1), t) - y) ** 2) / sigma**2
        assert u.misfit == pytest.approx(scipy.stats.chi2.sf(left, 18), rel=1e-9)
        assert ("DOES NOT FIT" in str(u).splitlines()[0]) != fits
        assert f"a chance of {u.misfit:.2g}" in str(u)
        assert u.to_dict()["misfit"] == u.misfit
        assert bn.uncertainty(result).misfit is None


def test_sparse_rows_and_tables_are_rows_too():
    from scipy import sparse

    rows = np.where(abs(A) > 0.7, A, 0)
    plain = bn.uncertainty(ols(rows, intercept=True))
    u = bn.uncertainty(ols(sparse.csr_array(rows), intercept=True))
    np.testing.assert_allclose(u.covariance, plain.covariance, rtol=1e-9)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=["age", "dose", "intercept"])
    u = bn.uncertainty(ols(frame, pandas.Series(Y), intercept=True))
    assert u.names == ("age", "dose", "intercept", "(intercept)")
    np.testing.assert_allclose(u.covariance, plain.covariance, rtol=1e-9)
    assert pandas.Series(u.standard_errors)["dose"] == u.standard_errors["dose"]


def test_names_are_places_in_the_unknown():
    start = {"rate": 1.0, "gain": [np.ones(2)], "M": np.eye(2)}
    point = jnp.array([0.3, 0.4, 1.0, -1.0, 2.0, 0.7, 0.1])
    p = bn.least_squares(
        lambda p: jnp.concatenate([
            jnp.array([p["rate"], *p["gain"][0], *p["M"].ravel()]) * k - point
            for k in (1.0, 1.1)
        ]),
        start,
    )  # fmt: skip
    u = bn.uncertainty(bn.solve(p))
    assert u.names == ("M[0,0]", "M[0,1]", "M[1,0]", "M[1,1]", "gain[0][0]",
                       "gain[0][1]", "rate")  # fmt: skip

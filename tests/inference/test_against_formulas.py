"""Covariances of linear models against rationals, formulas and statsmodels."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import banach as bn

SANDWICHES = ("HC0", "HC1", "HC2", "HC3")
RNG = np.random.default_rng(7)
N = 60
A = RNG.normal(size=(N, 3)) * [1, 1e-3, 1e5] + [0, 0.01, 3e5]
SIGNAL = (A - [0, 0.01, 3e5]) / [1, 1e-3, 1e5] @ [0.8, -0.5, 0.3]
W = RNG.uniform(0.5, 2, N)
DATA = {
    "squares": SIGNAL + 1 + RNG.normal(size=N) * (1 + abs(A[:, 0])),
    "logistic": (RNG.uniform(size=N) < 1 / (1 + np.exp(-SIGNAL))).astype(int),
    "poisson": RNG.poisson(np.exp(0.5 * SIGNAL + 0.5)).astype(float),
}
MODELS = {
    "squares": bn.Ridge, "logistic": bn.LogisticRegression,
    "poisson": bn.PoissonRegression,
}  # fmt: skip


def answer(name, weight=None, data=None, rows=A):
    y = DATA[name] if data is None else data
    model = MODELS[name](rows, y, 0.0, intercept=True, sample_weight=weight)
    return bn.solve(model, tol=1e-12)


def rational(M):
    return [[Fraction(float(v)) for v in row] for row in M]


def solve(H, B):
    """H^-1 B by elimination in fractions."""
    n = len(H)
    M = [[*H[i], *B[i]] for i in range(n)]
    for j in range(n):
        i = next(i for i in range(j, n) if M[i][j] != 0)
        M[i], M[j] = M[j], M[i]
        M[j] = [v / M[j][j] for v in M[j]]
        for i in range(n):
            if i != j and M[i][j]:
                M[i] = [a - M[i][j] * b for a, b in zip(M[i], M[j], strict=True)]
    return [row[n:] for row in M]


def times(X, Y):
    columns = list(zip(*Y, strict=True))
    return [[sum(a * b for a, b in zip(r, c, strict=True)) for c in columns] for r in X]


def turned(X):
    return [list(row) for row in zip(*X, strict=True)]


def exact_squares(X, y, w, kind):
    """The covariance of weighted least squares, no rounding but the last."""
    n, p = np.shape(X)
    X, y, w = rational(X), rational(y[:, None]), [Fraction(float(v)) for v in w]
    WX = [[v * k for v in row] for row, k in zip(X, w, strict=True)]
    H = times(turned(X), WX)
    inverse = solve(H, [[Fraction(i == j) for j in range(p)] for i in range(p)])
    best = times(inverse, times(turned(WX), y))
    r = [a[0] - b[0] for a, b in zip(times(X, best), y, strict=True)]
    if kind == "model":
        s2 = sum(k * v * v for k, v in zip(w, r, strict=True)) / (n - p)
        return np.array([[float(s2 * v) for v in row] for row in inverse])
    spread = times(X, inverse)
    each = []
    for i in range(n):
        h = w[i] * sum(a * b for a, b in zip(spread[i], X[i], strict=True))
        factor = {"HC0": Fraction(1), "HC1": Fraction(n, n - p),
                  "HC2": 1 / (1 - h), "HC3": 1 / (1 - h) ** 2}[kind]  # fmt: skip
        each.append(factor * (w[i] * r[i]) ** 2)
    meat = times(turned(spread), [[v * k for v in row]
                 for row, k in zip(spread, each, strict=True)])  # fmt: skip
    return np.array([[float(v) for v in row] for row in meat])


@pytest.mark.parametrize("kind", ["model", *SANDWICHES])
@pytest.mark.parametrize("weight", [None, W[:20]])
def test_least_squares_against_rational_arithmetic(kind, weight):
    rows, y = A[:20], DATA["squares"][:20]
    u = bn.uncertainty(answer("squares", weight, y, rows), kind=kind)
    w = np.ones(20) if weight is None else weight
    want = exact_squares(np.column_stack([rows, np.ones(20)]), y, w, kind)
    np.testing.assert_allclose(u.covariance, want, rtol=1e-10)
    np.testing.assert_allclose(u.standard_errors, np.sqrt(np.diag(want)), rtol=1e-11)


def formula(name, x, weight, kind):
    """Textbook formulas in long double, columns scaled by hand."""
    big = np.longdouble
    T = np.diag([1, 1e-3, 1e5, 1]).astype(big)
    X = np.column_stack([(A - [0, 0.01, 3e5]) / [1, 1e-3, 1e5], np.ones(N)])
    X = X.astype(big)
    z = A.astype(big) @ x[:3].astype(big) + big(x[3])
    w = np.ones(N, big) if weight is None else weight.astype(big)
    y = DATA[name].astype(big)
    mean = np.exp(z) if name == "poisson" else 1 / (1 + np.exp(-z))
    bend = mean if name == "poisson" else mean * (1 - mean)
    H = (X.T * (w * bend)) @ X
    inverse = np.linalg.inv(H.astype(float)).astype(big)
    for _ in range(4):
        inverse = inverse @ (2 * np.eye(4) - H @ inverse)
    if kind == "model":
        C = inverse
    else:
        h = w * bend * np.sum((X @ inverse) * X, axis=1)
        k = SANDWICHES.index(kind)
        factor = (1, N / (N - 4), 1 / (1 - h), 1 / (1 - h) ** 2)[k]
        C = inverse @ (X.T * (factor * (w * (mean - y)) ** 2)) @ X @ inverse
    back = np.linalg.inv(T.astype(float)).astype(big)
    back[3] -= np.array([0, 0.01, 3e5, 0]) @ back
    return (back @ C @ back.T).astype(float)


@pytest.mark.parametrize("weight", [None, W])
@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_counts_and_labels_against_formulas(name, weight):
    r = answer(name, weight)
    for kind in ("model", *SANDWICHES):
        u = bn.uncertainty(r, kind=kind)
        want = formula(name, r.x, weight, kind)
        np.testing.assert_allclose(u.covariance, want, rtol=1e-9)
        half = stats.norm.ppf(0.975) * np.sqrt(np.diag(want))
        ends = np.asarray(u.intervals)
        np.testing.assert_allclose(ends, np.stack([r.x - half, r.x + half], 1), 1e-9)
        assert u.distribution == "normal" and u.s2 is None
    assert u.solver_error_is == "bound" and u.solver_error < 1e-7


def test_other_levels_and_tests_by_the_t_distribution():
    u = bn.uncertainty(answer("squares"), 0.68)
    half = stats.t.ppf(0.84, N - 4) * np.asarray(u.standard_errors)
    ends = np.asarray(u.intervals)
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2 * half, rtol=1e-12)
    p = 2 * stats.t.sf(abs(np.asarray(u.ratios)), N - 4)
    np.testing.assert_allclose(u.p_values, p, rtol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_statsmodels(weighted):
    """Columns of one size there: its pseudo-inverse loses digits of raw ones."""
    sm = pytest.importorskip("statsmodels.api")
    X = np.column_stack([(A - [0, 0.01, 3e5]) / [1, 1e-3, 1e5], np.ones(N)])
    w = W if weighted else np.ones(N)
    families = {"logistic": sm.families.Binomial(), "poisson": sm.families.Poisson()}
    for name, y in DATA.items():
        r = answer(name, W if weighted else None, rows=X[:, :3])
        if name == "squares":
            model = sm.WLS(y, X, weights=w)
            fits = {k: model.fit(cov_type=k) for k in SANDWICHES}
            fits["model"] = model.fit()
        else:
            model = sm.GLM(y, X, family=families[name], var_weights=w)
            # Its HC1 has no n / (n - p), its HC2 and HC3 the leverages of squares.
            whole = dict(tol=1e-12, maxiter=99, tol_criterion="params")
            fits = {
                "model": model.fit(**whole),
                "HC0": model.fit(**whole, cov_type="HC0"),
            }
        for kind, fit in fits.items():
            u = bn.uncertainty(r, kind=kind)
            np.testing.assert_allclose(u.covariance, fit.cov_params(), rtol=1e-8)
        u, fit = bn.uncertainty(r), fits["model"]
        np.testing.assert_allclose(u.intervals, fit.conf_int(), rtol=1e-7)
        np.testing.assert_allclose(u.ratios, fit.tvalues, rtol=1e-7)
        np.testing.assert_allclose(u.p_values, fit.pvalues, rtol=1e-6)


def test_units_change_no_ratio_and_cost_no_digit():
    base = bn.uncertainty(answer("squares"), kind="HC3")
    for k, m in ((1e-12, 1e9), (1e9, 1e-12)):
        scaled = A * [k, 1, m]
        other = bn.uncertainty(answer("squares", rows=scaled), kind="HC3")
        np.testing.assert_allclose(other.ratios, base.ratios, rtol=1e-9)
        units = np.array([k, 1, m, 1])
        errors = np.asarray(other.standard_errors) * units
        np.testing.assert_allclose(errors, base.standard_errors, rtol=1e-9)
        assert abs(other.digits - base.digits) <= 1


def test_a_column_far_from_zero_costs_no_digit_of_its_slope():
    """Seconds since 1970: uncentred columns have a condition of 1e9."""
    t = 1.7e9 + np.arange(10.0)
    y = np.array([0.1, 0.9, 2.2, 2.8, 4.1, 5.2, 5.8, 7.1, 7.9, 9.2])
    u = bn.uncertainty(bn.solve(bn.Ridge(t[:, None], y, 0.0, intercept=True)))
    X = np.column_stack([np.arange(10.0), np.ones(10)])
    want = np.sqrt(exact_squares(X, y, np.ones(10), "model")[0, 0])
    off = abs(np.asarray(u.standard_errors)[0] / want - 1)
    assert off <= 10.0**-u.digits and u.digits >= 4
    assert u.condition < 2


def best(X, y):
    """The exact least squares solution."""
    X, y = rational(X), rational(y[:, None])
    found = solve(times(turned(X), X), times(turned(X), y))
    return [row[0] for row in found]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("away", [0.0, 1e-6, 1e-2, 3.0])
def test_the_solver_error_of_squares_bounds_the_exact_one(seed, away):
    """Columns of any unit, nearly parallel; answers some standard errors away."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, 3))
    X[:, 2] = X[:, 1] + 10.0**-seed * X[:, 2]
    X = X * 10.0 ** rng.integers(-8, 9, 3)
    y = rng.normal(size=12) * 10.0 ** rng.integers(-6, 7)
    exact = best(X, y)
    errors = np.sqrt(np.diag(exact_squares(X, y, np.ones(12), "model")))
    x = np.array([float(v) for v in exact])
    x = x + away * errors * rng.normal(size=3)
    r = bn.solve(bn.Ridge(X, y, 0.0), start=x, max_steps=0)
    u = bn.uncertainty(r, allow_uncertified=True)
    true = max(
        abs(Fraction(float(v)) - w) / Fraction(float(e))
        for v, w, e in zip(r.x, exact, np.asarray(u.standard_errors), strict=True)
    )
    assert u.solver_error_is == "bound"
    assert true <= Fraction(u.solver_error)
    if away >= 1e-2:
        assert u.solver_error < 1e3 * 10**seed * float(true)
    if away == 0.0:
        assert u.solver_error < 1e-5
        off = abs(np.asarray(u.standard_errors) / errors - 1)
        assert np.all(off <= 10.0**-u.digits) and u.digits >= 8 - seed


def test_digits_of_a_polynomial_of_high_degree_are_those_said():
    """Wampler's degree 5 over 0 .. 20, raw powers up to 3.2e6."""
    t = np.arange(21.0)
    X = np.vander(t, 6)[:, :-1]
    y = sum(t**k for k in range(6)) + 1e3 * np.cos(3 * t)
    r = bn.solve(bn.Ridge(X, y, 0.0, intercept=True), tol=1e-9)
    u = bn.uncertainty(r, allow_uncertified=True)
    want = exact_squares(np.column_stack([X, np.ones(21)]), y, np.ones(21), "model")
    off = abs(np.asarray(u.standard_errors) / np.sqrt(np.diag(want)) - 1)
    assert np.all(off <= 10.0**-u.digits) and 6 <= u.digits <= 13
    assert u.condition > 100


@pytest.mark.slow
def test_coverage():
    """A truth lies in 95 % of intervals; the sandwich's where variances differ."""
    lanes, n = 1000, 40
    rng = np.random.default_rng(11)
    X = rng.normal(size=(n, 2))
    truth = np.array([1.0, -2.0, 0.5])
    three = 3 * np.sqrt(0.05 * 0.95 / lanes)
    mean = X @ truth[:2] + truth[2]

    def share(noise, kind):
        Y = mean + noise * rng.normal(size=(lanes, n))
        results = bn.solve_many(bn.Ridge.stack(X, Y, 0.0, intercept=True))
        inside = 0
        for r in results:
            ends = np.asarray(bn.uncertainty(r, kind=kind).intervals)
            inside += ends[0, 0] <= truth[0] <= ends[0, 1]
        return inside / lanes

    assert abs(share(1.0, "model") - 0.95) < three
    uneven = 0.1 + X[:, 0] ** 2
    assert share(uneven, "model") < 0.85
    assert share(uneven, "HC3") > 0.95 - three - 0.03


def decay_fits(noise, seeds):
    """Uncertainties of decays of 60 points whose last parameter few rows tell."""
    t = np.linspace(0, 5, 60)
    A = np.stack([np.exp(-t), t == t[0], np.ones(60)], 1).astype(float)
    A[0, 1] = 3.0
    for seed in range(seeds):
        y = A @ np.array([2.0, 0.3, 0.1])
        y = y + noise(t) * np.random.default_rng(seed).normal(size=60)
        result = bn.solve(bn.Ridge(A, y, 0.0), tol=1e-10)
        yield bn.uncertainty(result)


def test_the_two_errors_are_said_to_differ_where_chance_does_not_explain_it():
    """Few alarms where all rows have one variance; most where they have not."""

    def alarms(found):
        return sum("differ" in " ".join(u.conditions) for u in found)

    assert alarms(decay_fits(lambda t: 0.05, 40)) <= 2

    def uneven(seeds, n=300):
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            x = rng.normal(size=(n, 1))
            y = x[:, 0] + np.abs(x[:, 0]) * rng.normal(size=n)
            yield bn.uncertainty(bn.solve(bn.Ridge(x, y, 0.0, intercept=True)))

    assert alarms(uneven(20)) >= 15


def test_its_columns_make_a_frame_of_pandas():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(30, 2)), columns=["age", "dose"])
    y = table["age"] - 2 * table["dose"] + rng.normal(size=30)
    u = bn.uncertainty(bn.solve(bn.Ridge(table, y, 0.0, intercept=True)))
    frame = pd.DataFrame(u.columns(), index=u.names)
    assert list(frame.index) == ["age", "dose", "intercept"]
    assert frame.loc["dose", "lower"] < frame.loc["dose", "estimate"] < -1
    assert frame.loc["dose", "p_value"] < 1e-6
    np.testing.assert_array_equal(frame["HC3_error"], np.asarray(u.beside))

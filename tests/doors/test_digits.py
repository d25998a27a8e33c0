"""digits=: correct digits of x where a distance bound exists, and why not elsewhere."""

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.doors import correct_digits

RNG = np.random.default_rng(2)
A = RNG.normal(size=(40, 4))
Y = A @ [1.0, 2.0, -3.0, 0.5] + RNG.normal(size=40)
T = np.linspace(0, 2, 12)
D = 2 * np.exp(-1.5 * T) + 0.05 * np.sin(9 * T)


def rosen(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def kepler():
    """x = 0.3 + cos(x) / 2, by bisection to the last bit."""
    low, high = 0.0, 2.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if middle < 0.3 + np.cos(middle) / 2 else (low, middle)
        )
    return np.full(2, low)


SOLVED = {
    "ridge": (
        lambda: bn.Ridge(A, Y, 1.0), "gap_distance",
        lambda: np.linalg.solve(A.T @ A + np.eye(4), A.T @ Y)),
    "quadratic": (
        lambda: bn.Smooth(lambda x: jnp.sum((x - 3) ** 2) + jnp.prod(x[:1]) ** 2,
                          np.ones(2), mu=2.0), "strong_distance",
        lambda: np.array([1.5, 3.0])),
    "kepler": (
        lambda: bn.FixedPoint(lambda x: 0.3 + jnp.cos(x) / 2, np.ones(2),
                              contraction=0.5), "contraction", kepler),
    "linear": (
        lambda: bn.Linear(A.T @ A, A.T @ Y), "linear_distance",
        lambda: np.linalg.solve(A.T @ A, A.T @ Y)),
    "least squares": (
        lambda: bn.GLM(A, Y, bn.SquaredLoss(), intercept=True), "enclosure",
        lambda: np.linalg.lstsq(np.column_stack([A, np.ones(40)]), Y)[0]),
    "rosenbrock": (
        lambda: bn.Smooth(rosen, np.zeros(3)), "enclosure", lambda: np.ones(3)),
    "root": (
        lambda: bn.Root(lambda x: x**2 - 2, np.ones(2)), "enclosure",
        lambda: np.full(2, np.sqrt(2))),
}  # fmt: skip


@pytest.mark.parametrize("digits", [3, 10])
@pytest.mark.parametrize("name", SOLVED)
def test_as_many_digits_are_correct(name, digits):
    problem, by, exact = SOLVED[name]
    r = bn.solve(problem(), digits=digits)
    assert r.certified, r
    assert r.check.distance.name == by and r.check.name == "relative_distance"
    assert r.tol == 0.5 * 10.0**-digits
    np.testing.assert_allclose(r.x, exact(), rtol=r.tol + 1e-14)
    assert bn.verify(r).certified
    assert "|x_j-x*_j|/|x*_j|" in r.certificate.quantity


def test_saved_runs_keep_the_claim(tmp_path):
    for name in ("ridge", "least squares"):
        file = tmp_path / f"{name}.json"
        bn.solve(SOLVED[name][0](), digits=5).save(file)
        verdict = bn.verify(file)
        assert verdict.certified and verdict.tol == 0.5e-5
        assert not bn.verify(file, tol=1e-17).certified


def test_minimize_passes_it_on():
    r = bn.minimize(rosen, np.zeros(2), digits=8)
    assert r.certified and r.certificate.grade == "enclosure"
    np.testing.assert_allclose(r.x, 1.0, rtol=0.5e-8)


def test_an_enclosure_may_prove_what_a_constant_cannot():
    """mu is 1e-9 of the curvature: the gap's bound of the distance is far too large."""
    problem = bn.Ridge(A, Y, 1e-13)
    r = bn.solve(problem, digits=10, max_steps=2000)
    assert r.certified and r.check.distance.name == "enclosure"
    assert "enclosure" in r.reason


def test_what_is_not_proved_is_not_certified():
    # A double root: no enclosure isolates it, though the residual vanishes.
    r = bn.solve(bn.Smooth(lambda x: jnp.sum((x - 1) ** 4), np.zeros(2)), digits=4)
    assert not r.certified and r.status == "unverifiable"
    assert "no 4 digits" in r.reason and "fewer digits" in r.hint
    with pytest.raises(bn.NotCertified):
        r.require()
    r = bn.solve(bn.Smooth(rosen, np.zeros(3)), digits=4, max_steps=2)
    assert r.status == "budget"


def test_an_entry_that_is_0_to_rounding_has_no_digits_and_is_said():
    rows = np.vander(np.linspace(-1, 1, 40), 4)
    r = bn.solve(bn.Ridge(rows, np.cos(rows[:, 2]), 1.0), digits=6, max_steps=500)
    assert not r.certified and "whose exact value is 0 has no digits" in r.hint
    # Entries that are 0 exactly are left out.
    model = bn.ElasticNetRegression(A, 0.1 * Y, 8.0, 1.0)
    r = bn.solve(model, digits=6)
    assert r.certified and 0 < np.sum(r.x == 0) < 4


REFUSED = {
    "lasso": (lambda: bn.Lasso(A, Y, 1.0), {}, "strong convexity in every"),
    "nonexpansive": (
        lambda: bn.FixedPoint(lambda x: x / 2, np.ones(2), nonexpansive=True), {},
        "declare contraction"),
    "large": (
        lambda: bn.Smooth(lambda x: jnp.sum(x**4), np.ones(300)), {}, "200 unknowns"),
    "unknown to intervals": (
        lambda: bn.Smooth(lambda x: jnp.sum(jnp.sort(x) ** 2), np.array([2.0, 1.0])),
        {}, "declare mu"),
    "too many": (lambda: bn.Ridge(A, Y, 1.0), {"digits": 16}, "15 digits"),
    "float32": (
        lambda: bn.Ridge(A.astype("f4"), Y.astype("f4"), 1.0), {"digits": 7},
        "float32 holds 6"),
    "tol": (lambda: bn.Ridge(A, Y, 1.0), {"tol": bn.Absolute(1.0)}, "drop tol="),
    "check": (lambda: bn.Ridge(A, Y, 1.0), {"check": "gap"}, "gap_distance"),
    "a check that refuses": (
        lambda: bn.Ridge(A, Y, 1.0), {"check": "contraction"}, "fixed points"),
    "checkpoint": (
        lambda: bn.Smooth(rosen, np.zeros(2)), {"checkpoint": "run.json"},
        "no checkpoint="),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_any_run(name, monkeypatch):
    monkeypatch.setattr(correct_digits, "solved", None)
    problem, given, says = REFUSED[name]
    with pytest.raises(bn.Misuse, match=says):
        bn.solve(problem(), **{"digits": 6} | given)


def test_the_command_line_asks_for_digits(capsys):
    from banach.cli import console, fast_parser

    asked = ["solve", "fixed_point:kepler", "--digits", "7"]
    assert fast_parser.run(asked) == console.CERTIFIED
    said = capsys.readouterr().out
    assert said.startswith("certified: max_j |x_j-x*_j|/|x*_j|")
    assert "asked 5e-08 relative" in said
    asked = ["solve", "lasso:diabetes", "--digits=6"]
    assert fast_parser.run(asked) == console.USAGE
    assert "no correct digits can be certified" in capsys.readouterr().err

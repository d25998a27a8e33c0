"""What a certificate says in words, and what may make the words false."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach import checks
from banach.core.point import Point
from banach.core.printing import bound_text, certificate_json, up
from banach.terms.product import Product
from banach.terms.sets import Box, Simplex

KEY = jax.random.key(0)


def certify(check, problem, x):
    return check.prepared(problem)(problem, Point(x), KEY, 0)


def game(**facts):
    A = np.array([[1.0, -2.0], [0.5, 3.0]])
    return bn.saddle(
        lambda x, y: x @ A @ y, np.full(2, 0.5), np.full(2, 0.5),
        term=Product(Simplex(), Simplex()), **facts,
    )  # fmt: skip


def test_a_duality_gap_only_where_the_function_is_convex_concave():
    z = (np.array([0.2, 0.8]), np.array([0.6, 0.4]))
    known, _ = certify(bn.VariationalGap(), game(monotone=True), z)
    assert known.quantity == "duality gap" and known.grade == "bound"
    assert {"monotone: declared", "is_saddle: declared"} <= set(known.assumes)
    bare, _ = certify(bn.VariationalGap(), game(), z)
    assert bare.grade == "residual" and "monotone: not declared" in bare.assumes
    assert "no duality gap without monotonicity" in bare.quantity
    assert float(bare.value) == float(known.value)
    ball = bn.saddle(lambda x, y: jnp.sum(x * y), np.ones(1), np.ones(1), radius=3.0)
    bare, _ = certify(bn.VariationalGap(), ball, (np.ones(1), np.ones(1)))
    assert bare.quantity.startswith("VI gap") and "radius" in bare.quantity
    assert {"monotone: not declared", "radius: declared"} <= set(bare.assumes)


@pytest.mark.parametrize("name", ["stationarity", "step", "frank_wolfe", "kkt"])
def test_a_stopped_gradient_is_said(name):
    def f(x):
        return jnp.sum((x - jax.lax.stop_gradient(0.5 * x)) ** 2)

    smooth = bn.Smooth(f, np.ones(2))
    problem = {
        "stationarity": lambda: smooth,
        "step": lambda: bn.Composite(smooth, Box(-1.0, 1.0)),
        "frank_wolfe": lambda: bn.Composite(smooth, Box(-1.0, 1.0)),
        "kkt": lambda: bn.Constrained(f, np.ones(2), lower=0.0),
    }[name]()
    cert, _ = certify(checks.by_name(name), problem, np.zeros(2))
    said = [v for v in cert.assumes if "stop_gradient" in v]
    assert said == ["derivative of f is that of its values: stop_gradient found in it"]
    # That of JAX's own softmax cancels.
    plain = bn.Smooth(lambda x: jax.nn.logsumexp(x) + jnp.sum(x**2) / 2, np.ones(2))
    assert certify(checks.by_name("stationarity"), plain, np.zeros(2))[0].assumes == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [-7.5, 0.0, 41.0])
def test_a_goal_prints_value_and_target(level, dtype):
    x0, level = np.array([4.0], dtype), np.array(level, dtype)
    p = bn.Smooth(lambda x, c: jnp.sum((x - 2) ** 2) + c, x0, (level,))
    r = bn.solve(p, "gradient_descent", check=bn.Goal(level + 0.5))
    assert r.certified
    best = float(p.objective(r.x))
    first = str(r).splitlines()[0]
    said = re.search(r"f\(x\) <= (\S+) \+ (\S+), target (\S+)$", first)
    value, slack, target = map(float, said.groups())
    assert target == level + 0.5 and value <= target
    assert value >= best - 1e-6 * (1 + abs(best)) and 0 <= slack < 1e-4
    data = r.to_dict()["certificate"]
    assert data["target"] == target
    assert data["value"] == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert data["value"] <= data["bound"] <= target
    assert f"target {said[3]} reached" in r.reason
    far = bn.solve(p, "gradient_descent", check=bn.Goal(level - 1.0), max_steps=3)
    assert far.status in ("budget", "stalled") and "not reached" in far.reason
    assert "target" in str(far).splitlines()[0]
    assert json.dumps(far.to_dict()["certificate"])


def test_tolerances_have_no_say_in_a_goal():
    p = bn.Smooth(lambda x: jnp.sum(x**2) + 3.0, np.ones(1))
    for tol in (1e9, bn.Absolute(5.0)):
        v = bn.verify(p, np.array([1.0]), check=bn.Goal(3.5), tol=tol)
        assert not v.certified and "f(x) <= 4 +" in str(v)
        assert bn.verify(p, np.zeros(1), check=bn.Goal(3.5), tol=tol).certified


def test_what_is_printed_as_a_bound_is_one():
    for v in (1.0004, 3.14159e-7, 15.0000009, -2.00049, 9.9999, 0.0):
        for digits in (3, 6):
            assert v <= float(up(v, digits)) <= v + abs(v) * 10.0 ** (1 - digits)
    p = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(1))
    cert, _ = certify(bn.Stationarity(), p, np.array([0.50049]))
    assert bound_text(cert) == "||grad f(x)||_2 <= 1.01"
    assert certificate_json(cert)["target"] is None


def test_statistical_certificates_say_what_they_spent():
    rows = (np.arange(3000) % 10 == 0).astype(float)
    check = bn.HeldOutRisk(lambda p, x, d: d, rows, 0.2, delta=0.03)
    p = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(1))
    r = bn.solve(p, "gradient_descent", check=check)
    assert r.certified
    line = next(v for v in str(r).splitlines() if v.startswith("  delta"))
    assert "0.015 spent by look 1" in line and "at most 0.03 in this run" in line
    again = bn.verify(r, seed=9)
    assert again.certified and "new evidence" in str(again)
    assert r.to_dict()["certificate"]["delta"] == pytest.approx(0.015)


def test_sampling_error_is_never_unverifiable():
    """A target that so few rows cannot prove is missed, not beyond the dtype."""
    rows = (np.arange(40) % 10 == 0).astype(float)
    check = bn.HeldOutRisk(lambda p, x, d: d, rows, 0.2)
    p = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(1))
    slow = bn.Optax("sgd", learning_rate=1e-5)
    r = bn.solve(p, slow, check=check, max_steps=400)
    assert len(r.trace) > 4
    assert r.status == "budget" and "not reached" in r.reason
    assert "more rows" in r.hint


@pytest.mark.parametrize(
    ("name", "hyper", "says"),
    [
        ("goal", {}, "missing a required argument: 'target'"),
        ("goal", {"target": "low"}, "target must hold real numbers"),
        ("goal", {"target": float("nan")}, "target must be real and finite"),
        ("goal", {"target": True}, "target must be a real number"),
        ("goal", {"target": [1.0, 2.0]}, "target must be one number"),
        ("goal", {"target": 1.0, "level": 2.0}, "unexpected keyword"),
        ("second_order", {"delta": 0.0}, "delta must be positive"),
        ("second_order", {"delta": 1.0}, "delta must be below 1"),
        ("second_order", {"steps": 2.5}, "steps must be an integer"),
        ("second_order", {"dense": "yes"}, "dense must be True or False"),
        ("second_order", {"tol": -1e-6}, "tol must be positive"),
        ("second_order", {"curvature": 1j}, "curvature must hold real numbers"),
        ("enclosure", {"rigor": "exact"}, "rigor must be one of 'libm', 'arb'"),
        ("step", {"screen": "tight"}, "screen must hold real numbers"),
        ("kkt", {"screen": True}, "screen must be a positive number"),
        ("variational_gap", {"scale": -1.0}, "scale must be positive"),
        ("gapp", {}, "the checks are ball_gap"),
        (None, {}, "the checks are ball_gap"),
    ],
)
def test_arguments_of_checks_are_read_at_the_door(name, hyper, says):
    with pytest.raises(bn.Misuse, match=re.escape(says)):
        checks.by_name(name, **hyper)


def test_a_saved_goal_is_judged_against_its_target_again(tmp_path):
    r = bn.solve("ridge:diabetes", check=bn.Goal(6.25e6), max_steps=50)
    assert r.certified
    file = r.save(tmp_path / "goal.json")
    claim = json.loads(file.read_text())["certificate"]
    assert claim["target"] == 6.25e6 and claim["value"] < 6.25e6
    again = bn.verify(file)
    assert again.certified and "target 6.25e+06" in str(again)
    assert not bn.verify(file, check=bn.Goal(0.9 * claim["value"])).certified

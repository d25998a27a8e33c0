"""What a race says of the chance that one of its verdicts is false."""

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn

ROWS = (np.arange(3000) % 10 == 0).astype(float)
P = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(1))


def share(problem, x, rows):
    return rows


def race(**options):
    check = bn.HeldOutRisk(share, ROWS, 0.2, delta=0.3)
    methods = ["gradient_descent", "lbfgs", "nonlinear_cg", "trust_region_newton"]
    return bn.race(P, methods, check=check, max_steps=5, **options)


def test_delta_is_that_of_a_run_and_of_any_run():
    done = race()
    data = done.to_dict()
    assert data["delta"] == {"run": 0.3, "runs": 4, "any": 1.0}
    assert "any of 4 with at most 1" in str(done).splitlines()[-1]
    assert "target 0.2" in data["check"] and "at most 0.3" in data["check"]
    assert data["target"] == pytest.approx(0.2)
    assert [float(r.certificate.delta) for r in done.runs] == [0.15] * 4


def test_a_family_shares_one_delta():
    done = race(family=True)
    assert done.to_dict()["delta"] == pytest.approx(
        {"run": 0.075, "runs": 4, "any": 0.3}
    )
    np.testing.assert_allclose([r.certificate.delta for r in done.runs], 0.0375)
    with pytest.raises(bn.Misuse, match="stationarity has none"):
        bn.race(P, ["lbfgs"], family=True)


def test_other_races_have_no_odds(tmp_path):
    done = bn.race(P, ["lbfgs"], check=bn.Goal(0.5), max_steps=5)
    data = done.to_dict()
    assert "delta" not in data and data["target"] == 0.5
    assert data["check"] == "f(x) (goal) (bound), target 0.5"
    page = done.html(tmp_path / "race.html").read_text()
    assert "at most the target, 0.5" in page
    assert "target" not in bn.race(P, ["lbfgs"], max_steps=5).to_dict()

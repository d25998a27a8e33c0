"""Equivalent problems in other units get equal verdicts and answers (2.7)."""

import jax
import numpy as np
import pytest
from equivalents import ABSOLUTE, EQUIVALENTS

import banach as bn

POWERS = (-12, -5, 7, 12)


def powers(name):
    return [k for k in POWERS if k < 0 or name not in ABSOLUTE]


@pytest.mark.parametrize("name", EQUIVALENTS)
def test_no_verdict_and_no_answer_sees_a_unit(name):
    one = EQUIVALENTS[name](1.0)
    solved = bn.solve(one.problem, tol=1e-8, max_steps=3000)
    assert solved.certified
    best = one.back(solved.x)
    noise = np.random.default_rng(1).normal(size=best.shape)
    far = best + 0.03 * np.max(abs(best)) * noise
    seen = bn.verify(one.problem, one.into(far))
    assert seen.status == "budget"
    for k in powers(name):
        other = EQUIVALENTS[name](10.0**k)
        assert bn.verify(other.problem, other.into(best)).status == "certified", k
        off = bn.verify(other.problem, other.into(far))
        assert off.status == "budget"
        if name not in ABSOLUTE:
            ratio = float(off.certificate.ratio)
            # A dual point that a check finds by iterating differs by executor.
            rel = 1e-6 if name.startswith("relu") else 1e-8
            assert ratio == pytest.approx(float(seen.certificate.ratio), rel=rel)
        found = bn.solve(other.problem, tol=1e-8, max_steps=3000)
        assert found.status == "certified", k
        # Both are within the same small tolerance of one solution.
        size = 1e-5 * np.max(abs(best))
        np.testing.assert_allclose(other.back(found.x), best, rtol=0, atol=size)


@pytest.mark.parametrize("k", [-6, -3, 4, 6])
@pytest.mark.parametrize("name", ["ridge", "least_squares", "logistic"])
def test_float32_columns_from_a_millionth_to_a_million(name, k):
    one, other = (EQUIVALENTS[name](s, np.float32) for s in (1.0, 10.0**k))
    a, b = (bn.solve(v.problem, tol=1e-4) for v in (one, other))
    assert a.x.dtype == b.x.dtype == np.float32
    assert a.status == b.status == "certified"
    np.testing.assert_allclose(other.back(b.x), one.back(a.x), rtol=0.02, atol=1e-3)


@pytest.mark.parametrize(
    "name, where, words",
    [
        ("ridge", "reference", "from the reference"),
        ("linear_side", "data", "from the data"),
        ("minimize_value", "start", "absolute"),
    ],
)
def test_a_certificate_says_where_its_scale_is_from(name, where, words):
    # Of a residual that is rounding no scale is asked for: newton_cg arrives there.
    method = "trust_region_newton" if name == "minimize_value" else None
    r = bn.solve(EQUIVALENTS[name](1e-5).problem, method)
    claim = r.to_dict()["certificate"]
    assert claim["scale_from"] == claim["parts"][0]["scale_from"] == where
    assert words in str(r).splitlines()[0]


def test_an_absolute_tolerance_is_of_no_scale():
    bare = bn.solve(EQUIVALENTS["ridge"](1.0).problem, tol=bn.Absolute(1e-6))
    assert bare.to_dict()["certificate"]["scale_from"] == "none"
    assert float(bare.certificate.scale) == 1


def test_small_units_are_no_solution_and_rounding_is_one():
    def bowl(x, u):
        return u * jax.numpy.sum((x - 3.0) ** 2)

    start, near = np.zeros(2), np.array([2.5, 3.5])
    for u in (1e-7, 1e-11):
        p = bn.Smooth(bowl, start, (np.asarray(u),))
        off = bn.verify(p, near)
        # Far below 1e-6 in its own units, and a tenth of the gradient at the start.
        assert float(off.certificate.value) < 1e-6 and off.status == "budget"
        assert float(off.certificate.scale) == pytest.approx(6 * u * 2**0.5)
        assert off.certificate.scale_from == "start"
    # A start that is the solution: rounding is all that is left, and 1 is the scale.
    p = bn.Smooth(bowl, start + 3.0, (np.asarray(1.0),))
    at = bn.verify(p, start + 3.0)
    assert at.status == "certified" and at.certificate.scale_from == "none"
    off = bn.verify(p, start + 3.0 + 1e-9)
    assert off.status == "budget" and float(off.certificate.value) < 1e-8


@pytest.mark.parametrize("size", [1e-4, 2e-7, 3e-11])
def test_a_wrong_parameter_is_not_hidden_by_the_unit_of_another(size):
    """The amplitude that is best for a wrong place: only the place has a gradient."""
    t = np.linspace(-1, 2, 30)

    def fit(p, y):
        return jax.numpy.sum((p[0] / (1 + (t - p[1]) ** 2) - y) ** 2)

    y = size / (1 + (t - 0.4) ** 2)
    p = bn.Smooth(fit, np.array([0.5 * size, 0.0]), (y,))
    shape = 1 / (1 + (t - 0.41) ** 2)
    wrong = np.array([shape @ y / (shape @ shape), 0.41])
    assert bn.verify(p, wrong).status == "budget"
    assert bn.verify(p, np.array([size, 0.4])).status == "certified"
    found = bn.solve(p)
    assert found.certified
    np.testing.assert_allclose(found.x / [size, 1], [1, 0.4], rtol=1e-5)


def test_components_of_a_glm_are_named_where_nothing_measures_them():
    A = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
    p = bn.GLM(A, np.array([1.0, 2.0, 0.5]), bn.SquaredLoss(), bn.SquaredL2(0.1))
    v = bn.verify(p, np.array([0.2, 3e-3]), check="stationarity").certificate
    main, rest = v.parts
    r = A @ [0.2, 3e-3] - [1.0, 2.0, 0.5]
    g = A.T @ r + 0.1 * np.array([0.2, 3e-3])
    assert float(main.value) == pytest.approx(abs(g[0]) / 5.5)
    # The second column is 0: only the penalty sees its coefficient.
    assert "absolute" in rest.name and float(rest.value) == pytest.approx(3e-4)
    assert rest.scale_from == "none" and float(rest.scale) == 1
    plain = v.absolute()
    assert plain.quantity == "||grad f(x)||_2"
    assert float(plain.value) == pytest.approx(np.linalg.norm(g))


def test_a_small_column_is_not_hidden_by_a_large_one():
    """In the 2-norm the gradient of a column of size 1e-6 is nothing."""
    u = np.array([1e3, 1e-6])
    rng = np.random.default_rng(4)
    A = rng.normal(size=(20, 2)) * u
    y = A @ (np.array([1.0, -2.0]) / u) + 0.1 * rng.normal(size=20)
    best = np.linalg.lstsq(A / u, y)[0] / u
    p = bn.GLM(A, y, bn.SquaredLoss())
    assert bn.verify(p, best).certified
    for j in range(2):
        off = best.copy()
        off[j] *= 1.01
        assert not bn.verify(p, off).certified

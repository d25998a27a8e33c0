"""SCAD, MCP: exact proxes for every t, values, and that nothing is called convex."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.isotonic import IsotonicRegression

import banach as bn
from banach.terms.folded_concave import MCP, SCAD
from banach.terms.norms import L1, LInf
from banach.terms.sorted_l1 import SortedL1

TERMS = {
    "scad": SCAD(0.8),
    "scad_scaled": SCAD(0.5, 2.6, 4.0),
    "mcp": MCP(0.7),
    "mcp_scaled": MCP(0.9, 1.4, 0.5),
}
SLOPES = {
    "scad": lambda u: 0.8 if u <= 0.8 else max(3.7 * 0.8 - u, 0) / 2.7,
    "scad_scaled": lambda u: 4 * (0.5 if u <= 0.5 else max(1.3 - u, 0) / 1.6),
    "mcp": lambda u: max(0.7 - u / 3, 0),
    "mcp_scaled": lambda u: 0.5 * max(0.9 - u / 1.4, 0),
}
V = np.linspace(-6, 6, 241) + 1e-3
# Below, at and far beyond the constant 1 / rho, from which two minima compete.
T = [0.05, 0.4, 0.99, 1.0, 1.3, 3.0, 30.0]


@pytest.mark.parametrize("name", TERMS)
def test_value_is_the_integral_of_the_slope(name):
    term, slope = TERMS[name], SLOPES[name]
    for x in (0.3, -0.9, 2.0, -7.0):
        want = quad(slope, 0, abs(x), points=[0.5, 0.8, 1.3, 2.96], limit=200)[0]
        np.testing.assert_allclose(term.value(np.array([x])), want, rtol=1e-9)


@pytest.mark.parametrize("name", TERMS)
def test_prox_is_the_global_minimiser_for_every_t(name):
    term = TERMS[name]
    value = jax.jit(jax.vmap(lambda x: term.value(x[None])))
    grid = np.linspace(-7, 7, 28_001)
    g, prox = np.asarray(value(grid)), jax.jit(lambda v, t: term.prox(v, t))
    for t in [u / float(term.rho()) for u in T]:
        p = np.asarray(prox(V, t))
        got = np.asarray(value(p)) + (p - V) ** 2 / (2 * t)
        best = np.array([np.min(g + (grid - v) ** 2 / (2 * t)) for v in V])
        # No grid point is better, and none but neighbours are as good.
        assert np.all(got <= best + 1e-12 * (1 + best))
        assert np.all(got >= best - (5e-4) ** 2 * (1 / t + 2 * term.rho()) - 5e-4 * 4)
        # (v - p) / t is a subgradient at p, to rounding.
        bent = np.array([SLOPES[name](abs(q)) for q in p])
        s = (V - p) / t
        off = np.where(p == 0, np.maximum(abs(s) - bent, 0), s - np.sign(p) * bent)
        assert np.all(abs(off) <= 1e-14 * (1 + (abs(V) + abs(p)) / t))


def test_known_answers_thresholds_and_weight_zero():
    v = np.array([0.5, 1.5, 2.0, 3.0, -3.7, 5.0])
    got = SCAD(1.0).prox(v, 1.0)  # Fan and Li's equation 2.8
    np.testing.assert_allclose(got, [0, 0.5, 1, 4.4 / 1.7, -3.7, 5], rtol=1e-14)
    got = MCP(1.0, 2.0).prox(v, 1.0)  # firm threshold
    np.testing.assert_allclose(got, [0, 1, 2, 3, -3.7, 5], rtol=1e-14)
    # Hard threshold lam sqrt(gamma t) = 4 beyond gamma; the smaller one where tied.
    np.testing.assert_allclose(MCP(1.0, 2.0).prox(np.array([3.99, 4, 4.01]), 8.0),
                               [0, 0, 4.01])  # fmt: skip
    got = SCAD(1.0, 3.0).prox(np.array([3.49, 3.51, 5.9, 6.1]), 3.0)
    np.testing.assert_allclose(got, [0.49, 3.51, 5.9, 6.1], rtol=1e-12)
    weights = np.array([0.0, 1.0, 1.0])
    for term in (SCAD(weights), MCP(weights)):
        forward = jax.jacfwd(lambda v, g=term: g.prox(v, 0.5))(np.zeros(3))
        np.testing.assert_allclose(forward, np.diag([1.0, 0, 0]))
        assert term.unpenalised.tolist() == [True, False, False]
        each = term.prox(np.full(3, 2.0), np.array([0.1, 0.2, 0.3]))
        alone = [
            type(term)(w).prox(np.array(2.0), t)
            for w, t in zip(weights, [0.1, 0.2, 0.3], strict=True)
        ]
        np.testing.assert_allclose(each, alone)


@pytest.mark.parametrize("name", TERMS)
def test_rho_is_the_least_that_makes_it_convex(name):
    term, x = TERMS[name], np.linspace(-4, 4, 801)
    g = np.asarray(jax.vmap(lambda x: term.value(x[None]))(x))
    bend = lambda rho: np.min(np.diff(g + rho / 2 * x**2, 2))  # noqa: E731
    assert bend(float(term.rho())) >= -1e-12
    assert bend(0.9 * float(term.rho())) < -1e-6
    assert not term.is_convex() and bn.Product(bn.L1(1.0), term).rho() == term.rho()
    assert not bn.Product(bn.L1(1.0), term).is_convex()


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("t", [0.3, 30.0])
def test_nan_dtype_and_derivatives(name, t):
    term = TERMS[name]
    v = np.array([0.1, -1.13, 2.2, np.nan, 5.0, -9.0])
    p = term.prox(v, t)
    assert np.isnan(p[3]) and np.isfinite(np.delete(p, 3)).all()
    assert term.prox(jnp.asarray(v, jnp.float32), t).dtype == jnp.float32
    v = np.delete(v, 3)
    forward = np.diag(jax.jacrev(lambda v: term.prox(v, t))(v))
    want = (term.prox(v + 1e-6, t) - term.prox(v - 1e-6, t)) / 2e-6
    np.testing.assert_allclose(forward, want, atol=1e-8)


BAD = [
    (lambda: SCAD(-1), "SCAD lam must be nonnegative"),
    (lambda: SCAD(1, 2.0), "greater than 2, got 2.0; usual is 3.7"),
    (lambda: SCAD(1, scale=0), "SCAD scale must be positive"),
    (lambda: MCP(1, 0), "MCP gamma must be positive"),
    (lambda: MCP([1.0, np.nan]), "MCP lam holds NaN"),
    (lambda: MCP(1).fenchel_young(1.0, 1.0, 0), "lacks the oracle conjugate"),
    (lambda: MCP(1).dual_scale(1.0, 0), "scaling cannot repair"),
    (lambda: bn.Inclusion(lambda z: z, np.ones(2), term=MCP(1.0)), "not convex"),
]


@pytest.mark.parametrize("build, message", BAD)
def test_bad_input_names_the_cure(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


def data(seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((30, 8))
    return A, A[:, :2] @ np.array([2.0, -1.5]) + 0.1 * rng.standard_normal(30)


def models():
    A, b = data()
    f = lambda x: jnp.sum((A @ x - b) ** 2) / 2  # noqa: E731
    L = float(np.linalg.norm(A, 2) ** 2) * (1 + 1e-9)
    smooth = bn.Smooth(f, np.zeros(8), convex=True, L=L, mu=0.5)
    return {
        "scad": bn.ScadRegression(A, b, 0.3, scale=30.0),
        "mcp": bn.McpRegression(A, b, 0.3, scale=30.0, intercept=True),
        "composite": bn.Composite(smooth, bn.MCP(0.3, scale=30.0)),
        "ridged": bn.Composite(smooth, bn.SCAD(0.3, scale=30.0), rho=1e-9),
    }


@pytest.mark.parametrize("name", ["scad", "mcp", "composite", "ridged"])
def test_nothing_is_certified_as_a_bound(name):
    problem = models()[name]
    seen = problem.view() if hasattr(problem, "view") else None
    for facts in [problem.facts(), problem.smooth_facts()] + (
        [seen.there(problem).facts()] if seen is not None else []
    ):
        assert not facts.has("convex") and not facts.has("strongly_convex")
        assert facts.mu is None
    own = float(problem.term.rho())
    assert float(problem.facts().get("rho")) == own > 1e-9
    assert np.max(problem.residual_step()) < 1 / own
    assert "dual" not in problem.oracles() and problem.default_check() == "step"
    for check in ("gap", "frank_wolfe", "strong", "distance"):
        try:
            verdict = bn.verify(problem, np.zeros(problem.space().shape), check=check)
        except ValueError:
            continue
        raise AssertionError(f"{check} certified {verdict}")
    absent = [way.absent for way in problem.views() if way.name != "finite_sum"]
    assert absent and all("not convex" in why for why in absent)
    result = bn.solve(problem)
    assert result.certified and result.certificate.grade == "residual"
    assert "f(x)-f*" not in str(result)


def test_all_stationary_points_are_certified_and_none_as_best():
    # 1/2 (x - 1.2)^2 + MCP(1.5, 0.5): minima 0.72 at 0 and 0.5625 at 1.2, and a
    # maximum at 0.3, where x - 1.2 + 1.5 - 2 x = 0.
    problem = bn.McpRegression(np.ones((1, 1)), np.array([1.2]), 1.5, gamma=0.5)
    for x in (0.0, 1.2, 0.3):
        verdict = bn.verify(problem, np.array([x]))
        assert verdict.certified and verdict.certificate.grade == "residual"
    assert not bn.verify(problem, np.array([0.5])).certified


def test_sorted_l1_against_isotonic_regression_and_its_special_cases():
    rng = np.random.default_rng(3)
    v, lam = 2 * rng.standard_normal(300), np.sort(rng.random(300))[::-1]
    order = np.argsort(-abs(v), kind="stable")
    fit = IsotonicRegression(increasing=False).fit_transform
    want = np.zeros(300)
    want[order] = np.maximum(fit(np.arange(300), abs(v)[order] - 0.7 * lam), 0)
    got = SortedL1(lam).prox(v, 0.7)
    np.testing.assert_allclose(got, np.sign(v) * want, atol=1e-14)
    assert len(np.unique(abs(want))) < 250  # blocks did form
    top = np.r_[1.3, np.zeros(299)]
    np.testing.assert_allclose(
        SortedL1(top).prox(v, 2.0), LInf(1.3).prox(v, 2.0), atol=1e-14
    )
    np.testing.assert_allclose(SortedL1(0.4).prox(v, 2.0), L1(0.4).prox(v, 2.0))
    assert np.all(np.asarray(SortedL1(0.0).prox(v, 2.0)) == v)
    x, low = rng.standard_normal((100, 300)), SortedL1(lam).floor(300, float)
    flat = np.repeat([[1.0, 0.0]], [1, 299], axis=1)
    for row in (*x, *np.tri(300), flat[0]):
        assert SortedL1(lam).value(row) >= low * np.linalg.norm(row)

"""Properties of every prox, projection and LMO, from one table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_terms_table import CASES, COMPACT, SETS, batch, programs

from banach.core import tree
from banach.terms.affine import HalfSpace
from banach.terms.norms import L1, ElasticNet, L2Norm, SquaredL2, Zero
from banach.terms.sets import Box, L2Ball, LInfBall, Nonnegative

EPS = np.finfo(float).eps
quick = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def dots(a, b):
    return np.sum(a * b, axis=tuple(range(1, a.ndim)))


@pytest.mark.parametrize("name", CASES)
def test_optimality_and_firm_nonexpansiveness(name):
    case = CASES[name]
    prox, value = programs(case.term)

    @quick
    @given(seed=st.integers(0, 2**31), power=st.integers(-2, 2))
    def holds(seed, power):
        v1, v2 = batch(seed, case.shape), batch(seed + 1, case.shape)
        t = np.full(64, 10.0**power)
        p1, p2 = np.asarray(prox(v1, t)), np.asarray(prox(v2, t))
        size = dots(v1, v1) + dots(v2, v2) + dots(p1, p1) + dots(p2, p2)
        assert np.all(dots(p1 - p2, v1 - v2 - p1 + p2) >= -100 * EPS * size)
        # (v - p) / t is a subgradient at p: tested against every p2 of the batch.
        g1, g2 = np.asarray(value(p1)), np.asarray(value(p2))
        lead = t * (g1 - g2) + dots(v1 - p1, p2 - p1)
        assert np.all(lead <= 100 * EPS * (size + t * (g1 + g2)))

    holds()


@pytest.mark.parametrize("name", SETS)
def test_projections_are_idempotent_and_violation_is_the_distance(name):
    case = CASES[name]
    v = batch(5, case.shape)
    project = jax.jit(jax.vmap(case.term.project))
    violation = jax.jit(jax.vmap(case.term.violation))
    p = np.asarray(project(v))
    size = 100 * EPS * (1 + np.sqrt(dots(v, v)))
    assert np.all(np.sqrt(dots(project(p) - p, project(p) - p)) <= size)
    assert np.all(violation(p) <= size)
    away = np.sqrt(dots(v - p, v - p))
    assert np.all(abs(violation(v) - away) <= size)
    middle = case.term.center(v[0])
    assert case.term.violation(middle) <= 100 * EPS
    assert jnp.shape(middle) == case.shape


@pytest.mark.parametrize("name", COMPACT)
def test_lmo_is_feasible_and_beats_points_and_vertices(name):
    case = CASES[name]
    term, g, z = case.term, batch(7, case.shape), batch(8, case.shape)
    lmo, project = jax.jit(jax.vmap(term.lmo)), jax.jit(jax.vmap(term.project))
    s, z = np.asarray(lmo(g)), np.asarray(project(z))
    vertices = np.asarray(lmo(batch(9, case.shape)))
    flat = g.reshape(64, -1)
    for other in (z, vertices, np.asarray(project(1e6 * batch(10, case.shape)))):
        worst = np.min(flat @ other.reshape(64, -1).T, axis=1)
        assert np.all(dots(g, s) <= worst + 100 * EPS * np.sqrt(dots(g, g)))
        apart = other.reshape(64, 1, -1) - vertices.reshape(1, 64, -1)
        longest = np.max(np.linalg.norm(apart, axis=-1))
        assert longest <= term.diameter(g[0]) * (1 + 1e-12)
    assert np.all(jax.vmap(term.violation)(s) <= 100 * EPS)
    np.testing.assert_allclose(jax.vmap(term.support)(-g), -dots(g, s), rtol=1e-13)
    zero = np.asarray(term.lmo(np.zeros(case.shape)))
    assert term.violation(zero) <= 100 * EPS


def cut_ball(v, radius):
    """Projection on the l1 ball by bisection on the threshold."""
    a = np.abs(v)
    if a.sum() <= radius:
        return v
    low, high = 0.0, a.max()
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if np.maximum(a - mid, 0).sum() > radius else (low, mid)
    return np.sign(v) * np.maximum(a - high, 0)


def cut_l2(v, radius):
    n = np.linalg.norm(v)
    return v if n <= radius else v * (radius / n)


def cut_spectral(v, radius):
    u, s, wt = np.linalg.svd(v, full_matrices=False)
    return u * np.minimum(s, radius) @ wt


def cut_groups(v, radius):
    w = v.copy()
    for group in ((0, 3), (1, 2, 5), (4,)):
        w[list(group)] = cut_l2(v[list(group)], radius)
    return w


def soft(v, k):
    return np.sign(v) * np.maximum(abs(v) - k, 0)


# prox of g*/t at w, derived from g* alone: projections on dual balls, or the
# stationarity equation of a smooth conjugate.
CONJUGATE_PROX = {
    "l1": lambda w, t: np.clip(w, -0.7, 0.7),
    "l2_norm": lambda w, t: cut_l2(w, 0.8),
    "squared_l2": lambda w, t: w * 0.6 * t / (0.6 * t + 1),
    "elastic_net": lambda w, t: w - soft(w, 0.5) / (1 + 0.25 * t),
    "group": lambda w, t: cut_groups(w, 0.9),
    "linf": lambda w, t: cut_ball(w, 1.1),
    "sparse_group": lambda w, t: np.clip(w, -0.5, 0.5) + cut_groups(soft(w, 0.5), 0.7),
    "nuclear": lambda w, t: cut_spectral(w, 0.4),
    "linf_ball": lambda w, t: soft(w, 0.9 / t),
    "nonnegative": lambda w, t: np.minimum(w, 0),
    "l1_ball": lambda w, t: w - cut_ball(t * w, 1.2) / t,
}


@pytest.mark.parametrize("name", CONJUGATE_PROX)
def test_moreau_identity(name):
    case = CASES[name]
    prox, _ = programs(case.term)
    v = batch(11, case.shape)
    for t in (0.1, 1.0, 7.0):
        p = np.asarray(prox(v, np.full(64, t)))
        dual = np.stack([CONJUGATE_PROX[name](w / t, t) for w in v])
        assert np.max(abs(p + t * dual - v) / (1 + abs(v))) < 1e-13


@pytest.mark.parametrize("name", CASES)
def test_nan_is_never_swallowed_and_float32_stays(name):
    case = CASES[name]
    term, v = case.term, batch(12, case.shape)[1]

    @jax.jit
    def looked_at(v):
        single = term.prox(v.astype(jnp.float32), 0.3)
        return term.prox(v, 0.3), single, term.value(single), term.violation(single)

    exact, single, *sizes = looked_at(v)
    assert {a.dtype for a in (single, *sizes)} == {jnp.dtype(jnp.float32)}
    assert np.max(abs(single - exact)) <= 1e-5 * (1 + np.max(abs(v)))
    v = v.copy()
    v.flat[1] = np.nan
    if name != "box":  # its second side is the point 0
        assert not np.all(np.isfinite(looked_at(v)[0]))
    if name == "box":
        v.flat[0] = np.nan
        assert np.isnan(np.asarray(looked_at(v)[0])[0])


PYTREE = [
    *(Zero(), L1(0.4), L2Norm(0.9), SquaredL2(2.0), ElasticNet(0.3, 0.2)),
    *(Box(-0.2, 0.7), LInfBall(0.5), Nonnegative(), L2Ball(0.5)),
]


@pytest.mark.parametrize("term", PYTREE, ids=lambda term: type(term).__name__)
def test_pytree_variables_agree_with_the_flat_vector(term):
    rng = np.random.default_rng(2)
    x = {"a": rng.normal(size=(2, 2)), "b": (rng.normal(), rng.normal(size=3))}
    v = jax.tree.map(lambda leaf: 0.1 * leaf + 0.05, x)
    flat, back = tree.ravel(x)
    thin = tree.ravel(v)[0]
    same = term.prox(flat, 0.5)
    assert tree.norm(tree.sub(term.prox(x, 0.5), back(same))) < 1e-14
    np.testing.assert_allclose(term.value(x), term.value(flat), rtol=1e-14)
    np.testing.assert_allclose(term.violation(x), term.violation(flat), atol=1e-14)
    if "conjugate" in term.offers():
        got, want = term.fenchel_young(x, v, 1e-9), term.fenchel_young(flat, thin, 1e-9)
        np.testing.assert_allclose(got, want, rtol=1e-12)
        scales = term.dual_scale(x, 1e-3), term.dual_scale(flat, 1e-3)
        np.testing.assert_allclose(*scales, rtol=1e-13)
    if "lmo" in term.offers():
        got = tree.ravel(term.lmo(x))[0]
        np.testing.assert_allclose(got, term.lmo(flat), atol=1e-15)


def test_pytree_hyperparameters():
    x = {"a": np.array([3.0, -1.0]), "b": np.array(2.0)}
    lam = {"a": np.array([1.0, 0.0]), "b": 0.5}
    got = ElasticNet(lam, 1.0).prox(x, 1.0)
    np.testing.assert_allclose(got["a"], [1.0, -0.5])
    np.testing.assert_allclose(got["b"], 0.75)
    mask = ElasticNet(lam, 0.0).unpenalised
    assert mask["a"].tolist() == [False, True] and not mask["b"]
    half = HalfSpace({"a": np.array([1.0, 1.0]), "b": np.array(1.0)}, 1.0)
    np.testing.assert_allclose(half.violation(x), 3 / np.sqrt(3))
    assert half.violation(half.project(x)) < 1e-15
    np.testing.assert_allclose(SquaredL2({"a": np.ones(2), "b": 0.3}).mu(), 0.3)

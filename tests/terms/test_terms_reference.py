"""Independent references for the projections and total variation; derivatives."""

from fractions import Fraction
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import lsq_linear
from test_terms_table import CASES, A, batch

from banach.terms.affine import AffineSet, SecondOrderCone
from banach.terms.sets import Simplex
from banach.terms.spectral import Nuclear, NuclearBall, Spectrahedron
from banach.terms.total_variation import TotalVariation1D


def exact_simplex(v, radius):
    """All supports, in rational arithmetic: the one that satisfies the KKT system."""
    v = [Fraction(float(a)) for a in v]
    for size in range(1, len(v) + 1):
        for support in combinations(range(len(v)), size):
            theta = (sum(v[i] for i in support) - Fraction(radius)) / size
            inside = all(v[i] >= theta for i in support)
            if inside and all(v[i] <= theta for i in range(len(v)) if i not in support):
                return np.array([float(max(a - theta, 0)) for a in v])
    raise AssertionError("no support")


def test_simplex_against_rational_brute_force():
    project = jax.jit(jax.vmap(Simplex(1.5).project))
    v = batch(0, (6,))
    want = np.stack([exact_simplex(w, 1.5) for w in v])
    np.testing.assert_allclose(project(v), want, atol=1e-12)
    offset = v + 1e6
    want = np.stack([exact_simplex(w, 1.5) for w in offset])
    np.testing.assert_allclose(project(offset), want, atol=1e-12)


def test_affine_set_is_the_least_squares_correction():
    v, b = batch(1, (6,)), np.array([1.0, -2.0])
    for rows, level in ((A, b), (np.vstack([A, A[0] + A[1]]), np.array([1.0, -2, -1]))):
        p = np.asarray(jax.vmap(AffineSet(rows, level).project)(v))
        want = v - np.linalg.lstsq(A, (v @ A.T - b).T, rcond=None)[0].T
        np.testing.assert_allclose(p, want, atol=1e-11)


def test_second_order_cone_by_its_own_kkt_system():
    v = batch(2, (6,))
    v[0], v[1], v[2] = 0, [1, 1, 0, 0, 0, 0], [-1, 1, 0, 0, 0, 0]
    p = np.asarray(jax.vmap(SecondOrderCone().project)(v))
    polar = v - p
    size = 1e-13 * (1 + np.linalg.norm(v, axis=1))
    assert np.all(np.linalg.norm(p[:, 1:], axis=1) <= p[:, 0] + size)
    assert np.all(np.linalg.norm(polar[:, 1:], axis=1) <= -polar[:, 0] + size)
    assert np.all(abs(np.sum(p * polar, axis=1)) <= size**2 * 1e13)


def dense_tv(y, lam):
    """y - D'z with z the bounded least-squares dual, solved by an active set."""
    d = np.diff(np.eye(len(y)), axis=0)
    z = lsq_linear(d.T, y, (-lam, lam), method="bvls", tol=1e-15, max_iter=1000).x
    return y - d.T @ z


@pytest.mark.parametrize("lam", [1e-3, 0.1, 0.7, 3.0, 50.0])
def test_tv_against_a_dense_dual_solution(lam):
    rng = np.random.default_rng(3)
    y = np.cumsum(rng.normal(size=(32, 12)), axis=1)
    y[16:] = np.round(rng.normal(size=(16, 12)))  # ties
    x = np.asarray(jax.vmap(lambda v: TotalVariation1D(lam).prox(v, 1.0))(y))
    want = np.stack([dense_tv(row, lam) for row in y])
    np.testing.assert_allclose(x, want, atol=1e-11)


@pytest.mark.parametrize("kind", ["walk", "noise", "steps", "ramp", "offset"])
def test_tv_satisfies_its_kkt_system_on_long_signals(kind):
    rng, n, lam = np.random.default_rng(4), 1500, 2.5
    y = {
        "walk": np.cumsum(rng.normal(size=n)),
        "noise": rng.normal(size=n),
        "steps": np.round(np.cumsum(rng.normal(size=n)) / 4),
        "ramp": np.linspace(0, 5, n) ** 2,
        "offset": rng.normal(size=n) + 1e6,
    }[kind]
    x = np.asarray(jax.jit(lambda v: TotalVariation1D(lam).prox(v, 1.0))(y))
    rest = [Fraction(float(a)) - Fraction(float(b)) for a, b in zip(y, x, strict=True)]
    total, z = Fraction(0), []
    for r in rest:
        total += r
        z.append(float(total))
    # y - x = D'z: |z| <= lam inside, z = -lam sign(jump) at jumps, 0 at the end.
    z, tol = np.array(z), 1e-11 * max(1, np.max(abs(y)) * 1e-3)
    assert abs(z[-1]) <= tol
    assert np.max(abs(z[:-1])) <= lam + tol
    jump = np.diff(x)
    moving = abs(jump) > 1e-9
    assert moving.sum() > 10
    assert np.max(abs(z[:-1] + lam * np.sign(jump))[moving]) <= tol


def test_tv_degenerate_sizes():
    assert TotalVariation1D(1.0).prox(np.zeros(0), 1.0).shape == (0,)
    np.testing.assert_allclose(TotalVariation1D(1.0).prox(np.array([3.0]), 1.0), [3.0])
    pair = TotalVariation1D(1.0).prox(np.array([0.0, 5.0]), 1.0)
    np.testing.assert_allclose(pair, [1.0, 4.0])
    same = TotalVariation1D(0.0).prox(np.array([1.0, 4.0, 4.0, 2.0]), 1.0)
    np.testing.assert_allclose(same, [1.0, 4.0, 4.0, 2.0])


def jacobians(term, shape):
    n = int(np.prod(shape))

    def prox(flat, t):
        return term.prox(flat.reshape(shape), t).ravel()

    both = jax.jit(lambda v, t: (jax.jacfwd(prox)(v, t), jax.jacrev(prox)(v, t)))
    return jax.jit(prox), both, n


def ties(name, shape):
    """Zeros, equal entries, the thresholds themselves, repeated spectra."""
    eye = np.eye(*shape) if len(shape) == 2 else np.ones(shape)
    special = {
        "l1": np.array([0.35, -0.35, 0, 0, 1, 1.0]),
        "l1_weights": np.array([0.25, 0.0, -0.5, 1, 0.05, 0]),
        "elastic_net": np.array([0.25, -0.25, 0, 0, 1, 1.0]),
        "l2_norm": np.array([0.4, 0, 0, 0, 0, 0]),
        "box": (np.array([-1.0, 0, 3, -0.5, 0.5, 0.25])),
        "second_order_cone": np.array([1.0, 1, 0, 0, 0, 0]),
        "simplex": np.array([1.5, 1.5, 0, 0, 0, 0]),
    }
    negative = np.array([-1.0, 1, 0, 0, 0, 0]) if len(shape) == 1 else -eye
    always = [np.zeros(shape), eye, 0.2 * eye, negative, 7.0 * eye]
    return always + ([special[name]] if name in special else [])


@pytest.mark.parametrize("name", CASES)
def test_derivatives_at_generic_points_and_ties(name):
    term, shape = CASES[name]
    prox, both, n = jacobians(term, shape)
    rng, h, t = np.random.default_rng(6), 1e-6, 0.5
    for scale in (0.3, 1.0, 4.0):
        v = rng.normal(size=n) * scale
        forward, reverse = both(v, t)
        steps = h * np.eye(n)
        want = np.stack([(prox(v + d, t) - prox(v - d, t)) / (2 * h) for d in steps])
        np.testing.assert_allclose(forward, want.T, atol=1e-7)
        np.testing.assert_allclose(reverse, forward, atol=1e-12)
    for v in ties(name, shape):
        forward, reverse = both(v.ravel(), t)
        np.testing.assert_allclose(reverse, forward, atol=1e-12)
        # Every generalised derivative of a prox is symmetric with spectrum in [0, 1].
        np.testing.assert_allclose(forward, forward.T, atol=1e-12)
        spectrum = np.linalg.eigvalsh(np.asarray(forward))
        assert spectrum[0] >= -1e-12 and spectrum[-1] <= 1 + 1e-12


@pytest.mark.parametrize(
    "make",
    [Nuclear, NuclearBall, Spectrahedron, TotalVariation1D, Simplex],
)
def test_derivative_in_the_hyperparameter(make):
    square = not isinstance(make(1.0), TotalVariation1D | Simplex)
    v = np.random.default_rng(8).normal(size=(3, 3) if square else 6) * 2

    def prox(r):
        return make(r).prox(v, 0.5)

    got = jax.jacfwd(prox)(jnp.asarray(0.9))
    want = (prox(0.9 + 1e-6) - prox(0.9 - 1e-6)) / 2e-6
    np.testing.assert_allclose(got, want, atol=1e-8)


def test_unpenalised_coordinates_have_derivative_one():
    term, shape = CASES["l1_weights"]
    forward = jax.jacfwd(lambda v: term.prox(v, 1.0))(np.zeros(shape))
    np.testing.assert_allclose(np.diag(forward), [0, 1, 0, 0, 0, 0])
    term, shape = CASES["group_labels"]
    forward = jax.jacfwd(lambda v: term.prox(v, 1.0))(np.zeros(shape))
    np.testing.assert_allclose(np.diag(forward), [0, 0, 0, 1, 0, 1])
    assert term.unpenalised.tolist() == [False, False, False, True, False, True]

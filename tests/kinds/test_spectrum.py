"""Bounds of ||A||^2 from ten products: above the truth, and at most twice it."""

import numpy as np
import pytest
import scipy.sparse
import scipy.stats

import banach as bn
from banach.core.facts import CONSTRUCTION, LIKELY
from banach.core.tree import dtype
from banach.estimate import spectrum
from banach.kinds.glm.bounds import gradient_lipschitz

RNG = np.random.default_rng(5)
M = 180


def orthogonal(n):
    return np.linalg.qr(RNG.standard_normal((n, n)))[0]


# Squared singular values. The hardest for a polynomial are those of a Chebyshev grid,
# and then one value beside a crowd.
SPECTRA = {
    "chebyshev": (1 - np.cos(np.pi * (np.arange(M) + 0.5) / M)) / 2,
    "semicircle": np.sort(np.linalg.eigvalsh(np.cov(RNG.standard_normal((M, 2 * M))))),
    "one": np.r_[np.ones(M - 1) / 9, 1.0],
    "close": np.r_[np.linspace(0.5, 0.999, M - 1), 1.0],
    "geometric": np.geomspace(1e-12, 1, M),
    "rank one": np.r_[np.zeros(M - 1), 1.0],
    "flat": np.ones(M),
}


@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
def test_a_bound_is_above_the_truth_and_within_a_factor_of_two(values):
    top = values.max()
    A = orthogonal(M) * np.sqrt(values) @ orthogonal(M)
    found = spectrum.of_matrix(A)
    assert top <= found.high <= 2 * top
    assert 0.5 * top <= found.low <= top * (1 + 1e-12)
    assert found.products <= 10
    # What is certain is hundreds of times that for the flatter ones.
    assert found.high <= np.sum(A * A) * (1 + 1e-9)


@pytest.mark.parametrize("shape", [(M, 400), (400, M), (M, M)])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("size", [1.0, 1e-15, 1e15])
def test_lipschitz_constants_of_weighted_models_with_an_intercept(shape, kind, size):
    A = (size * (0.5 + RNG.standard_normal(shape))).astype(kind)
    w = RNG.random(shape[0])
    B = np.sqrt(w)[:, None] * np.c_[A.astype(float), np.ones(shape[0])]
    B = B if shape[1] < shape[0] else B.T
    top = 0.25 * np.linalg.eigvalsh(B.T @ B)[-1]
    L = gradient_lipschitz(A, w, True, 0.25)
    assert top <= L <= 2 * top
    # Rounded to the dtype of the run it still bounds.
    assert float(kind(L)) >= top


def test_columns_and_weights_beyond_the_squares_of_floats():
    A = RNG.standard_normal((150, 160))
    w = RNG.random(150)
    top = np.linalg.norm(np.sqrt(w)[:, None] * A, 2) ** 2
    for size in (1e-140, 1e140):
        assert 1 <= gradient_lipschitz(size * A, w, False, 1.0) / size / size / top <= 2
        assert 1 <= gradient_lipschitz(A, size * w, False, 1.0) / size / top <= 2
    assert gradient_lipschitz(1e170 * A, w, False, 1.0) == np.inf
    assert 0 < gradient_lipschitz(0 * A, w, False, 1.0) < 1e-300
    # Zero weights.
    assert 0 < gradient_lipschitz(A, 0 * w, False, 1.0) < 1e-300


@pytest.mark.parametrize("columns", [8, 16, 24, 32])
def test_a_start_hides_a_direction_as_rarely_as_said(columns):
    said = spectrum.hidden(columns)
    rare = scipy.stats.chi2.cdf(said, columns)
    assert 0.1 * spectrum.CHANCE < rare <= spectrum.CHANCE
    assert f"{spectrum.CHANCE:.0e}" in LIKELY


def test_the_columns_leave_no_spectrum_a_factor_above_two():
    for size in (200, 10_000, 300_000):
        b = spectrum.columns_for(size)
        # T_5(3)^2, the growth of the extreme polynomial at twice the interval.
        assert size * b / spectrum.hidden(b) <= 3363**2
    assert spectrum.columns_for(200) < spectrum.columns_for(300_000)


def hardly_seen(share, values):
    """The bound with a start that holds the last direction at `share` of the least."""
    X = np.random.default_rng(3).standard_normal((M, 8))
    least = spectrum.hidden(8)
    X[-1] *= np.sqrt(share * least) / np.linalg.norm(X[-1])
    error = 4e-14 * values.sum()

    def gram(Q):
        # The worst rounding that the bound allows: away from what is to be seen.
        out = values[:, None] * Q
        fault = np.zeros_like(Q)
        fault[-1] = -Q[-1] / np.linalg.norm(Q[-1]) if Q[-1].any() else 0
        return out + error * np.linalg.norm(Q) * fault

    return spectrum.largest(gram, M, error, values.sum(), start=X).high


@pytest.mark.parametrize("name", ["chebyshev", "one", "close", "rank one"])
def test_any_start_that_shows_the_direction_enough_gives_a_bound(name):
    values = np.sort(SPECTRA[name])
    for far in (1.0, 1.3, 3.0, 40.0):
        apart = np.r_[values[:-1], far * values[-1]]
        assert hardly_seen(1.01, apart) >= apart[-1]


def test_a_start_that_misses_the_direction_gives_none():
    values = np.r_[np.ones(M - 1), 5.0]
    assert hardly_seen(0.0, values) < 5
    assert hardly_seen(1.01, values) >= 5


def test_a_large_rounding_error_leaves_what_is_certain():
    values = np.linspace(0, 1, M)
    out = spectrum.largest(lambda Q: values[:, None] * Q, M, 1.0, values.sum())
    assert out.high == values.sum()


def test_facts_say_how_the_constant_is_known():
    A = RNG.standard_normal((150, 200))
    model = bn.Ridge(A, A[:, 0], 0.1)
    facts = model.facts()
    assert facts.provenance("L") == LIKELY
    assert facts.provenance("convex") == CONSTRUCTION
    part = model.as_finite_sum().facts()
    assert part.provenance("L") == LIKELY
    assert part.provenance("convex") == part.provenance("mu") == CONSTRUCTION
    assert float(part.L) == pytest.approx(float(facts.L) / 150)
    small = bn.Ridge(A[:, :20], A[:, 0], 0.1).facts()
    assert small.provenance("L") == CONSTRUCTION


def test_sparse_and_normal_systems_have_tight_norms_and_certain_scales():
    n = 300
    beside = np.full(n - 1, -1.0)
    bands = [beside, np.full(n, 2.0), beside]
    band = scipy.sparse.diags_array(bands, offsets=[-1, 0, 1])
    b = np.ones(n)
    for A in (band.tocsr(), band.toarray()):
        p = bn.Linear(A, b, positive_definite=True)
        assert 4 * 0.999 <= float(p.facts().L) <= 6
        assert p.facts().provenance("L") == LIKELY
    tall = RNG.standard_normal((400, 200)).astype(np.float32)
    p = bn.normal_equations(tall, tall[:, 0], 0.5)
    top = np.linalg.norm(tall.astype(float), 2) ** 2 + 0.5
    assert dtype(p.A) == np.float32
    assert top <= float(p.facts().L) <= 2 * top
    # A distance is relative to ||b|| / ||A||_F: a certificate has no chance in it.
    said = bn.verify(
        bn.Linear(band.toarray(), b, positive_definite=True, sigma=1e-5),
        b,
        check="linear_distance",
    )
    scale = np.sqrt(n) / np.linalg.norm(band.toarray())
    assert float(said.certificate.scale) == pytest.approx(scale, rel=0.02)

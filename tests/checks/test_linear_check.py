"""Residual and error bounds of linear systems: soundness, and every known lie."""

from fractions import Fraction

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.linear.check import EnergyError, LinearDistance, LinearResidual
from banach.kinds.linear.problem import Linear
from banach.parts.grid_laplacians import obstacles, poisson_grid

RNG = np.random.default_rng(8)
KEY = 0


def look(check, problem, x):
    return judged(check, problem, Point(x), KEY)[0]


def exact_residual(A, b, x):
    """||b - A x|| in rational arithmetic, rounded up."""
    total = Fraction(0)
    for row, c in zip(A.tolist(), b.tolist(), strict=True):
        r = Fraction(c) - sum(
            Fraction(a) * Fraction(v) for a, v in zip(row, x.tolist(), strict=True)
        )
        total += r * r
    return float(np.sqrt(float(total)))


def spd(n, scale=1.0, condition=100.0):
    Q, _ = np.linalg.qr(RNG.standard_normal((n, n)))
    A = scale * (Q * np.logspace(0, -np.log10(condition), n)) @ Q.T
    return (A + A.T) / 2


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_the_residual_is_sound_at_the_solution_and_near_it(scale, offset):
    for _ in range(5):
        A = spd(7, scale)
        truth = RNG.standard_normal(7) + offset
        p = Linear(A, A @ truth)
        for x in (truth, np.linalg.solve(A, p.b), truth * (1 + 1e-12)):
            c = look(LinearResidual(), p, x)
            exact = exact_residual(A, p.b, x)
            assert abs(exact - float(c.value)) <= float(c.slack)
            assert float(c.scale) == pytest.approx(np.linalg.norm(p.b))
            # The slack is rounding of this size, not a blanket.
            rough = np.linalg.norm(np.abs(A) @ np.abs(x) + np.abs(p.b))
            assert float(c.slack) <= 40 * 2.0**-53 * rough


def test_sparse_grid_and_function_agree_with_dense():
    solid = obstacles(14, 2)
    grid = poisson_grid(solid)
    K = np.asarray(grid.matrix(np.zeros((14, 14))))
    b = RNG.standard_normal((14, 14))
    x = RNG.standard_normal((14, 14))
    rows, columns = np.nonzero(K)
    sparse = BCOO(
        (jnp.asarray(K[rows, columns]), jnp.stack([rows, columns], 1)), shape=K.shape
    )
    cases = [
        (Linear(K, b.ravel()), x.ravel()),
        (Linear(sparse, jnp.asarray(b.ravel())), x.ravel()),
        (Linear(grid, b), x),
        (Linear(lambda v: grid.matvec(v), b), x),
    ]
    seen = [look(LinearResidual(), p, at) for p, at in cases]
    truth = np.linalg.norm(b.ravel() - K @ x.ravel())
    for c in seen:
        assert float(c.value) == pytest.approx(truth, rel=1e-13)
        assert 0 < float(c.slack) < 1e-12 * truth and c.rounding == "modelled"
        assert float(c.scale) == pytest.approx(np.linalg.norm(b))


def test_a_function_without_rounding_rules_is_estimated_and_says_so():
    p = Linear(lambda x: jnp.fft.irfft(2 * jnp.fft.rfft(x), 8), RNG.standard_normal(8))
    c = look(LinearResidual(), p, p.b / 2)
    assert c.rounding == "estimated" and c.assumes == ("A x rounding: estimated",)
    assert float(c.slack) > float(c.value)


def test_b_zero_is_absolute():
    p = Linear(spd(4), np.zeros(4))
    x = np.full(4, 1e-3)
    c = look(LinearResidual(), p, x)
    assert float(c.scale) == 1
    assert float(c.value) == pytest.approx(np.linalg.norm(p.A.entries @ x))


def test_lie_a_recurrence_residual_is_not_read():
    """From a start of size 1e8 CG's own residual sinks far below the true one."""
    A = spd(20)
    p = Linear(A, RNG.standard_normal(20), np.full(20, 1e8))
    r = bn.solve(p, bn.ConjugateGradient(bn.Plain()), tol=1e-13, max_steps=300)
    own = float(np.linalg.norm(r.carry.state.r))
    x = np.asarray(r.carry.state.x)
    true = exact_residual(A, p.b, x)
    assert own < 1e-3 * true
    c = look(LinearResidual(), p, x)
    assert float(c.value) + float(c.slack) >= true and not r.certified
    assert r.status in ("stalled", "unverifiable", "budget")


def test_lie_a_preconditioned_residual_is_not_read():
    """||M r|| may be made as small as you like; ||r|| is the same."""
    p = Linear(np.diag([1.0, 1e8]), np.array([1.0, 1e8]))
    x = np.array([0.0, 1.0])
    # Jacobi: M r = (1, 0), and with M = 1e-9 I it is 1e-9.
    c = look(LinearResidual(), p, x)
    assert float(c.value) == 1.0 and not bool(c.within(1e-9))
    bad = np.array([1.0, 1 - 1e-3])
    assert float(look(LinearResidual(), p, bad).value) == pytest.approx(1e5)


def test_lie_an_inconsistent_system_with_a_huge_x():
    """||r|| / (||A|| ||x|| + ||b||) is 1e-8 here, and ||r|| = ||b||."""
    A = np.diag([1.0, 1e-12])
    p = Linear(A, np.array([0.0, 1.0]))
    x = np.array([0.0, 1e8])
    c = look(LinearResidual(), p, x)
    assert float(c.ratio) > 0.99
    d = look(LinearDistance(), p, x)
    assert float(d.value) >= 1e12 - 1e8


def test_lie_zero_rows_are_proved_infeasible():
    A = np.array([[1.0, 2.0], [0.0, 0.0]])
    status, proof = Linear(A, np.ones(2)).unsolvable()
    assert status == "infeasible" and "row 1" in proof
    assert Linear(A, np.array([1.0, 0.0])).unsolvable() is None


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_distance_is_bounded_and_not_by_much_more(symmetric):
    for condition in (10.0, 1e6):
        A = spd(8, condition=condition)
        if not symmetric:
            A = A @ np.linalg.qr(RNG.standard_normal((8, 8)))[0]
        truth = RNG.standard_normal(8)
        p = Linear(A, A @ truth)
        best = np.linalg.solve(A.astype(np.longdouble).astype(float), p.b)
        x = best + 1e-3 * RNG.standard_normal(8)
        c = look(LinearDistance(), p, x)
        away = np.linalg.norm(x - truth)
        assert float(c.value) + float(c.slack) >= away * (1 - 1e-6)
        sigma = np.linalg.svd(A, compute_uv=False)[-1]
        least = np.linalg.norm(p.b - A @ x) / sigma
        assert float(c.value) <= 4 * least
        assert c.grade == "bound"
        # The scale is a lower bound of ||x*||: the ratio bounds the relative error.
        assert float(c.scale) <= np.linalg.norm(truth)


def test_the_energy_error_is_bounded():
    A = spd(8, condition=50.0)
    truth = RNG.standard_normal(8)
    p = Linear(A, A @ truth)
    x = truth + 1e-3 * RNG.standard_normal(8)
    c = look(EnergyError(), p, x)
    e = x - truth
    assert np.sqrt(e @ A @ e) <= float(c.value) + float(c.slack)
    assert c.assumes == ("positive_definite: by construction",)
    assert float(c.scale) <= np.sqrt(truth @ A @ truth)


def test_a_singular_matrix_proves_no_distance():
    A = np.ones((3, 3))
    c = look(LinearDistance(), Linear(A, np.ones(3)), np.full(3, 1 / 3))
    assert not np.isfinite(float(c.value)) and not bool(c.within(1e9))


def test_a_declared_sigma_is_printed_and_a_false_one_is_the_callers():
    p = Linear(np.diag([1.0, 1e-3]), np.ones(2), sigma=1e-3)
    c = look(LinearDistance(), p, np.array([1.0, 0.0]))
    assert c.assumes == ("mu: declared",)
    assert float(c.value) == pytest.approx(1e3)


def test_ridge_of_normal_equations_is_a_proof():
    M = RNG.standard_normal((20, 5))
    p = bn.normal_equations(M, RNG.standard_normal(20), 0.5)
    x = np.linalg.solve(M.T @ M + 0.5 * np.eye(5), p.b)
    c = look(LinearDistance(), p, x + 1e-4)
    assert c.assumes == ("mu: by construction",)
    assert np.sqrt(5) * 1e-4 <= float(c.value) + float(c.slack)


def test_generic_mutations_never_certify():
    p = Linear(spd(6), RNG.standard_normal(6))
    x = np.linalg.solve(p.A.entries, p.b)
    check = LinearResidual()
    assert bool(look(check, p, x).within(1e-10))
    assert not bool(look(check, p, x + 1e-6).within(1e-10))
    assert not bool(look(check, p, x * np.nan).within(1e10))
    other = eqx.tree_at(lambda q: q.b, p, p.b[::-1].copy())
    assert not bool(look(check, other, x).within(1e-3))
    # Rescaled equations keep their ratio; a dual or garbage beside x is not read.
    scaled = Linear(1e-9 * p.A.entries, 1e-9 * p.b)
    near = x + 1e-6
    a, b = look(check, p, near), look(check, scaled, near)
    assert float(a.ratio) == pytest.approx(float(b.ratio), rel=1e-6)
    forged, _ = judged(check, p, Point(near, np.full(3, np.nan)))
    assert float(forged.value) == float(a.value)


def test_a_float32_point_is_judged_in_float64():
    A = spd(5).astype(np.float32)
    A = (A + A.T) / 2
    p = Linear(A, RNG.standard_normal(5).astype(np.float32))
    x = np.linalg.solve(A, p.b).astype(np.float32)
    c = look(LinearResidual(), p, x)
    wide = np.linalg.norm(p.b.astype(float) - A.astype(float) @ x.astype(float))
    assert float(c.value) == pytest.approx(wide, rel=1e-12)


def test_refusals_name_the_cure():
    smooth = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2))
    assert "stationarity" in LinearResidual().refuses(smooth)
    free = Linear(lambda x: 2 * x, np.ones(3))
    assert "sigma=" in LinearDistance().refuses(free)
    skewed = Linear(np.array([[1.0, 2.0], [0.0, 1.0]]), np.ones(2))
    assert "linear_distance" in EnergyError().refuses(skewed)
    assert LinearDistance().refuses(skewed) is None

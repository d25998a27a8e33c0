"""Factors, local norms, the secant update and the acceptance test."""

import jax.numpy as jnp
import numpy as np

from banach.methods.smooth import _hessian_models as curvature
from banach.parts import newton

RNG = np.random.default_rng(1)
N = 4
ROOT = RNG.standard_normal((N, N))
SPD = ROOT @ ROOT.T + np.eye(N)
G = RNG.standard_normal(N)


def test_solve_and_dual_norm():
    lower = newton.factor(jnp.asarray(SPD), 0.5)
    wanted = np.linalg.solve(SPD + 0.5 * np.eye(N), G)
    np.testing.assert_allclose(newton.solve(lower, jnp.asarray(G)), wanted, rtol=1e-12)
    np.testing.assert_allclose(
        newton.dual_square(lower, jnp.asarray(G)), G @ wanted, rtol=1e-12
    )


def test_safe_factor_shifts_only_where_it_must():
    lower, shift = newton.safe_factor(jnp.asarray(SPD))
    assert float(shift) == 0
    np.testing.assert_allclose(lower @ lower.T, SPD, rtol=1e-12)
    values = np.array([-1.0, 0.0, 1.0, 2.0])
    q, _ = np.linalg.qr(ROOT)
    indefinite = (q * values) @ q.T
    assert not np.isfinite(newton.factor(jnp.asarray(indefinite))).all()
    lower, shift = newton.safe_factor(jnp.asarray(indefinite))
    assert 1 < float(shift) <= 10
    assert np.isfinite(lower).all()
    lower, _ = newton.safe_factor(jnp.full((2, 2), jnp.nan))
    assert not np.isfinite(lower).any() or np.isnan(lower).any()


def test_bfgs_update_meets_the_secant_equation_and_its_formula():
    inverse = np.linalg.inv(SPD)
    s = G
    y = SPD @ G + 0.1 * np.abs(G)
    rho = 1 / (s @ y)
    left = np.eye(N) - rho * np.outer(s, y)
    wanted = left @ inverse @ left.T + rho * np.outer(s, s)
    ours = newton.bfgs_update(jnp.asarray(inverse), jnp.asarray(s), jnp.asarray(y))
    np.testing.assert_allclose(ours, wanted, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(ours @ y, s, rtol=1e-11)
    skipped = newton.bfgs_update(jnp.asarray(inverse), jnp.asarray(s), -jnp.asarray(y))
    np.testing.assert_array_equal(skipped, inverse)


def test_agreement_trusts_a_halved_gradient_below_the_noise():
    f = jnp.asarray(1e3)
    g, h, step = jnp.asarray([1e-9]), jnp.asarray([1e-10]), jnp.asarray([-1e-9])
    noisy = f + 200 * np.finfo(float).eps * 1e3
    assert float(newton.agreement(f, noisy, g, h, step, jnp.asarray(5e-19))) == 1
    worse = newton.agreement(f, noisy, g, 3 * g, step, jnp.asarray(5e-19))
    assert float(worse) < 0.1
    bad = newton.agreement(f, jnp.asarray(jnp.nan), g, h, step, jnp.asarray(5e-19))
    assert float(bad) == -np.inf


class Quadratic:
    """Half x'Hx with the members that curvature operators use."""

    def __init__(self, matrix):
        self.matrix = jnp.asarray(matrix)

    def hess(self, x):
        return self.matrix

    def hvp(self, x, v):
        return self.matrix @ v


def test_curvature_operators_solve_the_same_system():
    g, shift, metric = jnp.asarray(G), jnp.asarray(0.3), np.diag([1.0, 2.0, 3.0, 4.0])
    problem, x = Quadratic(SPD), jnp.zeros(N)
    for B in (None, jnp.asarray(metric)):
        full = SPD + 0.3 * (np.eye(N) if B is None else metric)
        wanted = -np.linalg.solve(full, G)
        for operator in (curvature.Exact(), curvature.MatrixFree(tol=1e-12)):
            data = operator.prepare(problem, x)
            out = operator.solve(problem, x, data, shift, g, B)
            assert bool(out.ok)
            np.testing.assert_allclose(out.step, wanted, rtol=1e-9)
        out = curvature.Zero().solve(problem, x, (), shift, g, B)
        plain = G if B is None else np.linalg.solve(metric, G)
        np.testing.assert_allclose(out.step, -plain / 0.3, rtol=1e-12)


def test_matrix_free_refuses_what_it_did_not_solve():
    x, g = jnp.zeros(N), jnp.asarray(G)
    short = curvature.MatrixFree(tol=1e-12, max_steps=1)
    out = short.solve(Quadratic(SPD), x, (), jnp.asarray(0.1), g)
    assert not bool(out.ok)
    fresh = np.linalg.norm((SPD + 0.1 * np.eye(N)) @ out.step + G) / np.linalg.norm(G)
    np.testing.assert_allclose(out.residual, fresh, rtol=1e-10)
    out = curvature.MatrixFree().solve(Quadratic(-SPD), x, (), jnp.asarray(0.1), g)
    assert not bool(out.ok)

"""The fused lasso: prox and dual factor against dense solutions, models, refusals."""

import jax
import numpy as np
import pytest
from scipy.optimize import lsq_linear

import banach as bn

RNG = np.random.default_rng(0)
A = RNG.normal(size=(30, 5))
B = A @ [3.0, 3, 0, 0, -0.5] + 0.1 * RNG.normal(size=30)


def test_prox_against_the_dense_dual():
    D = np.diff(np.eye(12), axis=0)
    rows, wide = np.hstack([np.eye(12), D.T]), np.append([0.45] * 12, [1.2] * 11)
    prox = jax.jit(lambda v: bn.FusedL1(0.3, 0.8).prox(v, 1.5))
    for _ in range(12):
        v = np.cumsum(RNG.normal(size=12))
        z = lsq_linear(rows, v, (-wide, wide), method="bvls", tol=1e-15, max_iter=2000)
        np.testing.assert_allclose(prox(v), v - rows @ z.x, atol=1e-10)


def test_special_cases():
    v = RNG.normal(size=7) * 3
    np.testing.assert_allclose(
        bn.FusedL1(0.4, 0.0).prox(v, 2.0), bn.L1(0.4).prox(v, 2.0)
    )
    other = bn.TotalVariation1D(0.7).prox(v, 2.0)
    np.testing.assert_allclose(bn.FusedL1(0.0, 0.7).prox(v, 2.0), other)
    assert bn.FusedL1(2.0, 3.0).value(np.array([1.0, -2.0, 0.0])) == 2 * 3 + 3 * 5
    one = bn.FusedL1(1.0, 1.0)
    np.testing.assert_allclose(one.prox(np.array([3.0]), 1.0), [2.0])
    assert float(one.dual_scale(np.array([4.0]), 0.0)) == pytest.approx(0.25, 1e-14)


def test_dual_factor_and_bracket_of_a_long_signal():
    term = bn.FusedL1(0.3, 2.0)
    v = np.repeat(RNG.normal(size=20), 30) + RNG.normal(size=600)
    s = float(jax.jit(lambda v: term.dual_scale(v, 0 * v))(v))
    # The largest |v(I)| / (l1 |I| + tv cut(I)) over all intervals.
    total = np.append(0, np.cumsum(v))
    i, j = np.triu_indices(601, 1)
    cut = 2.0 * ((i > 0).astype(float) + (j < 600))
    want = 1 / np.max(abs(total[j] - total[i]) / (0.3 * (j - i) + cut))
    assert want * (1 - 1e-11) < s <= want * (1 + 1e-13)
    x = term.prox(v, 1.0)
    value, slack = term.fenchel_young(x, (v - x) * (1 - 1e-13), 0 * v)
    assert abs(value) <= 1e-9 and slack <= 1e-9


@pytest.mark.parametrize("intercept", [False, True])
def test_a_model_is_certified_by_its_gap_and_is_one_prox_of_orthonormal_columns(
    intercept,
):
    result = bn.solve(bn.FusedLasso(A, B, 2.0, 3.0, intercept=intercept), tol=1e-9)
    assert result.status == "certified" and result.certificate.grade == "bound"
    assert result.x[0] == pytest.approx(result.x[1], abs=1e-9)  # fused
    Q = np.linalg.qr(A)[0]
    x = bn.solve(bn.FusedLasso(Q, B, 0.4, 0.9), tol=1e-12).x
    np.testing.assert_allclose(x, bn.FusedL1(0.4, 0.9).prox(Q.T @ B, 1.0), atol=1e-5)


def test_without_a_weight_of_the_entries_there_is_no_gap():
    problem = bn.FusedLasso(A, B, 0.0, 3.0)
    assert problem.default_check() == "step" and "dual" not in problem.oracles()
    with pytest.raises(bn.Misuse, match="unpenalised"):
        bn.verify(problem, np.zeros(5), check="gap")
    assert bn.solve(problem).status == "certified"

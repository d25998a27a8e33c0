"""Total variation of images and the generalised lasso, against dense duals."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

import banach as bn
from banach.kinds.structured.models import _curvatures, differences

RNG = np.random.default_rng(0)


def test_differences_of_an_image():
    image = RNG.normal(size=(3, 4))
    D = differences(3, 4)
    right, down = np.diff(image, axis=1).ravel(), np.diff(image, axis=0).ravel()
    np.testing.assert_array_equal(D @ image.ravel(), [*right, *down])
    np.testing.assert_array_equal(differences(1, 3).toarray(), [[-1, 1, 0], [0, -1, 1]])


def test_anisotropic_total_variation_against_its_dense_dual():
    image = 3 * RNG.normal(size=(4, 5))
    D = differences(4, 5).toarray()
    # x = image - D'z with z within the bounds and D'z nearest to the image.
    z = lsq_linear(D.T, image.ravel(), (-0.7, 0.7), method="bvls", tol=1e-15).x
    problem = bn.TotalVariation(image, 0.7, isotropic=False)
    result = bn.solve(problem, tol=1e-11, check="primal_dual_gap")
    assert result.certified and result.certificate.grade == "bound"
    np.testing.assert_allclose(
        result.x.ravel(), image.ravel() - D.T @ z, atol=1e-4, rtol=0
    )


def test_isotropic_steps_are_as_long_in_every_direction():
    image = RNG.normal(size=(6, 6))
    problem = bn.TotalVariation(image, 0.4)
    x = RNG.normal(size=(6, 6))
    right = np.pad(np.diff(x, axis=1), ((0, 0), (0, 1)))
    down = np.pad(np.diff(x, axis=0), ((0, 1), (0, 0)))
    want = 0.4 * np.hypot(right, down).sum()
    assert float(problem.term_value(x)) == pytest.approx(want, rel=1e-12)
    both = [
        bn.solve(bn.TotalVariation(v, 0.4), tol=1e-10, check="primal_dual_gap").x
        for v in (image, image.T)
    ]
    np.testing.assert_allclose(both[0], both[1].T, atol=1e-3)


def test_generalised_lasso_meets_the_lasso_and_the_fused_lasso():
    A, D = RNG.normal(size=(20, 5)), np.diff(np.eye(5), axis=0)
    b = A @ [1.0, 1, 0, 0, 2]
    lasso = bn.solve(bn.Lasso(A, b, 2.0), tol=1e-12).x
    same = bn.GeneralizedLasso(A, b, np.eye(5), 2.0)
    np.testing.assert_allclose(
        bn.solve(same, tol=1e-9, check="primal_dual_gap").x, lasso, atol=1e-4
    )
    fused = bn.solve(bn.FusedLasso(A, b, 0.5, 2.0), tol=1e-12).x
    same = bn.GeneralizedLasso(A, b, D, 2.0, g=bn.L1(0.5))
    np.testing.assert_allclose(
        bn.solve(same, tol=1e-9, check="primal_dual_gap").x, fused, atol=1e-4
    )


def test_curvatures_lie_outside_and_inside():
    A = RNG.normal(size=(30, 8))
    values = np.linalg.eigvalsh(A.astype(np.longdouble).astype(float).T @ A)
    L, mu = _curvatures(A)
    assert L > values[-1] and 0 < mu < values[0] and mu > 0.999 * values[0]
    assert _curvatures(A[:5])[1] is None  # more columns than rows
    L, mu = _curvatures(np.ones((3, 2500)))
    assert mu is None and L >= 3 * 2500


def test_what_is_refused():
    with pytest.raises(bn.Misuse, match="one pixel"):
        bn.TotalVariation(np.ones((1, 1)), 1.0)
    with pytest.raises(bn.Misuse, match="20 rows and b 19"):
        bn.GeneralizedLasso(np.ones((20, 2)), np.ones(19), np.eye(2), 1.0)


def test_scales_grow_with_no_condition_and_no_constant():
    """What is small is held against a decrease, not against a bound of it."""
    U = np.linalg.qr(RNG.normal(size=(6, 4)))[0]
    V = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    A = U @ np.diag([1, 1, 1, 1e-3]) @ V.T
    steep = bn.GeneralizedLasso(A, U @ [1, 0, 0, 1], np.diff(np.eye(4), axis=0), 1e-9)
    seen = bn.verify(steep, np.zeros(4), check="primal_dual_gap").certificate
    assert float(seen.scale) <= 1.0  # F(0) = 1
    noise = 0.1 * RNG.normal(size=(5, 5))
    scales, answers = [], []
    for constant in (0.0, 300.0, 1e6):
        problem = bn.TotalVariation(noise + constant, 0.05)
        result = bn.solve(problem, check="primal_dual_gap", tol=1e-7)
        assert result.certified and result.steps > 0
        scales.append(float(result.certificate.scale))
        answers.append(result.x - constant)
    np.testing.assert_allclose(scales, scales[0], rtol=1e-6)
    for x in answers[1:]:
        np.testing.assert_allclose(x, answers[0], atol=1e-3)


@pytest.mark.parametrize("factor", [1e160, 1e-200, 0.0])
def test_matrices_whose_squares_are_no_numbers_are_refused(factor):
    with pytest.raises(bn.Misuse, match="overflow or vanish"):
        bn.GeneralizedLasso(factor * np.eye(3), np.ones(3), np.eye(3), 1.0)

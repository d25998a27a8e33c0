"""Four of NIST's regression problems from both starts, at the certified values."""

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn

# (model, data as y and x, both starts, certified parameters, residual sum of squares)
PROBLEMS = {
    "Misra1a": (
        lambda b, x: b[0] * (1 - jnp.exp(-b[1] * x)),
        [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01,
         66.40, 75.47, 81.78],
        [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8,
         593.1, 689.1, 760.0],
        ([500.0, 1e-4], [250.0, 5e-4]),
        [2.3894212918e02, 5.5015643181e-04],
        1.2455138894e-01,
    ),
    "DanWood": (
        lambda b, x: b[0] * x ** b[1],
        [2.138, 3.421, 3.597, 4.340, 4.882, 5.660],
        [1.309, 1.471, 1.490, 1.565, 1.611, 1.680],
        ([1.0, 5.0], [0.7, 4.0]),
        [7.6886226176e-01, 3.8604055871e00],
        4.3173084083e-03,
    ),
    "Rat42": (
        lambda b, x: b[0] / (1 + jnp.exp(b[1] - b[2] * x)),
        [8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08],
        [9.0, 14.0, 21.0, 28.0, 42.0, 57.0, 63.0, 70.0, 79.0],
        ([100.0, 1.0, 0.1], [75.0, 2.5, 0.07]),
        [7.2462237576e01, 2.6180768402e00, 6.7359200066e-02],
        8.0565229338e00,
    ),
    "MGH09": (
        lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
        [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235,
         0.0246],
        [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625],
        ([25.0, 39.0, 41.5, 39.0], [0.25, 0.39, 0.415, 0.39]),
        [1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01],
        3.0750560385e-04,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_both_starts_end_at_the_certified_values(name):
    model, y, x, starts, certified, squares = PROBLEMS[name]
    y, x = np.array(y), np.array(x)

    def residual(b, x, y):
        return model(b, x) - y

    for start in starts:
        problem = bn.NonlinearLeastSquares(residual, np.array(start), (x, y), data=y)
        r = bn.solve(problem, tol=1e-8)
        assert r.certified and r.method.card.name == "levenberg_marquardt"
        np.testing.assert_allclose(r.x, certified, rtol=1e-6)
        assert 2 * float(problem.value(r.x)) == pytest.approx(squares, rel=1e-9)


def test_a_wrong_fit_that_a_gradient_norm_would_pass_is_not_certified():
    """Misra1a with parameters 2.09 and 0.44 times the true ones."""
    model, y, x, starts, certified, _ = PROBLEMS["Misra1a"]
    y, x = np.array(y), np.array(x)
    start = np.array(starts[0])
    problem = bn.NonlinearLeastSquares(
        lambda b: model(b, x) - y, start, data=y, reference=start
    )
    wrong = np.array(certified) * [2.09, 0.44]
    assert bn.verify(problem, wrong).certificate.ratio > 0.1
    assert bn.verify(problem, np.array(certified)).certified

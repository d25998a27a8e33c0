"""The scale at a reference: its value, its terms where they cancel, or nothing at all.

And bounds near the ends of the range that XLA's rewriting of products once lost.
"""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.checks.scales import at_most_one
from banach.checks.second_order import proved_lower_bound
from banach.core import tree
from banach.kinds.glm.bounds import gradient_lipschitz


def bowl(x, Q, b):
    return x @ (Q @ x) / 2 - b @ x


def quadratic(d, b, reference, **facts):
    zero = np.zeros(len(d))
    return bn.Smooth(
        bowl, zero, (np.diag(d), np.array(b)), mu=min(d), L=max(d), convex=True,
        reference=np.array(reference), **facts,
    )  # fmt: skip


def part(problem, x, check, dtype=np.float64, **more):
    said = bn.verify(problem, np.asarray(x, dtype), check=check, **more)
    return said.status, said.certificate.parts[0]


@pytest.mark.parametrize(
    "check, d, b, x, facts",
    [
        ("stationarity", [1, 2, 3e190], [0, 0, 2e-170], [0, 0, 0], {}),
        ("strong_distance", [1, 3e160, 2], [0, 0, 7e-225], [0, 0, 0], {}),
        ("ball_gap", [1, 1, 1], [0, 0, 0], [0, 0, -3e-182], {"radius": 3e-300}),
    ],
)
def test_a_scale_that_vanished_certifies_nothing(check, d, b, x, facts):
    reference = [0, 2e-189, 0] if check == "ball_gap" else [0, 0, 0]
    status, said = part(quadratic(d, b, reference, **facts), x, check)
    assert said.scale == 0 and status != "certified"


def test_where_terms_cancel_their_size_is_the_scale_up_to_one():
    for size, scale in ((1.0, 1), (1e6, 1), (1e-20, None)):
        b = [0.1 * size, 0.7 * size, 0.3 * size]
        at = [0.1 / 3, 0.7 / 7, 0.3 / 0.9]
        problem = quadratic([3 * size, 7 * size, 0.9 * size], b, at)
        # The reference is a minimiser to rounding.
        status, said = part(problem, at, "stationarity")
        assert status == "certified" and said.value <= said.slack
        assert said.scale == scale if scale else 1e-21 < said.scale < 1e-18
        far, other = part(problem, np.array(at) * 1.5, "stationarity")
        assert far != "certified" and other.value > 1e-2 * size


def test_where_there_are_no_terms_the_quantity_is_absolute():
    problem = quadratic([1, 2, 4], [0, 0, 0], [0, 0, 0])
    status, said = part(problem, [3e-8, 0, 0], "stationarity")
    assert status == "certified" and said.scale == 1


def test_the_scale_of_a_step_is_measured_before_the_cast():
    A = np.zeros((4, 3), np.float32)
    A[1, 2] = -3e-20
    y = np.array([0, -2e-30, 0, 0], np.float32)
    w = np.array([0, 1, 0, 0], np.float32)
    problem = bn.GLM(A, y, bn.SquaredLoss(), bn.Nonnegative(), sample_weight=w)
    # Relative to its own companion, |a| |y| = 6e-50, a step takes a third of it.
    status, said = part(problem, [0, 0, 0], "step", np.float32)
    assert said.value == pytest.approx(2 / 3, rel=1e-6)
    assert status != "certified"


def test_the_null_model_of_float32_data_is_computed_in_float64():
    y = np.array([0, 0, -2.47, 0], np.float32)
    w = np.array([0, 3e-30, 5e-05, 0], np.float32)
    problem = bn.GLM(
        np.zeros((4, 3), np.float32), y, bn.SquaredLoss(),
        bn.SquaredL2(np.float32(1)), sample_weight=w, intercept=True,
    )  # fmt: skip
    _, said = part(problem, [0, 0, 0, -2.47], "gap", np.float32)
    u, v, t = (Fraction(float(a)) for a in (w[1], w[2], y[2]))
    assert said.scale <= 1.001 * float(u * v / (u + v) * t * t / 2)


def test_a_norm_may_be_divided_by_a_large_number():
    @jax.jit
    def ratio(v, m):
        return tree.norm(v) / m

    for v, m in ((2e-141, 3e160), (5e-300, 1e7), (3e290, 1e300)):
        want = 5 * v / m
        assert ratio(v * jnp.array([3.0, 4.0]), m) == pytest.approx(want, rel=1e-14)
    # A constant, whose product with itself XLA computes first.
    same = jax.jit(lambda v: tree.norm(0 * v + 3e-308))(jnp.ones(4))
    assert same <= 6.1e-308


def test_a_lipschitz_constant_beyond_the_floats_is_infinite():
    A = 3e170 * np.eye(4, 3)
    assert gradient_lipschitz(A, None, False, 1.0) == np.inf
    assert gradient_lipschitz(A / 1e20, None, False, 1.0) == pytest.approx(9e300)
    problem = bn.Lasso(A, np.ones(4), 1.0)
    assert bn.solve(problem, max_steps=5).status != "certified"


def test_a_lower_bound_of_a_tiny_hessian_is_below_it():
    # Eigenvalues 3 and -1, and 4 and 2.
    for H in ([[1.0, 2.0], [2.0, 1.0]], [[3.0, 1.0], [1.0, 3.0]]):
        for size in (1.0, 2.0**-1000, 2.0**1000):
            low = float(proved_lower_bound(jnp.array(H) * size, jnp.zeros(())))
            true = (H[0][0] - H[0][1]) * size
            assert low <= true and low == pytest.approx(true, rel=1e-12)


def field(z, data):
    return data[0] @ z + data[1]


def test_a_quotient_that_vanishes_is_charged():
    M = np.tile(2e115 * np.eye(2), (1, 1, 1))
    problem = bn.Inclusion(
        field, np.zeros(2), (M, np.zeros((1, 2))), mu=1.9e115, monotone=True
    )
    # The residual is 4e-193, and over mu it is no normal number.
    _, said = part(problem, [2e-308, 0.0], "inclusion_distance")
    assert said.slack >= 2e-308
    _, said = part(problem, [3e-305, 0.0], "inclusion_distance")
    assert said.value + said.slack >= 3e-305


def line(x, b):
    return -b @ x


def first(x, b):
    return jnp.array([x[0]]) + 0 * b[0]


def test_multipliers_times_rows_that_vanish_are_charged():
    problem = bn.Constrained(
        line, np.zeros(2), (np.array([3e-190, 0.0]),), ineq=first,
        reference=np.zeros(2),
    )  # fmt: skip
    said = bn.verify(problem, np.array([2e-150, 0.0]), check="kkt").certificate
    parts = {p.name: p for p in said.parts}
    lost = parts["complementarity"]
    # 6e-340 is no float.
    assert lost.value == 0 and lost.slack > 0


def test_a_start_whose_value_is_no_number_is_no_scale():
    assert float(at_most_one(jnp.asarray(np.nan))) == 0
    assert float(at_most_one(jnp.asarray(np.inf))) == 1
    assert float(at_most_one(jnp.asarray(0.25))) == 0.25


def test_a_part_without_terms_at_the_start_does_not_take_the_scale_away():
    """The gradient in b is 0 - 0 there: no size of terms to compare with later."""
    start = {"a": np.zeros(2), "b": np.zeros(2)}

    def chain(p):
        return jnp.sum((p["a"] - 0.1) ** 2) + jnp.sum((p["b"] - 3 * p["a"]) ** 2)

    result = bn.minimize(chain, start)
    assert result.certified and float(result.certificate.scale) > 0.1

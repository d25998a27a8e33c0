"""Networks as feasibility: each projection is the nearest point, the check is true."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import banach as bn
from banach.core import compat
from banach.kinds.network_feasibility import projections, zoo

RNG = np.random.default_rng(4)


@pytest.fixture(autouse=True)
def in_double():
    with compat.double():
        yield


def nearest(point, start, graph):
    """Least |graph(p) - point|^2, by numerical minimisation from a few starts."""
    starts = [start, *(start + RNG.standard_normal((6, len(start))))]
    runs = [minimize(lambda p: np.sum((graph(p) - point) ** 2), s, method="BFGS",
                     options={"gtol": 1e-10}) for s in starts]  # fmt: skip
    return min(r.fun for r in runs)


def test_the_product_is_the_nearest():
    """On z = w.a + b, the far side of the multiplier's interval included."""
    for scale in (0.1, 1.0, 5.0):
        w, a = scale * RNG.standard_normal((2, 3))
        b, z = 6 * RNG.standard_normal(2)
        row = np.append(w, b)[None, None]
        one = [np.asarray(v)[0, 0] for v in projections.onto_product(
            row, a[None, None], np.array([[z]]))]  # fmt: skip
        at = np.concatenate([one[0], one[1], one[2][None]])
        assert abs(one[0][:3] @ one[1] + one[0][3] - one[2]) < 1e-9 * (1 + abs(z))
        point = np.concatenate([w, [b], a, [z]])

        def graph(p):
            return np.append(p, p[:3] @ p[4:7] + p[3])

        least = nearest(point, point[:7], graph)
        assert np.sum((at - point) ** 2) == pytest.approx(least, rel=1e-6, abs=1e-9)


def test_affine_and_margin_are_the_nearest():
    row, z, x = RNG.standard_normal(3), 2.0, np.array([0.3, -1.2, 1.0])
    moved, out = projections.onto_affine(row[None, None], np.array([[z]]), x[None])
    at = np.append(np.asarray(moved).ravel(), np.asarray(out).ravel())
    normal = np.append(x, -1)
    point = np.append(row, z)
    want = point - normal * (normal @ point) / (normal @ normal)
    np.testing.assert_allclose(at, want, atol=1e-12)

    for _ in range(10):
        z, y = 2 * RNG.standard_normal(4), 2
        got = np.asarray(projections.onto_margin(z[None], np.array([y]), 0.5))[0]
        rows = np.eye(4)[y] - np.delete(np.eye(4), y, axis=0)
        found = minimize(
            lambda v, z=z: np.sum((v - z) ** 2), z, method="SLSQP",
            constraints={"type": "ineq", "fun": lambda v, rows=rows: rows @ v - 0.5},
            options={"ftol": 1e-14},
        )  # fmt: skip
        np.testing.assert_allclose(got, found.x, atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "step"])
def test_activations_are_the_nearest(activation):
    """Over a fine grid of z, with three copies of a."""
    grid = np.linspace(-8, 8, 160001)
    if activation == "step":
        grid = grid[np.abs(grid) >= 0.5]
    for z, a in 2 * RNG.standard_normal((12, 2)):
        found = (
            projections.onto_relu(jnp.asarray(z), a, 3)
            if activation == "relu"
            else projections.onto_step(jnp.asarray(z), a, 3, 0.5)
        )
        value = np.maximum(grid, 0) if activation == "relu" else (grid > 0) * 1.0
        costs = (grid - z) ** 2 + 3 * (value - a) ** 2
        cost = (float(found[0]) - z) ** 2 + 3 * (float(found[1]) - a) ** 2
        assert costs.min() - 1e-3 < cost <= costs.min() + 1e-12


@pytest.mark.parametrize("activation", ["relu", "step"])
def test_a_forward_evaluation_lacks_only_margins(activation):
    """Projections leave copies of weights that keep every margin where they are."""
    X, y = np.array([[2.0], [-1.0]]), [0, 1]
    first, last = np.array([[1.0, 0], [-1, 0]]), np.array([[3.0, -3, 0], [-3, 3, 0]])
    problem = bn.NetworkFeasibility(X, y, (first, last), activation)
    c = problem.copies(problem.start().x, np.arange(2))
    for moved in (problem.project_operations, problem.project_agreement):
        for p, q in zip(moved(c, np.arange(2)).rows, c.rows, strict=True):
            np.testing.assert_allclose(p, q, atol=1e-14)
    assert float(problem.value(problem.start().x)) == 0
    assert bn.verify(problem, (first, last)).certified


def test_the_check_sees_the_worst_example():
    problem, _, _ = zoo.digits(n=30)
    seen = bn.verify(problem, problem.weights).certificate
    z = np.asarray(problem.X)
    for i, W in enumerate(problem.weights):
        z = (np.maximum(z, 0) if i else z) @ W[:, :-1].T + W[:, -1]
    own = np.eye(10, dtype=bool)[problem.y]
    worst = np.max(1 - z[own] + np.max(np.where(own, -np.inf, z), axis=1))
    assert float(seen.value) == pytest.approx(worst, rel=1e-12)
    with pytest.raises(bn.Misuse, match=r"0 \.\. 9"):
        bn.NetworkFeasibility(problem.X, problem.y + 1, problem.weights)
    with pytest.raises(bn.Misuse, match=r"weights\[1\] must be"):
        bn.NetworkFeasibility(problem.X, problem.y, problem.weights[:1] * 2)


@pytest.mark.parametrize("activation", ["relu", "step"])
def test_value_and_slack_bound_the_shortfall_in_rational_arithmetic(activation):
    X, y = RNG.standard_normal((6, 3)) * 1e3, np.array([0, 1, 1, 0, 1, 0])
    W = RNG.standard_normal((4, 4)), RNG.standard_normal((2, 5))
    problem = bn.NetworkFeasibility(X, y, W, activation)
    seen = bn.verify(problem, W).certificate.parts[0]
    worst = Fraction(0)
    for x, label in zip(X, y, strict=True):
        a = [*map(Fraction, x), 1]
        for V in W:
            z = [sum(Fraction(v) * e for v, e in zip(r, a, strict=True)) for r in V]
            relu = [max(v, Fraction(0)) for v in z]
            a = [*(relu if activation == "relu" else [int(v >= 0) for v in z]), 1]
        worst = max(worst, 1 - z[label] + z[1 - label])
    assert worst <= Fraction(float(seen.value)) + Fraction(float(seen.slack))
    assert abs(Fraction(float(seen.value)) - worst) < 1e-9 * worst

"""ADMM for convex ReLU networks: its factor, its dual, its variants."""

import jax
import numpy as np
import pytest
from reference import _relu as case

import banach as bn
from banach.core.point import Point
from banach.kinds.convex_relu.check import ReluGap
from banach.kinds.glm.losses import HuberLoss, LogisticLoss, SquaredHingeLoss
from banach.methods.constrained.convex_relu_admm import ConvexReluAdmm


def test_conjugate_gradients_in_place_of_the_factor():
    """Enough inner steps give the same iterates, a few the same answer."""
    problem = case.problem()
    exact, _ = case.iterates(problem, ConvexReluAdmm(0.7), 20)
    many, state = case.iterates(problem, ConvexReluAdmm(0.7, inner=40), 20)
    np.testing.assert_allclose(many, exact, atol=1e-9)
    assert state.factor is None
    r = bn.solve(problem, ConvexReluAdmm(0.7, inner=3), tol=1e-8, max_steps=5000)
    assert r.certified and r.calls["normal"] > r.steps


def test_its_dual_certifies_and_a_forged_one_changes_nothing():
    problem = case.problem()
    _, state = case.iterates(problem, ConvexReluAdmm(0.7), 1500)
    method = ConvexReluAdmm(0.7)
    point = method.point(state)
    certificate, at = ReluGap()(problem, point, jax.random.key(0), 0)
    assert certificate.within(1e-10) and certificate.witness == 1
    forged = Point(point.x, 1e3 * np.ones_like(point.dual))
    other, _ = ReluGap()(problem, forged, jax.random.key(0), 0)
    own, _ = ReluGap()(problem, Point(point.x), jax.random.key(0), 0)
    assert other.witness == 0 and float(other.value) == float(own.value)
    assert own.within(1e-6) and np.array_equal(at.x, point.x)


@pytest.mark.parametrize("loss", [LogisticLoss(), SquaredHingeLoss(), HuberLoss(0.5)])
@pytest.mark.parametrize("gated", [False, True])
def test_other_losses_are_split_off(loss, gated):
    y = case.Y if isinstance(loss, HuberLoss) else np.where(case.Y > 0, 1.0, -1.0)
    problem = bn.ConvexRelu(case.X, y, 0.3, 5, loss=loss, gated=gated)
    r = bn.solve(problem, tol=1e-8, max_steps=8000)
    assert r.certified and r.method.card.name == "convex_relu_admm"
    assert r.certificate.grade == "bound"
    if gated:
        peer = bn.solve(problem, "fista", tol=1e-8, max_steps=8000)
        assert peer.certified
        np.testing.assert_allclose(
            problem.objective(peer.x), problem.objective(r.x), rtol=1e-7
        )


def test_dropping_the_cones_lowers_the_value_and_more_patterns_lower_it_too():
    def least(problem):
        r = bn.solve(problem, tol=1e-8, max_steps=8000)
        assert r.certified
        return float(problem.objective(r.x)), r

    few, r = least(case.problem(patterns=3))
    more, _ = least(case.problem(patterns=case.problem(patterns=3).masks))
    assert more == pytest.approx(few, rel=1e-7)
    everything, best = least(case.problem(patterns="all"))
    gated, _ = least(case.problem(patterns=3, gated=True))
    assert everything < few and gated < few
    assert "3 sampled patterns" in r.certificate.quantity
    assert "all" in best.certificate.quantity
    # With every pattern the bound holds for any network: none of these is below it.
    problem = case.problem(patterns="all")
    low = everything - float(best.certificate.value) - float(best.certificate.slack)
    rng = np.random.default_rng(0)
    for _ in range(200):
        hidden = rng.standard_normal((6, 3)) * rng.uniform(0.1, 1)
        network = bn.ReluNetwork(hidden, rng.standard_normal(6))
        assert problem.network_objective(network) >= low


def test_the_default_penalty_follows_the_units_of_the_data():
    a, b = 100.0, 0.01
    plain = case.problem()
    scaled = bn.ConvexRelu(a * case.X, b * case.Y, a * b * case.BETA, plain.masks)
    xs, _ = case.iterates(plain, ConvexReluAdmm(plain.penalty()), 50)
    ys, _ = case.iterates(scaled, ConvexReluAdmm(scaled.penalty()), 50)
    np.testing.assert_allclose(ys * a / b, xs, atol=1e-9)

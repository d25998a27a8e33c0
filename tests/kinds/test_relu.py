"""Convex ReLU programs: bad input, patterns, oracles, and the network they are."""

from math import comb

import jax
import numpy as np
import pytest
from reference import _relu as case

import banach as bn
from banach.core import compat
from banach.core.facts import CONSTRUCTION, LIKELY
from banach.core.problem import Misuse
from banach.estimate import spectrum
from banach.kinds.convex_relu import patterns as relu_patterns
from banach.kinds.convex_relu.normal_equations import loss_prox
from banach.kinds.convex_relu.problem import ConvexRelu
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SquaredHingeLoss,
    SquaredLoss,
)

RNG = np.random.default_rng(2)
N, D, P, BETA = 11, 3, 6, 0.4
X = RNG.standard_normal((N, D))
Y = RNG.standard_normal(N)
SIGN = np.where(Y > 0, 1.0, -1.0)
OTHER = RNG.standard_normal((N, D))


def make(**options):
    return ConvexRelu(X, Y, BETA, **({"patterns": P} | options))


def feasible(problem):
    """A point inside the cones, a zero group among them."""
    scale = RNG.uniform(0.2, 1.5, (2, len(problem.masks), 1))
    x = scale * relu_patterns.given(X, problem.masks).directions
    x[0, 1] = 0
    return x


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": X[0]}, "2-D"),
        ({"X": np.where(X > 2, np.nan, X) * np.nan}, "NaN"),
        ({"X": np.zeros((N, D))}, "zero everywhere"),
        ({"y": Y[:-1]}, "one number a row"),
        ({"y": np.append(Y[:-1], np.inf)}, "NaN or infinity"),
        ({"y": Y, "loss": LogisticLoss()}, "no label"),
        ({"beta": 0.0}, "positive"),
        ({"beta": -1.0}, "positive"),
        ({"beta": np.nan}, "positive"),
        ({"beta": [1.0, 2.0]}, "one number"),
        ({"loss": "squared"}, "needs a loss"),
        ({"loss": PoissonLoss()}, "bounded curvature"),
        ({"patterns": 0}, "integer >= 1"),
        ({"patterns": 2.5}, "integer >= 1"),
        ({"patterns": "some"}, "'all'"),
        ({"patterns": np.ones((2, N - 1))}, "one row of 0 and 1"),
        ({"patterns": 2 * np.ones((2, N))}, "0 and 1"),
        ({"patterns": relu_patterns.sampled(OTHER, 4, 0).masks}, "of other|of these"),
        ({"X": RNG.standard_normal((60, 20)), "y": np.ones(60), "patterns": "all"},
         "sample instead"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_the_cure(change, words):
    data = {"X": X, "y": Y, "beta": BETA, "patterns": P} | change
    with pytest.raises(Misuse, match=words):
        ConvexRelu(**data)


def test_data_being_traced_cannot_be_read_for_patterns():
    with pytest.raises(Misuse, match="tree_at"):
        jax.jit(lambda X: ConvexRelu(X, Y, BETA).beta)(X)


@pytest.mark.parametrize(("n", "d"), [(7, 1), (7, 2), (8, 3), (7, 4)])
def test_enumeration_counts_the_cells_of_points_in_general_position(n, d):
    A = RNG.standard_normal((n, d))
    found = relu_patterns.enumerated(A)
    assert len(found.masks) == 2 * sum(comb(n - 1, k) for k in range(d))
    assert np.all((2 * found.masks - 1) * (found.directions @ A.T) > 0)
    seen = {m.tobytes() for m in found.masks}
    drawn = RNG.standard_normal((3000, d)) @ A.T >= 0
    assert {m.tobytes() for m in drawn} <= seen


def test_enumeration_of_degenerate_rows():
    A = np.concatenate([X[:4, :2], np.zeros((1, 2)), -X[:1, :2], 2 * X[1:2, :2]])
    found = relu_patterns.enumerated(A)
    assert len(found.masks) == 8 and found.masks[:, 4].all()
    assert len(relu_patterns.enumerated(np.outer(np.arange(1, 5), [1, 2])).masks) == 2


def test_sampled_patterns_are_distinct_and_given_ones_are_kept():
    a, b = make(seed=1), make(seed=2)
    assert len(np.unique(a.masks, axis=0)) == P and a.listed == "sampled"
    assert not np.array_equal(a.masks, b.masks)
    again = make(patterns=a.masks)
    assert again.listed == "given" and np.array_equal(again.masks, a.masks)
    found = relu_patterns.sampled(X, P, 1)
    assert np.array_equal(found.masks, a.masks)
    assert np.all((2 * found.masks - 1) * (found.directions @ X.T) > 1e-6)
    assert "11 x 3, 6 sampled patterns" in a.formula()


def dense(problem):
    """F and the signed rows in plain NumPy."""
    masks = np.asarray(problem.masks, float)
    signs = (1,) if problem.gated else (1, -1)
    F = np.hstack([s * m[:, None] * X for s in signs for m in masks])
    return F, (2 * masks - 1)[:, :, None] * X


@pytest.mark.parametrize("gated", [False, True])
def test_oracles_are_those_of_the_formula(gated):
    problem = make(gated=gated)
    F, M = dense(problem)
    x = RNG.standard_normal(problem.space().shape)
    z = F @ x.ravel()
    np.testing.assert_allclose(problem.outputs(x), z, atol=1e-12)
    np.testing.assert_allclose(problem.value(x), np.sum((z - Y) ** 2) / 2, rtol=1e-12)
    g = (F.T @ (z - Y)).reshape(x.shape)
    np.testing.assert_allclose(problem.grad(x), g, atol=1e-12)
    np.testing.assert_allclose(
        problem.objective(x) - problem.value(x),
        BETA * np.linalg.norm(x, axis=2).sum(), rtol=1e-12,
    )  # fmt: skip
    if gated:
        v = RNG.standard_normal(x.shape)
        want = (F.T @ (F @ v.ravel())).reshape(x.shape)
        np.testing.assert_allclose(problem.hvp(x, v), want, atol=1e-12)
        assert problem.cones(x).size == 0 and {"prox"} <= problem.oracles()
    else:
        want = np.einsum("pnd,spd->spn", M, x)
        np.testing.assert_allclose(problem.cones(x), want, atol=1e-12)
        assert "prox" not in problem.oracles()
    assert problem.facts().L >= np.linalg.norm(F, 2) ** 2


@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss(), SquaredHingeLoss()])
@pytest.mark.parametrize("gated", [False, True])
def test_the_linear_system_is_solved_and_its_operators_are_adjoint(loss, gated):
    problem = ConvexRelu(X, SIGN, BETA, P, loss=loss, gated=gated)
    x = RNG.standard_normal(problem.space().shape)
    blocks = problem.split(x)
    other = {k: RNG.standard_normal(v.shape) for k, v in blocks.items()}
    left = sum(np.vdot(blocks[k], other[k]) for k in blocks)
    np.testing.assert_allclose(left, np.vdot(x, problem.split_adjoint(other)))
    factor = problem.normal_factor()
    for rho in (0.03, 2.0):
        r = problem.normal_product(x, rho)
        np.testing.assert_allclose(problem.normal_solve(factor, r, rho), x, atol=1e-11)
    F, _ = dense(problem)
    quadratic = isinstance(loss, SquaredLoss)
    want = F.T @ SIGN if quadratic else np.zeros(x.size)
    np.testing.assert_allclose(problem.normal_target().ravel(), want, atol=1e-12)


@pytest.mark.parametrize("loss", [LogisticLoss(), SquaredHingeLoss(), HuberLoss(0.3)])
def test_the_prox_of_a_loss_is_stationary(loss):
    a = np.linspace(-6, 6, 40)
    y = np.where(np.arange(40) % 2, 1.0, -1.0)
    for t in (1e-3, 1.0, 1e3):
        p = loss_prox(loss, a, y, t)
        np.testing.assert_allclose(p + t * loss.derivative(p, y), a, atol=1e-10)


@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()])
def test_a_feasible_point_is_a_network_of_the_same_objective(loss):
    problem = ConvexRelu(X, SIGN, BETA, P, loss=loss)
    x = feasible(problem)
    assert np.all(problem.cones(x) >= 0)
    network = problem.to_network(x)
    units = np.maximum(X @ np.asarray(network.hidden).T, 0)
    np.testing.assert_allclose(units @ network.output, problem.outputs(x), atol=1e-12)
    np.testing.assert_allclose(network(X), problem.network_outputs(x), atol=1e-12)
    weights = np.sum(network.hidden**2) + np.sum(network.output**2)
    value = np.sum(loss.value(units @ network.output, SIGN)) + BETA / 2 * weights
    np.testing.assert_allclose(problem.network_objective(network), value, rtol=1e-12)
    np.testing.assert_allclose(problem.objective(x), value, rtol=1e-12)


def test_an_infeasible_point_is_not_its_network():
    problem = make()
    x = -feasible(problem)
    assert np.abs(problem.outputs(x) - problem.network_outputs(x)).max() > 0.1


def test_a_gated_program_is_no_network():
    problem = make(gated=True)
    with pytest.raises(Misuse, match="gated=False"):
        problem.to_network(problem.start().x)


def test_optimality_follows_the_loss_and_the_dtype():
    problem = bn.ConvexRelu(
        X.astype("f"), SIGN, np.float32(BETA), P, loss=LogisticLoss()
    )
    assert problem.X.dtype == problem.y.dtype == problem.beta.dtype == np.float32
    x = problem.start().x
    assert problem.optimality(bn.Point(x)).x.dtype == np.float32


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


@pytest.mark.parametrize(("patterns", "how"), [(2, CONSTRUCTION), (200, LIKELY)])
def test_the_smoothness_is_certain_where_one_side_is_small(patterns, how):
    """The model's matrix has a row a sample and d columns a pattern."""
    n = spectrum.SMALL + 10
    inputs = RNG.standard_normal((n, D))
    problem = ConvexRelu(inputs, inputs[:, 0], BETA, patterns=patterns, gated=True)
    with compat.double():
        assert problem.facts().provenance("L") == how


def test_a_network_of_doubles_predicts_in_doubles_whatever_jax_is_set_to():
    third = np.array([[1 / 3, 0.0]])
    with jax.enable_x64(False):
        told = bn.ReluNetwork(third, np.ones(1))(np.array([[1.0, 0.0]]))
        single = bn.ReluNetwork(third.astype("f"), np.ones(1, "f"))(
            np.ones((1, 2), "f")
        )
    assert told.dtype == np.float64 and told[0] == third[0, 0]
    assert single.dtype == np.float32

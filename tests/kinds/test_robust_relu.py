"""Adversarial ReLU training: its splitting, its attack, its certified gap."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.convex_relu import patterns as relu_patterns
from banach.kinds.robust_convex_relu.check import RobustReluGap
from banach.kinds.robust_convex_relu.problem import RobustConvexRelu

RNG = np.random.default_rng(6)
N, D, BETA, EPS = 10, 2, 0.3, 0.05
X = RNG.standard_normal((N, D))
Y = np.abs(X[:, 0]) - 0.5 * X[:, 1] + 0.1 * RNG.standard_normal(N)


def make(**options):
    return RobustConvexRelu(X, Y, BETA, **({"eps": EPS, "patterns": 6} | options))


@pytest.fixture(scope="module")
def solved():
    """A certified answer."""
    with jax.enable_x64(True):
        problem = make()
        return problem, bn.solve(problem, tol=1e-8, max_steps=20_000)


def worst(x, eps=EPS):
    """The largest training objective over a grid of perturbations, row by row."""
    hidden = np.asarray(x).reshape(-1, D)
    sign = np.repeat([1.0, -1.0], len(hidden) // 2)
    grid = np.array(list(itertools.product(np.linspace(-eps, eps, 5), repeat=D)))
    moved = X[:, None] + grid
    z = np.maximum(moved @ hidden.T, 0) @ sign
    loss = np.max((z - Y[:, None]) ** 2 / 2, axis=1).sum()
    return loss + BETA * np.linalg.norm(hidden, axis=1).sum()


@eqx.filter_jit
def judge(problem, x, dual=None):
    return RobustReluGap()(problem, Point(x, dual), None, 0)[0]


def test_bad_input():
    for change, words in (
        ({"eps": 0.0}, "positive"), ({"eps": -0.1}, "positive"),
        ({"eps": 100.0}, "lower eps"), ({"patterns": "all"}, "a number of patterns"),
        ({"patterns": ~make().plain.masks[:1] & (np.arange(N) > 4)}, "of these data"),
    ):  # fmt: skip
        with pytest.raises(Misuse, match=words):
            make(**change)
    with pytest.raises(Misuse, match="no sensitivity"):
        make().optimality(Point(make().start().x))
    with pytest.raises(Misuse, match="robust_relu_gap|RobustConvexRelu"):
        bn.solve(bn.ConvexRelu(X, Y, BETA, 3), check="robust_relu_gap")


def test_patterns_keep_an_interior_under_the_perturbation():
    masks = make().plain.masks
    found = relu_patterns.given(X, masks, EPS)
    u = found.directions
    room = (2 * masks - 1) * (u @ X.T) - EPS * np.abs(u).sum(axis=1, keepdims=True)
    assert np.all(room > 0) and len(masks) < len(relu_patterns.enumerated(X).masks)


def test_the_splitting_is_adjoint_and_its_system_is_solved():
    problem = make()
    x = RNG.standard_normal(problem.space().shape)
    blocks = problem.split(x)
    other = {k: RNG.standard_normal(v.shape) for k, v in blocks.items()}
    left = sum(np.vdot(blocks[k], other[k]) for k in blocks)
    np.testing.assert_allclose(left, np.vdot(x, problem.split_adjoint(other)))
    factor = problem.normal_factor()
    r = problem.normal_product(x, 0.3)
    np.testing.assert_allclose(problem.normal_solve(factor, r, 0.3), x, atol=1e-11)


def test_the_prox_has_no_better_neighbour():
    """Each block is its own small problem; random feasible moves do not improve it."""
    problem, t = make(), 0.7
    x = RNG.standard_normal(problem.space().shape)
    given = {k: RNG.standard_normal(v.shape) for k, v in problem.split(x).items()}
    given["cones"] = given["cones"] + 0.3
    out = {k: np.asarray(v) for k, v in problem.split_prox(given, t).items()}
    e = EPS / float(problem.plain.unit(x))
    room = out["cones"].min(axis=-1) - e * np.abs(out["box"]).sum(axis=-1)
    assert np.all(room > -1e-12)

    def loss(r, c):
        return (np.abs(r) + EPS * np.abs(c).sum(axis=1)) ** 2 / 2

    def value(b):
        near = sum(np.sum((b[k] - given[k]) ** 2) for k in b) / (2 * t)
        return (
            near
            + loss(b["losses"] - Y, b["slopes"]).sum()
            + BETA * np.linalg.norm(b["groups"], axis=2).sum()
        )

    least = value(out)
    rng = np.random.default_rng(0)
    for _ in range(300):
        step = 10 ** rng.uniform(-6, -1)
        near = {k: v + step * rng.standard_normal(v.shape) for k, v in out.items()}
        # Back into the cones, or the comparison is not fair.
        lift = e * np.abs(near["box"]).sum(axis=-1, keepdims=True)
        near["cones"] = np.maximum(near["cones"], lift)
        assert value(near) >= least - 1e-12


def test_the_objective_is_that_of_the_network_under_its_worst_attack(solved):
    problem, r = solved
    assert r.certified and r.certificate.grade == "bound"
    assert "worst-case network" in r.certificate.quantity
    objective = float(problem.objective(r.x))
    assert worst(r.x) == pytest.approx(objective, rel=1e-6)
    attack = np.asarray(problem.attack(r.x))
    assert np.abs(attack).max() <= EPS
    network = problem.to_network(jnp.asarray(r.x))
    z = np.asarray(network(X + attack))
    weights = np.sum(network.hidden**2) + np.sum(network.output**2)
    seen = np.sum((z - Y) ** 2) / 2 + BETA / 2 * weights
    assert seen == pytest.approx(objective, rel=1e-6)
    # Perturbations and tighter cones both cost something.
    plain = bn.solve(bn.ConvexRelu(X, Y, BETA, problem.plain.masks), tol=1e-8)
    assert float(problem.plain.objective(plain.x)) < objective
    assert np.min(problem.plain.cones(plain.x)) < EPS / 10


def test_the_bound_is_above_the_true_gap(solved):
    problem, r = solved
    least = worst(r.x)
    rng = np.random.default_rng(1)
    for h in (0.0, 1e-6, 1e-4, 1e-2, 0.3):
        x = r.x + h * rng.standard_normal(r.x.shape)
        for dual in (None, r.point.dual):
            c = judge(problem, x, dual)
            assert worst(x) - least <= float(c.value) + float(c.slack)
            assert float(c.value) >= 0
        if h >= 1e-2:
            assert not c.within(1e-5)
    assert judge(problem, r.x, r.point.dual).within(1e-7)


def test_mutations_do_not_certify(solved):
    problem, r = solved
    x, dual = r.x, r.point.dual
    at = eqx.tree_at
    mutants = {
        "labels": at(lambda p: p.plain.y, problem, np.roll(Y, 1)),
        "data": at(lambda p: p.plain.X, problem, X[::-1].copy()),
        "eps": at(lambda p: p.eps, problem, np.float64(2 * EPS)),
        "beta": at(lambda p: p.plain.beta, problem, np.float64(0.8 * BETA)),
        "patterns": at(lambda p: p.plain.masks, problem, ~problem.plain.masks),
    }
    for name, mutant in mutants.items():
        assert not judge(mutant, x, dual).within(1e-4), name
    assert not judge(problem, 1.01 * x, dual).within(1e-6)
    assert not judge(problem, np.full_like(x, np.nan), dual).within(1.0)


def test_a_forged_witness_is_a_valid_bound_or_ignored(solved):
    problem, r = solved
    own = judge(problem, r.x)
    rng = np.random.default_rng(2)
    good = {k: np.asarray(v) for k, v in r.point.dual.items()}
    for forged in (
        {k: np.full_like(v, np.nan) for k, v in good.items()},
        {k: -1e3 * np.abs(v) - 1 for k, v in good.items()},
        good | {"attack": 1e3 * np.ones((N, D))},
        good | {"box": 1e3 * np.ones_like(good["box"])},
        good | {"cones": rng.uniform(0, 9, good["cones"].shape)},
        {"cones": good["cones"]}, good["cones"], {**good, "more": good["box"]},
    ):  # fmt: skip
        c = judge(problem, r.x, forged)
        assert 0 <= float(c.value) <= float(own.value) * (1 + 1e-12)
        assert worst(r.x) - float(c.value) <= float(problem.objective(r.x)) + 1e-9


def test_a_small_eps_tends_to_the_plain_program():
    masks = make().plain.masks
    plain = bn.solve(bn.ConvexRelu(X, Y, BETA, masks), tol=1e-8, max_steps=20_000)
    r = bn.solve(make(eps=1e-7, patterns=masks), tol=1e-7, max_steps=20_000)
    assert r.certified
    value = float(make(eps=1e-7, patterns=masks).objective(r.x))
    assert value == pytest.approx(
        float(bn.ConvexRelu(X, Y, BETA, masks).objective(plain.x)), rel=1e-5
    )

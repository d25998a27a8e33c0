"""The gap of convex ReLU programs: soundness, repair, mutations, independence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.convex_relu.check import ReluGap, _Near
from banach.kinds.convex_relu.problem import ConvexRelu
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    SquaredHingeLoss,
    SquaredLoss,
)
from banach.terms import GroupL2

RNG = np.random.default_rng(4)
N, D, P, BETA = 14, 3, 5, 0.5
X = RNG.standard_normal((N, D))
Y = np.abs(X[:, 0]) - X[:, 1] + 0.1 * RNG.standard_normal(N)
SIGN = np.where(Y > np.median(Y), 1.0, -1.0)
LD = np.longdouble
LOSSES = {
    "squares": SquaredLoss(),
    "logistic": LogisticLoss(),
    "hinge": SquaredHingeLoss(),
    "huber": HuberLoss(0.4),
}


def make(name="squares", **options):
    y = SIGN if LOSSES[name].discrete else Y
    return ConvexRelu(X, y, BETA, P, loss=LOSSES[name], **options)


def judge(problem, x, dual=None):
    return judged(ReluGap(), problem, Point(x, dual))


@pytest.fixture(scope="module")
def solved():
    """Answers with the best dual, by problem."""
    found = {}
    with jax.enable_x64(True):
        for name in LOSSES:
            for gated in (False, True):
                problem = make(name, gated=gated)
                r = bn.solve(problem, tol=1e-11, max_steps=40_000)
                found[name, gated] = problem, r
    return found


def network_value(problem, x):
    """The training objective of the network of x, in extended precision."""
    x = LD(np.asarray(x))
    if problem.gated:
        z = np.sum(np.where(problem.masks, x[0] @ LD(X).T, 0), axis=0)
    else:
        hidden = np.maximum(x @ LD(X).T, 0)
        z = np.sum(hidden[0] - hidden[1], axis=0)
    y, loss = LD(np.asarray(problem.y)), problem.loss
    if isinstance(loss, SquaredLoss):
        fit = (z - y) ** 2 / 2
    elif isinstance(loss, HuberLoss):
        d, r = LD(loss.delta), abs(z - y)
        fit = np.where(r <= d, r**2 / 2, d * r - d**2 / 2)
    elif isinstance(loss, SquaredHingeLoss):
        fit = np.maximum(1 - y * z, 0) ** 2 / 2
    else:
        fit = np.log1p(np.exp(-abs(y * z))) + np.maximum(-y * z, 0)
    return fit.sum() + LD(BETA) * np.sqrt(np.sum(x**2, axis=2)).sum()


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_the_bound_is_above_the_true_gap_and_tight_at_the_optimum(solved, name, gated):
    problem, r = solved[name, gated]
    assert r.certificate.ratio < 1e-8
    least = network_value(problem, r.x)
    rng = np.random.default_rng(1)
    for h in (0.0, 1e-9, 1e-6, 1e-3, 0.1, 1.0):
        x = r.x + h * rng.standard_normal(r.x.shape)
        for dual in (None, r.point.dual):
            c, at = judge(problem, x, dual)
            gap = network_value(problem, at.x) - least
            assert gap <= LD(float(c.value)) + LD(float(c.slack)), h
            # least itself is above f* by at most its own certificate.
            assert float(c.value) >= -float(c.slack) and not c.refuted()
            assert c.grade == "bound" and np.array_equal(at.x, x)
            if h == 0:
                assert c.within(1e-6)
            if h >= 1e-3:
                assert not c.within(1e-9)
    assert float(c.scale) == pytest.approx(float(problem.objective(0 * r.x)))


def test_a_point_outside_the_cones_gains_nothing(solved):
    """Its convex objective falls below f*; its network's does not certify."""
    problem, r = solved["squares", False]
    least, t = float(problem.objective(r.x)), 1 / float(problem.facts().L)
    x = jnp.asarray(r.x)
    for _ in range(200):
        # Proximal gradient steps that forget the cones.
        x = problem.shorten(x - t * problem.grad(x), t)
    assert float(problem.objective(x)) < least and np.min(problem.cones(x)) < -1e-3
    c, _ = judge(problem, x, r.point.dual)
    gap = network_value(problem, x) - network_value(problem, r.x)
    assert not c.within(1e-4) and gap <= float(c.value + c.slack)


def test_mutations_do_not_certify(solved):
    problem, r = solved["squares", False]
    x, dual = r.x, r.point.dual
    assert judge(problem, x, dual)[0].within(1e-8)
    other = np.random.default_rng(9).standard_normal((N, D))
    mutants = {
        "labels": eqx.tree_at(lambda p: p.y, problem, np.roll(Y, 1)),
        "beta": eqx.tree_at(lambda p: p.beta, problem, np.float64(0.9 * BETA)),
        "scaled": eqx.tree_at(lambda p: (p.X, p.y), problem, (2 * X, Y)),
        "data": eqx.tree_at(lambda p: p.X, problem, other),
        "patterns": eqx.tree_at(lambda p: p.masks, problem, ~problem.masks),
        "gates": eqx.tree_at(lambda p: p.masks, problem, problem.masks[::-1]),
    }
    for name, mutant in mutants.items():
        c, _ = judge(mutant, x, dual)
        assert not c.within(1e-4), name
    for h in (1e-2, -1e-2):
        assert not judge(problem, (1 + h) * x, dual)[0].within(1e-8)
        bent = x.copy()
        bent[np.unravel_index(np.argmax(np.abs(x)), x.shape)] += h
        assert not judge(problem, bent, dual)[0].within(1e-8)
    swapped = x[::-1]
    assert not judge(problem, swapped, dual)[0].within(1e-2)


def test_patterns_of_other_data_are_refused_when_they_are_given():
    other = ConvexRelu(np.random.default_rng(9).standard_normal((N, D)), Y, BETA, P)
    with pytest.raises(Misuse, match="belong to the X"):
        ConvexRelu(X, Y, BETA, other.masks)


def test_a_forged_witness_is_a_valid_bound_or_ignored(solved):
    problem, r = solved["squares", False]
    own, at = judge(problem, r.x)
    rng = np.random.default_rng(3)
    shape = r.point.dual.shape
    for dual in (
        np.full(shape, np.nan), -1e3 * np.ones(shape), 1e6 * np.ones(shape),
        rng.uniform(0, 1, shape), np.zeros(shape), np.zeros(3),
        np.zeros(shape, int), {"a": np.zeros(shape), "b": np.zeros(shape)},
    ):  # fmt: skip
        c, point = judge(problem, r.x, dual)
        assert float(c.value) <= float(own.value) * (1 + 1e-12) + 1e-300
        assert np.array_equal(point.x, at.x)
        assert float(c.value) + float(c.slack) >= 0


def test_it_names_the_program_that_it_speaks_of(solved):
    assert "5 sampled patterns" in solved["squares", False][1].certificate.quantity
    assert "gated" in solved["squares", True][1].certificate.quantity
    with pytest.raises(Misuse, match="ConvexRelu"):
        bn.solve(bn.Lasso(X, Y, 0.1), check="relu_gap")


def test_invariance_in_units_and_permutations(solved):
    problem, r = solved["squares", False]
    x = r.x + 1e-3 * np.random.default_rng(5).standard_normal(r.x.shape)
    ratio = float(judge(problem, x)[0].ratio)
    for a, b in ((1e-4, 1e3), (1e6, 1e-6)):
        scaled = ConvexRelu(a * X, b * Y, a * b * BETA, problem.masks)
        assert float(judge(scaled, x * b / a)[0].ratio) == pytest.approx(
            ratio, rel=1e-4
        )
    order = np.random.default_rng(6).permutation(N)
    moved = ConvexRelu(X[order], Y[order], BETA, problem.masks[:, order])
    keep = [
        int(np.flatnonzero((moved.masks == m).all(axis=1))[0])
        for m in problem.masks[:, order]
    ]
    y = np.zeros_like(x)
    y[:, keep] = x
    assert float(judge(moved, y)[0].ratio) == pytest.approx(ratio, rel=1e-3)


def test_float32_points_are_judged_in_float64_in_their_own_bits(solved):
    problem, r = solved["squares", False]
    small = ConvexRelu(X.astype("f"), Y.astype("f"), np.float32(BETA), problem.masks)
    c, at = judge(small, r.x.astype("f"))
    assert at.x.dtype == np.float32 and c.value.dtype == np.float64
    assert np.array_equal(at.x, r.x.astype("f"))
    assert 0 < float(c.ratio) < 1e-4


def test_nan_is_never_certified(solved):
    problem, r = solved["squares", False]
    x = r.x.copy()
    x[0, 0, 0] = np.nan
    assert not judge(problem, x, r.point.dual)[0].within(1.0)
    bad = eqx.tree_at(lambda p: p.X, problem, np.where(jnp.arange(D) == 1, np.nan, X))
    c, _ = judge(bad, r.x, r.point.dual)
    assert np.isnan(float(c.value))


def test_correlations_that_vanish_keep_an_error(monkeypatch):
    """Products of errors and tiny inputs are 0, and no bound on what was lost."""
    seen = []
    scale = GroupL2.dual_scale

    def recorded(term, r, e):
        seen.append(np.asarray(e))
        return scale(term, r, e)

    monkeypatch.setattr(GroupL2, "dual_scale", recorded)
    tiny = ConvexRelu(1e-300 * X, Y, 1e-290, P, gated=True)
    _Near(tiny, jnp.zeros(tiny.space().shape)).bound(None, 0)
    (error,) = seen
    assert np.all(error >= 2 * np.finfo(np.float64).tiny)

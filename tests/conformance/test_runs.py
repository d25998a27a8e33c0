"""What every method must do on every problem that it applies to.

Three programs a case: the kernel of `solve`, the pure run under vmap and grad, and a
scan of bare steps that counts oracles.
"""

import jax
import numpy as np
import pytest
from programs_of import LIMITS, STEPS, THETAS, TOL

from banach.core import programs
from banach.core.plan import Limits, Manner, Past, Plan
from banach.core.run import CODE

EXACT = 1e-13
# How far the steps of a lane may be from those of a run: a share, or so many blocks.
UNSTEADY = {
    # The search meets a tie and goes another way: 39 and 48 steps were seen.
    ("gradient_descent", "transport"): (0.25, 1),
    # tol is near what a search by values can reach: 10 and 30 steps.
    ("nonlinear_cg", "four_workers"): (0.1, 2),
}


def bits(tree):
    return [np.asarray(v).tobytes() for v in jax.tree.leaves(tree)]


def flat(x):
    return np.concatenate([np.ravel(v) for v in jax.tree.leaves(x)])


def test_the_verdict_is_true(case):
    """A certified bound holds against the known answer; nothing else says optimal."""
    r = case.full
    assert r.status in ("certified", "budget", "stalled")
    c = r.certificate
    if c.grade != "residual":
        assert case.bed.smooth_path
        said = c.quantity.removesuffix("_2")
        slack = float(c.slack) + EXACT * float(c.scale)
        assert case.bed.measures[said](r.x) <= float(c.value) + slack
    # Whatever it ended with, it came closer than the start.
    assert case.bed.error(r.x) < 0.1 * case.bed.error(case.problem.start().x)


def test_new_values_never_compile(case):
    case.full
    # A run that ends by its budget looks at its best point once more; a fast method
    # may be done after three steps.
    for steps in (1, 3):
        case.solve(max_steps=steps)
    before = dict(programs.COUNTS)
    fresh = case.solve(case.bed.moved(1.03), max_steps=3)
    case.solve(tol=1e-3, seed=5, max_steps=3)
    other = jax.tree.map(_nudged, case.method)
    case.solve(method=other, max_steps=3)
    assert programs.COUNTS == before
    assert bits(fresh.x) != bits(case.full.x)


def _nudged(leaf):
    return leaf * 0.9 if isinstance(leaf, float | np.floating) else leaf


def test_resume_is_exact(case, tmp_path):
    full = case.full
    middle = int(full.trace.step[(len(full.trace) - 1) // 2])
    path = tmp_path / "run.json"
    case.solve(max_steps=middle, checkpoint=path)
    got = case.solve(method=case.name, resume=path)
    assert (got.status, got.steps, got.calls) == (full.status, full.steps, full.calls)
    assert bits(got.x) == bits(full.x)
    for name in ("step", "ratio", "value"):
        assert bits(getattr(got.trace, name)) == bits(getattr(full.trace, name))
    assert bits(got.trace.calls) == bits(full.trace.calls)


def test_nan_is_reported_and_never_certified(case):
    """Data poisoned after some steps: the same program goes on with NaN inside."""
    from banach.core import host

    full = case.full
    middle = int(full.trace.step[(len(full.trace) - 1) // 2])
    first = case.solve(max_steps=middle)
    carry = jax.tree.map(np.asarray, first.carry)
    carry = type(carry)(**(vars(carry) | {"status": np.int32(0)}))
    bad = case.bed.poisoned()
    plan = Plan(bad, case.method, case.check, bad.start())
    limits, how = Limits(TOL, steps=STEPS), Manner(live=False, tier="fused")
    before = dict(programs.COUNTS)
    past = Past(carry, full.settings.every, 0.0)
    (r,) = host.iterate(plan, limits, how, past)
    assert programs.COUNTS == before
    assert r.status == "nonfinite" and not r.certified
    assert "non-finite at step" in r.reason or "NaN at a finite point" in r.reason
    assert np.isfinite(flat(r.x)).all()
    # From the start as well.
    (r,) = host.iterate(plan, limits, how)
    assert r.status == "nonfinite" and r.steps <= 1


def test_vmap_equals_the_loop(case):
    lanes, solo = case.lanes, case.full
    # A few steps: nothing but rounding between the two.
    short = flat(case.solve(max_steps=int(LIMITS[3])).x)
    scale = np.abs(short).max()
    np.testing.assert_allclose(lanes.x[3], short, rtol=0, atol=1e-10 * scale)
    assert lanes.steps[3] == min(LIMITS[3], solo.steps)
    # To the end: the verdict, and the answer as far as tol fixes it. A nonconvex
    # path may amplify rounding into another number of steps.
    assert lanes.status[0] == CODE[solo.status]
    if case.bed.smooth_path:
        # A look that just misses is followed by one a block later.
        share, blocks = UNSTEADY.get((case.name, case.bed.name), (0.1, 1))
        apart = max(share * solo.steps, blocks * solo.settings.every)
        assert abs(int(lanes.steps[0]) - solo.steps) <= apart
    if solo.certified:
        scale = np.abs(flat(solo.x)).max()
        np.testing.assert_allclose(lanes.x[0], flat(solo.x), rtol=0, atol=1e-4 * scale)
    # The poisoned lane is alone with its poison.
    assert lanes.status[2] not in (0, CODE["certified"])


def test_the_derivative_is_that_of_the_solution_or_nan(case):
    if not case.bed.derivative:
        pytest.skip("this answer has no derivative in theta")
    lanes = case.lanes
    certified = lanes.status == CODE["certified"]
    assert np.array_equal(np.isnan(lanes.slope), ~certified)
    h = 1e-4
    for i in np.flatnonzero(certified):
        theta = THETAS[i]
        # A gap of 1e-9 leaves an error of 1e-4 or so in x.
        low, high = (flat(case.bed.solution(theta + s)) for s in (-h, h))
        want = np.arange(1, low.size + 1) @ (high - low) / (2 * h)
        assert lanes.slope[i] == pytest.approx(want, rel=3e-3)


def test_declared_oracle_costs_are_the_counted_ones(case):
    c = case.counted
    card = case.method.card
    if card.cost is None:
        said = {k: int(v) for k, v in case.method.calls(c.state).items()}
    else:
        init = card.init_cost or {}
        said = {
            k: init.get(k, 0) + card.cost.get(k, 0) * len(jax.tree.leaves(c.xs)[0])
            for k in {*card.cost, *init}
        }
    assert {k: v for k, v in said.items() if v} == dict(c.run)


def test_the_declared_rate_holds(case):
    card = case.method.card
    constants = case.bed.constants(case.counted.start)
    if card.rate is None or constants is None:
        pytest.skip("no rate is declared for this problem")
    measure = case.bed.measures[card.rate_of]
    leaves, structure = jax.tree.flatten(case.counted.xs)
    rows = [jax.tree.unflatten(structure, at) for at in zip(*leaves, strict=True)]
    if card.rate_of.startswith("least "):
        rows = [case.counted.first, *rows]
    values = np.array([measure(jax.tree.map(np.asarray, x)) for x in rows])
    if card.rate_of.startswith("least "):
        values = np.minimum.accumulate(values)[1:]
    bounds = np.array([card.rate(constants, t) for t in range(1, len(values) + 1)])
    assert np.all(values <= bounds + EXACT * case.bed.error(case.counted.start))


def test_the_iterates_of_both_programs_agree(case):
    """The kernel of `solve` takes the same steps as a bare scan."""
    if case.method.card.random:
        pytest.skip("the two draw from different keys")
    r = case.solve(max_steps=3)
    xs = [np.asarray(v)[r.steps - 1] for v in jax.tree.leaves(case.counted.xs)]
    carried = case.method.point(r.carry.state).x
    np.testing.assert_allclose(
        flat(carried), np.concatenate([np.ravel(v) for v in xs]), rtol=1e-9, atol=1e-12
    )

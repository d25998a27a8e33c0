"""What holds of a case whichever executor runs it, and what is asked of XLA's alone.

The laws of layer A (`test_runs.py`) and of layers B and C (`test_compiled.py`) that are
the same are stated here once.
"""

import jax
import numpy as np
import pytest
from programs_of import LIMITS, STEPS, THETAS, TOL, bits, flat

from banach.core import compat
from banach.engine import compile_cache, driver, judge, step_programs, tiers
from banach.engine.loop import CODE, TIERS
from banach.engine.plan import Limits, Manner, Past, Plan

EXACT = 1e-13
# How far the steps of a lane may be from those of a run: a share, or so many blocks.
UNSTEADY = {
    # The search meets a tie and goes another way: 39 and 48 steps were seen.
    ("gradient_descent", "transport"): (0.25, 1),
    # tol is near what a search by values can reach: 10 and 30 steps.
    ("nonlinear_cg", "four_workers"): (0.1, 2),
    # A start moved by 1e-14 takes 39 to 117 steps, and 18 to 54.
    ("polak_ribiere", "elliptic"): (1.0, 1),
    ("polak_ribiere", "transport"): (1.0, 1),
}
# Steps after which a pair is done but for rounding, which a search then amplifies: a
# quadratic with two eigenvalues takes conjugate directions two.
SOON_DONE = {
    (name, "matrix_regression"): 2
    for name in ("nonlinear_cg", "hager_zhang", "polak_ribiere")
}
# Of float32, where 1e-9 is below the unit of rounding.
WIDE_TOL = 1e-4


def made():
    """How many programs this process has made: compiled, and traced."""
    return dict(compile_cache.COUNTS), dict(judge.COUNTS), len(step_programs._MOVES)


def middle(full):
    """The step of a look about half way through a run."""
    return int(full.trace.step[(len(full.trace) - 1) // 2])


def resume_is_exact(case, full, folder, **tier):
    """Stopped at a look and begun again from a file: the same bits to the end."""
    # Named, as whoever resumes in another process has to name it.
    path, spec = folder / "run.json", case.bed.spec
    case.solve(spec, max_steps=middle(full), checkpoint=path, **tier)
    got = case.solve(spec, method=case.name, resume=path)
    assert (got.status, got.steps, got.calls) == (full.status, full.steps, full.calls)
    assert got.manifest["schedule"]["legs"] == full.manifest["schedule"]["legs"]
    assert bits(got.x) == bits(full.x)
    for name in ("step", "ratio", "value"):
        assert bits(getattr(got.trace, name)) == bits(getattr(full.trace, name))
    assert bits(got.trace.calls) == bits(full.trace.calls)


def nan_is_reported(case, full, tier):
    """Data poisoned after some steps: the same program goes on with NaN inside."""
    first = case.solve(max_steps=middle(full), tier=tier)
    carry = jax.tree.map(np.asarray, first.carry)
    carry = type(carry)(**(vars(carry) | {"status": np.int32(0)}))
    bad = case.bed.poisoned()
    plan = Plan(bad, case.method, case.check, bad.start())
    limits, how = Limits(TOL, steps=STEPS), Manner(live=False, tier=tier)
    before = made()
    past = Past(carry, full.settings.every, 0.0, full.manifest["schedule"])
    (r,) = driver.iterate(plan, limits, how, past)
    assert made() == before
    assert r.manifest["schedule"]["legs"] == full.manifest["schedule"]["legs"]
    assert r.status == "nonfinite" and not r.certified
    assert "non-finite at step" in r.reason or "NaN at a finite point" in r.reason
    assert np.isfinite(flat(r.x)).all()
    # From the start as well.
    (r,) = driver.iterate(plan, limits, how)
    assert r.status == "nonfinite" and r.steps <= 1


def a_bound_holds(case, r, slack=0.0):
    """What a certificate says of the answer is true, or it says nothing of it."""
    c = r.certificate
    if c.grade != "residual":
        assert case.bed.smooth_path
        said = c.quantity.removesuffix("_2")
        slack += float(c.slack) + EXACT * float(c.scale)
        assert case.bed.measures[said](r.x) <= float(c.value) + slack


# What XLA makes of a method: layers B and C ------------------------------------------


def executors(case):
    """Those that can run a case."""
    with compat.double():
        if tiers.apart(case.ready) is not None:
            return TIERS[2:]
    return TIERS if case.tier == "numpy" else TIERS[1:]


def all_executors_make_the_same_steps(case, folder):
    """Three steps: the iterate, and what the check says of it, to rounding."""
    steps = SOON_DONE.get((case.name, case.bed.name), 3)
    runs = {tier: case.solve(tier=tier, max_steps=steps) for tier in executors(case)}
    last = runs["fused"]
    x = flat(case.method.point(last.carry.state).x)
    scale = np.abs(x).max()
    for tier, r in runs.items():
        assert r.manifest["schedule"]["legs"] == [[tier, 0]]
        assert (r.steps, r.status, r.calls) == (last.steps, last.status, last.calls)
        at = flat(case.method.point(r.carry.state).x)
        np.testing.assert_allclose(at, x, rtol=0, atol=1e-9 * scale)
        a, b = r.certificate, last.certificate
        assert (a.quantity, a.grade) == (b.quantity, b.grade)
        apart = abs(float(a.value) - float(b.value))
        assert apart <= 1e-9 * float(b.scale) + float(a.slack) + float(b.slack)


def new_values_never_compile(case, folder):
    """Other data, another tolerance, seed and hyperparameters: the same kernel."""
    full = case.fused
    # A run that ends by its budget looks at its best point once more; a fast method
    # may be done after three steps.
    for steps in (1, 3):
        case.solve(max_steps=steps, tier="fused")
    before = dict(compile_cache.COUNTS)
    fresh = case.solve(case.bed.moved(1.03), max_steps=3, tier="fused")
    case.solve(tol=1e-3, seed=5, max_steps=3, tier="fused")
    other = jax.tree.map(_nudged, case.method)
    case.solve(method=other, max_steps=3, tier="fused")
    assert compile_cache.COUNTS == before
    assert bits(fresh.x) != bits(full.x)


def _nudged(leaf):
    return leaf * 0.9 if isinstance(leaf, float | np.floating) else leaf


def resume_is_exact_compiled(case, folder):
    """As above, by the fused kernel."""
    resume_is_exact(case, case.fused, folder, tier="fused")


def nan_is_reported_compiled(case, folder):
    """As above, by the fused kernel."""
    nan_is_reported(case, case.fused, "fused")


def vmap_equals_the_loop(case, folder):
    """Lanes of one compiled run, and the same runs by themselves."""
    lanes, solo = case.lanes, case.fused
    # A few steps: nothing but rounding between the two.
    short = flat(case.solve(max_steps=int(LIMITS[3]), tier="fused").x)
    scale = np.abs(short).max()
    rounding = 1e-8 if (case.name, case.bed.name) in SOON_DONE else 1e-10
    np.testing.assert_allclose(lanes.x[3], short, rtol=0, atol=rounding * scale)
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


def the_derivative_is_that_of_the_solution_or_nan(case, folder):
    """Of certified lanes by differences of the known answer; of others NaN."""
    if not case.bed.derivative:
        return
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


def single_precision_stays_single(case, folder):
    """A problem in float32: the state too, and what is certified is true."""
    problem = case.bed.narrow()
    r = case.solve(problem, method=case.name, tol=WIDE_TOL, tier="fused")
    for leaf in jax.tree.leaves((r.x, r.carry.state)):
        if np.issubdtype(np.asarray(leaf).dtype, np.floating):
            assert np.asarray(leaf).dtype == np.float32
    assert r.status in ("certified", "budget", "stalled", "unverifiable")
    start = case.bed.error(case.problem.start().x)
    # The bed's own numbers, rounded to float32, have an answer of their own.
    a_bound_holds(case, r, slack=1e-5 * max(start, float(r.certificate.scale)))
    assert case.bed.error(r.x) < start


COMPILED = (
    all_executors_make_the_same_steps,
    new_values_never_compile,
    resume_is_exact_compiled,
    nan_is_reported_compiled,
    vmap_equals_the_loop,
    the_derivative_is_that_of_the_solution_or_nan,
    single_precision_stays_single,
)
"""Layers B and C: functions of (case, a folder to write in)."""

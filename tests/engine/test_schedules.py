"""Three executors of one run: the same rules, one schedule, and what begins where."""

import json
import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import NoisyDescent, bits, ridge

import banach as bn
from banach.core import compat, save
from banach.core.check import Check, single
from banach.core.point import Point
from banach.engine import executors, loop, problem_cache, split_step_and_check, tiers
from banach.engine.loop import TIERS
from banach.methods.smooth.gradient_descent import GradientDescent

# Steps of 1/2 on curvatures of 1, 1/2, 1/4: every number is a short binary fraction,
# so that no executor rounds, and all bits agree.
HALF = GradientDescent(0.5, search=False)


def dyadic(shift=1.0):
    def f(x, c, a):
        return 0.5 * jnp.sum(c * (x - a) ** 2)

    c, a = np.array([1.0, 0.5, 0.25, 0.5, 1.0]), np.full(5, shift)
    return bn.Smooth(f, np.zeros(5), (c, a), L=1.0, reference=np.ones(5))


class Largest(Check):
    """The largest entry of the gradient, exactly; with the slack that a test asks."""

    name = "largest"
    slack: float = 0.0
    sign: float = 1.0
    nan_below: float = 0.0
    worse: float = eqx.field(static=True, default=0.0)

    def __call__(self, problem, point, key, look):
        g = jnp.max(jnp.abs(problem.grad(point.x)))
        g = jnp.where(g < self.nan_below, jnp.nan, g) * self.sign
        # Every third look is worse than it should be: the best is not the last.
        g = g * jnp.where(look % 3 == 2, 1 + self.worse, 1.0)
        said = single(
            "q", g, self.slack, 1.0, grade="residual", look=jnp.asarray(look) + 1
        )
        return said, Point(point.x)

    def cost(self, problem):
        return {"grad": 1}


ENDS = {
    "certified": (Largest(), dict(tol=0.25)),
    "certified, not at its best": (Largest(worse=8.0), dict(tol=2.0**-5)),
    "budget": (Largest(), dict(tol=1e-9, max_steps=13)),
    "nonfinite": (Largest(nan_below=0.125), dict(tol=1e-3)),
    "refuted": (Largest(sign=-1.0), dict(tol=1e-3)),
    "unverifiable": (Largest(slack=0.5), dict(tol=2.0**-9)),
    "absolute": (Largest(), dict(tol=bn.Absolute(0.25))),
}


def shapes(tree):
    return [(v.shape, v.dtype) for v in jax.tree.leaves(tree)]


@pytest.mark.parametrize("absolute", [False, True])
def test_what_a_carry_is_like_is_said_by_both(absolute):
    """A file is held against it, whichever executor goes on."""
    problem, settings = dyadic(), loop.Settings(3, 6, absolute)
    with compat.double():
        ready = problem_cache.Ready(
            problem_cache.of(problem), problem, HALF, Largest(), problem.start()
        )
        ours = tiers.build("numpy", ready, settings).struct
        parts = (problem, ready.method, ready.check, ready.start)
        theirs = loop.carry_like(*parts, jax.random.key(0), settings)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_kernel_after_another_executor_traces_its_carry_once(dtype, monkeypatch):
    """What is known of the carry is taken from the programs that ran before."""
    start = np.full(3, 2.0, dtype)
    problem = bn.Smooth(lambda x: (x**2).sum() / 2 + (x**4).sum() * 2.0**-7, start)
    method, options = bn.GradientDescent(0.25), dict(rows=4, tol=1e-3)
    fresh = bn.solve(problem, method, tier="fused", **options)
    tiers.clear()
    first = bn.solve(problem, method, tier="numpy", **options)
    asked = []
    monkeypatch.setattr(loop, "carry_like", lambda *a: asked.append(a))
    again = bn.solve(problem, method, tier="fused", **options)
    assert not asked and first.certified and again.certified
    assert jax.tree.structure(again.carry) == jax.tree.structure(fresh.carry)
    assert bits(again.carry) == bits(fresh.carry)
    assert shapes(again.carry) == shapes(fresh.carry)


@pytest.mark.parametrize("name", ENDS)
def test_all_executors_keep_the_same_books(name):
    """Every leaf of the carry, bit for bit."""
    check, options = ENDS[name]
    options = dict(check=check, rows=4) | options
    runs = {t: bn.solve(dyadic(), HALF, tier=t, **options) for t in TIERS}
    fused = runs["fused"]
    assert fused.status == name.split(",")[0].replace("absolute", "certified")
    for tier, run in runs.items():
        assert run.manifest["schedule"]["legs"] == [[tier, 0]]
        assert (run.status, run.steps, run.calls) == (
            fused.status, fused.steps, fused.calls,
        )  # fmt: skip
        assert jax.tree.structure(run.carry) == jax.tree.structure(fused.carry)
        assert bits(run.carry) == bits(fused.carry)
        assert shapes(run.carry) == shapes(fused.carry)
        assert bits((run.x, run.trace.ratio)) == bits((fused.x, fused.trace.ratio))


def test_a_random_method_is_given_the_same_keys():
    options = dict(check=Largest(), tol=1e-30, max_steps=7, seed=2**40 + 3)
    runs = [
        bn.solve(ridge(), NoisyDescent(1e-3, 1.0), tier=t, **options).x for t in TIERS
    ]
    np.testing.assert_allclose(runs[0], runs[2], rtol=1e-12)
    np.testing.assert_allclose(runs[1], runs[2], rtol=1e-12)


def unseen():
    """A Lasso of shapes that no other test has: some calls compile for each shape."""
    rng = np.random.default_rng(0)
    problem = bn.Lasso(rng.normal(size=(23, 17)), rng.normal(size=23), 0.1)
    return dict(problem=problem, method="fista")


@pytest.mark.parametrize(
    "build",
    [lambda: dict(problem=dyadic(3.0), method=HALF, check=Largest(), tol=1e-3), unseen],
)
def test_a_first_solve_compiles_nothing(build):
    tiers.clear()
    compiled, asked = [], build()

    def heard(event, *more, **named):
        if event.endswith("backend_compile_duration"):
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(heard)
    try:
        r = bn.solve(**asked)
    finally:
        jax.monitoring.unregister_event_duration_listener(heard)
    assert r.certified and r.manifest["schedule"]["legs"] == [["numpy", 0]]
    assert compiled == []


def test_a_structure_that_is_solved_again_and_again_is_compiled():
    tiers.clear()
    legs = []
    for k in range(4):
        r = bn.solve(dyadic(2.0 + k), HALF, check=Largest(), tol=1e-3)
        assert r.certified
        legs.append(r.manifest["schedule"]["legs"][0][0])
    assert legs == ["numpy"] * tiers.FIRST + ["fused"] * (4 - tiers.FIRST)


@pytest.fixture
def small(monkeypatch):
    """Executors that are done early, so that a run meets all of them."""
    monkeypatch.setattr(tiers, "LIMITS", {"numpy": 700.0, "split": 400.0})
    tiers.clear()


LONG = dict(method=GradientDescent(1e-3, search=False), tol=1e-14, rows=16)


def valley():
    """A least squares problem, which a file can hold, with a long way to go."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((30, 5)) * 10.0 ** -np.arange(5)
    return bn.Ridge(A, rng.standard_normal(30), 1e-9)


def test_a_long_run_goes_on_with_the_next_and_says_so(small):
    r = bn.solve(valley(), max_steps=400, **LONG)
    legs = r.manifest["schedule"]["legs"]
    assert [name for name, _ in legs] == ["numpy", "split", "fused"]
    looks = [look for _, look in legs]
    assert looks[0] == 0 < looks[1] < looks[2]
    assert r.seconds["compile"] > 0 and r.status == "budget" and r.steps == 400


def test_resuming_follows_the_schedule_bit_for_bit(small, tmp_path):
    whole = bn.solve(valley(), max_steps=400, **LONG)
    legs = whole.manifest["schedule"]["legs"]
    pace = whole.settings.every
    # Inside each of the executors, and at a border of two.
    for look in (2, legs[1][1], legs[1][1] + 2, legs[2][1], legs[2][1] + 3):
        path = tmp_path / f"{look}.json"
        tiers.clear()
        bn.solve(valley(), max_steps=(look - 1) * pace, checkpoint=path, **LONG)
        # In another process the structure may be known already.
        bn.solve(valley(), max_steps=3, tier="fused", **LONG)
        again = bn.solve(valley(), resume=path, max_steps=400, **LONG)
        assert again.manifest["schedule"]["legs"] == legs
        assert bits(again.carry) == bits(whole.carry)


@pytest.mark.parametrize("tier", TIERS[:2])
def test_a_pinned_run_goes_on_with_its_one_executor(small, tmp_path, tier):
    """However much work that is: it ends in the bits of the run that never stopped."""
    path = tmp_path / "run.json"
    whole = bn.solve(valley(), max_steps=400, tier=tier, **LONG)
    assert whole.manifest["schedule"]["work"] > tiers.LIMITS[tier]
    bn.solve(valley(), max_steps=200, tier=tier, checkpoint=path, **LONG)
    again = bn.solve(valley(), resume=path, max_steps=400, **LONG)
    assert again.manifest["schedule"] == whole.manifest["schedule"]
    assert again.manifest["schedule"]["legs"] == [[tier, 0]]
    assert bits(again.carry) == bits(whole.carry)


def test_a_look_that_turns_out_long_is_compiled_from_then_on(monkeypatch):
    class Slow(Check):
        """Loops for longer from the third look on: there NumPy gives up."""

        name = "slow"

        def __call__(self, problem, point, key, look):
            turns = jnp.where(look >= 2, 2_000, 1)

            def one(i, v):
                return jnp.sin(v) * 1e-9 + jnp.max(jnp.abs(problem.grad(point.x)))

            v = jax.lax.fori_loop(0, turns, one, jnp.zeros(()))
            return single("q", v, 0.0, 1.0, grade="residual", look=look + 1), point

        def cost(self, problem):
            return {"grad": 1}

    monkeypatch.setattr(split_step_and_check, "ONCE", 3_000.0)
    tiers.clear()
    run = dict(tol=1e-12, max_steps=60)
    r = bn.solve(valley(), LONG["method"], check=Slow(), **run)
    said = r.manifest["schedule"]
    assert said["legs"] == [["numpy", 0]] and said["compiled_looks"]
    tiers.clear()
    pace = r.settings.every
    short = bn.solve(valley(), LONG["method"], check=Slow(), max_steps=pace, tol=1e-12)
    assert "compiled_looks" not in short.manifest["schedule"]


def test_a_checkpoint_with_a_schedule_that_no_run_has_is_refused(small, tmp_path):
    path = tmp_path / "run.json"
    bn.solve(valley(), max_steps=4, checkpoint=path, **LONG)
    saved = json.loads(path.read_text())
    good = saved["checkpoint"]["schedule"]
    for bad in ("numpy", {"dict": []}, good | {"dict": [["legs", {"list": []}]]}):
        saved["checkpoint"]["schedule"] = bad
        path.write_text(json.dumps(save.seal(saved)))
        with pytest.raises(bn.Misuse, match="schedule"):
            bn.solve(valley(), resume=path, **LONG)


def test_what_numpy_cannot_run_begins_with_xla():
    def f(x):
        return jnp.sum(jnp.abs(jnp.fft.fft(x)) ** 2) / 5  # complex numbers

    problem = bn.Smooth(f, np.ones(5), L=2.0, reference=np.zeros(5))
    tiers.clear()
    r = bn.solve(problem, HALF, check=Largest(), tol=1e-3, max_steps=40)
    said = r.manifest["schedule"]
    assert said["legs"][0] == ["split", 0] and said["compiled_looks"]
    assert r.certified
    with pytest.raises(bn.Misuse, match="cannot run this"):
        bn.solve(problem, HALF, check=Largest(), tier="numpy")


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        (HALF, dict(tier="jit"), "tier must be one of numpy, split, fused"),
        ("scipy:BFGS", dict(tier="numpy"), "drop tier="),
    ],
)
def test_a_tier_that_cannot_be_pinned_is_misuse(method, options, says):
    with pytest.raises(bn.Misuse, match=says):
        bn.solve(dyadic(), method, **options)


def test_the_clock_of_making_counts_nothing_twice(monkeypatch):
    ticks = iter(range(100))
    clock = types.SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(executors, "time", clock)
    inner = executors.clocked(lambda: None)

    @executors.clocked
    def outer():
        inner()
        inner()

    before = executors.making()
    outer()
    # Six readings, five ticks apart: two of the ticks are the inner calls' own.
    assert executors.making() - before == 5.0

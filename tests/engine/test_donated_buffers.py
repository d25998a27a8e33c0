"""Runs of a large state: written in place, looked at once a block, the same run."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import saved_problem
from saved_problem import bowl

import banach as bn
from banach.bridge import _from_optax as from_optax
from banach.bridge._from_optax import FromOptax
from banach.engine import compile_cache, driver
from banach.engine.plan import Limits, Past, Plan
from banach.methods.smooth.gradient_descent import GradientDescent

SIZE = 2**13
EVERY = 65


class Careful(FromOptax):
    """The same method, of which nothing is known."""

    absorbing = False
    __init__ = FromOptax.__init__


def adam(cls=FromOptax):
    return cls(optax.adam, learning_rate=1e-2)


def sgd(rate):
    return FromOptax(optax.sgd, learning_rate=rate)


def solved(problem=None, method=None, **options):
    options = {"tol": 1e-3, "tier": "fused"} | options
    return bn.solve(problem or bowl(), method or adam(), **options)


def runs(**options):
    return bn.iterate(bowl(), adam(), tol=1e-3, tier="fused", **options)


def bits(tree):
    return [np.asarray(v).tobytes() for v in jax.tree.leaves(tree)]


def seen(result):
    trace = result.trace
    rows = (trace.step, trace.ratio, trace.value)
    return result.status, result.steps, result.best_step, bits((result.x, rows))


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    """Many borders in a short run."""
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 1e-6)
    monkeypatch.setattr("banach.engine.donated_buffers._SECONDS_PER_BYTE", 0.0)


def test_a_run_is_the_same_with_and_without_a_look_at_every_step():
    # Two programs, which may round a step otherwise; both end by the same look.
    quick = solved()
    careful = solved(method=adam(Careful))
    assert quick.status == careful.status == "certified"
    assert quick.settings.every == EVERY and quick.steps == careful.steps
    assert quick.steps % EVERY == 0 and quick.steps > 3 * EVERY
    np.testing.assert_allclose(quick.x["a"], careful.x["a"], rtol=1e-5)
    kernels = [k for k in compile_cache._KERNELS.values() if k.scratch is not None]
    assert {k.deferred for k in kernels} == {True, False}


def test_results_kept_while_a_run_goes_on_stay_what_they_were():
    held = list(runs())
    assert len(held) > 4
    # Read afterwards: nothing was written over what somebody held.
    for result in held[:-1]:
        again = solved(max_steps=result.steps)
        assert bits(result.x) == bits(again.x)
        assert bits(result.carry.state) == bits(again.carry.state)
    *_, last = runs()
    assert seen(last) == seen(held[-1])


def test_what_was_read_is_not_written_over():
    read = []
    for final in runs():
        # The result is dropped at once, what it showed is not.
        read.append((final.steps, final.x, final.carry.state.x))
    for steps, x, state in read[:-1]:
        again = solved(max_steps=steps)
        assert bits(x) == bits(again.x)
        assert bits(state) == bits(again.carry.state.x)


def test_buffers_are_taken_over_where_nobody_looks(monkeypatch):
    made = []
    zeros = jnp.zeros
    monkeypatch.setattr(
        "banach.engine.donated_buffers.jnp.zeros",
        lambda s, d: made.append(s) or zeros(s, d),
    )
    for live in (False, True):
        made.clear()
        steps = [r.steps for r in runs(live=live)]
        assert len(steps) > 4 or not live
        # x, both moments and the best point, for two sets of buffers.
        assert len(made) <= 2 * 4


def test_a_run_that_goes_on_from_a_carry_is_the_same():
    full, first = solved(), solved(max_steps=2 * EVERY)
    carry = jax.tree.map(np.asarray, first.carry)
    carry = type(carry)(**(vars(carry) | {"status": np.int32(0)}))
    plan = Plan(bowl(), full.method, full.check, bowl().start())
    for _ in range(2):  # the carry is its owner's, and is not written over
        *_, back = driver.iterate(plan, Limits(1e-3), past=Past(carry, EVERY, 0.0))
        assert seen(back) == seen(full)
        assert bits(back.carry.state) == bits(full.carry.state)


def test_resume_is_exact(tmp_path):
    path, problem = tmp_path / "run.json", f"{saved_problem.__file__}:large"
    method = GradientDescent(0.1, search=False)
    full = solved(problem, method)
    assert full.steps >= 2 * full.settings.every
    solved(problem, method, max_steps=full.settings.every, checkpoint=path)
    back = bn.solve(problem, tol=1e-3, resume=path)
    assert seen(back) == seen(full)
    assert bits(back.carry.state) == bits(full.carry.state)


def test_the_step_and_the_leaf_that_became_non_finite_are_found():
    # x - 1 doubles at every step: -2^128 is no float32, 2^127 is one.
    r = solved(bowl(-1.0), sgd(1.0))
    assert (r.status, r.steps) == ("nonfinite", 128)
    assert (int(r.carry.bad_step), int(r.carry.bad_leaf)) == (128, 0)
    assert np.isfinite(r.x["a"]).all() and r.best_step % EVERY == 0
    assert "step 128" in r.reason
    rows = r.trace.step.tolist()
    assert rows == [0, EVERY, 128]


def test_a_run_that_ends_inside_a_block_is_looked_at_there():
    r = solved(max_steps=EVERY + 7)
    assert (r.status, r.steps) == ("budget", EVERY + 7)
    assert r.trace.step.tolist() == [0, EVERY, EVERY + 7]
    r = solved(bowl(-1.0), sgd(1.0), max_steps=128)
    assert (r.status, r.steps) == ("nonfinite", 128)
    r = solved(bowl(-1.0), sgd(1.0), max_steps=127)
    assert (r.status, r.steps) == ("budget", 127)


def test_a_large_point_that_stands_still_ends_as_stalled():
    start = jax.tree.map(lambda v: v + 2, bowl().x0)
    r = solved(method=sgd(1e-30), start=start)
    # The first of its steps is not known to have left everything alone.
    assert (r.status, r.steps) == ("stalled", 2 * EVERY)
    assert int(r.carry.state.motionless) == 2 * EVERY - 1


def test_what_moves_outside_the_sample_moves():
    still = jnp.zeros(SIZE, jnp.float32)
    mark = from_optax._first_mark(still)
    assert mark.shape == (from_optax._SAMPLED + 2,)
    found = []
    for x in (still, still, still.at[3].set(1e-30), still, still, still):
        same, mark = from_optax._still(x, mark)
        found.append(bool(same))
    # Known again only once it has been read in full.
    assert found == [False, True, False, False, True, True]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_print_tells_apart_what_differs_in_one_bit(dtype):
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        x = [rng.standard_normal(40).astype(dtype), np.ones((3, 5), dtype)]
        prints = {tuple(np.asarray(from_optax._print(jax.tree.map(jnp.asarray, x))))}
        for leaf, at in ((0, 0), (0, 39), (1, (2, 4))):
            y = [v.copy() for v in x]
            y[leaf][at] = np.nextafter(y[leaf][at], np.asarray(9, dtype))
            y = jax.tree.map(jnp.asarray, y)
            prints.add(tuple(np.asarray(from_optax._print(y))))
        assert len(prints) == 4
        swapped = [x[0][::-1], x[1]]
        swapped = jax.tree.map(jnp.asarray, swapped)
        assert tuple(np.asarray(from_optax._print(swapped))) not in prints

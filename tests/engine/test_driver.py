"""The host driver: chunks, clock, Ctrl-C; nothing depends on timing."""

import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg  # noqa: F401
import threadpoolctl
from core_bed import CHECK, NoisyDescent, bits, long_valley, ridge, ridge_solution

import banach as bn
from banach.core import blas_threads
from banach.engine import compile_cache, driver, tiers
from banach.methods.smooth.gradient_descent import GradientDescent
from banach.methods.smooth.lbfgs import Lbfgs

# 100 steps of 1 / L: looks at the border of every tenth step.
FIXED = GradientDescent(1.0, search=False)
LONG = dict(tol=1e-11, max_steps=200_000_000)


def rows(trace):
    return bits((trace.step, trace.ratio, trace.value, trace.calls))


def test_the_result_of_a_solve():
    tiers.clear()
    problem = ridge()
    r = bn.solve(problem, Lbfgs(memory=5), check=CHECK, tol=1e-9)
    assert r.certified and r.status == "certified"
    assert type(r.x) is np.ndarray and r.x.dtype == np.float64
    np.testing.assert_allclose(r.x, ridge_solution(), rtol=1e-8)
    assert r.trace.step[0] == 0 and r.trace.step[-1] == r.steps == r.best_step
    assert float(r.trace.ratio[-1]) == float(r.certificate.ratio) <= 1e-9
    assert r.calls["grad"] == r.trace.calls["grad"][-1] > r.steps
    assert set(r.seconds) == {"compile", "run", "check"}
    assert r.seconds["compile"] > 0 and r.seconds["check"] < r.seconds["run"]
    # A second run of the same structure compiles nothing.
    again = bn.solve(problem, Lbfgs(memory=5), check=CHECK, tol=1e-9)
    assert again.seconds["compile"] == 0
    assert rows(again.trace) == rows(r.trace) and bits(again.x) == bits(r.x)


@pytest.mark.parametrize("chunk", [1, 3, 7, 10_000])
def test_the_trace_does_not_depend_on_the_chunks(chunk, monkeypatch):
    options = dict(check=CHECK, tol=1e-11, max_steps=437, rows=32)
    noisy = NoisyDescent(0.5, 1e-6)
    want = bn.solve(long_valley(), noisy, **options)
    monkeypatch.setattr(driver, "_first_blocks", lambda *a: chunk)
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 1e-9 if chunk < 7 else 10.0)
    got = bn.solve(long_valley(), noisy, **options)
    assert got.steps == want.steps == 437
    assert rows(got.trace) == rows(want.trace) and bits(got.x) == bits(want.x)


def test_iterate_yields_at_borders_and_the_last_is_final(monkeypatch):
    monkeypatch.setattr(driver, "_first_blocks", lambda *a: 2)
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 1e-9)
    seen = list(bn.iterate(long_valley(), FIXED, check=CHECK, tol=1e-11, max_steps=95))
    steps = [r.steps for r in seen]
    assert [r.status for r in seen[:-1]] == ["running"] * (len(seen) - 1)
    assert seen[-1].status == "budget" and steps[-1] == 95
    # The look at step 0 is one block; then blocks of ten.
    assert steps == [10, *range(20, 91, 10), 95]
    last = seen[-1].trace
    assert np.all(np.diff(last.seconds) >= 0) and last.seconds[0] == 0
    assert last.measured[np.isin(last.step, [0, *steps])].all()
    assert last.seconds[-1] == pytest.approx(seen[-1].seconds["run"])


def test_the_time_limit_counts_the_compilation():
    tiers.clear()
    began = time.perf_counter()
    r = bn.solve(long_valley(), FIXED, check=CHECK, time_limit=1e-3, **LONG)
    assert r.status == "budget" and r.timed_out
    assert r.seconds["compile"] > 1e-3 and "compile time included" in r.reason
    assert "time_limit" in r.hint
    # One chunk was run all the same: the answer is the best so far.
    assert np.isfinite(float(r.certificate.ratio)) and 0 < r.best_step <= r.steps
    assert float(r.certificate.ratio) < float(r.trace.ratio[0])
    assert time.perf_counter() - began < 60


def test_ctrl_c_gives_the_best_answer_so_far_which_can_be_used():
    def press(result):
        if result.status == "running":
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    r = bn.solve(long_valley(), FIXED, check=CHECK, progress=press, **LONG)
    assert signal.getsignal(signal.SIGINT) is before
    assert r.status == "interrupted" and not r.certified and not r.timed_out
    assert "interrupted at step" in r.reason and r.steps > 0
    assert np.isfinite(r.x).all() and float(r.certificate.ratio) < 1
    with pytest.raises(bn.NotCertified, match="interrupted"):
        r.require()
    # The distance to the end is smaller than from the start.
    near = bn.solve(long_valley(), FIXED, start=r, check=CHECK, max_steps=0)
    assert float(near.certificate.ratio) == pytest.approx(
        float(r.certificate.ratio), rel=1e-9
    )


def test_a_second_ctrl_c_raises_and_the_handler_comes_back():
    presses = []

    def press(result):
        presses.append(result.steps)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        bn.solve(long_valley(), FIXED, check=CHECK, progress=press, **LONG)
    assert len(presses) == 1
    import gc

    gc.collect()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_abandoned_iteration_gives_the_handler_back():
    before = signal.getsignal(signal.SIGINT)
    runs = bn.iterate(long_valley(), FIXED, check=CHECK, **LONG)
    first = next(runs)
    assert first.status == "running"
    assert signal.getsignal(signal.SIGINT) is not before
    runs.close()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_exception_in_progress_is_the_users_own():
    def broken(result):
        raise RuntimeError("mine")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="mine"):
        bn.solve(long_valley(), FIXED, check=CHECK, progress=broken, **LONG)
    import gc

    gc.collect()
    assert signal.getsignal(signal.SIGINT) is before


def test_new_values_compile_nothing():
    def go(problem, method, **options):
        options |= dict(check=CHECK, max_steps=20, tier="fused")
        return bn.solve(problem, method, **options)

    go(ridge(), Lbfgs(memory=5))
    before = dict(compile_cache.COUNTS)
    go(ridge(lam=3.0), Lbfgs(memory=5), tol=1e-3, seed=7, time_limit=9.0)
    go(ridge(), Lbfgs(memory=5), start=np.full(5, 0.1))
    assert compile_cache.COUNTS == before
    go(ridge(), Lbfgs(memory=6))
    assert compile_cache.COUNTS["kernel"] == before["kernel"] + 1


def test_a_start_in_float32_stays_float32():
    r = bn.solve(ridge(dtype=np.float32), Lbfgs(memory=5), check=CHECK, tol=1e-4)
    assert r.certified and r.x.dtype == np.float32
    # The verdict itself was computed in float64.
    assert np.asarray(r.certificate.value).dtype == np.float64
    # No float32 number is close enough to 1/3.
    third = bn.Smooth(lambda x: jnp.sum((3 * x - 1) ** 2), np.zeros(5, np.float32))
    hard = bn.solve(third, GradientDescent(1 / 18, search=False), tol=1e-12)
    assert hard.status == "stalled" and hard.x.dtype == np.float32
    assert "float64" in hard.hint and "tol=5e-07" in hard.hint


def test_where_a_value_became_nonfinite_is_told():
    problem = bn.Smooth(lambda x: jnp.sum(x["w"] ** 2), {"w": np.ones(3)})
    r = bn.solve(problem, GradientDescent(30.0, search=False), max_steps=10_000)
    assert r.status == "nonfinite" and not r.certified
    assert "['w'] became non-finite at step" in r.reason
    assert "divergence" in r.reason and "smaller step_size" in r.hint
    assert np.isfinite(r.x["w"]).all()


def test_small_problems_have_one_thread_of_blas_until_they_are_done(monkeypatch):
    """JAX computes after a call has returned: the block must wait for it."""
    limited, waited = blas_threads.OneThread, []
    progress = compile_cache.Kernel.progress

    def recorded(kernel, packed):
        waited.append(limited._depth > 0)
        return progress(kernel, packed)

    monkeypatch.setattr(compile_cache.Kernel, "progress", recorded)
    problem = bn.Smooth(lambda x: jnp.sum((x - 1) ** 4), np.zeros(2))
    for _ in range(4):
        bn.solve(problem, "gradient_descent", max_steps=50)
    assert waited and all(waited)


def test_lanes_have_one_thread_of_blas():
    seen = []

    def look(x):
        libraries = threadpoolctl.threadpool_info()
        seen.append({v["num_threads"] for v in libraries if v["user_api"] == "blas"})

    def told(x):
        jax.debug.callback(look, x[0])
        return jnp.sum((x - 1) ** 4)

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        stack = bn.Smooth.stack(told, np.zeros((3, 2)))
        assert bn.solve_many(stack, "gradient_descent", max_steps=20).steps.min()
        jax.effects_barrier()
    assert len(seen) >= 20
    assert all(counts == {1} for counts in seen), seen

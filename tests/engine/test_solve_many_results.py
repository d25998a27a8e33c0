"""Results of many problems: columns, and a Result a lane made when it is read."""

import json
import pickle
import signal

import jax
import numpy as np
import pytest

import banach as bn
from banach.core.problem import Misuse
from banach.core.result import problem_id
from banach.engine import solve_many_results as columns

LANES = 12
rng = np.random.default_rng(3)
A = rng.normal(size=(LANES, 20, 3))
Y = (rng.random((LANES, 20)) < 0.5).astype(int)
L2 = np.linspace(0.5, 2.0, LANES)
ASKED = {"check": "stationarity", "tol": 1e-9}


@pytest.fixture(scope="module")
def stack():
    return bn.LogisticRegression.stack(A, Y, L2)


@pytest.fixture(scope="module")
def results(stack):
    return bn.solve_many(stack, **ASKED)


def singles():
    return [bn.LogisticRegression(A[i], Y[i], L2[i]) for i in range(LANES)]


def singles_id(i):
    return problem_id(bn.LogisticRegression(A[i], Y[i], L2[i]))


def test_a_stack_a_list_and_a_loop_agree(results):
    listed = bn.solve_many(singles(), **ASKED)
    alone = [bn.solve(p, **ASKED) for p in singles()]
    assert listed.status.tolist() == results.status.tolist() == ["certified"] * LANES
    np.testing.assert_allclose(results.x, listed.x, rtol=1e-12)
    # |x - x*| is at most the gradient over the smallest weight of the penalty.
    np.testing.assert_allclose(results.x, np.stack([r.x for r in alone]), atol=1e-7)
    np.testing.assert_allclose(
        results.scale, [float(r.certificate.scale) for r in alone], rtol=1e-12
    )


def test_columns_are_what_the_results_say_and_make_none(stack, monkeypatch):
    made = []
    real = columns.finish
    monkeypatch.setattr(columns, "finish", lambda *a: made.append(1) or real(*a))
    out = bn.solve_many(stack, **ASKED)
    read = (out.status, out.certified, out.x, out.steps, out.ratio, out.value)
    read = (*read, out.slack, out.scale, out.calls, out.best_step)
    assert made == [] and len(out) == LANES
    assert read[0].dtype.kind == "U" and read[1].dtype == bool
    for i, r in enumerate(out):
        assert (r.status, r.certified, r.steps) == (read[0][i], read[1][i], read[3][i])
        np.testing.assert_array_equal(r.x, read[2][i])
        c = r.certificate
        assert (c.ratio, c.value) == (read[4][i], read[5][i])
        assert (c.slack, c.scale) == (read[6][i], read[7][i])
        assert r.calls == {k: v[i] for k, v in read[8].items()}
        assert r.best_step == read[9][i]
    assert len(made) == LANES


def test_a_lane_is_a_whole_result(results, tmp_path):
    r = results[5]
    assert r is results[5] and r is results[np.int64(5 - LANES)]
    assert r.certificate.problem_id == r.problem_id == singles_id(5)
    assert bn.verify(r).certified
    r.save(tmp_path / "lane.json")
    again = bn.verify(str(tmp_path / "lane.json"))
    assert again.certified and again.problem_matches and again.point_matches
    assert json.loads(json.dumps(r.to_dict()))["status"] == "certified"
    grad = bn.sensitivity(r, np.ones(4)).gradient
    assert np.isfinite(grad.A).all()
    assert pickle.loads(pickle.dumps(results[2:4]))[1].steps == results[3].steps


def test_sequences(results, stack):
    some = results[2:7]
    assert isinstance(some, bn.Results) and len(some) == 5
    assert some[0] is results[2] and list(some)[-1] is results[6]
    odd = results[results.steps == results.steps[0]]
    assert odd[0] is results[0] and results[[3, 1]][0] is results[3]
    np.testing.assert_array_equal(results[[3, 1]].x, results.x[[3, 1]])
    assert "12 certified" in repr(results) and results.require() is results
    with pytest.raises(IndexError, match="result 12 of 12"):
        results[LANES]
    with pytest.raises(TypeError, match="integers or a mask"):
        results["x"]
    assert len(stack[::2]) == 6 and len(results.problems) == LANES
    assert stack[::2][1].term.lam == L2[2]


def test_one_that_diverges_leaves_the_others(stack):
    out = bn.solve_many(stack, **ASKED)
    fast = bn.GradientDescent(0.02)
    bad = np.array(A)
    bad[4] *= 30
    sick = bn.solve_many(
        bn.LogisticRegression.stack(bad, Y, L2), fast, max_steps=3000, **ASKED
    )
    well = bn.solve_many(stack, fast, max_steps=3000, **ASKED)
    assert out.certified.all() and not sick.certified[4]
    others = np.arange(LANES) != 4
    np.testing.assert_array_equal(sick.x[others], well.x[others])
    assert sick.status[others].tolist() == well.status[others].tolist()


def test_a_lane_has_the_same_bits_beside_other_lanes(stack, results):
    turned = bn.solve_many(stack[::-1], **ASKED)
    np.testing.assert_array_equal(turned.x[::-1], results.x)
    np.testing.assert_array_equal(turned.slack[::-1], results.slack)
    np.testing.assert_array_equal(turned.steps[::-1], results.steps)


def test_lanes_out_of_steps_are_judged_as_solve_judges(stack):
    out = bn.solve_many(stack, bn.GradientDescent(1e-3), max_steps=7, **ASKED)
    alone = bn.solve(singles()[3], bn.GradientDescent(1e-3), max_steps=7, **ASKED)
    assert set(out.status) == {"budget"} and set(out.steps) == {7}
    r = out[3]
    assert not r.timed_out and r.reason == alone.reason
    assert out.ratio[3] == pytest.approx(float(alone.certificate.ratio), rel=1e-9)
    # No placeholder is shown: a whole look says the same.
    assert out.slack[3] == pytest.approx(float(alone.certificate.slack), rel=1e-6)
    assert bn.verify(r).status == "budget"


def test_rounding_that_hides_the_rest_is_unverifiable(stack):
    out = bn.solve_many(stack, check="stationarity", tol=2e-16, max_steps=40)
    alone = [bn.solve(p, check="stationarity", tol=2e-16, max_steps=40).status
             for p in singles()[:2]]  # fmt: skip
    assert out.status[:2].tolist() == alone == ["unverifiable"] * 2


def test_a_time_limit_leaves_every_lane_a_certificate(stack):
    out = bn.solve_many(stack, time_limit=1e-9, **ASKED)
    assert set(out.status) == {"budget"} and set(out.steps) == {0}
    assert all(r.timed_out for r in out)
    # Lanes that were never begun are looked at where somebody asks.
    alone = [bn.solve(p, max_steps=0, **ASKED).certificate.ratio for p in singles()]
    np.testing.assert_allclose(out.ratio, alone, rtol=1e-10)
    assert not out.x.any() and "time" in out[3].reason
    assert bn.verify(out[3]).status == "budget"


def test_ctrl_c_keeps_what_was_computed(stack):
    told = []

    def progress(done, total):
        told.append(done)
        if len(told) == 3:
            signal.raise_signal(signal.SIGINT)

    out = bn.solve_many(
        stack, bn.GradientDescent(1e-4), progress=progress, max_steps=10**6, **ASKED
    )
    assert set(out.status) == {"interrupted"} and out.steps.min() > 0
    assert np.isfinite(out.ratio).all() and "interrupted" in out[0].reason


def test_results_speak_of_the_data_that_were_solved():
    mine = A.copy()
    stack = bn.LogisticRegression.stack(mine, Y, L2)
    out = bn.solve_many(stack, **ASKED)
    mine[:] = 0
    assert bn.verify(out[1]).certified
    with pytest.raises(ValueError, match="read-only"):
        stack.leaves[0][0] = 0
    listed = singles()
    out = bn.solve_many(listed, **ASKED)
    before = out[1].certificate.problem_id
    first = listed[2].A
    first[:] = 0
    assert out[1].certificate.problem_id == before == out[1].problem_id
    # What was changed meanwhile is not the problem that the certificate names.
    assert bn.verify(out[2]).problem_matches is False
    A[2] = stack[2].A


def test_what_fits_no_stack_is_refused(stack):
    with pytest.raises(Misuse, match="empty stack"):
        bn.solve_many(stack[:0])
    with pytest.raises(Misuse, match="stack needs at least one problem"):
        bn.stack([])
    with pytest.raises(Misuse, match="problem 1 differs from problem 0"):
        bn.stack([stack[0], bn.LogisticRegression(A[0], Y[0], 1.0, intercept=False)])
    with pytest.raises(Misuse, match=r"starts\[1\]"):
        bn.solve_many(stack[:2], starts=[np.zeros(4), np.zeros(3)])


def test_lanes_that_share_an_array_hold_it_once():
    shared = A[0]
    problems = [bn.Ridge(shared, rng.normal(size=20), 0.5) for _ in range(4)]
    stack = bn.stack(problems)
    assert [v.shape for v in stack.leaves if v.ndim > 1] == [(20, 3), (4, 20)]
    out = bn.solve_many(stack, tol=1e-10)
    want = [
        np.linalg.solve(A[0].T @ A[0] + 0.5 * np.eye(3), A[0].T @ p.y) for p in problems
    ]
    assert out.certified.all() and out[1].problem is problems[1]
    np.testing.assert_allclose(out.x, want, atol=1e-6)


def test_keys_differ_between_lanes():
    from banach.doors.solve_many import _keys

    with jax.enable_x64(True):
        raw = [jax.random.key_data(jax.random.key(2**40 + i)) for i in range(3)]
    np.testing.assert_array_equal(_keys(2**40, 3), np.stack(raw))
    assert _keys(2**64 - 1, 2)[1].tolist() == [0, 0]


def test_any_class_stacks_by_its_constructor():
    M = np.eye(3) + A[:5, :3] @ A[:5, :3].transpose(0, 2, 1)
    b = A[:5, 3]
    stack = bn.Linear.stack(M, b)
    out = bn.solve_many(stack, tol=1e-10)
    assert out.certified.all()
    np.testing.assert_allclose(out.x, np.linalg.solve(M, b[..., None])[..., 0])
    one = bn.Linear.stack(M[0], b, shared="A")
    assert one.shared == (True, False)
    np.testing.assert_array_equal(one[2].A.entries, M[0])
    sick = M.copy()
    sick[2, 0, 0] = np.nan
    with pytest.raises(Misuse, match="lane 2: A holds NaN"):
        bn.Linear.stack(sick, b)
    with pytest.raises(Misuse, match="got A 5, b 3; name what all lanes share"):
        bn.Linear.stack(M, b[:3])
    with pytest.raises(Misuse, match="no argument 'Q' to share"):
        bn.Linear.stack(M, b, shared="Q")
    with pytest.raises(Misuse, match="Linear needs A, b"):
        bn.Linear.stack()

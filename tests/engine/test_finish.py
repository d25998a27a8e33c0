"""One way to finish: every door shows one certificate for one point, as plain data."""

import copy
import dataclasses
import pickle
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import CHECK, bits, ridge

import banach as bn
from banach.core.check import Check, single
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.result import FIELDS, LeftOut
from banach.engine import messages

METHOD = bn.Lbfgs(memory=5)
SHORT = dict(check=CHECK, tol=1e-9, max_steps=3)


def numbers(certificate):
    return [float(getattr(certificate, k)) for k in ("value", "slack", "scale")]


@pytest.fixture(scope="module")
def short():
    with jax.enable_x64(True):
        return bn.solve(ridge(), METHOD, **SHORT)


def test_every_door_shows_the_same_slack(short):
    """An uncertified point: a screen had spared its slack (value / 8)."""
    problem = ridge()
    (lane,) = bn.solve_many([problem], METHOD, **SHORT)
    *_, step = bn.iterate(problem, METHOD, **SHORT)
    pure = bn.run(problem, METHOD, **SHORT)
    again = bn.verify(problem, short.x, check=CHECK, tol=1e-9)
    want = numbers(short.certificate)
    assert short.status == lane.status == step.status == again.status == "budget"
    assert want[1] < 1e-10 * want[0]
    for other in (lane, step, pure, again):
        np.testing.assert_allclose(numbers(other.certificate), want, rtol=1e-9)


def test_running_results_hold_no_placeholder():
    seen = []
    bn.solve(ridge(), METHOD, progress=seen.append, **SHORT)
    for r in seen:
        value, slack, _ = numbers(r.certificate)
        assert slack < 1e-10 * value


def test_a_peer_shows_the_same_slack():
    r = bn.solve(ridge(), "scipy:BFGS", check=CHECK, tol=1e-9, max_steps=2)
    v = bn.verify(ridge(), r.x, check=CHECK, tol=1e-9)
    assert r.status == "budget"
    np.testing.assert_allclose(
        numbers(r.certificate), numbers(v.certificate), rtol=1e-9
    )


class Above(Check):
    """value f(x) - 4.4, which no x makes negative if the declaration is true."""

    name = "above"

    def __call__(self, problem, point, key, look):
        value = problem.value(jnp.asarray(point.x)) - 4.4
        made = single("f(x) - 4.4", value, 1e-9, 1.0, grade="bound", look=look)
        return made, Point(point.x)

    def cost(self, problem):
        return {"value": 1}


def test_what_is_refuted_is_what_is_returned():
    slow = bn.GradientDescent(1e-3, search=False)
    r = bn.solve(ridge(), slow, check=Above(), tol=1e-12)
    assert r.status == "refuted" and float(r.certificate.value) < -1e-9
    assert "lies below" in r.reason and r.best_step == r.steps > 0
    v = bn.verify(ridge(), r.x, check=Above())
    assert float(v.certificate.value) == pytest.approx(float(r.certificate.value))
    assert r.certificate.point_id == v.certificate.point_id


def test_results_pickle_and_copy_as_plain_data(short):
    data = bn.solve(bn.Ridge(np.eye(3), [1.0, 2.0, 3.0], 0.1))
    for r in (short, data):
        for other in (pickle.loads(pickle.dumps(r)), copy.copy(r), copy.deepcopy(r)):
            assert bits(other.x) == bits(r.x) and other.status == r.status
            assert str(other) == str(r)
            assert other.to_dict() == r.to_dict()
            assert other.problem_id == r.problem_id
    assert copy.deepcopy(data).x is not data.x
    assert bn.verify(pickle.loads(pickle.dumps(data))).certified


def test_a_pickle_leaves_the_users_function_out(short):
    other = pickle.loads(pickle.dumps(short))
    assert isinstance(other.problem, LeftOut)
    with pytest.raises(Misuse, match="problem="):
        bn.verify(other)
    again = bn.verify(other, problem=ridge())
    assert again.problem_matches and again.point_matches
    assert bn.verify(other, problem=ridge(0.6)).problem_matches is False


def test_lanes_and_peers_pickle():
    lanes = bn.solve_many([ridge(), ridge(0.7)], METHOD, **SHORT)
    peer = bn.solve(ridge(), "scipy:BFGS", check=CHECK, tol=1e-9)
    for r in (*lanes, peer):
        assert bits(pickle.loads(pickle.dumps(r)).x) == bits(r.x)


def test_dir_shows_every_field(short):
    assert set(FIELDS) <= set(dir(short))


def test_a_verdict_is_certified_only_where_its_status_is():
    A = np.random.default_rng(1).normal(size=(30, 4))
    problem = bn.Ridge(A, A @ np.ones(4), 1.0)
    r = bn.solve(problem)
    assert bn.verify(r).certified
    A = A.copy()
    A[0, 0] += 1e-9
    other = bn.verify(r, problem=bn.Ridge(A, A @ np.ones(4), 1.0))
    assert other.problem_matches is False
    assert (other.certified, other.status) == (False, "refuted")
    moved = dataclasses.replace(bn.verify(r), point_matches=False)
    assert (moved.certified, moved.status) == (False, "refuted")


def test_the_trace_of_a_screened_look_has_no_slack(short):
    value = short.trace.value / float(short.certificate.scale)
    np.testing.assert_allclose(short.trace.ratio, value, rtol=1e-14)


def test_a_pure_run_under_vmap_and_jit_has_no_placeholder():
    problem = ridge()

    @jax.jit
    @jax.vmap
    def go(x):
        out = bn.run(problem, METHOD, bn.Point(x), **SHORT)
        return out.certificate.value, out.certificate.slack, out.status

    value, slack, status = go(jnp.stack([jnp.zeros(5), jnp.ones(5)]))
    assert (np.asarray(status) == bn.engine.loop.CODE["budget"]).all()
    assert (np.asarray(slack) < 1e-10 * np.asarray(value)).all()


def test_the_callers_code_between_results_keeps_its_bits():
    with jax.enable_x64(False):
        for _ in bn.iterate(ridge(), METHOD, **SHORT):
            assert jnp.zeros(1).dtype == jnp.float32


def test_a_wrong_iterate_is_refused_by_the_call():
    with pytest.raises(Misuse, match="max_steps"):
        bn.iterate(ridge(), METHOD, max_steps=-1)


class Fails(bn.Scipy):
    """A peer that gives up after two iterates."""

    error: type = ValueError

    def __init__(self, error):
        self.algorithm, self.options, self.error = "BFGS", {}, error

    def stream(self, problem, start, key):
        for step in range(2):
            yield Point(start.x + 1e-3 * step), {}
        raise self.error("array must not contain infs or NaNs\nmore")


def test_a_peer_that_fails_leaves_a_result_in_its_own_words():
    for error in (ValueError, FloatingPointError, np.linalg.LinAlgError):
        r = bn.solve(ridge(), Fails(error), check=CHECK)
        assert (r.status, r.steps) == ("stalled", 2)
        assert f"scipy:BFGS failed: {error.__name__}: array must not" in r.reason
        assert "more" not in r.reason
    with pytest.raises(Misuse, match="array"):
        bn.solve(ridge(), Fails(Misuse), check=CHECK)


def test_the_kept_witness_of_the_same_point_changes_no_slack():
    """Rounded once more, a kept dual point ties with the check's own."""
    rng = np.random.default_rng(11)
    A = rng.normal(size=(30, 6)) * np.logspace(0, 2, 6)
    y = A @ rng.normal(size=6) + rng.normal(size=30) + 40
    problem = bn.Lasso(A, y, lam=9.0, intercept=True)
    for steps in (3, 5, 9):
        r = bn.solve(problem, "fista", max_steps=steps, tol=1e-12)
        again = bn.verify(r)
        np.testing.assert_allclose(
            numbers(again.certificate), numbers(r.certificate), rtol=1e-9
        )


@pytest.mark.parametrize(
    ("ratio", "says"), [(1e-8, "tol=2e-08"), (250.0, "race other")]
)
def test_float32_is_told_of_without_asking_for_nothing(ratio, says):
    """A tolerance of 300 times the scale is no cure."""
    facts = {"certificate": SimpleNamespace(ratio=ratio)}
    said = messages._narrow(facts)
    assert said.startswith("float32 iterates") and says in said

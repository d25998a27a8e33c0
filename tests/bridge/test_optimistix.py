"""Optimistix: its own iterates, its verdict ignored, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
import pytest
import small

import banach as bn
from banach.bridge import optimistix as bridge
from banach.bridge.optimistix import Optimistix
from banach.core.check import Absolute
from banach.core.method import Refusal
from banach.core.problem import Misuse
from banach.engine.loop import STATUSES, run


def test_iterates_are_those_of_optimistix():
    problem = small.log_quadratic()
    x0 = jax.tree.map(jnp.asarray, problem.start().x)
    fn = lambda x, args: problem.value(x)  # noqa: E731
    theirs = optimistix.minimise(
        fn, optimistix.BFGS(rtol=0.0, atol=0.0), x0, max_steps=9, throw=False
    )
    out = run(
        problem, Optimistix("BFGS"), check=small.GradientNorm(),
        tol=Absolute(1e-300), max_steps=9, every=1,
    )  # fmt: skip
    state = out.carry.state
    for p, q in zip(
        jax.tree.leaves(state.x), jax.tree.leaves(theirs.value), strict=True
    ):
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-15)
    assert int(out.calls["value"]) == 9


@pytest.mark.parametrize("name", ["LBFGS", "GradientDescent"])
def test_minimisers_certify_a_quadratic(name):
    problem = small.quadratic()
    method = Optimistix.variant(name, problem, problem.facts())
    out = run(problem, method, check=small.GradientNorm(), tol=1e-6, max_steps=3000)
    assert STATUSES[int(out.status)] == "certified"
    np.testing.assert_allclose(out.x, small.ANSWER, rtol=1e-5)
    assert method.label() == f"optimistix:{name}"


def test_an_early_verdict_of_the_peer_is_ignored():
    problem = small.quadratic()
    # Tolerances this loose make Optimistix stop at once; the outside check does not.
    loose = optimistix.BFGS(rtol=1.0, atol=1.0)
    out = run(problem, Optimistix(loose), check=small.GradientNorm(), tol=1e-8)
    assert STATUSES[int(out.status)] == "certified"
    assert float(out.certificate.ratio) <= 1e-8


def test_a_lane_of_a_batch_agrees_with_its_solo_run():
    problem = small.quadratic()
    starts = jnp.stack([jnp.zeros(4), jnp.full(4, 5.0)])

    def solve(x0):
        at = eqx.tree_at(lambda p: p.x0, problem, x0)
        return run(at, Optimistix("BFGS"), check=small.GradientNorm(), tol=1e-8).x

    both = jax.vmap(solve)(starts)
    np.testing.assert_allclose(both, np.stack([small.ANSWER] * 2), rtol=1e-6)


def test_what_does_not_fit_is_refused_with_the_cure(monkeypatch):
    problem = small.quadratic(L=None)
    no = Optimistix.variant("GradientDescent", problem, problem.facts())
    assert isinstance(no, Refusal) and "learning_rate" in no.cure
    with pytest.raises(Misuse, match=r"did you mean .*LBFGS"):
        Optimistix("LBGFS")
    with pytest.raises(Misuse, match="an instance has its hyperparameters"):
        Optimistix(optimistix.BFGS(rtol=0.0, atol=0.0), rtol=1.0)
    monkeypatch.setattr(bridge, "_installed", lambda: False)
    with pytest.raises(Misuse, match=r'pip install "banach\[peers\]"'):
        Optimistix("BFGS")
    assert Optimistix.variants(problem, problem.facts()) == ()
    # A race goes on without it, and says what is missing.
    race = bn.race(problem, tol=1e-6, time_limit=2.0)
    assert race.certified
    assert any("banach[peers]" in r.reason for r in race.refused)
    with pytest.raises(Misuse, match=r'pip install "banach\[peers\]"'):
        bn.solve(problem, "optimistix:BFGS")


def test_its_own_words_are_read_from_its_state():
    problem = small.quadratic()
    result = bn.solve(problem, "optimistix:BFGS", tol=1e-6)
    assert result.certified
    assert result.peer == {"status": "terminate False", "message": "RESULTS.successful"}


def test_a_narrow_start_is_met_by_those_that_can():
    A = np.ones((3, 2))
    problem = bn.Smooth(lambda x: jnp.sum((A @ x - 1) ** 2), jnp.zeros(2, jnp.float32))
    with pytest.raises(bn.Misuse, match="optimistix:LBFGS fails on a narrow start"):
        bn.solve(problem, "optimistix:LBFGS")
    assert bn.solve(problem, "optimistix:BFGS", tol=1e-4).certified

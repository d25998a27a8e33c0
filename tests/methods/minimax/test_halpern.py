"""Halpern: reference, the proved rate and its sharpness, what the anchor costs."""

import jax.numpy as jnp
import minimax_case as case
import numpy as np
import pytest
from reference import halpern as reference

from banach.core.method import Refusal
from banach.kinds.inclusion.problem import Inclusion
from banach.methods.minimax.halpern import Halpern


def residuals(zs, s):
    after = np.clip(zs - s * (zs @ case.MEAN.T + case.Q.mean(0)), -case.SIDE, case.SIDE)
    return np.linalg.norm(zs - after, axis=1) / s


def test_iterates_equal_the_reference():
    ours, _ = case.iterates(case.problem(cocoercive=case.BETA), Halpern(0.4), 12)
    theirs = reference.iterates(case.ORACLES, case.Z0, 12, step_size=0.4)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def test_the_rate_holds_over_a_box():
    problem = case.problem(cocoercive=case.BETA)
    method = Halpern.suggest(problem, problem.facts())
    assert method.step_size == 2 * case.BETA
    zs, _ = case.iterates(problem, method, 400)
    exact, _ = case.iterates(problem, Halpern(case.BETA), 20000)
    radius = np.linalg.norm(case.Z0 - exact[-1]) + 1e-3
    c = case.SimpleNamespace(cocoercive=case.BETA, radius=radius)
    bound = np.array([Halpern.card.rate(c, t) for t in range(1, 401)])
    assert np.all(residuals(zs, method.step_size) <= bound)


@pytest.mark.parametrize("last", [3, 10, 40])
def test_the_rate_is_attained(last):
    """A kink at 1/(k+1): z_j = 1 - j/(k+1), so that F(z_k) = 1/(k+1)."""
    kink = 1 / (last + 1)
    problem = Inclusion(lambda z: jnp.clip(z, -kink, kink), np.ones(1), cocoercive=1.0)
    zs, _ = case.iterates(problem, Halpern(2.0), last)
    bound = Halpern.card.rate(case.SimpleNamespace(cocoercive=1.0, radius=1.0), last)
    assert abs(zs[-1, 0]) == pytest.approx(bound, rel=1e-12)


def test_a_rotation_of_merely_lipschitz_is_refused():
    problem = case.problem(monotone=True, L=case.L)
    no = Halpern.suggest(problem, problem.facts())
    assert isinstance(no, Refusal) and no.missing == "cocoercive"
    assert "extragradient" in no.cure

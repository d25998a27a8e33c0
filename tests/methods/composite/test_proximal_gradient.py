"""ISTA: its reference with and without backtracking, its rate, its counts."""

import jax.numpy as jnp
import lasso_case as case
import numpy as np
import pytest
from drive import iterates
from reference import proximal_gradient as reference

from banach.kinds.composite.problem import Composite
from banach.methods.composite.proximal_gradient import ProximalGradient
from banach.terms.norms import L1


@pytest.mark.parametrize(
    ("guess", "backtrack"), [(case.L, False), (0.01, True), (1e4, True)]
)
def test_iterates_equal_the_reference(guess, backtrack):
    ours, _ = iterates(case.problem(), ProximalGradient(guess, backtrack), 30)
    theirs = reference.iterates(
        case.ORACLES, case.X0, 30, lipschitz=guess, backtrack=backtrack
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_the_rate_holds_at_every_iterate():
    xs, _ = iterates(case.problem(), ProximalGradient(case.L, False), 200)
    gaps = np.array([case.objective(x) for x in xs]) - case.objective(case.SOLUTION)
    bound = [ProximalGradient.card.rate(case.CONSTANTS, t) for t in range(1, 201)]
    assert np.all(gaps <= np.array(bound) + 1e-12)


def test_counts_are_those_of_the_oracles():
    calls = []

    class Counted(Composite):
        def value_and_grad(self, x):
            out = Composite.value_and_grad(self, x)
            calls.append(1)
            return out

    problem = Counted(
        lambda x: jnp.sum((case.A @ x - case.B) ** 2) / 2, L1(case.LAM), case.X0
    )
    _, state = iterates(problem, ProximalGradient(1e-2, True), 1)
    # From 0.01 the doubling needs this many trials to reach the curvature met.
    found = float(state.lipschitz) / 0.9
    expected = 1 + round(np.log2(found / 1e-2))
    method = ProximalGradient(1e-2, True)
    assert method.calls(state)["prox"] == expected
    assert method.calls(state)["value"] == method.calls(state)["grad"] == expected + 1
    # Traced twice: once in init, once in the loop of the step.
    assert len(calls) == 2


def test_backtracking_reaches_the_noise_floor():
    xs, state = iterates(
        case.problem(declared=False), ProximalGradient(1.0, True), 8000
    )
    np.testing.assert_allclose(xs[-1], case.SOLUTION, atol=1e-12)
    # L was never driven away from the scale of the curvature by rounding.
    assert 1e-3 * case.L < float(state.lipschitz) < 4 * case.L


def test_a_trial_outside_the_domain_is_rejected():
    problem = Composite(
        lambda x: -jnp.sum(jnp.log(x)) + jnp.sum(x), L1(1.0), np.array([3.0, 0.2])
    )
    xs, _ = iterates(problem, ProximalGradient(1e-3, True), 400)
    assert all(np.all(np.isfinite(x)) and np.all(x > 0) for x in xs)
    np.testing.assert_allclose(xs[-1], 0.5, rtol=1e-10)

"""Extragradient: reference, distances that fall, the game that gradients lose."""

import jax.numpy as jnp
import minimax_case as case
import numpy as np
from reference import extragradient as reference

from banach.core.method import Refusal
from banach.kinds.inclusion.problem import saddle
from banach.methods.minimax.extragradient import Extragradient

B = np.diag([1.0, 0.5, 0.1])


def game():
    return saddle(lambda x, y: x @ B @ y, np.ones(3), np.ones(3), L=1.0, monotone=True)


def test_iterates_equal_the_reference():
    ours, _ = case.iterates(case.problem(L=case.L), Extragradient(0.3), 12)
    theirs = reference.iterates(case.ORACLES, case.Z0, 12, step_size=0.3)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
    assert np.any(abs(ours[-1]) == case.SIDE) and np.any(abs(ours[-1]) < case.SIDE)


def test_the_distance_falls_as_proved_where_gradients_spiral_out():
    zs, _ = case.iterates(game(), Extragradient(0.5**0.5), 300)
    z = np.concatenate([np.ones((1, 6)), zs])
    field = np.block([[np.zeros((3, 3)), B], [-B, np.zeros((3, 3))]])
    far = np.sum(z**2, axis=1)
    # ||z - v|| = s ||F(z)||, and z* = 0.
    fall = 0.5 * 0.5 * np.sum((z[:-1] @ field.T) ** 2, axis=1)
    assert np.all(far[1:] <= far[:-1] - fall + 1e-13)
    forward = np.ones(6)
    for _ in range(300):
        forward = forward - 0.5**0.5 * field @ forward
    assert np.linalg.norm(forward) > 1e3 > 1e3 * far[-1] ** 0.5


def test_the_rate_holds_and_is_not_slack_by_orders():
    problem = game()
    zs, _ = case.iterates(problem, Extragradient.suggest(problem, problem.facts()), 300)
    field = np.block([[np.zeros((3, 3)), B], [-B, np.zeros((3, 3))]])
    least = np.minimum.accumulate(np.linalg.norm(zs @ field.T, axis=1))
    c = case.SimpleNamespace(L=1.0, radius=6**0.5)
    bound = np.array([Extragradient.card.rate(c, t) for t in range(1, 301)])
    assert np.all(least <= bound) and least[0] > 0.05 * bound[0]


def test_it_stops_at_the_solution_and_refuses_without_L():
    problem = case.problem(mu=0.1)
    no = Extragradient.suggest(problem, problem.facts())
    assert isinstance(no, Refusal) and no.missing == "L" and "cocoercive" in no.cure
    zs, state = case.iterates(problem, Extragradient(0.3), 3000)
    assert bool(state.stuck) and jnp.array_equal(zs[-1], zs[-2])

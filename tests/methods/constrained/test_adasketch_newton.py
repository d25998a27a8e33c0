"""Sketched Newton for equations: unit steps, rates, honest ends."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from reference.adasketch_newton import valley

import banach as bn
from banach.core.method import Refusal
from banach.engine.loop import leaves_in
from banach.methods.constrained._merit import Merit
from banach.methods.constrained._sketch import Sketch
from banach.methods.constrained.adasketch_newton import AdasketchNewton

LAM0 = np.array([-0.4])


def drive(method, problem, steps, dual=None):
    """The states after each step, and the key of each step."""
    start = bn.Point(problem.start().x, dual)
    method = leaves_in(np.float64, method)
    keys = jax.random.split(jax.random.key(3), steps)
    state = jax.jit(lambda m, p: m.init(p, start, keys[0]))(method, problem)
    step = jax.jit(lambda m, p, s, k: m.step(p, s, k))
    states = [state]
    for k in keys:
        state = step(method, problem, state, k)
        states.append(state)
    return states, keys


def residuals(states):
    return np.array([float(jnp.linalg.norm(Merit(s.at, s.dual).r)) for s in states])


def test_unit_steps_and_the_two_rates():
    found = {}
    for sharpen in (0.0, 1.0):
        method = AdasketchNewton(Sketch("gaussian", 2), sharpen=sharpen)
        states, _ = drive(method, valley(), 14)
        r = residuals(states)
        small = r < 1e-10 * r[0]
        n = int(np.argmax(small)) if small.any() else len(r) - 1
        found[sharpen] = r[1 : n + 1] / r[:n]
        assert [float(s.alpha) for s in states[1 : n + 1]][-3:] == [1.0] * 3
    # Linear with a ratio about delta; superlinear when theta follows the residual.
    assert np.median(found[0.0][-4:]) > 1e-3
    assert found[1.0][-1] < 1e-3


def test_the_merit_falls():
    """M falls at every step, with the weights of that step."""
    problem, method = valley(), AdasketchNewton(Sketch("gaussian", 2))
    states, _ = drive(method, problem, 12)
    for a, b in itertools.pairwise(states):
        w = b.weights
        fell = Merit(b.at, b.dual).value(w) - Merit(a.at, a.dual).value(w)
        size = float(Merit(a.at, a.dual).size(w))
        assert float(fell) <= 1e-13 * size


def test_inequalities_and_bounds_are_refused_with_the_cure():
    for extra in ({"ineq": lambda x: x[0] - 1}, {"lower": 0.0}):
        problem = bn.Constrained(
            lambda x: x @ x, np.ones(2), eq=lambda x: x[0] - x[1], **extra
        )
        no = AdasketchNewton.suggest(problem, problem.facts())
        assert isinstance(no, Refusal) and "scipy:SLSQP" in no.cure
        # The default is then a peer that knows them.
        assert bn.solve(problem).label == "scipy:trust-constr"


def test_infeasible_and_singular_systems_end_honestly():
    def f(x):
        return x @ x / 2 + x[0]

    never = bn.Constrained(f, np.ones(2), eq=lambda x: x @ x + 1)
    r = bn.solve(never, max_steps=300)
    assert r.status in ("stalled", "budget") and not r.certified
    proved = bn.Constrained(
        f, np.ones(2), linear=(np.array([[1.0, 2], [2, 4]]), np.array([1.0, 3]))
    )
    r = bn.solve(proved)
    assert r.status == "infeasible" and "contradict" in r.reason
    # x^2 = 0: the constraint's gradient vanishes at the solution, no multiplier.
    flat = bn.Constrained(
        lambda x: x[0] + x[1] ** 2, np.ones(2), eq=lambda x: x[0] ** 2
    )
    r = bn.solve(flat, max_steps=300)
    assert r.status in ("stalled", "budget") and not r.certified
    # The same row twice: K is singular, its equations agree, and it is solved.
    twice = bn.Constrained(f, np.ones(2), eq=lambda x: jnp.stack([x[0] + x[1] - 1] * 2))
    r = bn.solve(twice)
    assert r.certified
    np.testing.assert_allclose(r.x, [0.0, 1.0], atol=1e-5)


def test_a_start_with_multipliers_is_used():
    problem = valley()
    states, _ = drive(AdasketchNewton(Sketch("gaussian", 2)), problem, 1, LAM0)
    assert float(states[0].dual[0]) == -0.4
    r = bn.solve(problem)
    again = bn.solve(problem, start=r)
    assert again.certified and again.steps == 0

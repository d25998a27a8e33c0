"""Root Newton: its reference, invariance, searches, and the noise floor."""

import jax.numpy as jnp
import newton_case as case
import numpy as np
from reference import root_newton as reference

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth._damped_newton_steps import Backtracking, Explicit, Search
from banach.methods.smooth.root_newton import RootNewton


def test_iterates_equal_the_reference():
    rules = (
        (Explicit(0.02, 3.0), {"M": 0.02, "q": 3.0}),
        (Explicit(0.02, 4.0), {"M": 0.02, "q": 4.0}),
        (Backtracking(0.5, 2.0), {"theta": 0.5, "grow": 2.0}),
    )
    for rule, hyper in rules:
        _, xs = case.states(case.problem(), RootNewton(rule), 10)
        theirs = reference.iterates(case.ORACLES, case.X0, 10, **hyper)
        np.testing.assert_allclose(xs, theirs, rtol=1e-10, atol=1e-12)


def test_iterates_do_not_depend_on_coordinates():
    T = np.random.default_rng(2).standard_normal((case.N, case.N)) * 10
    moved = Smooth(
        lambda z, a: case.logistic(T @ z, a),
        np.linalg.solve(T, case.X0),
        (case.A,),
        convex=True,
    )
    for rule in (Backtracking(), Search(), Explicit(0.02, 3.0)):
        _, xs = case.states(case.problem(), RootNewton(rule), 6)
        _, zs = case.states(moved, RootNewton(rule), 6)
        np.testing.assert_allclose(zs @ T.T, xs, rtol=1e-8, atol=1e-8)


def test_universal_newton_reaches_the_rounding_error_and_counts_calls():
    method = RootNewton(Backtracking())
    states, xs = case.states(case.problem(), method, 20)
    size = [np.linalg.norm(case.grad(x)) for x in (case.X0, *xs)]
    assert size[-1] <= 1e-13 * size[0]
    calls = method.calls(states[7])
    assert int(calls["hess"]) == 8
    assert int(calls["grad"]) > 8


def test_searches_find_the_lengths_they_define():
    start = case.X0 * 5
    g, h = case.grad(start), case.hess(start)
    n = np.linalg.solve(h, g)
    grid = np.linspace(0, 1, 20_001)[1:]
    points = start - grid[:, None] * n
    change = np.array([case.value(x) for x in points]) - case.value(start)
    slopes = np.array([case.grad(x) for x in points])
    square = np.einsum("ij,ij->i", slopes, np.linalg.solve(h, slopes.T).T)
    wanted = {True: grid[np.argmin(change / square)], False: grid[np.argmin(change)]}
    for regulated, alpha in wanted.items():
        rule = Search(regulated=regulated, max_steps=30)
        states, _ = case.states(case.problem(start), RootNewton(rule), 1)
        assert abs(float(states[0].alpha) - alpha) < 2e-4
        assert int(states[0].evaluations) == 31


def test_a_singular_hessian_is_shifted():
    def flat(x):
        return jnp.sum(jnp.sqrt(1 + (x[:2] - 1) ** 2))

    problem = Smooth(flat, np.array([3.0, -2.0, 5.0]), convex=True)
    states, xs = case.states(problem, RootNewton(Backtracking()), 25)
    np.testing.assert_allclose(xs[-1], [1.0, 1.0, 5.0], atol=1e-10)
    assert np.all(np.diff([float(s.f) for s in states]) <= 1e-15)

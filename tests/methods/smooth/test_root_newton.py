"""Root Newton: what its searches find, and a singular Hessian."""

import jax.numpy as jnp
import numpy as np
import smooth_drive as sd
from reference._newton import logistic

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth._damped_newton_steps import Backtracking, Search
from banach.methods.smooth.root_newton import RootNewton


def test_searches_find_the_lengths_they_define():
    problem, f = logistic(1.5, convex=True)
    x = problem.x0
    g, h = f.grad(x), f.hess(x)
    n = np.linalg.solve(h, g)
    grid = np.linspace(0, 1, 20_001)[1:]
    points = x - grid[:, None] * n
    change = np.array([f.value(p) for p in points]) - f.value(x)
    slopes = np.array([f.grad(p) for p in points])
    square = np.einsum("ij,ij->i", slopes, np.linalg.solve(h, slopes.T).T)
    wanted = {True: grid[np.argmin(change / square)], False: grid[np.argmin(change)]}
    for regulated, alpha in wanted.items():
        rule = Search(regulated=regulated, max_steps=30)
        _, state, _ = sd.drive(RootNewton(rule), problem, 1)
        assert abs(float(state.alpha) - alpha) < 2e-4
        assert int(state.evaluations) == 31


def test_a_singular_hessian_is_shifted():
    def flat(x):
        return jnp.sum(jnp.sqrt(1 + (x[:2] - 1) ** 2))

    problem = Smooth(flat, np.array([3.0, -2.0, 5.0]), convex=True)
    xs, _, states = sd.drive(RootNewton(Backtracking()), problem, 25)
    np.testing.assert_allclose(xs[-1], [1.0, 1.0, 5.0], atol=1e-10)
    assert np.all(np.diff([float(s.f) for s in states]) <= 1e-15)

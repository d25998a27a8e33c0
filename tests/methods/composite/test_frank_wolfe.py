"""Frank-Wolfe: its reference, its rate, monotonicity, and the domain check."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from drive import iterates
from reference import frank_wolfe as reference

from banach.kinds.composite.problem import Composite
from banach.methods.composite.frank_wolfe import FrankWolfe
from banach.terms.sets import Simplex

rng = np.random.default_rng(5)
# A portfolio of log utilities: the first step 2 / (0 + 2) = 1 jumps to a vertex,
# where returns of 0 are outside the domain.
R = rng.uniform(0.5, 1.5, (20, 6)) * (rng.random((20, 6)) > 0.4)
R[R.sum(1) == 0] = 1.0


def value(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.sum(np.log(R @ x))


def vertex(g):
    return np.eye(g.size)[np.argmin(g)]


def portfolio():
    f = lambda x: -jnp.sum(jnp.log(R @ x))  # noqa: E731
    return Composite(f, Simplex(), np.full(6, 1 / 6), convex=True)


PORTFOLIO = SimpleNamespace(f=value, grad=lambda x: -R.T @ (1 / (R @ x)), lmo=vertex)


def test_iterates_equal_the_reference():
    ours, _ = iterates(portfolio(), FrankWolfe(), 60)
    theirs = reference.iterates(PORTFOLIO, np.full(6, 1 / 6), 60)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_every_iterate_is_in_the_domain_and_no_worse_than_the_last():
    xs, _ = iterates(portfolio(), FrankWolfe(), 200)
    values = np.array([value(np.full(6, 1 / 6)), *[value(x) for x in xs]])
    assert np.all(np.isfinite(values))
    assert np.all(np.diff(values) <= 0)
    # The check did something: the very first step of plain Frank-Wolfe leaves.
    first = vertex(PORTFOLIO.grad(np.full(6, 1 / 6)))
    assert not np.isfinite(value(first))


def test_the_gap_bounds_the_error_and_the_rate_of_smooth_functions_holds():
    Q = np.diag([1.0, 2.0, 3.0, 4.0])
    c = np.array([0.3, 0.2, 0.1, 0.4])
    f = lambda x: (x - c) @ Q @ (x - c) / 2  # noqa: E731
    problem = Composite(
        lambda x: (x - c) @ Q @ (x - c) / 2, Simplex(), np.eye(4)[0], convex=True
    )
    xs, _ = iterates(problem, FrankWolfe(), 500)
    # f* = 0 at c, which lies in the simplex; L = 4, D^2 = 2.
    errors = np.array([f(x) for x in xs])
    steps = np.arange(1, 501)
    assert np.all(errors <= 2 * 4 * 2 / (steps + 2))
    for x in xs[::50]:
        g = Q @ (x - c)
        assert g @ x - np.min(g) >= f(x)
    slope = np.polyfit(np.log(steps[20:]), np.log(errors[20:]), 1)[0]
    assert slope < -0.9

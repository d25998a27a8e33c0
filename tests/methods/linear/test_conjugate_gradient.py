"""Conjugate gradients: the reference, every preconditioner, what ends it."""

import jax
import numpy as np
import pytest
from reference import conjugate_gradient as reference

import banach as bn
from banach.core.method import Refusal
from banach.engine.loop import leaves_in
from banach.kinds.linear.zoo import right_side
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.parts.grid_laplacians import obstacles, poisson_grid
from banach.parts.preconditioners import (
    IncompleteCholesky,
    Jacobi,
    Multigrid,
    Plain,
    suggested,
)

RNG = np.random.default_rng(2)
Q = RNG.standard_normal((12, 12))
A = Q @ Q.T + np.diag(np.arange(1.0, 13))
B = RNG.standard_normal(12)
SOLID = obstacles(24, 1)[:, :18]
SOLID[:, -1] = False
GRID = bn.Linear(poisson_grid(SOLID), right_side(obstacles(24, 1), 3)[:, :18])
ALL = [Plain(), Jacobi(), IncompleteCholesky(), IncompleteCholesky(0.97), Multigrid()]


def iterates(problem, method, steps):
    start = problem.start()
    method = leaves_in(np.float64, method)
    key = jax.random.key(0)
    state = jax.jit(lambda m, p: m.init(p, start, key))(method, problem)
    step = jax.jit(lambda m, p, s: m.step(p, s, key))
    out = []
    for _ in range(steps):
        state = step(method, problem, state)
        out.append(np.asarray(state.x))
    return out, state


@pytest.mark.parametrize("scaled", [False, True])
def test_iterates_equal_the_reference(scaled):
    recipe = Jacobi() if scaled else Plain()
    ours, _ = iterates(bn.Linear(A, B), ConjugateGradient(recipe), 10)
    d = np.diag(A) if scaled else np.ones(12)
    theirs = reference.iterates(A, B, np.zeros(12), 10, inverse=lambda r: r / d)
    scale = np.abs(theirs[-1]).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * scale)


def test_as_many_steps_as_unknowns_solve_it():
    ours, state = iterates(bn.Linear(A, B), ConjugateGradient(Plain()), 12)
    np.testing.assert_allclose(ours[-1], np.linalg.solve(A, B), rtol=1e-10)
    # The last direction is A-orthogonal to the first residual.
    assert abs(state.d @ A @ B) < 1e-8 * np.linalg.norm(B)


@pytest.mark.parametrize("recipe", ALL, ids=lambda r: type(r).__name__)
def test_preconditioners_are_symmetric_and_definite(recipe):
    built = jax.jit(lambda A: recipe.build(A))(GRID.A)
    eye = np.eye(GRID.size()).reshape(-1, *SOLID.shape)
    M = np.asarray(jax.jit(jax.vmap(built.apply))(eye)).reshape(GRID.size(), -1)
    np.testing.assert_allclose(M, M.T, atol=1e-12 * np.abs(M).max())
    values = np.linalg.eigvalsh((M + M.T) / 2)
    assert values[0] > 0
    # Better conditioned than the plain operator, by what each promises.
    K = np.asarray(GRID.matrix())
    lower = np.linalg.cholesky(K)
    spectrum = np.linalg.eigvalsh(lower.T @ M @ lower)
    plain = np.linalg.cond(K)
    share = {"Plain": 1.001, "Jacobi": 1.001, "IncompleteCholesky": 0.3}
    limit = share.get(type(recipe).__name__, 0.05)
    assert spectrum[-1] / spectrum[0] <= limit * plain


def test_incomplete_cholesky_keeps_the_pattern_of_the_matrix():
    """(D + L) D^-1 (D + L)' equals A wherever A is not zero."""
    built = IncompleteCholesky().build(GRID.A)
    K = np.asarray(GRID.matrix())
    n = GRID.size()
    eye = np.eye(n).reshape(-1, *SOLID.shape)
    M = np.linalg.inv(np.asarray(jax.vmap(built.apply)(eye)).reshape(n, n))
    np.testing.assert_allclose(M[K != 0], K[K != 0], atol=1e-10)
    assert np.abs(M - K).max() > 0.01


def test_multigrid_needs_as_few_steps_on_a_finer_grid():
    steps = []
    for n in (32, 64):
        solid = obstacles(n, 5)
        problem = bn.Linear(poisson_grid(solid), right_side(solid, 1))
        start, method = (
            problem.start(),
            leaves_in(np.float64, ConjugateGradient(Multigrid())),
        )
        key = jax.random.key(0)

        @jax.jit
        def run(p, m, start=start, key=key):
            state = m.init(p, start, key)

            def body(s, _):
                s = m.step(p, s, key)
                return s, p.objective(s.x)

            return jax.lax.scan(body, state, None, 20)[1]

        merit = np.asarray(run(problem, method))
        small = merit <= 1e-12 * float(problem.objective(start.x))
        steps.append(int(np.argmax(small)) + 1)
        assert small.any()
    assert steps[1] <= steps[0] + 2 <= 16


def test_it_ends_at_negative_curvature():
    indefinite = np.diag([1.0, -3.0, 2.0])
    problem = bn.Linear(indefinite, np.ones(3))
    assert not problem.facts().has("positive_definite")
    xs, state = iterates(problem, ConjugateGradient(Plain()), 5)
    assert bool(state.stuck) and np.isfinite(xs[-1]).all()
    assert np.array_equal(xs[-1], xs[-2])


def test_a_matrix_that_is_not_symmetric_is_refused_with_the_cure():
    skewed = A + np.triu(Q, 1)
    with pytest.raises(bn.Misuse, match="normal_equations"):
        bn.solve(bn.Linear(skewed, B), "conjugate_gradient")
    with pytest.raises(bn.Misuse, match="normal_equations"):
        bn.solve(bn.Linear(skewed, B), ConjugateGradient(Plain()))
    r = bn.solve(bn.normal_equations(skewed, B), tol=1e-10)
    np.testing.assert_allclose(r.require().x, np.linalg.solve(skewed, B), rtol=1e-8)


def test_a_preconditioner_that_does_not_fit_is_refused():
    for recipe in (Multigrid(), IncompleteCholesky()):
        with pytest.raises(bn.Misuse, match="grids"):
            bn.solve(bn.Linear(A, B), ConjugateGradient(recipe))
    free = bn.Linear(lambda x: 2 * x, B, positive_definite=True)
    with pytest.raises(bn.Misuse, match="diagonal"):
        bn.solve(free, ConjugateGradient(Jacobi()))
    assert isinstance(suggested(free.A), Plain)
    assert isinstance(suggested(bn.Linear(A, B).A), Jacobi)
    assert isinstance(suggested(GRID.A), Multigrid)


def test_it_refuses_what_is_not_a_linear_system():
    from banach.doors import defaults

    problem = bn.Smooth(lambda x: (x**2).sum(), np.ones(2))
    no = defaults.suggest("conjugate_gradient", problem, problem.facts())
    assert isinstance(no, Refusal) and "matvec" in no.missing

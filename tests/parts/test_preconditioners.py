"""Preconditioners: symmetric, definite, worth their work; who fits what."""

import jax
import numpy as np
import pytest

import banach as bn
from banach.claims import runs
from banach.kinds.linear.zoo import right_side
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.parts import preconditioners
from banach.parts.grid_laplacians import obstacles, poisson_grid
from banach.parts.preconditioners import (
    IncompleteCholesky,
    Jacobi,
    Multigrid,
    Plain,
    suggested,
)

SOLID = obstacles(24, 1)[:, :18]
SOLID[:, -1] = False
GRID = bn.Linear(poisson_grid(SOLID), right_side(obstacles(24, 1), 3)[:, :18])
DENSE = bn.Linear(np.diag([1.0, 2.0, 3.0]), np.ones(3))
ALL = [Plain(), Jacobi(), IncompleteCholesky(), IncompleteCholesky(0.97), Multigrid()]


def matrix(recipe):
    """M^-1 on the grid."""
    n = GRID.size()
    eye = np.eye(n).reshape(-1, *SOLID.shape)
    apply = jax.jit(lambda A, V: jax.vmap(recipe.build(A).apply)(V))
    return np.asarray(apply(GRID.A, eye)).reshape(n, n)


@pytest.mark.parametrize("recipe", ALL, ids=lambda r: type(r).__name__)
def test_they_are_symmetric_and_definite(recipe):
    M = matrix(recipe)
    np.testing.assert_allclose(M, M.T, atol=1e-12 * np.abs(M).max())
    assert np.linalg.eigvalsh((M + M.T) / 2)[0] > 0
    # Better conditioned than the plain operator, by what each promises.
    K = np.asarray(GRID.matrix())
    lower = np.linalg.cholesky(K)
    spectrum = np.linalg.eigvalsh(lower.T @ M @ lower)
    share = {"Plain": 1.001, "Jacobi": 1.001, "IncompleteCholesky": 0.3}
    limit = share.get(type(recipe).__name__, 0.05)
    assert spectrum[-1] / spectrum[0] <= limit * np.linalg.cond(K)


def test_incomplete_cholesky_keeps_the_pattern_of_the_matrix():
    """(D + L) D^-1 (D + L)' equals A wherever A is not zero."""
    K, M = np.asarray(GRID.matrix()), np.linalg.inv(matrix(IncompleteCholesky()))
    np.testing.assert_allclose(M[K != 0], K[K != 0], atol=1e-10)
    assert np.abs(M - K).max() > 0.01


def test_multigrid_needs_as_few_steps_on_a_finer_grid():
    steps = []
    for n in (32, 64):
        solid = obstacles(n, 5)
        problem = bn.Linear(poisson_grid(solid), right_side(solid, 1))
        method = ConjugateGradient(Multigrid())
        out = runs.until(problem, method, runs.residual_norm, 1e-6, 20)
        assert out.reached
        steps.append(out.steps)
    assert steps[1] <= steps[0] + 2 <= 16


def test_one_that_does_not_fit_is_refused():
    for recipe in (Multigrid(), IncompleteCholesky()):
        with pytest.raises(bn.Misuse, match="grids"):
            bn.solve(DENSE, ConjugateGradient(recipe))
    free = bn.Linear(lambda x: 2 * x, np.ones(3), positive_definite=True)
    with pytest.raises(bn.Misuse, match="diagonal"):
        bn.solve(free, ConjugateGradient(Jacobi()))
    assert isinstance(suggested(free.A), Plain)
    assert isinstance(suggested(DENSE.A), Jacobi)
    assert isinstance(suggested(GRID.A), Multigrid)


def test_a_cell_with_one_free_quarter_is_still_a_cell_of_the_coarser_grid():
    """Only where all four cells are walls stands a number that means nothing."""
    solid = np.ones((4, 4), bool)
    solid[0, 1:3] = False  # one cell in each of two blocks, and a face between them
    fine = poisson_grid(solid)
    half = 0.5 * np.asarray(fine.extra)
    coarse = np.asarray(preconditioners._coarse(fine).extra)
    assert coarse[0, 0] == pytest.approx(half[0, 1]) != 1
    assert coarse[0, 1] == pytest.approx(half[0, 2]) != 1
    assert coarse[1, 0] == coarse[1, 1] == 1

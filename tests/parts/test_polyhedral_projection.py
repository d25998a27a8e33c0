"""Projection onto a polyhedral cone: against SciPy's NNLS, and its derivative."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import nnls

from banach.parts.polyhedral_projection import cone_multipliers, project_cone

RNG = np.random.default_rng(0)
N, D, COUNT = 12, 4, 40
X = RNG.standard_normal((N, D))
INSIDE = RNG.standard_normal((COUNT, D))
M = np.sign(INSIDE @ X.T)[..., None] * X
V = RNG.standard_normal((COUNT, D))
V[::2] += 2 * INSIDE[::2]
V[1] = INSIDE[1]  # already in the cone
V[3] = -M[3].sum(axis=0)  # in the polar cone: the projection is 0


def test_it_is_the_nearest_point_of_the_cone():
    x, dual = jax.vmap(project_cone)(V, M)
    for g in range(COUNT):
        best = V[g] + M[g].T @ nnls(M[g].T, -V[g])[0]
        np.testing.assert_allclose(x[g], best, atol=1e-11)
        # The length is least at the multipliers: it is exact to second order.
        near = V[g] + M[g].T @ dual[g]
        np.testing.assert_allclose(near, best, atol=1e-5)
        least = np.linalg.norm(best)
        assert least - 1e-12 <= np.linalg.norm(near) <= least + 1e-6
    assert np.all(np.asarray(dual) >= 0)
    np.testing.assert_allclose(x[1], V[1], atol=1e-12)
    assert np.abs(x[3]).max() < 1e-6


def test_rows_and_points_of_zero_and_repeated_rows():
    rows = np.concatenate([M[0], np.zeros((2, D)), M[0][:3]])
    x, dual = project_cone(V[0], rows)
    np.testing.assert_allclose(x, project_cone(V[0], M[0]).x, atol=1e-11)
    assert np.array_equal(dual[N : N + 2], np.zeros(2))
    assert np.array_equal(project_cone(np.zeros(D), M[0]).x, np.zeros(D))
    assert np.isfinite(cone_multipliers(np.zeros(D), M[0])).all()


def test_scales_do_not_matter():
    x = project_cone(V[4], M[4]).x
    for a, b in ((1e9, 1e-9), (1e-9, 1e9)):
        np.testing.assert_allclose(
            project_cone(a * V[4], b * M[4]).x, a * x, atol=1e-10 * a
        )


def test_the_derivative_is_that_of_the_face():
    h = 1e-6

    def at(v, m):
        return project_cone(v, m).x

    for g in (0, 5, 6):
        J = jax.jacfwd(at)(jnp.asarray(V[g]), jnp.asarray(M[g]))
        for j, e in enumerate(np.eye(D)):
            slope = (at(V[g] + h * e, M[g]) - at(V[g] - h * e, M[g])) / (2 * h)
            np.testing.assert_allclose(J[:, j], slope, atol=1e-7)
        dM = RNG.standard_normal(M[g].shape)
        _, push = jax.jvp(lambda m, g=g: at(V[g], m), (jnp.asarray(M[g]),), (dM,))
        slope = (at(V[g], M[g] + h * dM) - at(V[g], M[g] - h * dM)) / (2 * h)
        np.testing.assert_allclose(push, slope, atol=1e-6)

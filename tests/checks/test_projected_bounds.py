"""The projected residual within bounds: directions that a bound holds are none."""

import jax
import jax.numpy as jnp
import numpy as np
from looks import judged
from test_projected_check import exact, residual, root

import banach as bn
from banach.core import compat
from banach.core.point import Point
from banach.kinds.least_squares.check import ProjectedResidual, _held, offset


@jax.jit
def claimed(A, B, y, x, lower, upper):
    def one(A, B, y, x, lower, upper):
        problem = bn.NonlinearLeastSquares(
            residual, np.ones(3), (A, B, y), lower=lower, upper=upper
        )
        c = judged(ProjectedResidual(), problem, Point(x))[0]
        return c.parts[0].value, c.parts[0].slack

    return jax.vmap(one)(A, B, y, x, lower, upper)


def test_the_judged_directions_are_those_that_no_bound_holds():
    """Against rational arithmetic: at a bound that holds, and at one that does not."""
    rng = np.random.default_rng(41)
    cases, wanted = [], []
    for k in range(24):
        A, B, x = *rng.standard_normal((2, 7, 3)), rng.standard_normal(3)
        B, y = 0.3 * B, rng.standard_normal(7)
        for _ in range(25 if k % 2 else 0):
            r, J = residual(x, A, B, y), A + 2 * (B @ x)[:, None] * B
            x[:2] -= 0.7 * np.linalg.lstsq(J[:, :2], r)[0]
        g = (A + 2 * (B @ x)[:, None] * B)[:, 2] @ residual(x, A, B, y)
        holds = k % 4 < 3
        side = np.full((2, 3), [[-np.inf], [np.inf]])
        side[0 if (g > 0) == holds else 1, 2] = x[2]
        cases.append((A, B, y, x, *side))
        p2, r2 = exact(A, B, y, x, 2 if holds else 3)
        wanted.append(float(root(p2) / root(r2)))
    value, slack = claimed(*(np.array(v) for v in zip(*cases, strict=True)))
    value, slack, wanted = (np.asarray(v, float) for v in (value, slack, wanted))
    assert np.all(value + slack >= wanted)
    np.testing.assert_allclose(value, wanted, rtol=1e-6, atol=1e-12)
    assert np.sum(wanted < 1e-6) >= 6 and np.sum(slack < 1e-9) == len(cases)


def test_a_pull_within_rounding_is_charged():
    """Where J_j'r is 0 but for rounding, the bound that holds it is doubted."""
    A = np.array([[1.0, 1.0], [0.0, 1e8]])
    # Of the second column the pull is what y leaves: clear, and hidden by rounding.
    for pull, doubted in ((1e-3, False), (1e-20, True)):
        y = np.array([0.0, 1.0 - pull])
        problem = bn.NonlinearLeastSquares(
            lambda x, A, y: A @ x - y, np.zeros(2), (A, y), lower=[-np.inf, 1e-8]
        )
        x = np.array([-1e-8, 1e-8])
        with compat.double():
            r, J = problem.residual(x), problem.jacobian(x)
            e, E = 1e-16 * np.ones(2), 1e-16 * np.abs(J)
            held = _held(problem, x, *(jnp.asarray(v) for v in (r, J, e, E)))
            plain = offset(r, J, e, E, 1.0, 1.0, 0.0, held)
            sure = offset(r, J, e, E, 1.0, 1.0, 0.0, held._replace(doubt=np.zeros(2)))
        assert bool(held.mask[1]) and (float(held.doubt[1]) > 0) == doubted
        assert (float(plain[1]) > float(sure[1])) == doubted

"""BO-REP: its refined start, and where it ends."""

import jax
import jax.numpy as jnp
import numpy as np
from reference import _bilevel as case

from banach.methods.bilevel.bo_rep import BoRep

HYPER = dict(eta=0.05, lower_step=0.1, nu=0.2, beta=0.8)


def test_the_refinement_brings_y_to_the_minimiser():
    method = BoRep(**HYPER | {"lower_step": 0.4}, batch=case.N, epochs=6)
    _, (state,) = case.iterates(case.problem(), method, [jax.random.key(0)])
    exact = case.phi_grad(case.X0)[1]
    before = np.linalg.norm(case.Y0 - exact)
    assert np.linalg.norm(state.y - exact) < 0.02 * before


def test_full_batches_and_shrinking_steps_reach_a_stationary_point():
    p = case.problem()
    method = BoRep(eta=0.2, lower_step=0.3, nu=0.3, half_life=80.0, batch=case.N)
    xs, _ = case.iterates(p, method, jax.random.split(jax.random.key(1), 900))
    slopes = [np.linalg.norm(case.phi_grad(x)[0]) for x in (xs[0], xs[-1])]
    assert slopes[1] < 1e-3 * slopes[0]


def test_a_steep_upper_objective_does_not_throw_it_off():
    """exp-growth in x: a gradient step at the start that is not tiny overflows."""
    from banach.kinds.bilevel.problem import Bilevel

    p = Bilevel(
        lambda x, y: jnp.cosh(x[0]) + (y[0] - 1) ** 2,
        lambda x, y: (y[0] - x[0]) ** 2 / 2,
        np.array([12.0]),
        np.array([0.0]),
        lower_mu=1.0,
    )
    method = BoRep(eta=0.05, lower_step=0.5, nu=0.5, half_life=250.0)
    xs, _ = case.iterates(p, method, jax.random.split(jax.random.key(1), 2001))
    # sinh(x) + 2 (x - 1) = 0
    assert abs(np.sinh(xs[-1][0]) + 2 * (xs[-1][0] - 1)) < 0.05

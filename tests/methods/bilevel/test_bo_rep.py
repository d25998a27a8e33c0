"""BO-REP where the upper objective is steep."""

import jax
import jax.numpy as jnp
import numpy as np
from reference import _bilevel as case

from banach.kinds.bilevel.problem import Bilevel
from banach.methods.bilevel.bo_rep import BoRep


def test_a_steep_upper_objective_does_not_throw_it_off():
    """exp-growth in x: a gradient step at the start that is not tiny overflows."""
    p = Bilevel(
        lambda x, y: jnp.cosh(x[0]) + (y[0] - 1) ** 2,
        lambda x, y: (y[0] - x[0]) ** 2 / 2,
        np.array([12.0]), np.array([0.0]), lower_mu=1.0,
    )  # fmt: skip
    method = BoRep(eta=0.05, lower_step=0.5, nu=0.5, half_life=250.0)
    xs, _ = case.iterates(p, method, jax.random.split(jax.random.key(1), 2001))
    # sinh(x) + 2 (x - 1) = 0
    assert abs(np.sinh(xs[-1][0]) + 2 * (xs[-1][0] - 1)) < 0.05

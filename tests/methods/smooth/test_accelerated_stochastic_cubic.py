"""Accelerated cubic steps: what sampled derivatives cost, and who has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sum_case
from conformance.counted import Counted, Tally

from banach.core.problem import Misuse
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.accelerated_stochastic_cubic import (
    AcceleratedStochasticCubic,
)


def test_a_sampled_hessian_counts_as_its_columns():
    tally = Tally()
    problem = Counted(sum_case.problem(), tally)
    method = AcceleratedStochasticCubic(1.0, 0.1, 0.1, 1.0, 4, 5)
    state = method.init(problem, problem.start(), jax.random.key(0))
    state = jax.jit(method.step)(problem, state, jax.random.key(1))
    jax.effects_barrier()
    counted = dict(tally.run)
    assert counted == {"stochastic_grad": 2 * 4 + 5 * sum_case.D}
    assert {k: int(v) for k, v in method.calls(state).items() if v} == counted


@pytest.mark.parametrize("given", [{"batch": 3, "M": 1.0}, {"hessian_batch": 3}])
def test_only_a_sum_has_terms(given):
    bowl = Smooth(lambda x: jnp.sum(x**2), np.ones(2), convex=True)
    method = AcceleratedStochasticCubic(radius=1.0, **given)
    with pytest.raises(Misuse, match="FiniteSum"):
        method.init(bowl, bowl.start(), jax.random.key(0))

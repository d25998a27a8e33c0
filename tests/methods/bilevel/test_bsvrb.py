"""BSVRB: the adjoint it offers, and what its trackers do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import _bilevel as case

from banach.methods.bilevel._block_estimators import draw_blocks, msvr
from banach.methods.bilevel.bsvrb import Bsvrb


def test_the_offered_adjoint_is_that_of_the_mean():
    p = case.problem()
    method = Bsvrb(eta=0.0, tau=0.2, tau_v=0.2, sampled=4, batch=case.N)
    _, states = case.iterates(p, method, jax.random.split(jax.random.key(1), 300))
    z, v = states[-1].pair, states[-1].offer
    np.testing.assert_allclose(z[1], case.phi_grad(case.X0)[1], atol=1e-6)
    np.testing.assert_allclose(p.lower_hvp(z, v), p.upper_grad(z)[1], atol=1e-6)


def test_what_the_correction_does_to_blocks_that_drift():
    """q_i = d_i t: the mean error over d_i, by one step of the Markov chain, is
    (1 - p) / (p (1 - a)) with c and -(1 - p a) / (p a) without, p = I / m."""
    m, count, a, steps = 6, 2, 0.4, 3000
    d, p = jnp.linspace(1, 2, m), count / m

    def mean_error(correct):
        def one(s, t):
            b = draw_blocks(jax.random.fold_in(jax.random.key(0), t), count, m)
            new, old = d[b] * t, d[b] * (t - 1)
            if not correct:
                old = new
            s = msvr(s, b, new, old, a)
            return s, s / d - t

        errors = jax.lax.scan(one, jnp.zeros(m), jnp.arange(1, steps))[1]
        return float(errors[100:].mean())

    assert mean_error(True) == pytest.approx((1 - p) / (p * (1 - a)), rel=0.1)
    assert mean_error(False) == pytest.approx(-(1 - p * a) / (p * a), rel=0.1)

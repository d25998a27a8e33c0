"""BSVRB: its reference on the same draws, and what its trackers do."""

from reference import _bilevel as case
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import bsvrb as reference

from banach.methods.bilevel._blocks import draw_blocks, draw_rows, msvr, project_blocks
from banach.methods.bilevel.bsvrb import Bsvrb

STEPS = 10
HYPER = dict(eta=0.05, tau=0.1, tau_v=0.15, a=0.4, b=0.3)


def rows(key, count, batch):
    return [
        np.asarray(draw_rows(k, count, batch, case.N)) for k in jax.random.split(key, 3)
    ]


@pytest.mark.parametrize("sampled, batch", [(2, 3), (1, 4), (4, 10)])
def test_iterates_equal_the_reference(sampled, batch):
    method = Bsvrb(**HYPER, sampled=sampled, batch=batch)
    keys = jax.random.split(jax.random.key(5), STEPS + 1)
    ours, _ = case.iterates(case.problem(), method, keys)
    drawn = []
    for k in keys[1:]:
        first, second = jax.random.split(k)
        blocks = np.asarray(draw_blocks(first, sampled, case.M))
        drawn.append((blocks, rows(second, sampled, batch)))
    theirs = reference.iterates(
        case.ORACLES, case.X0, case.Y0, HYPER, rows(keys[0], case.M, batch), drawn
    )
    np.testing.assert_allclose(ours[1:], theirs, rtol=1e-10, atol=1e-12)


def test_without_blocks_it_is_one_block():
    """The first task as a problem of its own, against the reference with m = 1."""
    method = Bsvrb(**HYPER, sampled=1, batch=case.N)
    keys = jax.random.split(jax.random.key(5), STEPS + 1)
    ours, states = case.iterates(case.single(), method, keys)
    everything = [np.arange(case.N)[None]] * 3
    theirs = reference.iterates(
        case.ORACLES, case.X0, case.Y0[:1], HYPER, everything,
        [(np.array([0]), everything)] * STEPS,
    )  # fmt: skip
    np.testing.assert_allclose(ours[1:], theirs, rtol=1e-10, atol=1e-12)
    assert states[-1].offer.shape == (case.P,)


def test_the_offered_adjoint_is_that_of_the_mean():
    p = case.problem()
    method = Bsvrb(eta=0.0, tau=0.2, tau_v=0.2, sampled=4, batch=case.N)
    _, states = case.iterates(p, method, jax.random.split(jax.random.key(1), 300))
    z, v = states[-1].pair, states[-1].offer
    np.testing.assert_allclose(z[1], case.phi_grad(case.X0)[1], atol=1e-6)
    np.testing.assert_allclose(p.lower_hvp(z, v), p.upper_grad(z)[1], atol=1e-6)


def test_blocks_by_turns_reach_a_stationary_point():
    p = case.problem()
    method = Bsvrb(eta=0.3, tau=0.1, tau_v=0.1, sampled=2, batch=case.N)
    xs, _ = case.iterates(p, method, jax.random.split(jax.random.key(1), 1500))
    slopes = [np.linalg.norm(case.phi_grad(x)[0]) for x in (xs[0], xs[-1])]
    assert slopes[1] < 1e-2 * slopes[0]


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


def test_projection_is_block_by_block():
    v = {"w": jnp.array([[3.0, 4.0], [0.3, 0.4]]), "b": jnp.zeros((2, 1))}
    out = project_blocks(v, 1.0)
    np.testing.assert_allclose(out["w"], [[0.6, 0.8], [0.3, 0.4]])

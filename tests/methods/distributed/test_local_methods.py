"""Gradients at points of the workers' own, and what local methods make of them."""

import jax
import jax.numpy as jnp
import numpy as np
from reference import _local, _workers

import banach as bn
from banach.methods.distributed import _own_points
from banach.methods.distributed.local_sgd import LocalSgd
from banach.methods.distributed.scaffold import Scaffold

POINTS = np.random.default_rng(5).standard_normal((3, _local.D))


def test_batches_are_unbiased_on_unequal_shards():
    keys = jax.random.split(jax.random.key(0), 4000)
    p, at = _local.problem(), jnp.asarray(POINTS)
    draw = jax.jit(jax.vmap(lambda k: _own_points.sampled(p, at, k, 2)))
    g = np.asarray(draw(keys))
    spread = g.std(axis=0) / np.sqrt(4000)
    assert np.all(np.abs(g.mean(axis=0) - _local.own(POINTS)) <= 5 * spread)


def test_control_variates_remove_the_floor_of_local_steps():
    size = 1 / (10 * _workers.L)
    x = _workers.states(Scaffold(size), 1500).x[-1]
    np.testing.assert_allclose(x, _workers.SOLUTION, rtol=1e-9, atol=1e-10)
    far = _workers.states(LocalSgd(size), 1500).x[-1] - _workers.SOLUTION
    assert 1e-4 < np.linalg.norm(far) < 1


def test_those_who_take_part_send_two_vectors():
    method = Scaffold(0.01, sampled=2)
    r = bn.solve(_workers.problem(), method, max_steps=10, tol=1e-12)
    assert r.sent == {"up": 2 * 10 * 2 * 32, "down": 2 * 10 * 2 * 32}
    assert r.calls == {"coded_grad": 50}
    r = bn.solve(_workers.problem(), LocalSgd(0.01), max_steps=10, tol=1e-12)
    assert r.sent == {"up": 3 * 10 * 32, "down": 3 * 10 * 32}

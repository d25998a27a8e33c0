"""Gradients of the workers' f_i, each at a point of its own."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from banach.core import tree
from banach.core.problem import Problem
from banach.methods.distributed._rows import Rows, flat


def gradients(problem: Problem, points: Rows) -> Rows:
    """Row i is grad f_i at row i of `points`: one call of the oracle coded_grad."""
    # F is cut into as many pieces as there are workers: f_i is W times the i-th.
    own = jnp.arange(problem.workers)[:, None]
    return _coded(problem, points, problem.workers, own, jnp.full(own.shape, own.size))


def sampled(problem: Problem, points: Rows, key: Array, size: int) -> Rows:
    """Unbiased estimates of these from `size` terms of each worker's own.

    Terms are drawn uniformly with replacement.
    """
    n, workers = problem.n, problem.workers
    most = -(-n // workers)
    held = n // workers + (jnp.arange(workers) < n % workers)
    first, keys = most * jnp.arange(workers), jax.random.split(key, workers)
    draw = lambda key, held: jax.random.randint(key, (size,), 0, held)  # noqa: E731
    drawn = first[:, None] + jax.vmap(draw)(keys, held)
    weight = jnp.broadcast_to(held[:, None] * workers / size, drawn.shape)
    # A piece is a place, and holds 1 / (W most) of the l2 term. Of W held_i places a
    # worker that has one place without a term, its last, lacks W: that gives them.
    lacks = (workers * (most - held))[:, None]
    index = jnp.concatenate([drawn, (first + most - 1)[:, None]], axis=1)
    weights = jnp.concatenate([weight, lacks.astype(weight.dtype)], axis=1)
    return _coded(problem, points, workers * most, index, weights)


def _coded(problem, points, pieces, index, weights):
    unravel = tree.ravel(problem.start().x)[1]
    xs = jax.vmap(jax.vmap(unravel))(points[:, None])  # one slot a worker
    g = problem.coded_grad(xs, pieces, index[:, None], weights[:, None])
    return flat(g)

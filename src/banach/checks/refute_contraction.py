"""Refuting a declared contraction factor by pairs of points."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.checks import evaluation
from banach.core import tree
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam

RADII = (1e-3, 1e-1, 1.0, 10.0)
POWERS = 4
PAIRS = 3 * len(RADII) + 1
EVALUATIONS = 2 * PAIRS + 2 * POWERS


def refute_contraction(problem: Problem, point: Point, key: Array) -> Array:
    """A negative number where ||T(a) - T(b)|| > q ||a - b|| for a sampled pair.

    Pairs: of x with points at several distances in the direction that the
    derivative at x stretches most (a few power steps in the problem's norm), in a
    random direction of equal moduli and in a Gaussian one; and x with the start.
    The smallest q ||a - b|| - ||T(a) - T(b)||, rounding added, is returned where it
    is negative. Zero proves nothing: the declaration stays among the assumptions.
    Pairs with a value that is not finite are ignored.
    """
    x, back = tree.ravel(point.x)
    start, _ = tree.ravel(problem.start().x)
    start = jnp.asarray(start, x.dtype)
    dtype = x.dtype
    weights, _ = tree.ravel(
        problem.weighted(tree.cast(jax.tree.map(jnp.ones_like, point.x), dtype))
    )
    size = x.size

    def length(v: Float[Array, " n"]) -> Array:
        v = weights * v
        return tree.norm(v) if problem.norm == "2" else jnp.max(jnp.abs(v))

    def mapped(v):
        return tree.ravel(problem.map(back(v)))[0]

    signs, normal = jax.random.split(key)
    rough = jax.random.rademacher(signs, (size,), dtype) / weights
    bell = jax.random.normal(normal, (size,), dtype) / weights
    steep = _steepest(mapped, x, rough, weights, problem.norm)
    unit = jnp.maximum(length(x - start), 1e-3 * (1 + length(x)))
    directions = jnp.stack([_unit(v, length) for v in (steep, rough, bell)])
    radii = unit * jnp.asarray(RADII, dtype)
    ends = x + (directions[:, None] * radii[None, :, None]).reshape(-1, size)
    b = jnp.concatenate([ends, start[None]])
    values = evaluation.judge(jax.vmap(mapped), jnp.concatenate([x[None], b]))
    moved = values.value[1:] - values.value[0]
    error = values.error[1:] + values.error[0]
    gaps = jax.vmap(length)(b - x)
    stretched = jax.vmap(length)(moved)
    slack = jax.vmap(length)(error) + gam(size + 8, dtype) * stretched
    q = jnp.asarray(problem.facts().get("q"), dtype)
    room = q * gaps - stretched + 2 * slack + gam(size + 8, dtype) * gaps
    # The subtraction b - x is exact to one rounding of its result.
    room = jnp.where(jnp.isfinite(room), room, 0)
    return jnp.minimum(jnp.min(room), 0)


def _unit(v, length):
    n = length(v)
    return v / jnp.where(n > 0, n, 1)


def _steepest(mapped, x, v, weights, norm):
    """A direction that the derivative of `mapped` stretches much (Boyd's powers)."""
    if not _reversible(mapped, x):
        return v
    _, push = jax.linearize(mapped, x)
    pull = jax.linear_transpose(push, x)
    for _ in range(POWERS):
        image = weights * push(v)
        if norm == "2":
            v = pull(weights * image)[0] / weights**2
        else:
            at = jnp.argmax(jnp.abs(image))
            row = pull(jnp.zeros_like(x).at[at].set(weights[at]))[0] / weights
            v = jnp.where(row < 0, -1, 1).astype(x.dtype) / weights
        # Scaled, so that powers neither overflow nor vanish.
        v = v / jnp.where(jnp.max(jnp.abs(v)) > 0, jnp.max(jnp.abs(v)), 1)
    return v


def _reversible(fun, x) -> bool:
    """Whether reverse mode exists: a while loop in T has none."""
    try:
        jax.eval_shape(lambda v: jax.vjp(fun, v)[1](v)[0], x)
    except (ValueError, NotImplementedError, TypeError):
        return False
    return True

"""Batch sizes that follow the noise of the gradient, as an optax transformation."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from banach.core import tree, validation
from banach.core.annotations import Real
from banach.core.door import door
from banach.core.problem import Misuse
from banach.parts.batches import Moments


def needed_by_norm(seen: Moments, eta: Any) -> Array:
    """The batch size of the norm test, V / (eta^2 ||g||^2), a float.

    V is the trace of the covariance of one term: with this many independent terms
    E ||g_B - g||^2 <= eta^2 ||g||^2 (Byrd, Chin, Nocedal and Wu 2012).
    """
    square = tree.vdot(seen.mean, seen.mean)
    return _over(seen.total_variance(), jnp.square(eta) * square)


def needed_by_coordinate(seen: Moments, eta: Any) -> Array:
    """The largest var_j / (eta^2 g_j^2) over the coordinates j, a float."""
    ratios = jax.tree.map(
        lambda v, g: jnp.max(_over(v, jnp.square(eta * g)), initial=0.0),
        seen.variance(),
        seen.mean,
    )
    return jnp.max(jnp.stack(jax.tree.leaves(ratios)))


def _over(variance: Array, square: Array) -> Array:
    # No variance needs no samples, whatever the mean.
    safe = jnp.where(variance > 0, square, 1)
    return jnp.where(variance > 0, variance, 0) / safe


_NEEDED = {"norm": needed_by_norm, "coordinate": needed_by_coordinate}


class AdadagradScale(eqx.Module):
    """Sum of squared gradients, and the size that the next batch should have."""

    sum_of_squares: PyTree
    batch: Int[Array, ""]


@door
def adadagrad_transform(
    learning_rate: Real,
    *,
    batch: int = 16,
    most: int,
    eta: Real = 0.5,
    test: str = "norm",
    coordinatewise: bool = True,
    initial: Real = 0.01,
) -> optax.GradientTransformationExtraArgs:
    """AdaGrad with a batch-size controller, an optax transformation.

    `update(mean, state, params, moments=m)` takes the moments of a batch of term
    gradients (`banach.parts.batches.Moments`); `state.batch` is the size to draw
    next, between `batch` and `most`, never decreasing. `coordinatewise=False` is
    AdaGrad-Norm. Against optax.adagrad: `initial` is initial_accumulator_value, and
    eps is 0.

    Args:
        learning_rate: a number > 0.
        batch: the first batch size.
        most: the largest one.
        eta: how much noise the test allows, > 0.
        test: "norm" or "coordinate".
        coordinatewise: whether each coordinate has a step of its own.
        initial: the accumulator at the start, > 0.

    Source: Lau, Liu and Kolar, AdAdaGrad: adaptive batch size schemes for adaptive
    gradient methods (2024).

    Example:
        >>> rule = bn.adadagrad_transform(0.1, batch=4, most=64)
        >>> int(rule.init(jnp.zeros(2)).batch)
        4
    """
    # A schedule would be called with a count that this transformation does not keep.
    learning_rate = validation.number(learning_rate, "adadagrad learning_rate")
    eta = validation.number(eta, "adadagrad eta", low="positive")
    initial = validation.number(initial, "adadagrad initial", low="positive")
    validation.choice(test, "adadagrad test", sorted(_NEEDED))
    coordinatewise = validation.flag(coordinatewise, "adadagrad coordinatewise")
    batch = validation.integer(batch, "adadagrad batch")
    most = validation.integer(most, "adadagrad most")
    if not 2 <= batch <= most:
        raise Misuse(
            f"adadagrad needs 2 <= batch <= most, got batch={batch}, most={most}: one "
            "term alone has no variance"
        )

    def init(params: PyTree) -> AdadagradScale:
        dtype = tree.dtype(params)
        like = params if coordinatewise else jnp.zeros((), dtype)
        total = jax.tree.map(lambda v: jnp.full_like(v, initial), like)
        return AdadagradScale(total, jnp.asarray(batch, jnp.int32))

    def update(updates, state, params=None, *, moments, **extra):
        del params, extra
        if coordinatewise:
            total = jax.tree.map(
                lambda v, g: v + jnp.square(g), state.sum_of_squares, updates
            )
            size = jax.tree.map(jnp.sqrt, total)
        else:
            total = state.sum_of_squares + tree.vdot(updates, updates)
            size = jax.tree.map(lambda g: jnp.sqrt(total).astype(g.dtype), updates)
        dtype = tree.dtype(updates)
        a = jnp.asarray(learning_rate, dtype)
        scaled = jax.tree.map(lambda g, s: -a.astype(g.dtype) * g / s, updates, size)
        need = jnp.ceil(_NEEDED[test](moments, jnp.asarray(eta, dtype)))
        # NaN compares false: the size stays.
        more = jnp.minimum(need, most).astype(jnp.int32)
        grown = jnp.where(need > state.batch, more, state.batch)
        return scaled, AdadagradScale(total, grown)

    return optax.GradientTransformationExtraArgs(init, update)

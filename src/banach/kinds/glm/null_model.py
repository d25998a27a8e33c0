"""The best constant model, which "small" is relative to."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from banach.kinds.glm.loss import Loss
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SoftmaxLoss,
    SquaredLoss,
)

_HALVINGS = 60


def null_intercept(loss: Loss, y: Array, w: Array, offset: Array | None) -> Array:
    """argmin_b sum_i w_i l(b + o_i, y_i), a scalar (softmax: one number a class).

    Closed forms where they exist, otherwise bisection of the derivative.
    """
    o = jnp.zeros_like(w) if offset is None else offset
    if isinstance(loss, SquaredLoss):
        return jnp.vdot(w, y - o) / jnp.sum(w)
    if isinstance(loss, PoissonLoss):
        top = jnp.max(o)
        return jnp.log(jnp.vdot(w, y)) - jnp.log(jnp.vdot(w, jnp.exp(o - top))) - top
    if isinstance(loss, SoftmaxLoss):
        each = jnp.log(jnp.sum(loss.onehot(w, y) * w[:, None], axis=0))
        return each - jnp.mean(each)
    side = jnp.max(jnp.abs(o))
    if isinstance(loss, LogisticLoss):
        up, down = (jnp.sum(jnp.where(s * y > 0, w, 0)) for s in (1, -1))
        odds = jnp.log(up) - jnp.log(down)
        if offset is None:
            return odds
        low, high = odds - side, odds + side
    elif isinstance(loss, HuberLoss):
        low, high = jnp.min(y - o), jnp.max(y - o)
    else:
        low, high = -1 - side, 1 + side

    def halve(_, ends):
        low, high = ends
        b = low + (high - low) / 2
        steep = jnp.vdot(w, loss.derivative(b + o, y))
        return jnp.where(steep < 0, b, low), jnp.where(steep < 0, high, b)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (low, high))
    # An answer at an end of where it was sought is nearer to 0 than its middle.
    ends = jnp.stack([low + (high - low) / 2, low, high])
    F = jnp.stack([jnp.vdot(w, loss.value(b + o, y)) for b in ends])
    return ends[jnp.argmin(F)]

"""Values of batches, beside their gradients: what Polyak's steps are made of."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.methods.stochastic import _variance_reduction as reduced


def value_and_grad(
    problem: Any, x: PyTree, size: int, key: Array
) -> tuple[Float[Array, ""], PyTree]:
    """f_B(x) and its gradient, B of `size` terms drawn independently; l2 with both.

    `sample` draws as `drawn` does, by the same key: the terms are the same.
    """
    index = reduced.drawn(problem, size, key)
    # Of no term at all: l2 x. Samples are without l2, which is half <x, l2 x>.
    slope = problem.stochastic_grad(x, index[:1], jnp.zeros(1, bool))
    f = jnp.mean(problem.sample(x, key, size)) + tree.vdot(x, slope) / 2
    return f, problem.stochastic_grad(x, index)


def polyak(gap: Any, square: Any, most: Any) -> Float[Array, ""]:
    """min(gap / square, most); 0 where the gap is not positive or nothing slopes."""
    # Where the gradient is 0 no step moves x, and 0 times an infinite one would be NaN.
    step = jnp.minimum(gap / jnp.where(square > 0, square, 1), most)
    return jnp.where((square > 0) & (gap > 0), step, 0)

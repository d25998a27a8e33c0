"""Running averages of iterates, on pytrees."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree

Scalar = Float[Array, ""]


class Average(eqx.Module):
    """A running average and the number of terms in it (before any term: zeros)."""

    mean: PyTree
    count: Int[Array, ""]


def start_average(x: PyTree) -> Average:
    """An average of nothing, for variables like x."""
    return Average(tree.zeros_like(x), jnp.zeros((), jnp.int32))


def uniform(average: Average, x: PyTree) -> Average:
    """Include x with equal weight.

    Source: Polyak and Juditsky (1992).
    """
    return polynomial(average, x, 0.0)


def polynomial(average: Average, x: PyTree, decay: Float[Array, ""] | float) -> Average:
    """Include x with weight (decay + 1) / (t + decay) as the t-th term, t >= 1.

    Term i ends up weighted like i^decay; decay = 0 is the uniform average.

    Source: Shamir and Zhang (2013), section 4.
    """
    count = average.count + 1
    time = count.astype(tree.dtype(x))
    share = (decay + 1) / (time + decay)
    return Average(tree.lerp(share, average.mean, x), count)


def suffix(average: Average, x: PyTree, step: Int[Array, ""], first: int) -> Average:
    """Include x uniformly from step `first` on; earlier terms are passed over.

    For the last part a of T steps, first = ceil((1 - a) T). Until then the mean is
    the newest x, so that it is a usable point at any time.

    Source: Rakhlin, Shamir and Sridharan (2012), section 5.
    """
    started = step >= first
    begun = Average(x, jnp.zeros((), jnp.int32))
    grown = uniform(average, x)
    return tree.where(started, grown, begun)


class MovingAverage(eqx.Module):
    """An exponential moving average; read it through `corrected`."""

    sum: PyTree
    missing: Scalar


def start_moving(x: PyTree) -> MovingAverage:
    """A moving average of nothing, for variables like x."""
    return MovingAverage(tree.zeros_like(x), jnp.ones((), tree.dtype(x)))


def moving(
    average: MovingAverage, x: PyTree, decay: Float[Array, ""] | float
) -> MovingAverage:
    """sum <- decay * sum + (1 - decay) * x, for decay in [0, 1)."""
    decay = jnp.asarray(decay, average.missing.dtype)
    return MovingAverage(tree.lerp(1 - decay, average.sum, x), average.missing * decay)


def corrected(average: MovingAverage) -> PyTree:
    """The average without the bias of its zero start: weights that sum to one.

    Decays may differ from step to step; before any term it is zero.

    Source: Kingma and Ba (2015), section 3.
    """
    total = 1 - average.missing
    return tree.scale(1 / jnp.where(total > 0, total, 1), average.sum)

"""Running averages of iterates, on pytrees."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree


class Average(eqx.Module):
    """A running average and the number of terms in it."""

    mean: PyTree
    count: Int[Array, ""]


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


def tail(before: Average, last: Average, x: PyTree) -> tuple[PyTree, Average, Average]:
    """Include x in (mean of the last half to three quarters, `last`, `before`).

    Blocks double in length: `before` is the last whole one and `last` the one that x
    goes to, both at first with the start and a count of 0. Their common mean is over
    the last (L + c) of 2 L - 1 + c terms, 0 <= c <= 2 L, and needs no horizon.

    Source: Rakhlin, Shamir and Sridharan (2012), section 5, without their horizon.
    """
    last = uniform(last, x)
    size, other = (v.count.astype(tree.dtype(x)) for v in (last, before))
    mean = tree.lerp(size / (size + other), before.mean, last.mean)
    full = last.count >= 2 * before.count
    empty = Average(last.mean, jnp.zeros_like(last.count))
    return mean, tree.where(full, empty, last), tree.where(full, last, before)

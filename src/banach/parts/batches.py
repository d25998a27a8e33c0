"""What methods on sums of many terms share: batches, and moments of their gradients."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from banach.core import tree
from banach.core.method import Method
from banach.core.problem import Misuse


class Moments(eqx.Module):
    """Count, mean and scatter of the gradients of some terms.

    `mean` is (1/b) sum_i g_i and `scatter` is sum_i (g_i - mean)^2 entry by entry,
    both pytrees like x; the unbiased variance of one entry is scatter / (b - 1).
    """

    count: Int[Array, ""]
    mean: PyTree
    scatter: PyTree

    def variance(self) -> PyTree:
        """The unbiased variance of one term, entry by entry; 0 for one term."""
        return tree.scale(1 / jnp.maximum(self._float() - 1, 1), self.scatter)

    def total_variance(self) -> Array:
        """E ||g_i - E g||^2, unbiased: the trace of the covariance of one term."""
        return tree.total(self.scatter) / jnp.maximum(self._float() - 1, 1)

    def _float(self) -> Array:
        return self.count.astype(tree.dtype(self.mean))


def none_of(x: PyTree) -> Moments:
    """The moments of no terms, for gradients like x."""
    zero = tree.zeros_like(x)
    return Moments(jnp.zeros((), jnp.int32), zero, zero)


def moments(gradients: PyTree, mask: Bool[Array, " m"]) -> Moments:
    """Moments of the rows (leading axis m) that the mask keeps."""
    count = jnp.sum(mask, dtype=jnp.int32)

    def kept(rows: Array) -> Array:
        return jnp.where(mask.reshape(-1, *[1] * (rows.ndim - 1)), rows, 0)

    def mean(rows: Array) -> Array:
        return jnp.sum(kept(rows), axis=0) / jnp.maximum(count, 1).astype(rows.dtype)

    centre = jax.tree.map(mean, gradients)
    scatter = jax.tree.map(
        lambda rows, m: jnp.sum(kept(jnp.square(rows - m)), axis=0), gradients, centre
    )
    return Moments(count, centre, scatter)


def merged(a: Moments, b: Moments) -> Moments:
    """Moments of the union of disjoint batches (Chan, Golub and LeVeque 1983)."""
    kind = tree.dtype(a.mean)
    n = a.count + b.count
    total = jnp.maximum(n, 1).astype(kind)
    share = b.count.astype(kind) / total
    cross = a.count.astype(kind) * share
    apart = tree.sub(b.mean, a.mean)
    scatter = jax.tree.map(
        lambda p, q, d: p + q + cross.astype(d.dtype) * jnp.square(d),
        a.scatter,
        b.scatter,
        apart,
    )
    return Moments(n, tree.axpy(share, apart, a.mean), scatter)


class Shuffle(eqx.Module):
    """The n indices in random order, and how many of them are used up."""

    order: Int[Array, " n"]
    used: Int[Array, ""]


def shuffled(n: int, key: Array) -> Shuffle:
    """A fresh random order of n indices."""
    order = jax.random.permutation(key, n).astype(jnp.int32)
    return Shuffle(order, jnp.zeros((), jnp.int32))


def ready_for(state: Shuffle, size: Any, key: Array) -> Shuffle:
    """A shuffle with at least `size` <= n unused indices; a rest is thrown away."""
    n = state.order.size
    short = state.used + size > n
    return jax.lax.cond(short, lambda s: shuffled(n, key), lambda s: s, state)


def window(state: Shuffle, offset: Any, width: int) -> Int[Array, " width"]:
    """Unused indices offset .. offset + width - 1; beyond the end they wrap round.

    Mask those beyond the batch. `width` is static, `offset` may be traced.
    """
    at = state.used + offset + jnp.arange(width, dtype=jnp.int32)
    return state.order[at % state.order.size]


def spent(state: Shuffle, size: Any) -> Shuffle:
    """The shuffle after a batch of `size`."""
    return Shuffle(state.order, state.used + size)


def accumulated(
    gradient_moments: Any, x: PyTree, order: Shuffle, size: Any, chunk: int, key: Array
) -> Moments:
    """Moments of the next `size` unused terms, `chunk` of them at a time.

    `gradient_moments(x, index, mask, key)` is the problem's. `size` may be traced and
    the work follows it: no other size compiles anew, and none costs the largest.
    """

    def add(j: Array, total: Moments) -> Moments:
        index = window(order, j * chunk, chunk)
        mask = j * chunk + jnp.arange(chunk, dtype=jnp.int32) < size
        seen = gradient_moments(x, index, mask, jax.random.fold_in(key, j))
        return merged(total, seen)

    return jax.lax.fori_loop(0, (size + chunk - 1) // chunk, add, none_of(x))


def fits(size: int, n: int) -> None:
    """Misuse where a batch is no batch of n terms."""
    if not 1 <= size <= n:
        raise Misuse(f"a batch of {size} terms of a sum of {n}; pass 1 <= batch <= {n}")


class Drawn(eqx.Module):
    """Iterate, the order in which terms are drawn, and the step count."""

    x: PyTree
    order: Shuffle
    t: Int[Array, ""]


class InBatches(Method):
    """A method that takes `batch` terms a step, in the order that its state keeps.

    Its state counts the steps in `t`.
    """

    @property
    def typical(self) -> dict[str, float]:  # type: ignore[override]
        """A batch."""
        return {"stochastic_grad": self.batch}  # type: ignore[attr-defined]

    def calls(self, state: PyTree) -> dict[str, Any]:
        """A batch a step."""
        return {"stochastic_grad": state.t * self.batch}  # type: ignore[attr-defined]

    def gradient(
        self, problem: Any, x: PyTree, order: Shuffle, key: Array
    ) -> tuple[PyTree, Shuffle]:
        """Of the next batch, and the order, the batch not yet spent."""
        size = self.batch  # type: ignore[attr-defined]
        draw, noise = jax.random.split(key)
        order = ready_for(order, size, draw)
        return problem.stochastic_grad(x, window(order, 0, size), None, noise), order

"""Means that are too long to sum, certified by fresh samples.

Confirmations, not looks, spend error: a cheap screen comes first; the m-th
confirmation uses fresh randomness and the level delta / (m (m + 1)), which sum to
delta. Inside one confirmation the sample doubles, epoch e at level d / (e (e + 1)),
with the empirical Bernstein bound of Maurer and Pontil (2009).
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem

Draw = Callable[[Problem, Any, Array, int], Float[Array, " n"]]


def empirical_bernstein(
    variance: Array, count: Array, width: Array, delta: Array
) -> Float[Array, ""]:
    """One-sided radius: mean - E <= radius with probability >= 1 - delta.

    sqrt(2 V ln(2/d)/n) + 7 R ln(2/d)/(3(n-1)), V the unbiased sample variance of
    terms in an interval of length R.
    """
    log = jnp.log(2 / delta)
    return jnp.sqrt(2 * variance * log / count) + 7 * width * log / (3 * (count - 1))


def spent_level(delta: Any, confirmation: Any, dtype: Any) -> Float[Array, ""]:
    """delta / (m (m + 1)) for the confirmation m = 1, 2, ..."""
    m = jnp.asarray(confirmation, dtype)
    return jnp.asarray(delta, dtype) / (m * (m + 1))


class MeanCheck(Check):
    """E[terms] <= target with probability >= 1 - delta, from fresh samples.

    `draw(problem, x, key, n)` returns n independent terms, each in [low, high]
    (declared: no finite sample bounds a mean without a range). A screen of one
    batch spends nothing; a confirmation stops as soon as the upper bound is below
    the target, the lower bound above it, or after `epochs` doublings. A signed
    quantity: value is the mean less the target.
    """

    name: ClassVar[str] = "mean"

    draw: Draw = eqx.field(static=True)
    target: Any
    low: Any = 0.0
    high: Any = 1.0
    delta: Any = 0.05
    batch: int = eqx.field(static=True, default=64)
    epochs: int = eqx.field(static=True, default=10)

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Screen, then confirm; `look` counts the confirmations so far."""
        dtype = tree.dtype(point.x)
        target, width = jnp.asarray(self.target, dtype), self._width(dtype)
        look = jnp.asarray(look, jnp.int32)
        # Distinct streams for the screen and for the confirmation.
        screen_key, confirm_key = jax.random.split(jax.random.fold_in(key, look))
        terms = self._terms(problem, point, screen_key, dtype)
        rough = jnp.mean(terms)

        def confirm():
            delta = spent_level(self.delta, look + 1, dtype)
            mean, radius = self._confirm(problem, point, confirm_key, delta, dtype)
            return mean - target, radius, delta, look + 1

        def skip():
            return rough - target, width, jnp.zeros((), dtype), look

        passes = jnp.isfinite(rough) & (rough <= target)
        value, slack, spent, turn = jax.lax.cond(passes, confirm, skip)
        certificate = single(
            "E[loss] (goal)",
            value,
            slack,
            jnp.finfo(dtype).eps * jnp.maximum(jnp.abs(target), width),
            grade="statistical",
            assumes=("terms independent and in [low, high]: declared",),
            signed=True,
            delta=spent,
            look=turn,
        )
        return certificate, Point(point.x)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One batch for the screen; confirmations draw more."""
        return {"sample": self.batch}

    def _width(self, dtype):
        return jnp.asarray(self.high, dtype) - jnp.asarray(self.low, dtype)

    def _terms(self, problem, point, key, dtype):
        terms = jnp.asarray(self.draw(problem, point.x, key, self.batch), dtype)
        low, high = jnp.asarray(self.low, dtype), jnp.asarray(self.high, dtype)
        # A term outside its declared range voids the bound: it must not certify.
        return jnp.where((terms >= low) & (terms <= high), terms, jnp.nan)

    def _confirm(self, problem, point, key, delta, dtype):
        target, width = jnp.asarray(self.target, dtype), self._width(dtype)

        def more(s):
            epoch, _, _, _, mean, radius = s
            undecided = (mean + radius > target) & (mean - radius <= target)
            # NaN ends the loop: both comparisons are false.
            return (epoch <= self.epochs) & undecided

        def doubled(s):
            epoch, count, total, square, _, _ = s
            batches = jnp.where(epoch == 1, 1, 2 ** (epoch - 2))

            def add(i, acc):
                total, square = acc
                k = jax.random.fold_in(jax.random.fold_in(key, epoch), i)
                t = self._terms(problem, point, k, dtype) - target
                return total + jnp.sum(t), square + jnp.sum(t**2)

            total, square = jax.lax.fori_loop(0, batches, add, (total, square))
            count = count + batches * self.batch
            n = count.astype(dtype)
            mean = total / n
            variance = jnp.maximum(square - n * mean**2, 0) / (n - 1)
            # Centring at the target, variance and mean lose at most gam(n) of width^2.
            variance = variance + n * jnp.finfo(dtype).eps * width**2
            e = epoch.astype(dtype)
            radius = empirical_bernstein(variance, n, width, delta / (e * (e + 1)))
            radius = radius + n * jnp.finfo(dtype).eps * width
            return epoch + 1, count, total, square, mean + target, radius

        zero = jnp.zeros((), dtype)
        first = jnp.asarray(1, jnp.int32)
        start = (first, 0 * first, zero, zero, target, width)
        *_, mean, radius = jax.lax.while_loop(more, doubled, start)
        return mean, radius


class HeldOutRisk(Check):
    """Mean loss on fresh data <= target with probability >= 1 - delta.

    `losses(problem, x, data)` gives one loss in [low, high] for each of the n held
    out rows, which the method has never seen. The set is reused at delta_m for the
    m-th confirmation. That is valid only while failures tell the method nothing but
    "go on": numbers that are shown, tuned on or selected by need fresh data.
    """

    name: ClassVar[str] = "held_out"

    losses: Callable[[Problem, Any, Any], Float[Array, " n"]] = eqx.field(static=True)
    data: Any
    target: Any
    low: Any = 0.0
    high: Any = 1.0
    delta: Any = 0.05

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """One pass over the held-out rows."""
        dtype = tree.dtype(point.x)
        low, high = jnp.asarray(self.low, dtype), jnp.asarray(self.high, dtype)
        target, look = jnp.asarray(self.target, dtype), jnp.asarray(look, jnp.int32)
        terms = jnp.asarray(self.losses(problem, point.x, self.data), dtype)
        terms = jnp.where((terms >= low) & (terms <= high), terms, jnp.nan)
        n, mean = terms.size, jnp.mean(terms)
        # Every look reveals pass or fail of this one set, so every look spends.
        spent = spent_level(self.delta, look + 1, dtype)
        variance = jnp.sum((terms - mean) ** 2) / (n - 1)
        width = high - low
        radius = empirical_bernstein(variance, jnp.asarray(n, dtype), width, spent)
        certificate = single(
            "E[loss] (goal)",
            mean - target,
            radius + n * jnp.finfo(dtype).eps * width,
            jnp.finfo(dtype).eps * jnp.maximum(jnp.abs(target), width),
            grade="statistical",
            assumes=("held-out rows fresh, losses in [low, high]: declared",),
            signed=True,
            delta=spent,
            look=look + 1,
        )
        return certificate, Point(point.x)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One pass over the held-out rows."""
        return {"sample": len(jax.tree.leaves(self.data)[0])}

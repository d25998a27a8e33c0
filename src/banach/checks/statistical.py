"""Means that are too long to sum, certified by fresh samples.

Confirmations, not looks, spend error: a cheap screen comes first; the m-th
confirmation uses fresh randomness and the level delta / (m (m + 1)), which sum to
delta. Inside one confirmation the sample doubles, epoch e at level d / (e (e + 1)),
with the empirical Bernstein bound of Maurer and Pontil (2009).

A mean is of one number a row (or a draw): whatever would broadcast, or count something
else, is Misuse before any work. NaN counts as the worst loss; a number outside the
declared range voids the bound and never certifies; where the parameters themselves are
not finite the value is NaN.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.checks import evaluation
from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Misuse, Problem

Draw = Callable[[Problem, Any, Array, int], Float[Array, " n"]]
QUANTITY = "E[loss] (goal)"


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


def read_range(check: Any) -> None:
    """Demand low < target <= high, where they are known now."""
    low, high, target = check.low, check.high, check.target
    if compat.any_tracer((low, high, target)):
        return
    low, high, target = float(low), float(high), float(target)
    if not low < high:
        raise Misuse(
            f"a loss lies in [low, high]; got low={low:g}, high={high:g}; pass the "
            "range that no loss leaves, low < high"
        )
    if not low < target <= high:
        raise Misuse(
            f"target={target:g} is no bound of a mean in [{low:g}, {high:g}]: at most "
            "low is never proved, above high is always true; pass low < target <= high"
        )


def _target(value: Any) -> Any:
    return validation.number(value, "target")


def _low(value: Any) -> Any:
    return validation.number(value, "low")


def _high(value: Any) -> Any:
    return validation.number(value, "high")


def _delta(value: Any) -> Any:
    return validation.probability(value, "delta")


def _shapes(what: str, fun: Callable, args: tuple, wanted: int, cure: str) -> str:
    """Empty where fun(*args) is one real number for each of `wanted`, else why not."""
    try:
        out = jax.eval_shape(fun, *args)
    except Misuse as error:
        return str(error)
    except (TypeError, ValueError, IndexError, jax.errors.JAXTypeError) as error:
        return f"{what} cannot be evaluated here ({_brief(error)}); {cure}"
    leaves = jax.tree.leaves(out)
    if len(leaves) != 1 or jax.tree.structure(out) != jax.tree.structure(0):
        return f"{what} returned {len(leaves)} arrays instead of one; {cure}"
    shape, dtype = leaves[0].shape, leaves[0].dtype
    real = jnp.issubdtype(dtype, jnp.floating) or np.dtype(dtype).kind in "biu"
    if shape != (wanted,) or not real:
        return (
            f"{what} must return one real number for each of {wanted}, an array of "
            f"shape ({wanted},); got shape {tuple(shape)} and dtype {dtype}; {cure}"
        )
    return ""


def _rows(data: PyTree) -> PyTree:
    """Held-out data: real arrays that agree in their leading axis of at least 2."""
    leaves, structure = jax.tree.flatten(data)
    read = [_column(v) for v in leaves]
    counts = sorted({v.shape[0] for v in read})
    if len(counts) != 1:
        raise Misuse(
            f"held-out data must be arrays with one row an example, got {counts} rows; "
            "give every array (inputs and labels) the same leading axis"
        )
    if counts[0] < 2:
        raise Misuse(f"held-out data hold {counts[0]} row; a bound needs at least 2")
    return jax.tree.unflatten(structure, read)


def _column(value: Any) -> Any:
    if isinstance(value, bool | int | float | str | complex) or value is None:
        raise Misuse(
            f"held-out data must be arrays with one row an example, got "
            f"{validation.shown(value)}; pass np.asarray(rows), and one label a row"
        )
    name = "held-out data"
    kept = value if isinstance(value, np.ndarray | jax.Array) else np.asarray(value)
    exact = kept.dtype.kind in "biu" and not validation.masked(value)
    # Labels stay integers; JAX widens and narrows none of them.
    read = kept if exact else validation.array(value, name)
    if read.ndim == 0:
        raise Misuse(f"{name} hold a single number, which has no rows; one label a row")
    return read


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"


def _judged(terms: Any, check: Any, dtype: Any) -> tuple[Array, Array]:
    """Terms less the target, NaN taken for `high`; whether one left the range."""
    low, high = (jnp.asarray(v, dtype) for v in (check.low, check.high))
    terms = jnp.asarray(terms).astype(dtype)
    outside = (terms < low) | (terms > high)
    terms = jnp.where(jnp.isnan(terms) | outside, high, terms)
    return terms - jnp.asarray(check.target, dtype), jnp.any(outside)


def _rounding(check: Any, count: Any, dtype: Any) -> Array:
    """What rounding moves the mean of `count` terms less the target, at most."""
    low, high, target = (
        jnp.abs(jnp.asarray(v, dtype)) for v in (check.low, check.high, check.target)
    )
    width = jnp.asarray(check.high, dtype) - jnp.asarray(check.low, dtype)
    largest = jnp.maximum(jnp.maximum(low, high), target)
    # Each difference is rounded once; sums of `count` of them lose at most gam(count).
    return jnp.finfo(dtype).eps * (2 * largest + 2 * count * width)


def _certificate(check, point, value, slack, spent, turn, void, assumes):
    """The certificate of mean - target = value; NaN where the parameters are not
    finite, an infinite slack where a term left its range."""
    dtype = value.dtype
    target = jnp.asarray(check.target, dtype)
    mean = value + target
    # The sum back is rounded once.
    slack = slack + jnp.finfo(dtype).eps * (jnp.abs(mean) + jnp.abs(target))
    certificate = single(
        QUANTITY,
        jnp.where(tree.all_finite(point.x), mean, jnp.nan),
        jnp.where(void, jnp.inf, slack),
        jnp.asarray(check.high, dtype) - jnp.asarray(check.low, dtype),
        grade="statistical",
        assumes=assumes,
        signed=True,
        delta=spent,
        look=turn,
        target=target,
    )
    return certificate, Point(point.x)


class MeanCheck(Check):
    """E[terms] <= target with probability >= 1 - delta, from fresh samples.

    `draw(problem, x, key, n)` returns n independent terms, shape (n,), each in
    [low, high] (declared: no finite sample bounds a mean without a range). A screen of
    one batch spends nothing; a confirmation stops as soon as the upper bound is below
    the target, the lower bound above it, or after `epochs` doublings. A signed
    quantity: the value is the mean, certified where mean + slack <= target.

    The error probability delta is that of one run, over all of its looks; N runs fail
    together with probability at most min(1, N delta).

    Raises Misuse unless low < target <= high, 0 < delta < 1, batch >= 2, epochs >= 1.

    Args:
        draw: (problem, x, key, n) -> n independent terms, shape (n,).
        target: what the mean is to be at most, in (low, high].
        low, high: the range of a term.
        delta: the probability that the run is certified wrongly, in (0, 1).
        batch: terms of a screen, and of the first epoch; at least 2.
        epochs: doublings of the sample at most, at least 1.

    Source: Maurer and Pontil, Empirical Bernstein bounds and sample variance
    penalization, COLT (2009).

    Example:
        >>> noise = lambda problem, x, key, n: jnp.clip(
        ...     jnp.sum(x**2) + jax.random.uniform(key, (n,)) / 4, 0, 1
        ... )
        >>> bowl = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2))
        >>> bn.solve(bowl, check=bn.MeanCheck(noise, target=0.3)).status
        'certified'
    """

    name: ClassVar[str] = "mean"

    draw: Draw = eqx.field(static=True)
    target: Real = eqx.field(converter=_target)
    low: Real = eqx.field(default=0.0, converter=_low)
    high: Real = eqx.field(default=1.0, converter=_high)
    delta: Real = eqx.field(default=0.05, converter=_delta)
    batch: int = eqx.field(static=True, default=64)
    epochs: int = eqx.field(static=True, default=10)

    def __check_init__(self):
        if not callable(self.draw):
            raise Misuse(
                "draw must be a function of (problem, x, key, n) that returns n terms, "
                f"got {validation.shown(self.draw)}"
            )
        validation.integer(self.batch, "batch", low=2)
        validation.integer(self.epochs, "epochs", low=1, high=30)
        if self.batch * 2 ** (self.epochs - 1) >= 2**31:
            raise Misuse(
                f"batch={self.batch} doubled {self.epochs - 1} times is more than 2^31 "
                "draws; use fewer epochs"
            )
        read_range(self)

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Screen, then confirm; `look` counts the confirmations so far."""
        wrong = self._wrong(problem, point.x, key)
        if wrong:
            raise Misuse(wrong)
        dtype = evaluation.judged_dtype(problem)
        width = jnp.asarray(self.high, dtype) - jnp.asarray(self.low, dtype)
        look = jnp.asarray(look, jnp.int32)
        # Distinct streams for the screen and for the confirmation.
        screen_key, confirm_key = jax.random.split(jax.random.fold_in(key, look))
        terms, void = self._terms(problem, point, screen_key, dtype)
        rough = jnp.mean(terms)

        def confirm():
            delta = spent_level(self.delta, look + 1, dtype)
            mean, radius, left = self._confirm(
                problem, point, confirm_key, delta, dtype
            )
            return mean, radius, delta, look + 1, void | left

        def skip():
            return rough, width, jnp.zeros((), dtype), look, void

        passes = (rough <= 0) & ~void & tree.all_finite(point.x)
        value, slack, spent, turn, void = jax.lax.cond(passes, confirm, skip)
        assumes = ("terms independent and in [low, high]: declared",)
        return _certificate(self, point, value, slack, spent, turn, void, assumes)

    def refuses(self, problem: Problem) -> str | None:
        """A draw that does not give one number for each of the batch."""
        key = jax.eval_shape(lambda: jax.random.key(0))
        return self._wrong(problem, problem.space(), key) or None

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One batch for the screen; confirmations draw more."""
        return {"sample": self.batch}

    def _wrong(self, problem: Problem, x: PyTree, key: Any) -> str:
        return _shapes(
            "draw",
            lambda problem, x, key: self.draw(problem, x, key, self.batch),
            (problem, x, key),
            self.batch,
            "return one term for each of the n draws, e.g. problem.sample(x, key, n)",
        )

    def _terms(self, problem, point, key, dtype):
        return _judged(self.draw(problem, point.x, key, self.batch), self, dtype)

    def _confirm(self, problem, point, key, delta, dtype):
        width = jnp.asarray(self.high, dtype) - jnp.asarray(self.low, dtype)

        def more(s):
            epoch, _, _, _, mean, radius, void = s
            undecided = (mean + radius > 0) & (mean - radius <= 0)
            return (epoch <= self.epochs) & undecided & ~void

        def doubled(s):
            epoch, count, total, square, _, _, void = s
            batches = jnp.where(epoch == 1, 1, 2 ** (epoch - 2))

            def add(i, acc):
                total, square, void = acc
                k = jax.random.fold_in(jax.random.fold_in(key, epoch), i)
                t, left = self._terms(problem, point, k, dtype)
                return total + jnp.sum(t), square + jnp.sum(t**2), void | left

            total, square, void = jax.lax.fori_loop(
                0, batches, add, (total, square, void)
            )
            count = count + batches * self.batch
            n = count.astype(dtype)
            mean = total / n
            variance = jnp.maximum(square - n * mean**2, 0) / (n - 1)
            # Centred at the target, variance and mean lose at most gam(n) of width^2.
            variance = variance + n * jnp.finfo(dtype).eps * width**2
            e = epoch.astype(dtype)
            radius = empirical_bernstein(variance, n, width, delta / (e * (e + 1)))
            radius = radius + _rounding(self, n, dtype)
            return epoch + 1, count, total, square, mean, radius, void

        zero = jnp.zeros((), dtype)
        first = jnp.asarray(1, jnp.int32)
        start = (first, 0 * first, zero, zero, zero, width, jnp.asarray(False))
        *_, mean, radius, void = jax.lax.while_loop(more, doubled, start)
        return mean, radius, void


class HeldOutRisk(Check):
    """Mean loss on fresh data <= target with probability >= 1 - delta.

    `losses(problem, x, data)` gives one loss in [low, high] for each of the n held
    out rows, shape (n,), which the method has never seen. `data` is a pytree of arrays
    that all have the leading axis n. The loss is evaluated row by row, on data of one
    row: no row can stand for another. A row whose loss is NaN counts as `high`.

    The set is reused at delta_m for the m-th confirmation. That is valid only while
    failures tell the method nothing but "go on": numbers that are shown, tuned on or
    selected by need fresh data. The error probability delta is that of one run; N
    runs fail together with probability at most min(1, N delta).

    Raises Misuse unless low < target <= high, 0 < delta < 1, and for rows that do not
    agree or losses of another shape.

    Args:
        losses: (problem, x, data) -> one loss a row, shape (n,).
        data: the held out rows, a pytree of arrays of shape (n, ...).
        target: what the mean loss is to be at most, in (low, high].
        low, high: the range of a loss.
        delta: the probability that the run is certified wrongly, in (0, 1).

    Source: Maurer and Pontil, Empirical Bernstein bounds and sample variance
    penalization, COLT (2009).

    Example:
        >>> A, b = np.arange(20.0)[:, None], np.arange(20.0) * 2
        >>> new = {"a": np.arange(500.0)[:, None], "b": np.arange(500.0) * 2}
        >>> miss = lambda problem, x, rows: jnp.abs(rows["a"] @ x - rows["b"]) > 0.5
        >>> risk = bn.HeldOutRisk(miss, new, target=0.1)
        >>> bn.solve(bn.Ridge(A, b, l2=1e-6), check=risk).status
        'certified'
    """

    name: ClassVar[str] = "held_out"

    losses: Callable[[Problem, Any, Any], Float[Array, " n"]] = eqx.field(static=True)
    data: Any = eqx.field(converter=_rows)
    target: Real = eqx.field(converter=_target)
    low: Real = eqx.field(default=0.0, converter=_low)
    high: Real = eqx.field(default=1.0, converter=_high)
    delta: Real = eqx.field(default=0.05, converter=_delta)

    def __check_init__(self):
        if not callable(self.losses):
            raise Misuse(
                "losses must be a function of (problem, x, data) that returns one loss "
                f"a row, got {validation.shown(self.losses)}"
            )
        read_range(self)

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """One pass over the held-out rows."""
        wrong = self._wrong(problem, point.x)
        if wrong:
            raise Misuse(wrong)
        dtype = evaluation.judged_dtype(problem)
        look = jnp.asarray(look, jnp.int32)

        def one(row):
            alone = jax.tree.map(lambda v: v[None], row)
            return self.losses(problem, point.x, alone)[0]

        terms, void = _judged(jax.vmap(one)(self.data), self, dtype)
        n, mean = self.rows(), jnp.mean(terms)
        # Every look reveals pass or fail of this one set, so every look spends.
        spent = spent_level(self.delta, look + 1, dtype)
        width = jnp.asarray(self.high, dtype) - jnp.asarray(self.low, dtype)
        variance = jnp.sum((terms - mean) ** 2) / (n - 1)
        variance = variance * (1 + n * jnp.finfo(dtype).eps)
        radius = empirical_bernstein(variance, jnp.asarray(n, dtype), width, spent)
        slack = radius + _rounding(self, n, dtype)
        assumes = ("held-out rows fresh, losses in [low, high]: declared",)
        return _certificate(self, point, mean, slack, spent, look + 1, void, assumes)

    def rows(self) -> int:
        """Number of held-out rows (static)."""
        return int(jnp.shape(jax.tree.leaves(self.data)[0])[0])

    def refuses(self, problem: Problem) -> str | None:
        """Losses that do not give one number for each row."""
        return self._wrong(problem, problem.space()) or None

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One pass over the held-out rows."""
        return {"sample": self.rows()}

    def _wrong(self, problem: Problem, x: PyTree) -> str:
        cure = (
            "compare arrays of one shape (labels of shape (n,), not (n, 1)), and "
            "average what belongs to one row, e.g. its tokens, inside the loss"
        )
        alone = jax.tree.map(
            lambda v: jax.ShapeDtypeStruct((1, *v.shape[1:]), v.dtype), self.data
        )
        for what, data, n in (
            ("losses", self.data, self.rows()),
            ("losses of one row alone", alone, 1),
        ):
            wrong = _shapes(what, self.losses, (problem, x, data), n, cure)
            if wrong:
                return wrong
        return ""

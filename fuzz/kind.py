"""What a kind of problem must say of itself to be fuzzed."""

import abc
from typing import Any, ClassVar

import jax
import numpy as np

from fuzz.exact import SURE

Batch = dict[str, Any]


class Kind(abc.ABC):
    """Random instances, points, and the truth in extended precision.

    A batch is a dict of arrays with the instances first. Truths are Decimals, part by
    part of the certificate: a rigorous *lower* bound of the quantity (None: unknown),
    and the scale (an upper bound; None: not judged).
    """

    name: ClassVar[str]
    check: ClassVar[str]
    truth_is: ClassVar[str]
    shape: ClassVar[str]
    method: ClassVar[str | None] = None
    solves: ClassVar[bool] = True
    weight: ClassVar[float] = 1.0  # share of the lanes
    width: ClassVar[int] = 6  # points of an instance
    dtypes: ClassVar[tuple[Any, ...]] = (np.float64, np.float32)
    sure: ClassVar[int] = SURE  # digits of the last judgement
    signed: ClassVar[bool] = False  # the value is a difference, not a distance
    wants_dual: ClassVar[bool] = False  # the truth needs the witness: one["dual"]
    imports: ClassVar[tuple[str, ...]] = ()
    # What the shrinker may turn to zero, and what it may only round.
    zeroable: ClassVar[tuple[str, ...]] = ()
    roundable: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def draw(self, rng: Any, dtype: Any, count: int) -> Batch:
        """Random instances."""

    @abc.abstractmethod
    def problem(self, one: Batch) -> Any:
        """The banach problem of one instance."""

    @abc.abstractmethod
    def solve(self, batch: Batch) -> Batch:
        """Solutions in extended precision, merged into the batch as `best...`."""

    @abc.abstractmethod
    def points(self, rng: Any, batch: Batch, dtype: Any) -> Any:
        """Points, a pytree with leaves (instances, points, ...); 0: the solution."""

    @abc.abstractmethod
    def truth(self, one: Batch, x: Any) -> list[Any]:
        """A lower bound of each part's quantity at x."""

    @abc.abstractmethod
    def scale(self, one: Batch) -> list[Any]:
        """The scale of each part, at least."""

    def companion(self, one: Batch) -> Any:
        """How large the terms are whose sum the scale is, part by part, like `scale`.

        Where the sum is rounding of its terms, a check may take their size for a
        scale, up to 1. Nothing: every scale is judged by the sum alone.
        """
        del one
        return []

    @abc.abstractmethod
    def code(self, one: Batch) -> str:
        """The problem as Python source."""

    def stack(self, batch: Batch) -> Any:
        """All instances as one problem whose leaves have the instances first."""
        count = len(next(iter(batch.values())))
        every = [self.problem(self.one(batch, i)) for i in range(count)]
        return jax.tree.map(lambda *v: np.stack([np.asarray(a) for a in v]), *every)

    def one(self, batch: Batch, i: int) -> Batch:
        """One instance."""
        return {k: v[i] for k, v in batch.items()}

    def checker(self) -> Any:
        """The check."""
        from banach.checks import by_name

        return by_name(self.check)

    def valid(self, one: Batch) -> bool:
        """Whether a shrunk instance still is what its facts declare."""
        del one
        return True

    def check_code(self) -> str:
        """The check as source."""
        return repr(self.check)

    def label(self, point: int) -> str:
        """What a point is."""
        names = ("optimum", "near", "off", "reference", "mixed", "wild")
        return names[point] if point < len(names) else "solved"


class Traced(Kind):
    """A kind whose problems hold a function: traced once, data put in as leaves."""

    def __init__(self) -> None:
        self._models: dict[Any, Any] = {}

    @abc.abstractmethod
    def fields(self, batch: Batch) -> list[tuple[Any, Any]]:
        """(where in the problem, the batch's values) of all that varies."""

    def stack(self, batch: Batch) -> Any:
        """The template with the batch's data in it."""
        import equinox as eqx

        first = self.one(batch, 0)
        count = len(next(iter(batch.values())))
        key = str(np.asarray(next(iter(first.values()))).dtype)
        if key not in self._models:
            self._models[key] = self.problem(first)
        model = self._models[key]
        wide = jax.tree.map(
            lambda v: np.broadcast_to(np.asarray(v), (count, *np.shape(v))), model
        )
        fields = self.fields(batch)
        old = [where(model) for where, _ in fields]
        new = [
            jax.tree.map(lambda v, o: np.asarray(v, np.asarray(o).dtype), value, like)
            for (_, value), like in zip(fields, old, strict=True)
        ]
        return eqx.tree_at(lambda p: [where(p) for where, _ in fields], wide, new)


def show(v: Any) -> str:
    """An array or number as source, bit for bit."""
    a = np.asarray(v)
    if a.dtype == np.float32:
        if a.ndim == 0:
            return f"np.float32({float(str(a))!r})"
        short = np.array([float(str(v)) for v in a.ravel()]).reshape(a.shape)
        return f"np.array({short.tolist()!r}, np.float32)"
    if a.ndim == 0:
        return repr(a.item())
    return f"np.array({a.tolist()!r})"


def inner(values: list[Any]) -> bool:
    """Whether all numbers that are not 0 lie in 1e-75 .. 1e75; 1e-9 .. 1e9 in float32.

    A product of four of them stays in the range of the dtype that the methods run in.
    """
    narrow = any(getattr(v, "dtype", None) == np.float32 for v in values)
    far = 1e9 if narrow else 1e75
    for v in values:
        a = np.abs(np.asarray(v, float)).ravel()
        a = a[a > 0]
        if a.size and not (a.min() >= 1 / far and a.max() <= far):
            return False
    return True

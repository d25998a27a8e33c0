"""What many problems solved at once hand to the user: columns, and a Result a lane."""

import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import jax
import numpy as np
from jaxtyping import PyTree

from banach.core import compat
from banach.core.check import Check
from banach.core.method import Method
from banach.core.point import Point
from banach.core.result import Result, TraceView, id_of
from banach.core.stacked import Stacked, picked
from banach.engine import loop
from banach.engine.finish import UNDECIDED, Asked, Clock, finish, no_rows
from banach.engine.lanes import Lanes
from banach.engine.plan import Limits, Plan


class Many:
    """A finished run of all lanes, and how a lane of it is read."""

    def __init__(
        self, problems: Stacked, methods: Any, check: Check, limits: Limits,
        lanes: Lanes, limit: float | None, elapsed: float,
    ):  # fmt: skip
        self.problems, self.methods, self.check = problems, methods, check
        self.limits = limits
        self.lanes, self.limit, self.elapsed = lanes, limit, elapsed
        book = lanes.book
        cut = "interrupted" if lanes.interrupted else "budget"
        codes = np.where(book.cut, loop.CODE[cut], book.status)
        self.undecided = np.isin(codes, [loop.CODE[s] for s in UNDECIDED])
        self.undecided &= check.screens() and not limits.absolute
        spent = np.flatnonzero((codes == loop.CODE["budget"]) & ~book.cut)
        spent = spent[self.undecided[spent]]
        if len(spent):
            # More steps would not help where rounding hides what is left.
            lanes.settle(spent)
            blurred = spent[book.best(spent).blurred(limits.tol)]
            codes[blurred] = loop.CODE["unverifiable"]
        self.left = np.asarray(loop.STATUSES)[np.where(book.cut, codes, book.status)]
        self.status = np.asarray(loop.STATUSES)[codes]
        self.made: weakref.WeakValueDictionary[int, Result]
        self.made = weakref.WeakValueDictionary()

    def settled(self, ids: np.ndarray) -> None:
        """Certificates and points of these lanes as a Result shows them."""
        late = self.undecided[ids] | (self.lanes.book.checks[ids] == 0)
        if late.any():
            self.lanes.settle(ids[late])

    def calls(self, ids: Any) -> dict[str, np.ndarray]:
        """Oracle calls of the method, a number a lane."""
        card, book = self.methods.first.card, self.lanes.book
        if card.cost is None:
            counted = enumerate(self.lanes.made.names)
            return {k: book.calls[ids, j] for j, k in counted}
        init, step = card.init_cost or {}, book.step[ids].astype(np.int64)
        names = sorted({*card.cost, *init})
        return {k: init.get(k, 0) + step * card.cost.get(k, 0) for k in names}

    def result(self, i: int) -> Result:
        """The Result of a lane."""
        found = self.made.get(i)
        if found is None:
            left, problem = _Lane(self, i), self.problems[i]
            name = functools.cache(
                lambda: id_of(self.problems.treedef, self.problems.lane(i))
            )
            lanes = self.lanes
            with compat.double():
                start = problem.start()
            plan = Plan(problem, self.methods.lane(i), self.check, start)
            asked = Asked(
                plan, self.limits, lanes.raw[i], name,
                whole=lambda: (left.certificate(), left.point()),
            )  # fmt: skip
            late = self.limit if lanes.book.cut[i] and lanes.timed_out else None
            clock = Clock(
                lanes.compile, lanes.run / len(self.problems), 0.0, self.elapsed, late
            )
            found = self.made[i] = finish(asked, left, clock)
        return found


class _Lane:
    """What one lane leaves; it is cut out of the stack when it is read."""

    def __init__(self, many: Many, i: int):
        self.many, self.i, self.book = many, i, many.lanes.book
        self.status = str(many.left[i])
        self.steps = int(self.book.step[i])

    def point(self) -> Point:
        """The best point."""
        self.many.settled(np.array([self.i]))
        return self.book.point(self.i)

    def certificate(self) -> Any:
        """What was written of it."""
        self.many.settled(np.array([self.i]))
        return self.book.best(self.i)

    def best_step(self) -> int:
        """The step that it belongs to."""
        return int(self.book.best_step[self.i])

    def bad(self) -> tuple[int, int]:
        """(step, leaf) of the first non-finite value."""
        return int(self.book.bad_step[self.i]), int(self.book.bad_leaf[self.i])

    def calls(self) -> dict[str, int]:
        """Oracle calls of the method."""
        return {k: int(v) for k, v in self.many.calls(self.i).items()}

    def trace(self) -> TraceView:
        """Lanes keep no rows."""
        return no_rows()

    def said(self) -> None:
        """Lanes keep no word of a peer."""

    def carry(self) -> None:
        """Lanes are not resumed."""

    def schedule(self) -> None:
        """Lanes have one executor."""


class Methods:
    """The method of each lane: leaves stacked, or shared by all."""

    def __init__(self, leaves: Sequence[Any], shared: Sequence[bool], treedef: Any):
        self.leaves, self.shared, self.treedef = list(leaves), list(shared), treedef
        self.first: Method = self.lane(0)

    def lane(self, i: int) -> Any:
        """The method of one lane."""
        rows = zip(self.leaves, self.shared, strict=True)
        return jax.tree.unflatten(self.treedef, [v if s else v[i] for v, s in rows])


class Results(Sequence[Result]):
    """The results of `solve_many`: a column for each field, a Result for each lane.

    `results[i]`, and iteration, make the Result of a lane when it is read, with its
    certificate, point and problem; `bn.verify`, `save` and `sensitivity` take it. A
    slice, a list of indices or a mask gives Results of those lanes:
    `results[~results.certified]`. Reading a column makes no Result.

    Args:
        many: what the lanes have in common.
        ids: the lanes, in order.

    Example:
        >>> A, Y = np.arange(4.0)[:, None], np.array([[0, 1, 0, 1], [0, 0, 1, 1]])
        >>> results = bn.solve_many(bn.LogisticRegression.stack(A, Y, 1.0))
        >>> len(results), results[0].status, results.x.shape
        (2, 'certified', (2, 2))
    """

    def __init__(self, many: Many, ids: np.ndarray):
        self._many, self._ids = many, ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: Any) -> "Results": ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            if not -len(self) <= index < len(self):
                raise IndexError(f"result {index} of {len(self)}")
            return self._many.result(int(self._ids[index]))
        return Results(self._many, self._ids[picked(index, len(self))])

    def __iter__(self) -> Iterator[Result]:
        return (self._many.result(int(i)) for i in self._ids)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Results):
            return self._many is other._many and np.array_equal(self._ids, other._ids)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return list, (list(self),)

    @property
    def problems(self) -> Stacked:
        """The problems, a sequence."""
        return self._many.problems[self._ids]

    @property
    def status(self) -> np.ndarray:
        """How each lane ended: 'certified', 'budget', ... (array of str)."""
        return self._many.status[self._ids]

    @property
    def certified(self) -> np.ndarray:
        """Where the check passed at the asked tolerance (array of bool)."""
        return self.status == "certified"

    @property
    def x(self) -> PyTree:
        """The answers: NumPy arrays with a leading axis, one entry a lane."""
        self._many.settled(self._ids)
        return self._book.point(self._ids).x

    @property
    def steps(self) -> np.ndarray:
        """Steps of the method."""
        return self._book.step[self._ids]

    @property
    def best_step(self) -> np.ndarray:
        """The step that the point belongs to."""
        return self._book.best_step[self._ids]

    @property
    def calls(self) -> dict[str, np.ndarray]:
        """Oracle calls of the method, by name."""
        return self._many.calls(self._ids)

    @property
    def ratio(self) -> np.ndarray:
        """(value + slack) / scale of the worst part of each certificate."""
        return np.asarray(self._certificates().ratio)

    @property
    def value(self) -> np.ndarray:
        """The value of that part, in natural units."""
        return np.asarray(self._certificates().value)

    @property
    def slack(self) -> np.ndarray:
        """Its rounding and sampling allowance."""
        return np.asarray(self._certificates().slack)

    @property
    def scale(self) -> np.ndarray:
        """What it is measured against."""
        return np.asarray(self._certificates().scale)

    @property
    def tol(self) -> float:
        """The tolerance that was asked for."""
        return self._many.limits.tol

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of the whole run: compile (tracing included) and run."""
        lanes = self._many.lanes
        return {"compile": lanes.compile, "run": lanes.run}

    def require(self) -> "Results":
        """These results if all are certified, else what the first failure raises."""
        failed = np.flatnonzero(~self.certified)
        if len(failed):
            self[int(failed[0])].require()
        return self

    def __repr__(self) -> str:
        names, counts = np.unique(self.status, return_counts=True)
        ended = ", ".join(f"{c} {n}" for n, c in zip(names, counts, strict=True))
        quantity = self._many.check.name
        return (
            f"<Results of {len(self)} problems: {ended or 'none'}; {quantity}, tol "
            f"{self.tol:.3g}, {self._many.methods.first.label()}>"
        )

    def _repr_html_(self) -> str:
        from banach.report.cards import of_many

        return of_many(self)

    @property
    def _book(self) -> Any:
        return self._many.lanes.book

    def _certificates(self) -> Any:
        self._many.settled(self._ids)
        return self._book.best(self._ids)

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain data: that of each Result."""
        return [r.to_dict() for r in self]

"""A run whose move and look are programs apart; what it decides are plain floats.

The rules are those of `loop.kernel`, line by line; a test runs both beside each other.
The look is the shared one of `engine/judge.py`. A move is made by NumPy, which needs no
compiler, or by XLA at the level that compiles fastest.
"""

import copy
import functools
import math
from typing import Any

import jax
import numpy as np

from banach.core.check import Certificate
from banach.core.point import Point
from banach.engine import interpret, loop
from banach.engine import trace as tr
from banach.engine.executors import ONCE
from banach.engine.host_certificate import Layout, Numbers
from banach.engine.judge import Judge, evidence
from banach.engine.loop import Best, Carry, Settings
from banach.engine.step_programs import Move


class Book:
    """Everything that a run is at a border between blocks, as `loop.Carry` is.

    Leaves of state, point and certificates are in flat lists; a book that was handed
    out is never written again.
    """

    __slots__ = (
        "bad_leaf",
        "bad_step",
        "best",
        "best_step",
        "blurred_at",
        "checks",
        "count",
        "full",
        "last",
        "look",
        "numbers",
        "ratio",
        "rows",
        "state",
        "status",
        "step",
        "stride",
        "strikes",
        "work",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state: list[Any] | None = None
        self.step = self.status = self.look = self.strikes = self.checks = 0
        self.bad_step = self.bad_leaf = -1
        self.blurred_at, self.ratio = 0.0, np.inf
        self.best: tuple[list[Any], list[Any]] | None = None  # point and certificate
        self.numbers: Numbers | None = None  # of the best certificate
        self.best_step = 0
        self.last: list[Any] | None = None
        self.rows: list[tuple[int, float, float, Any]] = []
        self.stride, self.count = 1, 0
        self.work, self.full = 0.0, False

    def again(self) -> "Book":
        """A copy to go on with."""
        other = copy.copy(self)
        other.rows = list(self.rows)
        return other


class Split:
    """Drives a move and a judge; the interface is that of `compile_cache.Kernel`."""

    place = None
    dtype = np.dtype(np.float64)

    def __init__(
        self, move: Move, judge: Judge, settings: Settings, limit: float = math.inf
    ):
        self.move, self.judge, self.settings = move, judge, settings
        self.limit = limit  # of work
        self.name = move.name
        moves = self.moves = move.programs
        self.screening = judge.check.screens() and not settings.absolute
        self.found = judge.look(
            moves.point_structs, moves.point_tree, self.screening, settings.absolute
        )
        self.layout = Layout(self.found.certificate)
        # From a look that turns out long, all are compiled; the schedule says so.
        self.compiled_looks = not self.found.program.once
        self.zero = Book()

    def call(
        self, raw: np.ndarray, book: Book, limits: tuple[bool, int, int], tol: float
    ) -> Book:
        """At most `blocks` blocks of (k steps, look); a fresh book is begun first.

        Where the work of this executor is done, the book is `full`: at the border
        that it has reached, another one goes on.
        """
        fresh, blocks, max_steps = limits
        book = book.again()
        if fresh:
            book.state = self.move.begin(raw)
        while book.status == 0 and blocks > 0 and not book.full:
            try:
                self._block(raw, book, max_steps, tol)
            except interpret.Exhausted:
                book.full = True
            book.full = book.full or book.work > self.limit
            blocks -= 1
        return book

    @staticmethod
    def pause(least: float) -> float:
        """Seconds that a chunk should take."""
        return least

    @staticmethod
    def shows(chunk: Any) -> None:
        """A book that was handed out is never written again."""

    def _block(self, raw: np.ndarray, book: Book, max_steps: int, tol: float) -> None:
        # The book is written only after what may be given up.
        n = min(self.settings.every, max_steps - book.step) if book.checks else 0
        assert book.state is not None
        bad = -1
        if n:
            state, done, bad, work = self.move.advance(
                raw, book.state, n, book.step, self.limit - book.work
            )
            book.state, book.step = state, book.step + done
            book.work += work
        point, stuck, calls = self.move.seen(book.state)
        certificate, kept, work = self._look(raw, book, point, tol)
        book.work += work
        seen = self.layout.numbers(certificate)
        ratio = seen.ratio()
        passed = bad < 0 and seen.within(tol)
        refuted = seen.refuted()
        better = bad < 0 and (book.checks == 0 or ratio < book.ratio)
        # What refutes is what is spoken of, however small its ratio.
        if passed or better or (refuted and bad < 0):
            book.best, book.best_step = (kept, certificate), book.step
            book.numbers, book.ratio = seen, ratio
        assert book.numbers is not None
        same = book.strikes > 0 and book.ratio > book.blurred_at / 2
        blur = book.numbers.blurred(tol)
        book.strikes = (book.strikes + 1 if same else 1) if blur else 0
        book.blurred_at = book.blurred_at if same else book.ratio
        hopeless = not self.settings.absolute and tol < 2 * np.finfo(np.float64).eps
        ends = (
            passed,
            bad >= 0,
            seen.nan(),
            refuted,
            hopeless,
            book.strikes >= loop.UNVERIFIABLE_AFTER,
            stuck and book.step > 0,
            book.step >= max_steps,
        )
        book.status = next(
            (loop.CODE[loop.ENDS[i]] for i, ended in enumerate(ends) if ended), 0
        )
        shown = ratio if passed or not self.screening else seen.value_ratio()
        self._record(book, (book.step, shown, seen.value(), calls))
        book.last, book.look = certificate, int(certificate[self.layout.look])
        if bad >= 0:
            book.bad_step, book.bad_leaf = book.step, bad
        book.checks += 1

    def _look(
        self, raw: np.ndarray, book: Book, point: list[Any], tol: float
    ) -> tuple[list[Any], list[Any], float]:
        program, out = self.found.program, None
        rest = [raw, *point, np.int32(book.look), np.float64(tol)]
        args = [*self.judge.leaves, *self.judge.once, *rest]
        if not self.compiled_looks:
            try:
                out, work = program.interpreted(args, ONCE)
            except interpret.Exhausted:
                self.compiled_looks = True
        if out is None:
            out, work = program.compiled(args)
        return out[: self.found.split], out[self.found.split :], work

    def _record(self, book: Book, row: tuple[int, float, float, Any]) -> None:
        """`trace.record`, with lists."""
        most = self.settings.rows
        if not most:
            return
        if book.count % book.stride == 0:
            book.rows.append(row)
        book.count += 1
        if len(book.rows) == most:
            book.rows = book.rows[::2]
            book.stride *= 2

    # What a Result reads ---------------------------------------------------------

    @staticmethod
    def full(book: Book) -> bool:
        """Whether another executor should go on."""
        return book.full

    @staticmethod
    def work(book: Book) -> float:
        """Units done by this executor."""
        return book.work

    def progress(self, book: Book) -> tuple[int, int]:
        """(status, step)."""
        return book.status, book.step

    def point(self, book: Book) -> Point:
        """The best point, as NumPy arrays."""
        assert book.best is not None
        leaves = evidence(book.best[0])
        return jax.tree.unflatten(self.found.point, leaves)

    def _certificate(self, leaves: list[Any]) -> Certificate:
        leaves = [np.asarray(v) for v in leaves]
        return jax.tree.unflatten(self.layout.treedef, leaves)

    def carry(self, book: Book) -> Carry:
        """The structured carry, as the fused kernel has it."""
        assert book.best is not None and book.last is not None
        whole: Any = functools.partial(np.asarray, dtype=np.int32)
        real: Any = functools.partial(np.asarray, dtype=np.float64)
        state = [np.asarray(v) for v in book.state or []]
        best = Best(
            self.point(book), self._certificate(book.best[1]), whole(book.best_step)
        )
        return Carry(
            jax.tree.unflatten(self.moves.state_tree, state),
            whole(book.step),
            whole(book.status),
            best,
            self._certificate(book.last),
            whole(book.look),
            whole(book.strikes),
            real(book.blurred_at),
            whole(book.bad_step),
            whole(book.bad_leaf),
            whole(book.checks),
            self._trace(book),
        )

    @property
    def struct(self) -> Carry:
        """Shapes and dtypes of `carry`, as `loop.carry_like` has them."""
        found, rows = self.found, self.settings.rows

        def of(dtype: Any, *shape: int) -> Any:
            return jax.ShapeDtypeStruct(shape, dtype)

        whole, number = of(np.int32), of(np.float64)
        leaves = found.program.structs
        certificate = jax.tree.unflatten(found.certificate, leaves[: found.split])
        point = jax.tree.unflatten(found.point, leaves[found.split :])
        trace = tr.Trace(
            of(np.int32, rows), of(np.float64, rows), of(np.float64, rows),
            of(np.int32, rows, self.moves.counted), whole, whole, whole,
        )  # fmt: skip
        return Carry(
            jax.tree.unflatten(self.moves.state_tree, self.moves.state),
            whole, whole, Best(point, certificate, whole), certificate,
            whole, whole, number, whole, whole, whole, trace,
        )  # fmt: skip

    def _trace(self, book: Book) -> tr.Trace:
        rows, width = self.settings.rows, self.moves.counted
        step: Any = np.zeros(rows, np.int32)
        calls: Any = np.zeros((rows, width), np.int32)
        ratio: Any = np.zeros(rows)
        value: Any = np.zeros(rows)
        for i, row in enumerate(book.rows):
            step[i], ratio[i], value[i], calls[i] = row
        whole: Any = functools.partial(np.asarray, dtype=np.int32)
        return tr.Trace(
            step, ratio, value, calls,
            whole(len(book.rows)), whole(book.stride), whole(book.count),
        )  # fmt: skip

    def packed(self, carry: Carry, work: float = 0.0) -> Book:
        """The reverse of `carry`, after so much work."""
        book = Book()
        book.work, book.full = work, work > self.limit
        carry = jax.device_get(carry)
        book.state = jax.tree.leaves(carry.state)
        for name in ("step", "status", "look", "strikes", "bad_step", "bad_leaf",
                     "checks"):  # fmt: skip
            setattr(book, name, int(getattr(carry, name)))
        book.blurred_at = float(carry.blurred_at)
        book.best = (
            jax.tree.leaves(carry.best.point), jax.tree.leaves(carry.best.certificate)
        )  # fmt: skip
        book.best_step = int(carry.best.step)
        book.numbers = self.layout.numbers(book.best[1])
        book.ratio = book.numbers.ratio()
        book.last = jax.tree.leaves(carry.last)
        t = carry.trace
        book.stride, book.count = int(t.stride), int(t.count)
        book.rows = [
            (int(t.step[i]), float(t.ratio[i]), float(t.value[i]), t.calls[i])
            for i in range(int(t.filled))
        ]
        return book

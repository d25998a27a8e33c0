"""Thousands of problems of one structure at once: fixed programs, refilled slots.

A run has three programs for `size` lanes side by side, compiled at the same time:
`begin` (the check made ready, the first state), `move` (at most k steps) and `look`.
Lanes sit in slots; a lane that ends leaves its slot, and where half of the slots are
free the next lanes take them. So no program is compiled for fewer lanes, the arrays
of a block fit the cache, and a straggler keeps nobody waiting. Where the queue is
empty and the last lanes have wasted more than a compilation costs, they go on in
programs of fewer slots.

What a lane gets depends on its own data, key and the programs alone: which lanes are
beside it and how long anything took change no bit of it. Everything is decided by
counts; the clock may only end a run.

The rules by which a lane ends are those of `loop.kernel`, for arrays of lanes.
"""

import concurrent.futures
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import blas_threads, compat
from banach.core.check import Certificate
from banach.core.point import Point
from banach.engine import compile_cache, disk_cache, loop
from banach.engine.batched_control_flow import lockstep
from banach.engine.driver import interrupts
from banach.engine.executors import FAST, QUICK
from banach.engine.loop import Settings
from banach.engine.plan import Limits

# Bytes of a block's own data, at most: about a core's share of the caches.
BLOCK_BYTES = 2**22
MOST_SLOTS = 1024
# Entries of all lanes up to which begin and look, of which a lane sees few, are
# compiled for a quick compilation and not for speed (ours: they cost the same here).
QUICK_ENTRIES = 3e7
# Bytes that empty slots may pass over before programs of fewer slots are compiled:
# about what is passed over while three programs are (ours).
WASTE_BYTES = 4e9

_RAW = jax.ShapeDtypeStruct((2,), np.uint32)
_COUNT = jax.ShapeDtypeStruct((), np.int32)
_FLAG = jax.ShapeDtypeStruct((), np.bool_)
_REAL = jax.ShapeDtypeStruct((), np.float64)

# `run` holds the rules of a block; these are its small parts.
_like, _strong, _counted = loop.like, loop.strong, loop.counted
_first_bad, _STRIKES, _ENDS = loop.first_bad, loop.UNVERIFIABLE_AFTER, loop.ENDS
_CODES = [loop.CODE[name] for name in _ENDS]

COMPILED = {"lanes": 0}
_PROGRAMS: dict[Any, "Programs"] = {}


class Inputs(NamedTuple):
    """Leaves of (problem, method, check, start): stacked, or shared by all lanes."""

    leaves: Sequence[Any]
    shared: tuple[bool, ...]
    treedef: Any
    total: int

    def lane(self) -> list[Any]:
        """What one lane sees, as structs."""
        return [
            jax.ShapeDtypeStruct(v.shape if s else v.shape[1:], v.dtype)
            for v, s in zip(self.leaves, self.shared, strict=True)
        ]

    def pick(self, ids: np.ndarray) -> list[Any]:
        """The leaves of these lanes, on the device."""
        whole = (
            ids.size and ids[-1] - ids[0] == ids.size - 1 and np.all(np.diff(ids) == 1)
        )
        at = slice(ids[0], ids[-1] + 1) if whole else ids
        rows = zip(self.leaves, self.shared, strict=True)
        return jax.device_put([v if s else v[at] for v, s in rows])


class Programs:
    """The programs of a structure for so many slots; arguments and results are flat."""

    def __init__(self, inputs: Inputs, settings: Settings, size: int, quick: bool):
        self.size, self.settings, self.treedef = size, settings, inputs.treedef
        self.lane, self.shared = inputs.lane(), inputs.shared
        self.axes = [None if s else 0 for s in self.shared]
        self.names: tuple[str, ...] = ()  # of the calls that a method counts itself
        began = time.perf_counter()
        made = self._flat(self._begin, (self.lane, _RAW))
        (once, self.once_tree), (state, self.state_tree) = map(
            jax.tree.flatten, made.out
        )
        self.once, self.state = once, state
        stays, own = [*self.lane, _RAW], [*self.axes, 0]

        def begin(*args: Any) -> list[Any]:
            *given, fresh = args[: len(stays) + 1]
            rows = zip(made.play(*given), args[len(stays) + 1 :], strict=True)
            return [jnp.where(fresh, a, b) for a, b in rows]

        moved = self._flat(self._move, (self.lane, _RAW, state, _COUNT, _COUNT))
        _, _, _, point, _, self.counted = moved.out
        self.point, self.point_tree = jax.tree.flatten(point)
        looked = self._flat(
            self._look, (self.lane, _RAW, once, self.point, _COUNT, _REAL)
        )
        self.certificate, self.cert_tree = jax.tree.flatten(looked.out[0])
        self.kept, self.kept_tree = jax.tree.flatten(looked.out[1])
        none = [0] * len(state)
        plans = [
            (begin, [*stays, _FLAG, *once, *state],
             [*own, 0, *[0] * len(once), *none], quick),
            (moved.play, [*stays, *state, _COUNT, _COUNT], [*own, *none, 0, 0], False),
            (looked.play, [*stays, *once, *self.point, _COUNT, _REAL],
             [*own, *[0] * len(once), *[0] * len(self.point), 0, None], quick),
        ]  # fmt: skip
        lowered = [(self._lower(*plan[:3]), plan[3]) for plan in plans]
        self.begin, self.move, self.look = _compiled(lowered)
        self.seconds = time.perf_counter() - began
        self._more: dict[str, Any] = {}
        COMPILED["lanes"] += 1

    # One lane -----------------------------------------------------------------

    def _keys(self, raw: Any) -> Any:
        return jax.random.split(jax.random.wrap_key_data(raw), 3)

    def _begin(self, leaves: Any, raw: Any) -> Any:
        problem, method, check, start = jax.tree.unflatten(self.treedef, leaves)
        state = _strong(method.init(problem, start, self._keys(raw)[2]))
        return check.prepared(problem), state

    def _move(self, leaves: Any, raw: Any, state: Any, step: Any, n: Any) -> Any:
        problem, method, *_ = jax.tree.unflatten(self.treedef, leaves)
        key = jax.random.wrap_key_data(raw)
        stream = self._keys(raw)[0]

        def go(s: Any) -> Any:
            i, _, _, bad = s
            return (i < n) & (bad < 0)

        def one(s: Any) -> Any:
            i, step, state, _ = s
            k = jax.random.fold_in(stream, step) if method.card.random else key
            state = _like(method.step(problem, state, k), state)
            return i + 1, step + 1, state, _first_bad(method.point(state).x)

        # Of the lane, not a constant: the loop's batching has nothing to find out.
        zero = step - step
        first = jax.tree.unflatten(self.state_tree, state)
        _, step, after, bad = jax.lax.while_loop(go, one, (zero, step, first, zero - 1))
        point = method.point(after)
        stuck = jnp.asarray(method.stuck(after))
        self.names = () if method.card.cost else tuple(sorted(method.calls(after)))
        return after, step, bad, point, stuck, _counted(method, after)

    def _look(
        self, leaves: Any, raw: Any, once: Any, point: Any, number: Any, tol: Any
    ) -> Any:
        problem, *_ = jax.tree.unflatten(self.treedef, leaves)
        check = jax.tree.unflatten(self.once_tree, once)
        if check.screens() and not self.settings.absolute:
            check = check.screened(tol)
        at = jax.tree.unflatten(self.point_tree, point)
        return self._said(check, problem, at, raw, number)

    def _said(self, check: Any, problem: Any, at: Any, raw: Any, number: Any) -> Any:
        certificate, kept = check(problem, at, self._keys(raw)[1], number)
        if self.settings.absolute:
            certificate = certificate.absolute()
        return _strong((certificate, kept))

    def _opening(self, leaves: Any, raw: Any) -> Any:
        """A whole look at the first point."""
        problem, method, check, start = jax.tree.unflatten(self.treedef, leaves)
        at = method.point(method.init(problem, start, self._keys(raw)[2]))
        return self._said(check.prepared(problem), problem, at, raw, jnp.int32(0))

    def _whole(self, leaves: Any, raw: Any, kept: Any) -> Any:
        """A whole look at the best point."""
        problem, _, check, _ = jax.tree.unflatten(self.treedef, leaves)
        at = jax.tree.unflatten(self.kept_tree, kept)
        return self._said(check.prepared(problem), problem, at, raw, jnp.int32(0))

    # All slots ----------------------------------------------------------------

    def whole(self, opening: bool) -> Any:
        """The program of a whole look, at the first or at the best point."""
        name = "opening" if opening else "whole"
        if name not in self._more:
            rest = [] if opening else self.kept
            given = (self.lane, _RAW) if opening else (self.lane, _RAW, rest)
            made = self._flat(self._opening if opening else self._whole, given)
            if jax.tree.structure(made.out) != self._outcome():
                raise TypeError("a look's structure depends on its screen")
            axes = [*self.axes, 0, *[0] * len(rest)]
            low = self._lower(made.play, [*self.lane, _RAW, *rest], axes)
            (self._more[name],) = _compiled([(low, True)])
        return self._more[name]

    def _outcome(self) -> Any:
        return jax.tree_util.treedef_tuple((self.cert_tree, self.kept_tree))

    def _flat(self, function: Any, args: Any) -> "_Flat":
        box: list[Any] = []

        def seen(*given: Any) -> Any:
            out = function(*given)
            box.append(out)
            return out

        play = lockstep(seen, *args)
        out = jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), box[0])
        return _Flat(play, out)

    def _lower(self, play: Any, lane: list[Any], axes: list[Any]) -> Any:
        def wide(v: Any, axis: Any) -> Any:
            shape = v.shape if axis is None else (self.size, *v.shape)
            return jax.ShapeDtypeStruct(shape, v.dtype)

        many = jax.vmap(play, in_axes=tuple(axes), axis_size=self.size)
        return jax.jit(many).lower(*map(wide, lane, axes))


class _Flat(NamedTuple):
    play: Callable[..., list[Any]]
    out: Any


class Book:
    """What is known of every lane at the last border; a row a lane."""

    def __init__(self, made: Programs, total: int):
        def rows(structs: list[Any]) -> list[np.ndarray]:
            return [np.zeros((total, *s.shape), s.dtype) for s in structs]

        self.trees = made.cert_tree, made.kept_tree
        self.certificate, self.kept = rows(made.certificate), rows(made.kept)
        (self.calls,) = rows([made.counted])
        whole = [np.zeros(total, np.int32) for _ in range(7)]
        self.step, self.status, self.best_step, self.look = whole[:4]
        self.strikes, self.checks, self.bad_step = whole[4:]
        self.bad_step -= 1
        self.bad_leaf = np.full(total, -1, np.int32)
        self.ratio, self.blurred_at = np.full(total, np.inf), np.zeros(total)
        self.blurred = np.zeros(total, bool)
        self.cut = np.zeros(total, bool)

    def best(self, ids: Any) -> Certificate:
        """The best certificates of these lanes, with a leading axis (or of one)."""
        leaves = [v[ids] for v in self.certificate]
        return jax.tree.unflatten(self.trees[0], leaves)

    def point(self, ids: Any) -> Point:
        """The points that they speak of."""
        return jax.tree.unflatten(self.trees[1], [v[ids] for v in self.kept])

    def keep(self, rows: np.ndarray, certificate: list[Any], kept: list[Any]) -> None:
        """Write the best of these lanes."""
        for old, new in zip(self.certificate, certificate, strict=True):
            old[rows] = new
        for old, new in zip(self.kept, kept, strict=True):
            old[rows] = new

    def block(
        self, rows: np.ndarray, certificate: list[Any], kept: list[Any], step: Any,
        bad: Any, stuck: Any, calls: Any, *, limits: Limits,
    ) -> None:  # fmt: skip
        """The end of a block, as in `loop.kernel`."""
        with np.errstate(all="ignore"):
            self._block(
                rows, certificate, kept, step, bad, stuck, calls, limits
            )  # fmt: skip

    def _block(self, rows, certificate, kept, step, bad, stuck, calls, limits):
        tol = limits.tol
        cert = jax.tree.unflatten(self.trees[0], certificate)
        fine = bad < 0
        ratio, refuted = cert.ratio, cert.refuted()
        passed = cert.within(tol) & fine
        better = fine & ((ratio < self.ratio[rows]) | (self.checks[rows] == 0))
        # What refutes is what is spoken of, however small its ratio.
        take = passed | better | (refuted & fine)
        taken = rows[take]
        self.keep(taken, [v[take] for v in certificate], [v[take] for v in kept])
        self.ratio[taken], self.best_step[taken] = ratio[take], step[take]
        self.blurred[taken] = np.broadcast_to(cert.blurred(tol), take.shape)[take]
        # The same blur goes on while the best ratio has not halved since it began.
        since = self.blurred_at[rows]
        same = (self.strikes[rows] > 0) & (self.ratio[rows] > since / 2)
        strikes = np.where(same, self.strikes[rows] + 1, 1)
        strikes = np.where(self.blurred[rows], strikes, 0)
        eps = np.finfo(cert.parts[0].value.dtype).eps
        ends = [
            passed,
            ~fine,
            np.any([np.isnan(p.value) for p in cert.parts], axis=0),
            refuted,
            np.full(rows.shape, not limits.absolute and tol < 2 * eps),
            strikes >= _STRIKES,
            stuck & (step > 0),
            step >= limits.steps,
        ]
        ends = [np.broadcast_to(e, rows.shape) for e in ends]
        self.status[rows] = np.select(ends, _CODES, 0)
        self.strikes[rows] = strikes
        self.blurred_at[rows] = np.where(same, since, self.ratio[rows])
        self.bad_step[rows] = np.where(fine, self.bad_step[rows], step)
        self.bad_leaf[rows] = np.where(fine, self.bad_leaf[rows], bad)
        self.step[rows], self.calls[rows] = step, calls
        self.look[rows] = cert.look
        self.checks[rows] += 1


class Lanes:
    """A run of all lanes: what it left, and whole looks where they are asked for."""

    def __init__(self, inputs: Inputs, settings: Settings, raw: np.ndarray):
        self.inputs, self.settings, self.raw = inputs, settings, raw
        self.compile = self.run = 0.0
        self.timed_out = self.interrupted = False
        self.quick = sum(v.size for v in inputs.leaves) <= QUICK_ENTRIES
        rows = zip(inputs.leaves, inputs.shared, strict=True)
        own = sum(v.nbytes for v, shared in rows if not shared)
        self.bytes = own // inputs.total + 2048  # what else a block touches, about
        self.size = _slots(min(inputs.total, MOST_SLOTS, BLOCK_BYTES // self.bytes))
        self.made = self.programs(self.size)
        self.book = Book(self.made, inputs.total)
        self._settled = np.zeros(inputs.total, bool)

    def programs(self, size: int) -> Programs:
        """The programs for so many slots, compiled once a structure."""
        key = (
            self.inputs.treedef, compile_cache.signature(self.inputs.lane()),
            self.inputs.shared, self.settings, size, self.quick,
            jax.default_backend(),
        )  # fmt: skip
        found = _PROGRAMS.get(key)
        if found is None:
            found = Programs(self.inputs, self.settings, size, self.quick)
            _PROGRAMS[key] = found
            self.compile += found.seconds
        return found

    def settle(self, ids: np.ndarray) -> None:
        """Judge the best points of these lanes once more, without a screen.

        Of a lane that was never begun this is the first look, at its first point.
        """
        ids = ids[~self._settled[ids]]
        with compat.double():
            for opening in (True, False):
                todo = ids[(self.book.checks[ids] == 0) == opening]
                for i in range(0, len(todo), self.size):
                    self._judge(todo[i : i + self.size], opening)
        self._settled[ids] = True

    def _judge(self, rows: np.ndarray, opening: bool) -> None:
        slots = np.append(rows, np.repeat(rows[:1], self.size - len(rows)))
        given = [*self.inputs.pick(slots), self.raw[slots]]
        if not opening:
            given += [v[slots] for v in self.book.kept]
        out = self.made.whole(opening)(*given)
        out = [np.asarray(v)[: len(rows)] for v in out]
        split = len(self.made.certificate)
        self.book.keep(rows, out[:split], out[split:])
        if opening:
            self.book.best_step[rows] = 0


class _Slots:
    """Slots, the lanes in them, and those that wait.

    One block runs at a time. Two threads that execute programs side by side halve the
    time on two cores, and on a CPU hang in XLA now and then: every pool idle, both
    waiting for results that never come (jaxlib 0.10.2, 512 slots).
    """

    def __init__(self, lanes: Lanes, limits: Limits):
        self.lanes, self.book, self.made = lanes, lanes.book, lanes.made
        self.next, self.last = 0, lanes.inputs.total
        self.limits = limits
        self.wasted = 0.0
        self.once: list[Any] = []
        self.state: list[Any] = []
        self._room(np.zeros(0, int))

    def _room(self, ids: np.ndarray) -> None:
        size = self.made.size
        self.ids = np.full(size, ids[0] if len(ids) else self.next)
        self.ids[: len(ids)] = ids
        self.live = np.arange(size) < len(ids)
        self.arrays: list[Any] = []

    def go(self, ended: Callable[[], bool]) -> None:
        """Until every lane has ended, or the run has."""
        while not ended():
            free = np.flatnonzero(~self.live)
            if self.next < self.last and 2 * len(free) >= len(self.ids):
                self._fill(free)
            elif len(free) == len(self.ids):
                return
            elif self._few():
                self._shrink()
            self._block()

    def _fill(self, free: np.ndarray) -> None:
        size, made = self.made.size, self.made
        count = min(len(free), self.last - self.next)
        taken = free[:count]
        self.ids[taken] = np.arange(self.next, self.next + count)
        # A slot without a lane repeats one, and is not read.
        self.ids[free[count:]] = self.next
        self.next += count
        self.live[taken] = True
        fresh = np.zeros(size, bool)
        fresh[taken] = True
        self.arrays = self.lanes.inputs.pick(self.ids)
        self.raw = self.lanes.raw[self.ids]
        if not self.state:
            structs = (made.once, made.state)
            self.once, self.state = (
                [np.zeros((size, *s.shape), s.dtype) for s in side] for side in structs
            )
        out = made.begin(*self.arrays, self.raw, fresh, *self.once, *self.state)
        self.once, self.state = out[: len(made.once)], out[len(made.once) :]

    def _block(self) -> None:
        made, book, live = self.made, self.book, self.live
        rows = self.ids[live]
        step, n, look = (np.zeros(len(live), np.int32) for _ in range(3))
        step[live], look[live] = book.step[rows], book.look[rows]
        most = np.minimum(made.settings.every, self.limits.steps - book.step[rows])
        n[live] = np.where(book.checks[rows] == 0, 0, most)
        out = made.move(*self.arrays, self.raw, *self.state, step, n)
        size, points = len(made.state), len(made.point)
        self.state, (after, bad), rest = (
            out[:size],
            out[size : size + 2],
            out[size + 2 :],
        )
        point, (stuck, calls) = rest[:points], rest[points:]
        out = made.look(
            *self.arrays,
            self.raw,
            *self.once,
            *point,
            look,
            np.float64(self.limits.tol),
        )
        seen: Any = [np.asarray(v)[live] for v in (*out, after, bad, stuck, calls)]
        split = len(made.certificate)
        book.block(
            rows, seen[:split], seen[split:-4], *seen[-4:], limits=self.limits
        )  # fmt: skip
        live[live] = book.status[rows] == 0
        if self.next >= self.last:
            empty = len(live) - np.count_nonzero(live)
            self.wasted += empty * self.lanes.bytes * max(1, int(n.max()))

    def _few(self) -> bool:
        few = 4 * np.count_nonzero(self.live) <= len(self.live)
        return bool(few and self.wasted > WASTE_BYTES)

    def _shrink(self) -> None:
        where = np.flatnonzero(self.live)
        ids = self.ids[where]
        self.made = self.lanes.programs(_slots(len(ids)))
        self.wasted = 0.0
        where = np.append(where, np.repeat(where[:1], self.made.size - len(ids)))
        self._room(ids)
        self.once = [v[where] for v in self.once]
        self.state = [v[where] for v in self.state]
        self.arrays = self.lanes.inputs.pick(self.ids)
        self.raw = self.lanes.raw[self.ids]


def run_lanes(
    inputs: Inputs,
    settings: Settings,
    limits: Limits,
    *,
    raw_keys: np.ndarray,
    began: float,
    progress: Callable[[int, int], None] | None = None,
) -> Lanes:
    """Run every lane until it ends, the time is up or Ctrl-C comes."""
    lanes = Lanes(inputs, settings, raw_keys)
    book = lanes.book
    t0 = time.perf_counter()
    # A lane's matrices are small, however many lanes there are.
    with blas_threads.threads_for(lanes.bytes // 8), interrupts() as stop:

        def ended() -> bool:
            if progress is not None:
                progress(int(np.count_nonzero(book.status)), inputs.total)
            spent = time.perf_counter() - began
            late = limits.time is not None and spent >= limits.time
            lanes.timed_out, lanes.interrupted = late, stop.asked
            return late or stop.asked

        _Slots(lanes, limits).go(ended)
    lanes.run = time.perf_counter() - t0
    book.cut = book.status == 0
    return lanes


def _slots(n: int) -> int:
    """n or little more (1, 2, 3, 4, 6, 8, 12, 16 ...): few programs serve all."""
    n = max(1, n)
    power = 1 << (n - 1).bit_length()
    return power * 3 // 4 if power >= 4 and n <= power * 3 // 4 else power


def _compiled(lowered: list[tuple[Any, bool]]) -> list[Any]:
    """All of them at the same time: the compiler leaves Python's lock alone."""

    def one(item: tuple[Any, bool]) -> Any:
        with compat.double():
            low, quick = item
            if jax.default_backend() != "cpu":
                return disk_cache.compiled(low, None)
            return disk_cache.compiled(low, QUICK if quick else FAST)

    with concurrent.futures.ThreadPoolExecutor(len(lowered)) as pool:
        return list(pool.map(one, lowered))

"""A method's move as programs of its own: its first state, and blocks of steps.

By NumPy, which needs no compiler; or by XLA at the level that compiles fastest.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core.method import Method
from banach.core.point import Point
from banach.engine import loop
from banach.engine.compile_cache import Key
from banach.engine.executors import LARGE, QUICK, Program
from banach.engine.judge import Judge, plain

_RAW = jax.ShapeDtypeStruct((2,), np.uint32)
_COUNT = jax.ShapeDtypeStruct((), np.int32)
_MOVES: dict[Any, "Moves"] = {}


class Moves:
    """The programs of a (problem, method, start) of one structure."""

    def __init__(self, problem: Any, method: Any, start: Any, random: bool):
        """Of (leaves, treedef) of each."""
        (self._problem, self._data), (self._own, self._method) = problem, method
        self._first, self._start = start
        self.random = random
        self._box: dict[str, Any] = {}
        self.init = Program(self._init, (self._problem, self._own, self._first, _RAW))
        self.state, self.state_tree = self.init.structs, self._box["state"]
        self.seen = Program(self._seen, (self._own, self.state))
        self.point_tree = self._box["point"]
        """Structure of a point, whose leaves `seen` gives first."""
        points = self.point_tree.num_leaves
        self.point_structs = self.seen.structs[:points]
        self.counted = self.seen.structs[-1].shape[0]
        self._steps: Program | None = None
        self._blocks: Any = None

    def _stated(self, leaves: list[Any], own: list[Any]) -> tuple[Any, Method]:
        problem = jax.tree.unflatten(self._data, leaves)
        return problem, jax.tree.unflatten(self._method, own)

    def _init(self, leaves, own, first, raw):
        problem, method = self._stated(leaves, own)
        start = jax.tree.unflatten(self._start, first)
        key = jax.random.split(jax.random.wrap_key_data(raw), 3)[2]
        state = method.init(problem, start, key)
        out, self._box["state"] = jax.tree.flatten(state)
        return [jnp.asarray(v, jnp.result_type(v)) for v in out]

    def _seen(self, own, state):
        method = jax.tree.unflatten(self._method, own)
        whole = jax.tree.unflatten(self.state_tree, state)
        point, self._box["point"] = jax.tree.flatten(method.point(whole))
        stuck = jnp.asarray(method.stuck(whole), bool)
        return [*map(jnp.asarray, point), stuck, loop.counted(method, whole)]

    def _after(self, leaves, own, state, raw, step):
        problem, method = self._stated(leaves, own)
        key = jax.random.wrap_key_data(raw)
        if self.random:
            key = jax.random.fold_in(jax.random.split(key, 3)[0], step)
        before = jax.tree.unflatten(self.state_tree, state)
        model = jax.tree.unflatten(self.state_tree, self.state)
        after = loop.like(method.step(problem, before, key), model)
        return jax.tree.leaves(after), jax.tree.leaves(method.point(after).x)

    @property
    def steps(self) -> Program:
        """One step: leaves of the state, and then those of x."""
        if self._steps is None:

            def step(*args):
                state, x = self._after(*args)
                return [*state, *x]

            args = (self._problem, self._own, self.state, _RAW, _COUNT)
            self._steps = Program(step, args)
        return self._steps

    @property
    def blocks(self) -> tuple[Any, float]:
        """(at most n steps and what is seen then, compiled; work of one step)."""
        if self._blocks is not None:
            return self._blocks

        def block(leaves, own, state, raw, step, n):
            def go(q):
                return (q[0] < n) & (q[2] < 0)

            def one(q):
                i, state, _ = q
                state, x = self._after(leaves, own, state, raw, step + i)
                return i + 1, state, loop.first_bad(x)

            zero = jnp.zeros((), jnp.int32)
            done, state, bad = jax.lax.while_loop(go, one, (zero, state, zero - 1))
            return state, self._seen(own, state), done, bad

        args = (self._problem, self._own, self.state, _RAW, _COUNT, _COUNT)
        program = Program(block, args)
        options = LARGE if program.scatters else QUICK
        self._blocks = program.xla(options), program.work
        return self._blocks


class Move:
    """A method at a start, on the data that a judge holds.

    Args:
        method: with leaves in the dtype of the run.
        start: the point that it begins at.
    """

    name = "numpy"

    def __init__(self, judge: Judge, method: Method, start: Point):
        own, method_tree = jax.tree.flatten(method)
        first, start_tree = jax.tree.flatten(start)
        self.leaves = judge.leaves
        self.own, self.first = [np.asarray(v) for v in own], list(map(plain, first))
        key = _key(judge, method, start)
        found = _MOVES.get(key)
        if found is None:
            found = _MOVES[key] = Moves(
                (self.leaves, judge.treedef), (self.own, method_tree),
                (self.first, start_tree), method.card.random,
            )  # fmt: skip
        self.programs = found

    def begin(self, raw: np.ndarray) -> list[Any]:
        """Leaves of the first state."""
        return self.programs.init([*self.leaves, *self.own, *self.first, raw])

    def seen(self, state: list[Any]) -> tuple[list[Any], bool, Any]:
        """(leaves of the point, whether it is stuck, counted calls)."""
        *point, stuck, calls = self.programs.seen([*self.own, *state])
        return point, bool(stuck), calls

    def advance(
        self, raw: np.ndarray, state: list[Any], n: int, step: int, limit: float
    ) -> tuple[list[Any], int, int, float]:
        """At most n steps: (state, steps, index of a bad leaf of x or -1, work).

        Raises interpret.Exhausted where they turn out to need more work than `limit`.
        """
        program, spent = self.programs.steps, 0.0
        given = [*self.leaves, *self.own]
        size = len(state)
        for i in range(n):
            rest = [*state, raw, np.int32(step + i)]
            out, work = program.interpreted([*given, *rest], limit - spent)
            spent += work
            state = out[:size]
            for at, x in enumerate(out[size:]):
                if x.dtype.kind == "f" and not np.isfinite(x).all():
                    return state, i + 1, at, spent
        return state, n, -1, spent


def known(judge: Judge, method: Method, start: Point) -> Move | None:
    """A move whose programs were traced before, or None."""
    return Move(judge, method, start) if _key(judge, method, start) in _MOVES else None


def _key(judge: Judge, method: Method, start: Point) -> Key:
    own, method_tree = jax.tree.flatten(method)
    first, start_tree = jax.tree.flatten(start)
    whole = jax.tree_util.treedef_tuple((judge.treedef, method_tree, start_tree))
    leaves = [*judge.leaves, *[np.asarray(v) for v in own], *map(plain, first)]
    return Key(whole, leaves)


class CompiledMove(Move):
    """The same, by XLA."""

    name = "split"

    def __init__(self, judge: Judge, method: Method, start: Point):
        super().__init__(judge, method, start)
        self._block, work = self.programs.blocks
        # What a tenth of it in NumPy would be (ours).
        self._unit = work / 10
        self._last: tuple[Any, Any] = (None, None)

    def seen(self, state: list[Any]) -> tuple[list[Any], bool, Any]:
        """As above; a block has said it already."""
        of, found = self._last
        if of is not state:
            return super().seen([np.asarray(v) for v in state])
        *point, stuck, calls = found
        return [np.asarray(v) for v in point], bool(stuck), np.asarray(calls)

    def advance(
        self, raw: np.ndarray, state: list[Any], n: int, step: int, limit: float
    ) -> tuple[list[Any], int, int, float]:
        """As above; nothing is ever given up."""
        state, found, done, bad = self._block(
            self.leaves, self.own, state, raw, np.int32(step), np.int32(n)
        )
        self._last = state, found
        return state, int(done), int(bad), int(done) * self._unit


def clear() -> None:
    """Forget all programs (tests; long-lived processes)."""
    _MOVES.clear()

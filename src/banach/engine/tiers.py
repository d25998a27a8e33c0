"""By what a run is executed: NumPy first, then XLA in two programs, then in one.

`numpy` interprets move and look: nothing is compiled. `split` compiles the move alone,
quickly. `fused` is `loop.kernel`, which takes longest to compile and runs fastest. What
decides are counts of work, never a clock: a run's schedule [(executor, from look)] is
in its manifest and its checkpoints, and a run that goes on follows it bit for bit.
"""

import functools
import math
import weakref
from typing import Any

import jax
import numpy as np

from banach.core import tree
from banach.core.problem import Misuse
from banach.engine import compile_cache, judge, loop, step_programs
from banach.engine.donated_buffers import Turns
from banach.engine.problem_cache import Ready
from banach.engine.split_step_and_check import Split

# Units of work (of about 1 us each) that an executor does in one run (ours): the next
# one costs about as much to compile as this one has then cost to run.
LIMITS = {"numpy": 300_000.0, "split": 600_000.0}
# A step above this would leave NumPy after ten of them.
MOST_A_STEP = 30_000.0
# Unknowns from which a run is compiled at once, in one program: a pass over them costs
# more than what the other executors save (ours).
AT_ONCE = 100_000
# Runs of one structure in this process before a further one is compiled (ours).
FIRST = 2
_RUNS: dict[Any, int] = {}
_KERNELS: weakref.WeakKeyDictionary[Ready, Any] = weakref.WeakKeyDictionary()


class Fused:
    """The compiled kernel, behind the interface of `Split`."""

    name = "fused"
    limit = math.inf

    def __init__(self, ready: Ready, settings: loop.Settings, together: bool = False):
        self.leaves = ready.leaves
        # Finding it by its structure compares modules, which costs a small solve.
        made = _KERNELS.setdefault(ready, {})
        if settings not in made:
            kernel = compile_cache.kernel_for(
                ready.key, self.leaves, settings,
                functools.partial(_struct, ready, settings), together,
            )  # fmt: skip
            made[settings] = kernel, sum(v.nbytes for v in kernel.zero)
        self.kernel, self.nbytes = made[settings]
        self.zero, self.dtype = self.kernel.zero, self.kernel.dtype
        self.place = self.kernel.place
        self.carry, self.packed = self.kernel.carry, self.kernel.packed
        self.progress, self.point = self.kernel.progress, self.kernel.point
        self.turns = Turns(self.kernel)
        self.pause, self.shows = self.turns.seconds, self.turns.shows

    def call(
        self, raw: Any, state: Any, limits: tuple[bool, int, int], tol: Any
    ) -> Any:
        """At most so many blocks."""
        asked = np.asarray(tol, self.dtype)
        return self.turns.call(self.leaves, raw, state, limits, asked)

    @staticmethod
    def full(state: Any) -> bool:
        """It goes on as long as it is asked."""
        return False

    @staticmethod
    def work(state: Any) -> float:
        """What is not counted."""
        return 0.0


def _struct(ready: Ready, settings: loop.Settings) -> loop.Carry | None:
    """What a carry consists of, where move and look were traced before."""
    if ready.judge.place is not None or jax.default_backend() != "cpu":
        return None
    moves = step_programs.known(ready.judge, ready.method, ready.start)
    if moves is None or apart(ready) is not None:
        return None
    return Split(moves, ready.judge, settings).struct


def build(
    name: str, ready: Ready, settings: loop.Settings, together: bool = False
) -> Any:
    """The executor of this name; `together`: others are compiled at the same time."""
    if name == "fused":
        return Fused(ready, settings, together)
    cls = step_programs.Move if name == "numpy" else step_programs.CompiledMove
    moves = cls(ready.judge, ready.method, ready.start)
    return Split(moves, ready.judge, settings, LIMITS[name])


def begun(
    ready: Ready, settings: loop.Settings, asked: str | None, past: Any
) -> tuple[Any, Any, list[list[Any]]]:
    """(executor, state, schedule) that a run begins with, or goes on with."""
    if past is None:
        runner = first(ready, settings, asked)
        return runner, runner.zero, [[runner.name, 0]]
    if past.schedule is None:
        runner = build("fused", ready, settings)
        legs = [[runner.name, int(past.carry.checks)]]
        return runner, runner.packed(past.carry), legs
    legs = [list(leg) for leg in past.schedule["legs"]]
    runner = build(legs[-1][0], ready, settings)
    if past.schedule.get("pinned"):
        runner.limit = math.inf
    if past.schedule.get("compiled_looks") and runner.name != "fused":
        runner.compiled_looks = True
    work = () if runner.name == "fused" else (past.schedule["work"],)
    return runner, runner.packed(past.carry, *work), legs


def looks(runner: Any, state: Any) -> int:
    """Looks that were had at a border."""
    return int(runner.carry(state).checks)


def first(ready: Ready, settings: loop.Settings, asked: str | None) -> Any:
    """The executor that a run begins with; `asked` pins one."""
    if asked is not None:
        return _pinned(asked, ready, settings)
    if settings in _KERNELS.get(ready, ()):
        return build("fused", ready, settings)
    runs = _RUNS[ready.key] = _RUNS.get(ready.key, 0) + 1
    if compile_cache.has_kernel(ready.key, settings) or runs > FIRST:
        return build("fused", ready, settings)
    if apart(ready) is not None or tree.size(ready.start.x) >= AT_ONCE:
        return build("fused", ready, settings)
    name = "numpy" if interpretable(ready) is None else "split"
    return build(name, ready, settings)


def following(before: Any, state: Any, ready: Ready, settings: loop.Settings) -> Any:
    """(executor, state) that goes on where the work of one is done."""
    name = loop.TIERS[loop.TIERS.index(before.name) + 1]
    after = build(name, ready, settings)
    if name != "fused":
        after.compiled_looks = before.compiled_looks
    return after, after.packed(before.carry(state))


def apart(ready: Ready) -> str | None:
    """Why move and look cannot be programs apart, or None."""
    if ready.judge.place is not None:
        return "its data lie on a mesh of devices"
    if jax.default_backend() != "cpu":
        return f"its data live on a {jax.default_backend()}"
    moves = ready.moves
    if any(_extended(s) for s in (*moves.state, *moves.point_structs)):
        return "its state holds random keys"
    return None


def interpretable(ready: Ready) -> str | None:
    """Why NumPy cannot, or should not, make the move; None where it can."""
    moves = ready.moves
    for program in (moves.init, moves.seen, moves.steps):
        if program.refusal is not None:
            return program.refusal
        if program.work > MOST_A_STEP:
            return "a step of it is long"
    return None


def _pinned(name: str, ready: Ready, settings: loop.Settings) -> Any:
    if name not in loop.TIERS:
        raise Misuse(f"tier must be one of {', '.join(loop.TIERS)}, got {name!r}")
    no = None if name == "fused" else apart(ready)
    if no is None and name == "numpy":
        no = interpretable(ready)
    if no is not None:
        raise Misuse(f"tier={name!r} cannot run this: {no}; use tier='fused'")
    made = build(name, ready, settings)
    if name != "fused":
        made.limit = math.inf
    return made


def _extended(struct: Any) -> bool:
    return bool(jax.dtypes.issubdtype(struct.dtype, jax.dtypes.extended))


def clear() -> None:
    """Forget all programs, and what has run (tests; long-lived processes)."""
    for of in (compile_cache, judge, step_programs, _RUNS, _KERNELS):
        of.clear()

"""The doors: solve, minimize, solve_many, iterate, verify, sensitivity, load."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from banach import choose, relay
from banach.answers import Saved, arrays, fits, named, stated
from banach.core import adjoint as adj
from banach.core import checkpoint as checkpoints
from banach.core import compat, host, kept, programs, reading, restore, stream, tree
from banach.core import run as loop
from banach.core.check import Check
from banach.core.door import door
from banach.core.finish import Clock, OneLook, Plan, finish
from banach.core.method import HostMethod, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse, Problem, sound
from banach.core.result import Result, problem_id
from banach.core.results import Results
from banach.core.stacked import Stacked


@door
def solve(
    problem: Problem | str,
    method: Any = None,
    *,
    start: Any = None,
    tol: Any = 1e-6,
    check: Any = None,
    max_steps: int = 100_000,
    time_limit: float | None = None,
    seed: int = 0,
    rows: int = 256,
    checkpoint: Any = None,
    checkpoint_seconds: float | None = 30.0,
    resume: Any = None,
    progress: Callable[[Result], None] | None = None,
) -> Result:
    """Solve a problem; the answer carries a certificate that a check wrote.

    Args:
        problem: a Problem, or a built-in name such as "lasso:diabetes".
        method: a Method, a Method class, a name ("lbfgs", "scipy:L-BFGS-B") or None
            for the defaults of the problem's structure: the first, and where it gives
            up the next ones, within the same limits (`manifest["tried"]`).
        start: a pytree of floating arrays, a Point, or an earlier Result.
        tol: relative tolerance (value + slack <= tol * scale), or `bn.Absolute(t)`.
        check: a Check or its name; None: the one default quantity of the kind.
        max_steps: method steps at most.
        time_limit: seconds, compile time included.
        seed: of the method's and the check's separate random streams.
        rows: rows of the trace (even; 0 turns it off).
        checkpoint: file to write about every `checkpoint_seconds` (None: never), and
            at the end; it is tried before the run. A later failure is a warning.
        resume: a checkpoint file; the run goes on bit for bit.
        progress: called with a running Result at chunk borders.

    Returns:
        Result: `x` in the structure of the start as NumPy arrays, `certificate`,
        `status`. Numerical failure is a status, never an exception.

    Raises:
        Misuse: bad input, with the cure in the message.
    """
    _callback(progress)
    seconds(checkpoint_seconds, "checkpoint_seconds")
    pause = math.inf if checkpoint_seconds is None else checkpoint_seconds
    final = None
    saved_at = time.perf_counter()
    options = dict(
        start=start, tol=tol, check=check, max_steps=max_steps, rows=rows,
        time_limit=time_limit, seed=seed, resume=resume, compile_free=False,
        live=progress is not None or checkpoint is not None,
    )  # fmt: skip
    with checkpoints.checkpoint(checkpoint, problem, method, check) as kept_file:
        for final in _begun(problem, method, **options):
            if progress is not None:
                progress(final)
            late = time.perf_counter() - saved_at >= pause
            if kept_file is not None and kept_file.offer(final, late):
                saved_at = time.perf_counter()
    assert final is not None
    return final


@door
def iterate(
    problem: Problem | str,
    method: Any = None,
    *,
    start: Any = None,
    tol: Any = 1e-6,
    check: Any = None,
    max_steps: int = 100_000,
    time_limit: float | None = None,
    seed: int = 0,
    rows: int = 256,
    resume: Any = None,
    live: bool = True,
    compile_free: bool = False,
) -> Iterator[Result]:
    """Like `solve`, but yields a Result at every chunk border; the last is final.

    Misuse is raised by the call, before the first Result is asked for. With
    `compile_free` the clock of `time_limit` starts once all is compiled.
    """
    return _begun(
        problem, method, start=start, tol=tol, check=check, max_steps=max_steps,
        time_limit=time_limit, seed=seed, rows=rows, resume=resume, live=live,
        compile_free=compile_free,
    )  # fmt: skip


def _begun(
    problem, method, *, start, tol, check, max_steps, time_limit, seed, rows, resume,
    live, compile_free,
) -> Iterator[Result]:  # fmt: skip
    """A run whose arguments were read and matched, before its first Result."""
    began = time.perf_counter()
    _limits(max_steps, time_limit, rows, seed)
    reading.flag(live, "live")
    reading.flag(compile_free, "compile_free")
    loop.split_tol(tol)
    with compat.double():
        problem, source = named(problem)
        back = None
        if resume is not None:
            back = restore.checkpoint_of(resume, problem, problem_id(problem))
        default = method is None and back is None
        plan = _plan(problem, method, check, start, back)
        method, check, point, proof, data, ready, _ = plan
        if proof is not None:
            ended = _proven(problem, method, check, point, tol, *proof)
            return _told((r for r in (ended,)), source)
        options = dict(check=check, tol=tol, max_steps=max_steps, live=live, seed=seed,
                       time_limit=time_limit, began=began, rows=rows,
                       compile_free=compile_free)  # fmt: skip
        if default:
            if check.host:
                raise Misuse(_ON_HOST.format(check.name))
            return _told(_relayed(problem, plan, start, options), source)
        if isinstance(method, HostMethod):
            if resume is not None:
                raise Misuse(
                    f"{method.label()} runs inside a peer library and cannot be "
                    "resumed; use start=bn.load(file)"
                )
            return _told(stream.iterate_host(problem, method, point, **options), source)
        if check.host:
            raise Misuse(_ON_HOST.format(check.name))
        if back is not None:
            settings = back["settings"]
            options |= {
                "carry": restore.carry_of(back, problem, point, tol),
                "spent": back["seconds"],
                "every": settings.every,
                "rows": settings.rows,
                "seed": _seed(back["key"]),
            }
        options |= {"data": data, "ready": ready}
        return _told(host.iterate(problem, method, point, **options), source)


_ON_HOST = (
    "the check {0} works on the host, after a run: use bn.verify(result, check={0!r})"
)


def _relayed(
    problem: Problem, plan: "_Plan", start: Any, options: dict[str, Any]
) -> Iterator[Result]:
    """The default method, and those that follow it where it gives up."""

    def leg(plan: "_Plan") -> relay.Leg:
        peer = isinstance(plan.method, HostMethod)

        def run(start: Any, max_steps: int, time_limit: float | None, past: Any) -> Any:
            given = options | {"max_steps": max_steps, "time_limit": time_limit}
            point = plan.point if start is None else _start(start, problem)
            if peer:
                return stream.iterate_host(problem, plan.method, point, **given)
            if past is not None:
                carry = dataclasses.replace(past.carry, status=np.int32(0))
                given |= {"carry": carry, "every": past.settings.every,
                          "spent": past.seconds["run"]}  # fmt: skip
            kept_of = {"data": plan.data, "ready": plan.ready} if start is None else {}
            return host.iterate(problem, plan.method, point, **(given | kept_of))

        if peer:
            return relay.Leg(run, 1, False)
        if plan.ready is not None:
            return relay.Leg(run, plan.ready.pace, True)
        return relay.Leg(run, loop.cadence(plan.method, plan.check, problem), True)

    def build(name: str) -> relay.Leg | None:
        method = choose.suggest(name, problem, problem.facts())
        if isinstance(method, Refusal):
            return None
        return leg(_plan(problem, method, plan.check, start, None))

    return relay.relay(
        leg(plan),
        plan.after,
        build,
        start=start,
        convex=lambda: problem.facts().has("convex"),
        beside=lambda r: _beside(problem, r) if start is None else None,
        objective=lambda r: _objective(problem, r),
        max_steps=options["max_steps"],
        time_limit=options["time_limit"],
        began=options["began"],
        live=options["live"],
    )


def _beside(problem: Problem, result: Result) -> Any:
    """Another start, where the one that passes may be a saddle, a maximum or flat."""
    with compat.double():
        return None if problem.untried(result.x) is None else problem.beside()


def _objective(problem: Problem, result: Result) -> float:
    with compat.double():
        return float(problem.objective(result.x))


def _told(runs: Any, source: dict[str, Any] | None) -> Iterator[Result]:
    """The results of a run; the caller's own code, between them, keeps its bits."""
    status = "running"
    while status == "running":
        with compat.double():
            result = next(runs, None)
        if result is None:
            return
        status = result.status
        yield result if source is None else result.replaced(source=source)
    # Nothing follows a final result, and the driver gives Ctrl-C back at once.
    runs.close()


@door(options_of=solve)
def minimize(
    fun: Callable[..., Any], x0: PyTree, args: tuple = (), **options: Any
) -> Result:
    """Minimise a JAX function of any pytree from x0.

    `options` are those of `solve`; facts about the function (convex=True, L=...)
    are declared on `bn.Smooth(fun, x0, args, ...)`.
    """
    from banach.problems.smooth import Smooth

    return solve(Smooth(fun, x0, args), **options)


@door
def solve_many(
    problems: Sequence[Problem] | Stacked,
    method: Any = None,
    *,
    starts: Sequence[Any] | None = None,
    tol: Any = 1e-6,
    check: Any = None,
    max_steps: int = 100_000,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Solve problems of one structure at once; a verdict for each.

    Args:
        problems: a list of problems, or a stack of them: `bn.stack(list)`, or stated
            at once by the class, e.g. `bn.LogisticRegression.stack(A, Y)`, which makes
            nothing for each lane in Python. All have the same kind, shapes and
            dtypes (group them first otherwise).
        method: as in `solve`; a name or class is suggested for each lane by itself.
        starts: one start a problem; None: the problems' own.
        tol, check, max_steps: as in `solve`, for each lane.
        time_limit: seconds, for all lanes together; lanes still running end as budget.
        seed: lane i has the key of seed + i.
        progress: called with (lanes that have ended, lanes).

    Returns:
        Results: a sequence with a Result for each problem, made when it is read, and
        the columns status, certified, x (stacked), steps, ratio, value. What one lane
        gets depends on no other lane, on no clock and on no number of threads. Ctrl-C
        ends the lanes that still run as interrupted. Trace rows are not kept.

    Example:
        >>> import numpy as np, banach as bn
        >>> rng = np.random.default_rng(0)
        >>> A, Y = rng.normal(size=(50, 20, 3)), rng.integers(0, 2, (50, 20))
        >>> results = bn.solve_many(bn.LogisticRegression.stack(A, Y, 1.0))
        >>> results.x.shape, bool(results.certified.all()), results[7].status
        ((50, 4), True, 'certified')
    """
    from banach.many import solve_lanes

    _limits(max_steps, time_limit, 0, seed)
    _callback(progress)
    if not isinstance(problems, Iterable) or isinstance(problems, str):
        raise Misuse(
            f"solve_many takes a list of problems, got {reading.shown(problems)}; "
            "bn.solve takes one"
        )
    if starts is not None and not isinstance(starts, list | tuple | np.ndarray):
        raise Misuse(
            f"starts must be a list, one start a problem, got {reading.shown(starts)}"
        )
    return solve_lanes(
        problems, method, starts=starts, tol=tol, check=check, seed=seed,
        max_steps=max_steps, time_limit=time_limit, progress=progress,
    )  # fmt: skip


@door
def sensitivity(result: Result, cotangent: PyTree) -> adj.Sensitivity:
    """Pull a cotangent of x back to the problem's data by the implicit function.

    Returns gradient (the problem's structure, floating leaves), the relative
    residual of the adjoint solve and the condition number of its matrix. The
    gradient is NaN where the result is not certified or the solve is bad.
    """
    if not isinstance(result, Result):
        raise Misuse(
            f"sensitivity takes a Result of bn.solve, got {reading.shown(result)}"
        )
    stated(result.problem)
    cotangent = arrays(cotangent)
    fits(cotangent, result.problem, "cotangent")
    with compat.double():
        pulled = jax.jit(adj.sensitivity_at)(result.problem, result.x, cotangent)
        good = result.certified & (float(pulled.residual) <= adj.RESIDUAL_LIMIT)
        gradient = jax.tree.map(
            lambda v: np.asarray(v) if good else np.full(v.shape, np.nan, v.dtype),
            pulled.gradient,
        )
        return adj.Sensitivity(
            gradient, float(pulled.residual), float(pulled.condition)
        )


class _Plan(NamedTuple):
    method: Any
    check: Check
    point: Point
    proof: tuple[str, str] | None
    data: kept.Kept | None = None
    ready: kept.Ready | None = None
    after: tuple[str, ...] = ()  # defaults that follow, where none was named


def _plan(problem: Problem, method: Any, check: Any, start: Any, back: Any) -> _Plan:
    """Method, check and start of a run; remembered where all three were left open."""
    open_ = isinstance(method, str | type | None) and isinstance(check, str | None)
    asked = (method, check) if open_ and start is None and back is None else None
    known = None if asked is None else kept.known(problem)
    if known is not None and asked in known.plans:
        return known.plans[asked]._replace(data=known)
    sound(problem)
    proof, default = problem.unsolvable(), method is None and back is None
    if back is None:
        check = choose.check_for(check, problem)
        method = _chosen(method, problem, proof)
    else:
        asked_for = None if check is None else choose.check_for(check, problem)
        dtype = back["dtype"]
        if not isinstance(method, str | type | None):
            method = choose.method_for(method, problem)
        restore.same_run(back, method, start, asked_for, dtype)
        check = choose.check_for(back["check"], problem)
        method = choose.method_for(back["method"], problem)
    point = _start(start, problem)
    if back is not None and dtype != tree.dtype(point.x):
        point = Point(tree.cast(point.x, dtype))  # the run began at a start of its own
    follow = choose.after(method, problem) if default else ()
    plan = _Plan(method, check, point, proof, after=tuple(follow))
    on_host = check.host or isinstance(method, HostMethod)
    if asked is None or proof is not None or on_host:
        return plan
    data = kept.of(problem)
    ready = kept.ready(data, problem, method, check, point)
    # Without `data`: what holds the plan must not be held by it.
    data.plans[asked] = plan._replace(ready=ready._replace(spent=0.0))
    return plan._replace(data=data, ready=ready)


def _chosen(method: Any, problem: Problem, proof: Any) -> Any:
    """The method; with a proof that there is no solution, one that would refuse too."""
    try:
        return choose.method_for(method, problem)
    except Misuse:
        if proof is None or method is not None:
            raise
        return choose.first_choice(problem)


def _start(start: Any, problem: Problem) -> Point:
    if start is None:
        return problem.start()
    if isinstance(start, Result):
        start = Point(start.x)
    if isinstance(start, Saved):
        start = Point(start.x)
    point = start if isinstance(start, Point) else Point(arrays(start))
    fits(point.x, problem, "start")
    return point


def _limits(max_steps: Any, time_limit: Any, rows: Any, seed: Any) -> None:
    """Misuse unless each is a number of its kind; before any work."""
    reading.integer(max_steps, "max_steps", low=0, high=loop.MOST_STEPS)
    seconds(time_limit, "time_limit")
    if reading.integer(rows, "rows", low=0) % 2:
        raise Misuse(f"rows must be an even integer >= 0, got {rows!r}")
    reading.seed(seed)


def seconds(value: Any, name: str) -> None:
    """Misuse unless None (no limit) or a positive finite number of seconds."""
    if value is None or (type(value) is float and 0 < value < math.inf):
        return
    try:
        reading.number(value, name, low="positive")
    except Misuse:
        said = f"{name} must be positive seconds, got {reading.shown(value)}"
        raise Misuse(f"{said}; None for no limit") from None


def _callback(progress: Any) -> None:
    if progress is not None and not callable(progress):
        raise Misuse(
            f"progress must be a function, got {reading.shown(progress)}; it is called "
            "with each running Result"
        )


def _seed(raw: np.ndarray) -> int:
    return int(raw[0]) << 32 | int(raw[1])


def _proven(problem, method, check, point, tol, status, proof) -> Result:
    """A Result for a problem that the data show to have no solution."""
    began = time.perf_counter()
    number, absolute = loop.split_tol(tol)
    raw = programs.raw_key(0)
    check = loop.leaves_in(tree.dtype(point.x), check)
    cert, kept, seconds = programs.judge(problem, check, point, raw, 0)
    cert, kept = jax.device_get((cert, kept))
    cert = cert.absolute() if absolute else cert
    plan = Plan(problem, method, check, float(number), absolute, raw,
                lambda: problem_id(problem), proof=proof)  # fmt: skip
    clock = Clock(seconds, 0.0, 0.0, time.perf_counter() - began)
    return finish(plan, OneLook(status, cert, kept), clock)

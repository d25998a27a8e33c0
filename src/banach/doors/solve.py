"""The doors: solve, minimize, solve_many, iterate, verify, sensitivity, load."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Unpack

import jax
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, memoised_calls, tree, validation
from banach.core import implicit_diff as adj
from banach.core.annotations import (
    CheckLike,
    MethodLike,
    Path,
    ProblemLike,
    SolveOptions,
    Tolerance,
)
from banach.core.door import door
from banach.core.method import HostMethod, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse, Problem, sound
from banach.core.result import Result, problem_id
from banach.core.stacked import Stacked
from banach.doors import defaults, relay, scipy_arguments
from banach.doors.verify import Saved, arrays, fits, named, stated
from banach.engine import checkpoint as checkpoints
from banach.engine import (
    compile_cache,
    driver,
    executors,
    loop,
    peer_driver,
    problem_cache,
    restore,
)
from banach.engine.finish import Asked, Clock, OneLook, finish
from banach.engine.judge import judged
from banach.engine.plan import Limits, Manner, Past, Plan, seconds
from banach.engine.solve_many_results import Results


@door(host=True)
def solve(
    problem: ProblemLike,
    method: MethodLike = None,
    *,
    start: Any = None,
    tol: Tolerance = 1e-6,
    digits: int | None = None,
    check: CheckLike = None,
    max_steps: int = 100_000,
    time_limit: float | None = None,
    seed: int = 0,
    rows: int = 256,
    checkpoint: Path | None = None,
    checkpoint_seconds: float | None = 30.0,
    resume: Path | None = None,
    progress: Callable[[Result], None] | None = None,
    tier: str | None = None,
) -> Result:
    """Solve a problem; the answer carries a certificate that a check wrote.

    Args:
        problem: a Problem, or a built-in name such as "lasso:diabetes".
        method: a Method, a Method class, a name ("lbfgs", "scipy:L-BFGS-B") or None
            for the defaults of the problem's structure: the first, and where it gives
            up the next ones, within the same limits (`manifest["tried"]`).
        start: a pytree of floating arrays, a Point, or an earlier Result.
        tol: relative tolerance (value + slack <= tol * scale), or `bn.Absolute(t)`.
        digits: in place of tol, significant digits that are to be correct in every
            entry of x (but in those that are 0), certified by a bound of the distance
            to the solution: `bn.RelativeDistance`. Misuse where nothing bounds it.
        check: a Check or its name; None: the one default quantity of the kind.
        max_steps: method steps at most.
        time_limit: seconds, compile time included.
        seed: of the method's and the check's separate random streams.
        rows: rows of the trace (even; 0 turns it off).
        checkpoint: file to write about every `checkpoint_seconds` (None: never), and
            at the end; it is tried before the run. A later failure is a warning.
        checkpoint_seconds: between two writes; None: only the end is written.
        resume: a checkpoint file; the run goes on bit for bit. A method that holds
            functions, such as one of optax, is passed again.
        progress: called with a running Result at chunk borders.
        tier: None, or the one executor of the run: "numpy" (nothing is compiled),
            "split" (the method's move alone is), "fused" (one program, slowest to
            compile and fastest to run). By default a first solve begins with the
            first that can run it and goes on with the next where that pays
            (`manifest["schedule"]`). A default method that is pinned is not relayed.

    Returns:
        Result: `x` in the structure of the start as NumPy arrays, `certificate`,
        `status`. Numerical failure is a status, never an exception.

    Raises:
        Misuse: bad input, with the cure in the message.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> result = bn.solve(bn.Lasso(A, b, lam=0.1))
        >>> result.x.round(3), result.status, result.certificate.quantity
        (array([1.133, 1.5  ]), 'certified', 'f(x)-f*')
    """
    _callback(progress)
    seconds(checkpoint_seconds, "checkpoint_seconds")
    pause = math.inf if checkpoint_seconds is None else checkpoint_seconds
    final = None
    saved_at = time.perf_counter()
    limits = Limits.read(tol, max_steps, time_limit, rows)
    if digits is not None:
        from banach.doors import correct_digits

        kept = checkpoint is not None or resume is not None
        asked = correct_digits.read(problem, digits, tol, check, kept)
        given: dict[str, Any] = dict(
            max_steps=max_steps, seed=seed, rows=rows, checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds, resume=resume, progress=progress,
            tier=tier,
        )  # fmt: skip
        go = functools.partial(solve, problem, method, **given)
        return correct_digits.solved(asked, go, start, time_limit)
    live = progress is not None or checkpoint is not None
    how = Manner(validation.seed(seed), live, time.perf_counter(), False, tier)
    with checkpoints.checkpoint(checkpoint, problem, method, check) as kept_file:
        for final in _begun(problem, method, check, start, limits, how, resume):
            if progress is not None:
                progress(final)
            late = time.perf_counter() - saved_at >= pause
            if kept_file is not None and kept_file.offer(final, late):
                saved_at = time.perf_counter()
    assert final is not None
    return final


@door(host=True)
def iterate(
    problem: ProblemLike,
    method: MethodLike = None,
    *,
    start: Any = None,
    tol: Tolerance = 1e-6,
    check: CheckLike = None,
    max_steps: int = 100_000,
    time_limit: float | None = None,
    seed: int = 0,
    rows: int = 256,
    resume: Path | None = None,
    live: bool = True,
    compile_free: bool = False,
    tier: str | None = None,
) -> Iterator[Result]:
    """Like `solve`, but yields a Result at every chunk border; the last is final.

    Misuse is raised by the call, before the first Result is asked for. With
    `compile_free` the clock of `time_limit` starts once all is compiled.

    Args:
        problem, method, start, tol, check: as in `solve`.
        max_steps, time_limit, seed, rows, resume, tier: as in `solve`.
        live: whether chunks are short enough to be watched.
        compile_free: whether the clock of `time_limit` starts once all is compiled.

    Returns:
        Iterator of Result: of status "running", the last one final.

    Raises:
        Misuse: bad input, with the cure in the message.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 4), np.zeros(2))
        >>> states = [state.status for state in bn.iterate(bowl)]
        >>> states[-1]
        'certified'
    """
    validation.flag(live, "live")
    validation.flag(compile_free, "compile_free")
    limits = Limits.read(tol, max_steps, time_limit, rows)
    how = Manner(validation.seed(seed), live, time.perf_counter(), compile_free, tier)
    return _begun(problem, method, check, start, limits, how, resume)


def _begun(
    problem: Any, method: Any, check: Any, start: Any, limits: Limits, how: Manner,
    resume: Any,
) -> Iterator[Result]:  # fmt: skip
    """A run whose arguments were read and matched, before its first Result."""
    with compat.double():
        problem, source = named(problem)
        asked: dict[str, Any] = {
            "default": method is None and resume is None, "start": None,
            "resumed": resume is not None, "max_steps": limits.steps,
            "time_limit": limits.time, "rows": limits.rows, "tier": how.tier,
        }  # fmt: skip
        back = None
        if resume is not None:
            back = restore.checkpoint_of(resume, problem, problem_id(problem))
        default = method is None and back is None
        if default and how.tier is not None:
            # One executor, and one method that has executors to choose from.
            method = defaults.default_method(problem, host=False)
        plan = _plan(problem, method, check, start, back)
        if start is not None:
            asked["start"] = plan.start
        if plan.proof is not None:
            ended = _proven(plan, limits)
            return _told((r for r in (ended,)), source, asked)
        on_host = isinstance(plan.method, HostMethod)
        if plan.check.host and (default or not on_host):
            raise Misuse(_ON_HOST.format(plan.check.name))
        if default and how.tier is None:
            return _told(_relayed(plan, start, limits, how), source, asked)
        if on_host:
            if resume is not None:
                raise Misuse(
                    f"{plan.method.label()} runs on the host and cannot be "
                    "resumed; use start=bn.load(file)"
                )
            if how.tier is not None:
                raise Misuse(f"{plan.method.label()} runs on the host: drop tier=")
            return _told(peer_driver.iterate_host(plan, limits, how), source, asked)
        past = None
        if back is not None:
            if how.tier is not None:
                raise Misuse("resume= goes on as the run's schedule says; drop tier=")
            settings = back["settings"]
            carry = restore.carry_of(back, problem, plan.start, limits)
            past = Past(carry, settings.every, back["seconds"], back["schedule"])
            limits = limits._replace(rows=settings.rows)
            how = how._replace(seed=_seed(back["key"]))
        return _told(driver.iterate(plan, limits, how, past), source, asked)


_ON_HOST = (
    "the check {0} works on the host, after a run: use bn.verify(result, check={0!r})"
)


def _relayed(plan: Plan, start: Any, limits: Limits, how: Manner) -> Iterator[Result]:
    """The default method, and those that follow it where it gives up."""
    problem = plan.problem

    def leg(plan: Plan) -> relay.Leg:
        peer = isinstance(plan.method, HostMethod)

        def run(start: Any, limits: Limits, past: Result | None) -> Iterator[Result]:
            given = plan
            if start is not None:
                given = plan._replace(start=_start(start, problem), ready=None)
            if peer:
                return peer_driver.iterate_host(given, limits, how)
            before = None
            if past is not None:
                carry = dataclasses.replace(past.carry, status=np.int32(0))
                schedule = past.manifest["schedule"]
                every, spent = past.settings.every, past.seconds["run"]
                before = Past(carry, every, spent, schedule)
            return driver.iterate(given, limits, how, before)

        if peer:
            return relay.Leg(run, 1, False)
        if plan.ready is not None:
            return relay.Leg(run, plan.ready.pace, True)
        return relay.Leg(run, loop.cadence(plan.method, plan.check, problem), True)

    def build(name: str) -> relay.Leg | None:
        method = defaults.suggest(name, problem, problem.facts())
        if isinstance(method, Refusal):
            return None
        return leg(_plan(problem, method, plan.check, start, None))

    return relay.relay(
        leg(plan),
        plan.after,
        build,
        limits,
        how,
        start=start,
        convex=lambda: problem.facts().has("convex"),
        beside=lambda r: _beside(problem, r) if start is None else None,
        objective=lambda r: _objective(problem, r),
    )


def _beside(problem: Problem, result: Result) -> Any:
    """Another start, where the one that passes may be a saddle, a maximum or flat."""
    with compat.double():
        return None if problem.untried(result.x) is None else problem.beside()


def _objective(problem: Problem, result: Result) -> float:
    with compat.double():
        return float(problem.objective(result.x))


def _told(
    runs: Any, source: dict[str, Any] | None, asked: dict[str, Any]
) -> Iterator[Result]:
    """The results of a run; the caller's own code, between them, keeps its bits."""
    status = "running"
    while status == "running":
        with compat.double():
            result = next(runs, None)
        if result is None:
            return
        status = result.status
        if status != "running":
            result = result.replaced(source=source or result.source, asked=asked)
        elif source is not None:
            result = result.replaced(source=source)
        yield result
    # Nothing follows a final result, and the driver gives Ctrl-C back at once.
    runs.close()


@door(options_of=solve, host=True)
def minimize(
    fun: Callable[..., Any],
    x0: PyTree,
    args: tuple = (),
    method: MethodLike = None,
    *,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    options: dict[str, Any] | None = None,
    **more: Unpack[SolveOptions],
) -> Result:
    """Minimise a JAX function of any pytree from x0.

    Args:
        fun: fun(x, *args), a JAX function to one number.
        x0: the start, a pytree of arrays.
        args: further arguments of fun, pytrees of arrays.
        method: as in `solve`; an algorithm of SciPy by 'scipy:BFGS'.
        jac, hess, hessp: not needed, JAX differentiates fun; as scipy.optimize takes
            them (jac=True too) they are compared with JAX's at x0.
        bounds: pairs (low, high), or scipy.optimize.Bounds.
        constraints: as scipy.optimize.minimize takes them, in JAX functions. With
            bounds or constraints the problem is a `bn.Constrained`.
        options: {"maxiter": n}, SciPy's word for max_steps.
        more: tol, max_steps and all others of `solve`.

    Facts about the function (convex=True, L=...) are declared on
    `bn.Smooth(fun, x0, args, ...)`.

    Example:
        >>> import jax.numpy as jnp, numpy as np, banach as bn
        >>> f = lambda x: jnp.sum((x - 2) ** 2)
        >>> bn.minimize(f, np.zeros(2), bounds=[(0, 1), (None, 3)]).x.round(4)
        array([1., 2.])
    """
    rest = scipy_arguments.options(options, dict(more))
    problem = scipy_arguments.problem(
        fun, x0, args, jac, hess, hessp, bounds, constraints
    )
    return solve(problem, method, **rest)


@door(host=True)
def solve_many(
    problems: Sequence[Problem] | Stacked,
    method: MethodLike = None,
    *,
    starts: Sequence[Any] | None = None,
    tol: Tolerance = 1e-6,
    check: CheckLike = None,
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
    from banach.doors.solve_many import solve_lanes

    limits = Limits.read(tol, max_steps, time_limit, 0)
    validation.seed(seed)
    _callback(progress)
    if not isinstance(problems, Iterable) or isinstance(problems, str):
        raise Misuse(
            f"solve_many takes a list of problems, got {validation.shown(problems)}; "
            "bn.solve takes one"
        )
    if starts is not None and not isinstance(starts, list | tuple | np.ndarray):
        raise Misuse(
            f"starts must be a list, one start a problem, "
            f"got {validation.shown(starts)}"
        )
    return solve_lanes(
        problems, method, starts=starts, limits=limits, check=check, seed=seed,
        progress=progress,
    )  # fmt: skip


@door(host=True)
def sensitivity(result: Result, cotangent: PyTree) -> adj.Sensitivity:
    """Pull a cotangent of x back to the problem's data by the implicit function.

    Returns gradient (the problem's structure, floating leaves), the relative
    residual of the adjoint solve and the condition number of its matrix. The
    gradient is NaN where the result is not certified or the solve is bad.

    Args:
        result: a certified Result, of a method that runs in JAX.
        cotangent: dg/dx of a number g that is made of x; like x.

    Raises:
        Misuse: a result without its problem, or a cotangent that is not like x.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> result = bn.solve(bn.Ridge(A, b, l2=0.1), tol=1e-12)
        >>> pulled = bn.sensitivity(result, np.array([0.0, 1.0]))
        >>> pulled.gradient.y.round(3)
        array([-0.441,  0.015,  0.47 ])
    """
    if not isinstance(result, Result):
        raise Misuse(
            f"sensitivity takes a Result of bn.solve, got {validation.shown(result)}"
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


def _plan(problem: Problem, method: Any, check: Any, start: Any, back: Any) -> Plan:
    """Method, check and start of a run; remembered where all three were left open."""
    open_ = isinstance(method, str | type | None) and isinstance(check, str | None)
    asked = (method, check) if open_ and start is None and back is None else None
    known = None if asked is None else problem_cache.known(problem)
    if known is not None and asked in known.plans:
        return known.plans[asked]._replace(problem=problem, data=known)
    found = problem_cache.shared(problem) if known is None else known.leaves
    pairs = zip(jax.tree.leaves(problem), found, strict=False)
    lasting = {id(leaf): there for leaf, there in pairs if there is not None}
    with memoised_calls.once(problem, lasting):
        plan = _decided(problem, method, check, start, back)
        if asked is None or plan.proof is not None or plan.check.host:
            return plan
        data = problem_cache.made(problem, found) if known is None else known
        if isinstance(plan.method, HostMethod):
            ready = None
        else:
            rest = (plan.method, plan.check, plan.start)
            ready = problem_cache.Ready(data, problem, *rest)
    # Without problem and data: what holds the plan must not be held by it.
    data.plans[asked] = plan._replace(problem=None, ready=ready)
    return plan._replace(data=data, ready=ready)


def _decided(problem: Problem, method: Any, check: Any, start: Any, back: Any) -> Plan:
    sound(problem)
    proof, default = problem.unsolvable(), method is None and back is None
    if back is None:
        check = defaults.check_for(check, problem)
        method = _chosen(method, problem, proof)
    else:
        asked_for = None if check is None else defaults.check_for(check, problem)
        dtype = back["dtype"]
        lacks = isinstance(back["method"], restore.Known) and method is not None
        if lacks or not isinstance(method, str | type | None):
            method = defaults.method_for(method, problem)
        back["method"] = restore.same_method(back, method, problem)
        restore.same_run(back, method, start, asked_for, dtype)
        check = defaults.check_for(back["check"], problem)
        method = defaults.method_for(back["method"], problem)
    point = _start(start, problem)
    if back is not None and dtype != tree.dtype(point.x):
        point = Point(tree.cast(point.x, dtype))  # the run began at a start of its own
    follow = defaults.after(method, problem) if default else ()
    return Plan(problem, method, check, point, proof, tuple(follow))


def planned(
    problem: Problem, method: Any, check: Any, start: Any
) -> problem_cache.Ready:
    """A run made ready for its executors; call inside a 64-bit context."""
    return _plan(problem, method, check, start, None).made()[1]


def _chosen(method: Any, problem: Problem, proof: Any) -> Any:
    """The method; with a proof that there is no solution, one that would refuse too."""
    try:
        return defaults.method_for(method, problem)
    except Misuse:
        if proof is None or method is not None:
            raise
        return defaults.first_choice(problem)


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


def _callback(progress: Any) -> None:
    if progress is not None and not callable(progress):
        raise Misuse(
            f"progress must be a function, got {validation.shown(progress)}; it is "
            "called with each running Result"
        )


def _seed(raw: np.ndarray) -> int:
    return int(raw[0]) << 32 | int(raw[1])


def _proven(plan: Plan, limits: Limits) -> Result:
    """A Result for a problem that the data show to have no solution."""
    began, before = time.perf_counter(), executors.making()
    raw = compile_cache.raw_key(0)
    check = loop.leaves_in(tree.dtype(plan.start.x), plan.check)
    cert, kept = judged(plan.problem, check, plan.start, raw, 0)
    cert = cert.absolute() if limits.absolute else cert
    asked = Asked(plan._replace(check=check), limits, raw,
                  lambda: problem_id(plan.problem))  # fmt: skip
    elapsed = time.perf_counter() - began
    assert plan.proof is not None
    clock = Clock(executors.making() - before, 0.0, 0.0, elapsed)
    return finish(asked, OneLook(plan.proof[0], cert, kept), clock)

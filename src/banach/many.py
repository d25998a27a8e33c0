"""solve_many: stack problems, run the lanes, unstack the verdicts."""

import functools
import time
from typing import Any

import jax
import numpy as np

from banach import choose
from banach.answers import arrays, fits
from banach.core import batch, compat, programs, tree
from banach.core import run as loop
from banach.core.finish import Asked, Clock, finish, no_rows
from banach.core.method import HostMethod, Refusal, decided, open_fields
from banach.core.plan import Limits, Plan
from banach.core.point import Point
from banach.core.problem import Misuse, Problem, sound
from banach.core.result import Result, TraceView, problem_id
from banach.parts.view import Viewed


def solve_lanes(
    problems: list[Problem],
    method: Any,
    *,
    starts: Any,
    limits: Limits,
    check: Any,
    seed: int,
    progress: Any,
) -> list[Result]:
    """See `banach.solve_many`."""
    began = time.perf_counter()
    if not problems:
        raise Misuse("solve_many needs at least one problem, got an empty list")
    for p in problems:
        if not isinstance(p, Problem):
            raise Misuse(f"solve_many takes problems, got {type(p).__name__}")
        sound(p)
    with compat.double():
        first = problems[0]
        structure = jax.tree.structure(first)
        shapes = _shapes(first)
        for i, p in enumerate(problems):
            if jax.tree.structure(p) != structure or _shapes(p) != shapes:
                raise Misuse(
                    f"problem {i} differs from problem 0 in kind, structure, shape or "
                    "dtype; group problems of one structure and call solve_many once "
                    "for each group"
                )
        if starts is not None and len(starts) != len(problems):
            raise Misuse(f"{len(starts)} starts for {len(problems)} problems")
        stacked = _stack(problems)
        check = choose.check_for(check, first)
        template = _template(method, problems)
        if isinstance(template, HostMethod):
            raise Misuse(
                f"{template.label()} runs on the host, one problem at a time; use "
                "bn.solve in a loop, or a banach method"
            )
        n = len(problems)
        methods = _methods(method, template, stacked, n)
        if starts is None:
            points = jax.jit(jax.vmap(lambda p: p.start()))(stacked)
        else:
            given = [arrays(getattr(s, "x", s)) for s in starts]
            for i, x in enumerate(given):
                fits(x, first, f"starts[{i}]")
            points = Point(_stack(given))
        dtype = tree.dtype(points.x)
        checks = _repeat(loop.leaves_in(dtype, check), n)
        settings = loop.Settings(
            loop.cadence(template, check, first), 0, limits.absolute
        )
        keys = np.stack([programs.raw_key(seed + i) for i in range(n)])
        lanes = batch.run_lanes(
            (stacked, methods, checks, points), settings, limits, raw_keys=keys,
            began=began, progress=progress,
        )  # fmt: skip
        elapsed = time.perf_counter() - began
        limit = limits.time if lanes.timed_out else None
        calls = jax.vmap(lambda c: loop.calls_of(template, c))(lanes.carry)
        calls = jax.device_get(calls)
        results = []
        for i, problem in enumerate(problems):
            left = _Lane(lanes.carry, calls, i)
            plan = Plan(problem, template, check, points)
            asked = Asked(plan, limits, keys[i], functools.partial(problem_id, problem))
            ended = limit if left.status == "budget" else None
            clock = Clock(lanes.compile, lanes.run / n, 0.0, elapsed, ended)
            results.append(finish(asked, left, clock))
        return results


class _Lane:
    """What one lane leaves; it is cut out of the stack when it is read."""

    def __init__(self, carry: Any, calls: Any, i: int):
        self.stack, self.counts, self.i = carry, calls, i
        status = loop.STATUSES[int(carry.status[i])]
        self.status = "budget" if status == "running" else status
        self.steps = int(carry.step[i])

    def cut(self, tree: Any) -> Any:
        """This lane of stacked leaves."""
        return jax.tree.map(lambda v: v[self.i], tree)

    def point(self) -> Point:
        """The best point."""
        return self.cut(self.stack.best.point)

    def certificate(self) -> Any:
        """What was written of it."""
        return self.cut(self.stack.best.certificate)

    def best_step(self) -> int:
        """The step that it belongs to."""
        return int(self.stack.best.step[self.i])

    def bad(self) -> tuple[int, int]:
        """(step, leaf) of the first non-finite value."""
        return int(self.stack.bad_step[self.i]), int(self.stack.bad_leaf[self.i])

    def calls(self) -> dict[str, int]:
        """Oracle calls of the method."""
        return {k: int(v[self.i]) for k, v in self.counts.items()}

    def trace(self) -> TraceView:
        """Lanes keep no rows."""
        return no_rows()

    def said(self) -> None:
        """Lanes keep no word of a peer."""

    def carry(self) -> None:
        """Lanes are not resumed."""

    def schedule(self) -> None:
        """Lanes have one executor."""


def _shapes(problem: Problem) -> list[Any]:
    return [(np.shape(v), np.result_type(v)) for v in jax.tree.leaves(problem)]


def _stack(trees: Any) -> Any:
    return jax.tree.map(lambda *v: np.stack([np.asarray(a) for a in v]), *trees)


def _repeat(value: Any, n: int) -> Any:
    return jax.tree.map(lambda v: np.broadcast_to(v, (n, *np.shape(v))), value)


def _methods(asked: Any, template: Any, stacked: Any, n: int) -> Any:
    """One method per lane: an instance is shared, a suggestion is made per lane."""
    dtype = tree.dtype(jax.eval_shape(lambda p: p.start(), _first(stacked)).x)
    given = asked is not None and not isinstance(asked, str | type)
    if given and not open_fields(asked):
        return _repeat(loop.leaves_in(dtype, template), n)
    seen, cls = isinstance(template, Viewed), type(template.bare())

    def build(p):
        view = p.view(always=True) if seen else None
        other = view.there(p) if seen else p
        facts = other.facts()
        made = decided(asked, other, facts) if given else cls.suggest(other, facts)
        if isinstance(made, Refusal):
            raise Misuse(made.cure)
        return loop.leaves_in(dtype, Viewed(made, view) if seen else made)

    if isinstance(asked, str) and ":" in asked:
        return _repeat(loop.leaves_in(dtype, template), n)
    return jax.jit(jax.vmap(build))(stacked)


def _template(asked: Any, problems: list[Problem]) -> Any:
    """The method as the lane sees it that needs a view most; one program for all."""
    built = choose.method_for(asked, problems[0])
    if isinstance(built, HostMethod | Viewed):
        return built
    for p in problems[1:]:
        if p.view() is not None:
            return choose.method_for(asked, p)
    return built


def _first(stacked: Any) -> Any:
    return jax.tree.map(lambda v: v[0], stacked)

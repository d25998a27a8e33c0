"""solve_many: problems side by side, their lanes run at once, verdicts in columns."""

import math
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from banach.core import compat, tree
from banach.core.method import HostMethod, Refusal, decided, open_fields
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.stacked import Stacked, stacked
from banach.core.view import Viewed
from banach.doors import defaults
from banach.doors.verify import arrays, fits
from banach.engine import lanes as batch
from banach.engine import loop
from banach.engine.plan import Limits
from banach.engine.solve_many_results import Many, Methods, Results

# Of the steps between looks of one run, where no instance of a method was given: lanes
# wait for the slowest, and each of them pays for steps beyond its verdict (ours: looks
# are a quarter of the work then; logistic fits of 100 x 10 take 6 steps, not 8).
PACE = 0.4


def solve_lanes(
    problems: Any,
    method: Any,
    *,
    starts: Any,
    limits: Limits,
    check: Any,
    seed: int,
    progress: Any,
) -> Results:
    """See `banach.solve_many`."""
    began = time.perf_counter()
    with compat.double():
        stack = stacked(problems, "solve_many")
        n = len(stack)
        if not n:
            raise Misuse("solve_many needs at least one problem, got an empty stack")
        first = stack.view(0)
        if starts is not None and len(starts) != n:
            raise Misuse(f"{len(starts)} starts for {n} problems")
        check = defaults.check_for(check, first)
        if check.host:
            raise Misuse(
                f"the check {check.name} works on the host, after a run: use "
                f"bn.verify(result, check={check.name!r})"
            )
        template = _template(method, stack)
        if isinstance(template, HostMethod):
            raise Misuse(
                f"{template.label()} runs on the host, one problem at a time; use "
                "bn.solve in a loop, or a banach method"
            )
        points = _starts(starts, stack, first)
        dtype = tree.dtype(points.like.x)
        methods = _methods(method, template, stack, dtype)
        check = loop.leaves_in(dtype, check)
        pace = loop.cadence(methods.first, check, first)
        if method is None or isinstance(method, str | type):
            pace = math.ceil(PACE * pace)
        own, check_tree = jax.tree.flatten(check)
        own = [np.asarray(v) for v in own]
        inputs = batch.Inputs(
            [*stack.leaves, *methods.leaves, *own, *points.leaves],
            (*stack.shared, *methods.shared, *[True] * len(own), *points.shared),
            jax.tree_util.treedef_tuple(
                (stack.treedef, methods.treedef, check_tree, points.treedef)
            ),
            n,
        )
        lanes = batch.run_lanes(
            inputs, loop.Settings(pace, 0, limits.absolute), limits,
            raw_keys=_keys(seed, n), began=began, progress=progress,
        )  # fmt: skip
        elapsed = time.perf_counter() - began
        cut = limits.time if lanes.timed_out else None
        many = Many(stack, methods, check, limits, lanes, cut, elapsed)
        return Results(many, np.arange(n))


class _Columns:
    """One thing a lane: leaves stacked or shared, and the structure."""

    def __init__(self, leaves: list[Any], shared: list[bool], treedef: Any):
        self.leaves, self.shared, self.treedef = leaves, shared, treedef

    @property
    def like(self) -> Any:
        """That of a lane, as structs."""
        rows = zip(self.leaves, self.shared, strict=True)
        return jax.tree.unflatten(
            self.treedef,
            [jax.ShapeDtypeStruct(v.shape if s else v.shape[1:], v.dtype)
             for v, s in rows],
        )  # fmt: skip


def _keys(seed: int, n: int) -> np.ndarray:
    """Key data of the seeds seed, seed + 1, ...: one a lane."""
    seeds = np.uint64(seed) + np.arange(n, dtype=np.uint64)
    halves = (seeds >> np.uint64(32), seeds & np.uint64(0xFFFFFFFF))
    return np.stack(halves, axis=1).astype(np.uint32)


def _starts(starts: Any, stack: Stacked, first: Problem) -> _Columns:
    if starts is None:
        return _each(lambda p: p.start(), stack)
    given = [arrays(getattr(s, "x", s)) for s in starts]
    for i, x in enumerate(given):
        fits(x, first, f"starts[{i}]")
    x = jax.tree.map(lambda *v: np.stack([np.asarray(a) for a in v]), *given)
    leaves, treedef = jax.tree.flatten(Point(x))
    return _Columns(leaves, [False] * len(leaves), treedef)


def _each(make: Callable[[Problem], Any], stack: Stacked) -> _Columns:
    """What `make` makes of every problem; what is the same for all is made once."""
    box: list[Any] = []

    def lane(*leaves: Any) -> list[Any]:
        out, treedef = jax.tree.flatten(make(jax.tree.unflatten(stack.treedef, leaves)))
        box.append(treedef)
        return out

    rows = list(zip(stack.leaves, stack.shared, strict=True))
    like = [
        jax.ShapeDtypeStruct(v.shape if s else v.shape[1:], v.dtype) for v, s in rows
    ]
    closed = jax.make_jaxpr(lane)(*like)
    jaxpr = closed.jaxpr
    known = {v: (c, True) for v, c in zip(jaxpr.constvars, closed.consts, strict=True)}
    known |= dict(zip(jaxpr.invars, rows, strict=True))
    found = [
        (np.asarray(v.val, v.aval.dtype), True)
        if isinstance(v, compat.Literal)
        else known.get(v, (None, False))
        for v in jaxpr.outvars
    ]
    made, shared = [v for v, _ in found], [s for _, s in found]
    open_ = [i for i, v in enumerate(made) if v is None]
    if open_:
        axes = [None if s else 0 for s in stack.shared]
        many = jax.vmap(
            lambda *v: [compat.jaxpr_as_fun(closed)(*v)[i] for i in open_],
            in_axes=tuple(axes), axis_size=stack.size,
        )  # fmt: skip
        for i, v in zip(open_, jax.jit(many)(*stack.leaves), strict=True):
            made[i] = v
    return _Columns([np.asarray(v) for v in made], shared, box[0])


def _methods(asked: Any, template: Any, stack: Stacked, dtype: Any) -> Methods:
    """One method per lane: an instance is shared, a suggestion is made per lane."""
    given = asked is not None and not isinstance(asked, str | type)
    variant = isinstance(asked, str) and ":" in asked
    # A view is made of each lane's own data, whoever gave the method's numbers.
    made_view = isinstance(template, Viewed) and not isinstance(asked, Viewed)
    if variant or (given and not open_fields(asked) and not made_view):
        leaves, treedef = jax.tree.flatten(loop.leaves_in(dtype, template))
        own = [np.asarray(v) for v in leaves]
        return Methods(own, [True] * len(own), treedef)
    seen, cls = isinstance(template, Viewed), type(template.bare())

    def build(p: Problem) -> Any:
        view = template.view.again(p) if seen else None
        other = p if view is None else view.there(p)
        facts = other.facts()
        made = decided(asked, other, facts) if given else cls.suggest(other, facts)
        if isinstance(made, Refusal):
            raise Misuse(made.cure)
        made = made if given else made.in_lanes()
        return loop.leaves_in(dtype, Viewed(made, view) if seen else made)

    columns = _each(build, stack)
    return Methods(columns.leaves, columns.shared, columns.treedef)


def _template(asked: Any, stack: Stacked) -> Any:
    """The method as the lane sees it that needs a view most; one program for all."""
    built = defaults.method_for(asked, stack.view(0), host=False)
    if isinstance(built, HostMethod | Viewed):
        return built
    other = stack.view(0).uneven(stack)
    return (
        built
        if other is None
        else defaults.method_for(asked, stack.view(other), host=False)
    )

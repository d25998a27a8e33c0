"""What claims run: methods off their books, watched and counted by us.

Everything runs in float64. A watched number is any function of (problem, point), as
`objective`, `gradient_norm` and `fixed_residual` below; a look is never counted.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.core.point import Point
from banach.engine.loop import leaves_in

Watch = Callable[[Any, Point], Any]


def objective(problem: Any, point: Point) -> Any:
    """F(x), the term included where the problem has one."""
    whole = getattr(problem, "objective", None)
    return problem.value(point.x) if whole is None else whole(point.x)


def gradient_norm(problem: Any, point: Point) -> Any:
    """||grad f(x)||."""
    return tree.norm(problem.grad(point.x))


def residual_norm(problem: Any, point: Point) -> Any:
    """||r(x)|| of residuals or of a system of equations."""
    return tree.norm(problem.residual(point.x))


def where(problem: Any, point: Point) -> Any:
    """x itself, as one vector."""
    return tree.ravel(point.x)[0]


def suggested(method: Any, problem: Any, **given: Any) -> Any:
    """The method as it suggests itself for a problem, with some values given."""
    found = method.suggest(problem, problem.facts(), **given)
    if not isinstance(found, method):
        raise ValueError(str(found))
    return found


def trace(
    problem: Any,
    method: Any,
    steps: int,
    *,
    start: Any = None,
    seed: int = 0,
    every: int = 1,
    **watch: Watch,
) -> dict[str, np.ndarray]:
    """Each watched number after steps 0, every, 2 every .. `steps`.

    Beside them, a row an oracle: the calls so far, by the card or as counted.
    """
    start = problem.start() if start is None else Point(start)
    run = _trace(tuple(watch.items()), steps // every, every)
    seen, calls = run(*_arrays(problem, method, start), jax.random.key(seed))
    return {k: np.asarray(v) for k, v in {**seen, **calls}.items()}


@functools.lru_cache(maxsize=4)
def _trace(watch: tuple[tuple[str, Watch], ...], looks: int, every: int) -> Any:
    @jax.jit
    def run(problem, method, start, key):
        def look(state, steps):
            point = method.point(state)
            seen = {name: f(problem, point) for name, f in watch}
            return seen, _calls(method, state, steps)

        def one(carry, i):
            def step(j, state):
                k = jax.random.fold_in(key, i * every + j + 1)
                return _like(method.step(problem, state, k), state)

            state = jax.lax.fori_loop(0, every, step, carry)
            return state, look(state, (i + 1) * every)

        first = _typed(method.init(problem, start, jax.random.fold_in(key, 0)))
        _, rows = jax.lax.scan(one, first, jnp.arange(looks))
        return jax.tree.map(_prepend, look(first, 0), rows)

    return run


def states(method: Any, problem: Any, steps: int) -> Any:
    """States 0 .. steps of a method that draws nothing, stacked."""
    run = _states(*_arrays(problem, method, problem.start()), steps)
    return jax.tree.map(np.asarray, run)


@functools.partial(jax.jit, static_argnums=3)
def _states(problem, method, start, steps):
    key = jax.random.key(0)

    def one(state, _):
        return _like(method.step(problem, state, key), state), state

    first = _typed(method.init(problem, start, key))
    return jax.lax.scan(one, first, None, steps + 1)[1]


@dataclasses.dataclass(frozen=True)
class Reached:
    """How a counted run ended: steps, oracle calls, whether it got there, where."""

    steps: int
    calls: dict[str, int]
    reached: bool
    ratio: float
    x: np.ndarray

    def price(self, of: str | Mapping[str, float]) -> float:
        """Calls of an oracle, or a weighted sum of several; infinite if not reached.

        "steps" prices the steps themselves.
        """
        if not self.reached:
            return np.inf
        weights = {of: 1.0} if isinstance(of, str) else of
        counts = {**self.calls, "steps": self.steps}
        return float(sum(w * counts.get(k, 0) for k, w in weights.items()))


def until(
    problem: Any,
    method: Any,
    small: Watch,
    target: float,
    cap: int,
    *,
    relative: bool = True,
    start: Any = None,
    seed: int = 0,
) -> Reached:
    """Run until `small` is at most target (times its first value), stuck, or `cap`."""
    start = problem.start() if start is None else Point(start)
    run = _until(small, relative)
    arrays = _arrays(problem, method, start)
    steps, calls, ratio, x = run(*arrays, jax.random.key(seed), target, cap)
    calls = {k: int(v) for k, v in calls.items()}
    return Reached(
        int(steps), calls, bool(ratio <= target), float(ratio), np.asarray(x)
    )


@functools.lru_cache(maxsize=4)
def _until(small: Watch, relative: bool) -> Any:
    @jax.jit
    def run(problem, method, start, key, target, cap):
        def size(state):
            return small(problem, method.point(state)) / first

        def go(carry):
            state, steps, now = carry
            # Not "now > target": a NaN has to end the run.
            wanted = jnp.isfinite(now) & ~(now <= target)
            return wanted & (steps < cap) & ~method.stuck(state)

        def one(carry):
            state, steps, _ = carry
            k = jax.random.fold_in(key, steps + 1)
            state = _like(method.step(problem, state, k), state)
            return state, steps + 1, size(state)

        first = small(problem, start) if relative else 1.0
        state = _typed(method.init(problem, start, jax.random.fold_in(key, 0)))
        state, steps, now = jax.lax.while_loop(
            go, one, (state, jnp.zeros((), int), jnp.asarray(size(state), float))
        )
        x = tree.ravel(method.point(state).x)[0]
        return steps, _calls(method, state, steps), now, x

    return run


def prices(
    problems: Mapping[str, Any],
    methods: Mapping[str, Callable[[Any], Any]],
    small: Watch,
    target: float,
    cap: int,
    of: str | Mapping[str, float],
    **options: Any,
) -> dict[str, dict[str, float]]:
    """What each method pays on each problem: problem -> label -> price.

    `methods` maps a label to what builds a method for a problem.
    """
    return {
        name: {
            label: until(problem, make(problem), small, target, cap, **options).price(
                of
            )
            for label, make in methods.items()
        }
        for name, problem in problems.items()
    }


def ratios(
    table: Mapping[str, Mapping[str, float]], of: str, to: str
) -> dict[str, float]:
    """The price of one over that of another, by problem.

    Where only the other never arrived it is 0; where neither did, NaN.
    """
    with np.errstate(invalid="ignore"):
        return {k: float(np.divide(row[of], row[to])) for k, row in table.items()}


def peer(
    stream: Iterable[tuple[Point, Mapping[str, int]]],
    problem: Any,
    small: Watch,
    target: float,
    of: str,
) -> float:
    """Calls of an oracle that a peer of `bridge/` pays for the target, relative.

    Counted at the end of its iterations, as our own are.
    """
    size = jax.jit(small)
    enough = target * float(size(problem, problem.start()))
    for point, calls in stream:
        if float(size(problem, point)) <= enough:
            return float(calls[of])
    return np.inf


def scipy(name: str, problem: Any, **options: Any) -> Any:
    """The iterations of a minimiser of SciPy, its own tests switched off."""
    from banach.bridge.scipy import Scipy

    return Scipy(name, options).stream(problem, problem.start(), jax.random.key(0))


def slope(at: Any, values: Any) -> float:
    """The slope of log(values) over log(at)."""
    return float(np.polyfit(np.log(at), np.log(values), 1)[0])


def _arrays(problem: Any, method: Any, start: Point) -> tuple[Any, Any, Any]:
    array = functools.partial(jax.tree.map, jnp.asarray)
    return array(problem), leaves_in(np.float64, method), array(start)


def _calls(method: Any, state: Any, steps: Any) -> dict[str, Any]:
    cost, first = method.card.cost, method.card.init_cost or {}
    if cost is None:
        counts = method.calls(state)
    else:
        every = {**first, **cost}
        counts = {k: first.get(k, 0) + cost.get(k, 0) * steps for k in every}
    return {k: jnp.asarray(v) for k, v in counts.items()}


def _typed(state: Any) -> Any:
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), state)


def _like(value: Any, model: Any) -> Any:
    return jax.tree.map(lambda v, m: jnp.asarray(v, m.dtype), value, model)


def _prepend(first: Any, rest: Any) -> Any:
    return jnp.concatenate([jnp.asarray(first)[None], rest])

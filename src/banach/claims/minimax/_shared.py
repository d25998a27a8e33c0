"""What the claims of this family share: residuals against component evaluations."""

import functools
from types import SimpleNamespace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.core.point import Point
from banach.engine.loop import leaves_in

ROWS = 6000


class ForwardBackward(eqx.Module):
    """The baseline z+ = J_s(z - s F(z)): averaged steps, or descent and ascent."""

    step_size: Any
    card: ClassVar[Any] = SimpleNamespace(cost={"operator": 1, "resolvent": 1})

    def init(self, problem, start, key):
        return start.x

    def step(self, problem, z, key):
        s = jnp.asarray(self.step_size, tree.dtype(z))
        return problem.resolvent(tree.axpy(-s, problem.operator(z), z), s)

    def point(self, z):
        return Point(z)


def residual(problem: Any, z: Any) -> Any:
    """||z - J_t(z - t F(z))|| / t with the problem's t; ||F(z)|| without a term."""
    F = problem.operator(z)
    if problem.term is None:
        return tree.norm(F)
    t = jnp.asarray(problem.residual_step(), tree.dtype(z))
    after = problem.resolvent(tree.axpy(-t, F, z), t)
    return tree.norm(tree.sub(z, after)) / t


def course(
    problem: Any,
    method: Any,
    *,
    target: float = 0.0,
    budget: float = np.inf,
    every: int = 1,
    rows: int = ROWS,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Steps, components and relative residuals, looked at `every` steps.

    Ends at the first look at or below `target` times the first residual, or with
    `budget` components spent (a full pass counts n), or with `rows` looks. The looks
    themselves are not counted.
    """
    method = leaves_in(np.float64, method)
    budget = min(budget, np.iinfo(np.int32).max)
    rows = min(rows, ROWS)
    out = _go(problem, method, target, budget, rows, jax.random.key(seed), every)
    looks, sizes, spent = (np.asarray(v) for v in out)
    steps = every * np.arange(looks + 1)
    return {"steps": steps, "ratio": sizes[: looks + 1], "spent": spent[: looks + 1]}


@functools.partial(jax.jit, static_argnames="every")
def _go(problem, method, target, budget, rows, key, every):
    n, cost = problem.n, method.card.cost

    def components(state, steps):
        calls = method.calls(state) if cost is None else cost
        times = 1 if cost is None else steps
        total = n * calls["operator"] + calls.get("component", 0)
        return jnp.asarray(total * times, jnp.int32)

    def more(loop):
        i, _, sizes, spent = loop
        good = jnp.isfinite(sizes[i]) & (sizes[i] > target)
        return good & (i < rows) & (spent[i] < budget)

    def look(loop):
        i, state, sizes, spent = loop

        def one(j, state):
            k = jax.random.fold_in(key, i * every + j)
            return _like(method.step(problem, state, k), state)

        state = jax.lax.fori_loop(0, every, one, state)
        size = residual(problem, method.point(state).x) / first
        sizes = sizes.at[i + 1].set(size)
        spent = spent.at[i + 1].set(components(state, (i + 1) * every))
        return i + 1, state, sizes, spent

    start = problem.start()
    start = jax.tree.map(jnp.asarray, start)
    first = residual(problem, start.x)
    state = method.init(problem, start, key)
    state = jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), state)
    sizes = jnp.zeros(ROWS + 1, first.dtype).at[0].set(1)
    spent = jnp.zeros(ROWS + 1, jnp.int32).at[0].set(components(state, 0))
    i, _, sizes, spent = jax.lax.while_loop(
        more, look, (jnp.zeros((), jnp.int32), state, sizes, spent)
    )
    return i, sizes, spent


def _like(value, model):
    return jax.tree.map(lambda v, m: jnp.asarray(v, m.dtype), value, model)


def reached(course: dict[str, np.ndarray], target: float) -> float | None:
    """Components until the first look at or below the target; None if never."""
    good = course["ratio"] <= target
    return float(course["spent"][np.argmax(good)]) if good.any() else None


def thin(course: dict[str, np.ndarray], count: int = 150) -> tuple[list, list]:
    """Components and residuals at about `count` looks, for a figure."""
    last = len(course["spent"]) - 1
    at = np.unique(np.geomspace(1, last + 1, count).astype(int)) - 1
    return course["spent"][at].tolist(), course["ratio"][at].tolist()

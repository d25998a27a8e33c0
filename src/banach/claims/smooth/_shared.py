"""What the claims of this family share: counted runs, SciPy as a peer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.engine.loop import leaves_in


def history(method: Any, problem: Any, steps: int) -> dict[str, np.ndarray]:
    """x, f(x) and ||grad f(x)|| at steps 0 .. steps, off the method's books."""
    start = problem.start()
    method = leaves_in(np.float64, method)

    @jax.jit
    def program(method, problem):
        def look(state):
            x = method.point(state).x
            return problem.value(x), tree.norm(problem.grad(x)), x

        def one(state, _):
            state = method.step(problem, state, jax.random.key(0))
            return state, look(state)

        first = method.init(problem, start, jax.random.key(0))
        _, rows = jax.lax.scan(one, first, None, steps)
        return jax.tree.map(_prepend, look(first), rows)

    f, g, x = program(method, problem)
    return {"f": np.asarray(f), "g": np.asarray(g), "x": np.asarray(x)}


def _prepend(first, rest):
    return jnp.concatenate([first[None], rest])


def count(method: Any, problem: Any, tol: float, cap: int) -> dict[str, Any]:
    """Steps and oracle calls until ||g|| <= tol ||g_0||, a stuck method, or the cap."""
    start = problem.start()
    method = leaves_in(np.float64, method)

    @jax.jit
    def program(method, problem):
        def size(state):
            return tree.norm(problem.grad(method.point(state).x))

        def go(c):
            state, steps, now = c
            return (now > tol * first) & (steps < cap) & ~method.stuck(state)

        def one(c):
            state = method.step(problem, c[0], jax.random.key(0))
            return state, c[1] + 1, size(state)

        first = tree.norm(problem.grad(start.x))
        state = method.init(problem, start, jax.random.key(0))
        state, steps, now = jax.lax.while_loop(go, one, (state, 0, size(state)))
        cost = method.card.cost
        calls = {k: steps * v for k, v in cost.items()} if cost else method.calls(state)
        return steps, calls, now / first, method.point(state).x

    steps, calls, ratio, x = program(method, problem)
    return {
        "steps": int(steps),
        "reached": bool(ratio <= tol),
        "x": np.asarray(x),
        **{k: int(v) for k, v in calls.items()},
    }


def peer(name: str, problem: Any, tol: float, **options: Any) -> dict[str, Any]:
    """Gradients that a SciPy minimiser takes until ||g|| <= tol ||g_0||.

    Counted at the end of its iterations, like our own; its own tests are off.
    """
    from banach.bridge.scipy import Scipy

    start = problem.start()
    size = jax.jit(lambda x, p: tree.norm(p.grad(x)))
    enough = tol * float(size(start.x, problem))
    calls = {"grad": 0}
    stream = Scipy(name, options).stream(problem, start, jax.random.key(0))
    for point, calls in stream:
        if float(size(point.x, problem)) <= enough:
            stream.close()
            return {"grad": calls["grad"], "reached": True}
    return {"grad": calls["grad"], "reached": False}


def mean(ratios: Any) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(np.asarray(ratios, float)))))

"""What the claims of this family share: runs on Poisson problems, step by step."""

import time
from typing import Any

import jax
import numpy as np

from banach.core import tree
from banach.core.run import leaves_in


def problem(n: int, seed: int | None) -> Any:
    """Poisson on n x n with obstacles of a seed (None: empty), a source and noise."""
    from banach.parts.grid import obstacles, poisson
    from banach.problems.linear import Linear
    from banach.zoo.linear import right_side

    solid = np.zeros((n, n), bool) if seed is None else obstacles(n, seed)
    return Linear(poisson(solid), right_side(solid, 1000 + n + (seed or 0)))


def until(problem: Any, method: Any, tol: float, most: int) -> dict[str, Any]:
    """Steps and seconds until ||b - A x|| <= tol ||b||, recomputed from A each step.

    The seconds are of a second run without these looks, of as many steps, warm.
    """
    start = problem.start()
    method = leaves_in(tree.dtype(start.x), method)
    key = jax.random.key(0)
    size = tree.norm(jax.tree.map(np.asarray, problem.b))

    @jax.jit
    def watched(problem, method):
        def more(c):
            _, k, ratio, _ = c
            return (k < most) & (ratio > tol)

        def body(c):
            state, k, _, rows = c
            state = method.step(problem, state, key)
            ratio = tree.norm(problem.residual(method.point(state).x)) / size
            return state, k + 1, ratio, rows.at[k].set(ratio)

        state = method.init(problem, start, key)
        one = size / size
        rows = jax.numpy.full(most, np.nan, one.dtype)
        return jax.lax.while_loop(more, body, (state, 0, one, rows))[1:]

    @jax.jit
    def bare(problem, method, steps):
        state = method.init(problem, start, key)
        state = jax.lax.fori_loop(
            0, steps, lambda _, s: method.step(problem, s, key), state
        )
        return method.point(state).x

    steps, ratio, rows = jax.device_get(watched(problem, method))
    call = bare.lower(problem, method, np.int32(1)).compile()
    began = time.perf_counter()
    jax.block_until_ready(call(problem, method, np.int32(steps)))
    seconds = time.perf_counter() - began
    return {
        "steps": int(steps),
        "reached": bool(ratio <= tol),
        "seconds": seconds,
        "ratios": [1.0, *[float(v) for v in rows[: int(steps)]]],
    }

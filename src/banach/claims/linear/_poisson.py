"""What the claims of this family share: runs on Poisson problems, step by step."""

import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.engine.loop import leaves_in


def problem(n: int, seed: int | None) -> Any:
    """Poisson on n x n with obstacles of a seed (None: empty), a source and noise."""
    from banach.kinds.linear.problem import Linear
    from banach.kinds.linear.zoo import right_side
    from banach.parts.grid_laplacians import obstacles, poisson_grid

    solid = np.zeros((n, n), bool) if seed is None else obstacles(n, seed)
    return Linear(poisson_grid(solid), right_side(solid, 1000 + n + (seed or 0)))


def until(problem: Any, method: Any, tol: float, most: int) -> dict[str, Any]:
    """Steps and seconds until ||b - A x|| <= tol ||b||, recomputed from A each step.

    The seconds are of a warm run; they include that recomputation, one product with A
    a step.
    """
    method = leaves_in(tree.dtype(problem.start().x), method)
    jax.block_until_ready(_watched(problem, method, tol, 1, most))
    began = time.perf_counter()
    out = jax.block_until_ready(_watched(problem, method, tol, most, most))
    seconds = time.perf_counter() - began
    steps, ratio, rows = jax.device_get(out)
    return {
        "steps": int(steps),
        "reached": bool(ratio <= tol),
        "seconds": seconds,
        "ratios": [1.0, *[float(v) for v in rows[: int(steps)]]],
    }


@functools.partial(jax.jit, static_argnames="rows")
def _watched(problem, method, tol, most, rows):
    """(steps, last ratio, all ratios); one program for all problems of one size."""
    key = jax.random.key(0)
    size = tree.norm(problem.b)

    def more(c):
        _, k, ratio, _ = c
        return (k < most) & (ratio > tol)

    def body(c):
        state, k, _, seen = c
        state = method.step(problem, state, key)
        ratio = tree.norm(problem.residual(method.point(state).x)) / size
        return state, k + 1, ratio, seen.at[k].set(ratio)

    state = method.init(problem, problem.start(), key)
    seen = jnp.full(rows, jnp.nan, size.dtype)
    first = (state, jnp.zeros((), jnp.int32), jnp.ones((), size.dtype), seen)
    return jax.lax.while_loop(more, body, first)[1:]

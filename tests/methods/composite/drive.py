"""Iterates of a method as NumPy arrays, one jitted step at a time."""

import jax
import numpy as np

from banach.engine.loop import leaves_in


def iterates(problem, method, steps):
    """The points after each of `steps` steps, and the last state."""
    start = problem.start()
    dtype = np.asarray(start.x).dtype
    method = leaves_in(dtype, method)
    key = jax.random.key(0)
    state = jax.jit(lambda m, p: m.init(p, start, key))(method, problem)
    # As shipped, not in one piece as the suite compiles: its last bits are asked for.
    shipped = {"xla_cpu_parallel_codegen_split_count": 32}
    step = jax.jit(lambda m, p, s: m.step(p, s, key), compiler_options=shipped)
    out = []
    for _ in range(steps):
        state = step(method, problem, state)
        out.append(np.asarray(method.point(state).x))
    return out, state

"""Iterates of a method as NumPy arrays, one jitted step at a time."""

import jax
import numpy as np

from banach.engine.loop import leaves_in


def iterates(problem, method, steps):
    """The points after each of `steps` steps, and the last state."""
    start = problem.start()
    method = leaves_in(np.asarray(start.x).dtype, method)
    key = jax.random.key(0)
    state = jax.jit(lambda m, p: m.init(p, start, key))(method, problem)
    step = jax.jit(lambda m, p, s: m.step(p, s, key))
    out = []
    for _ in range(steps):
        state = step(method, problem, state)
        out.append(np.asarray(method.point(state).x))
    return np.array(out), state

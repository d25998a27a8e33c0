"""A small network and its four patterns."""

from types import SimpleNamespace

import jax
import numpy as np

from banach.engine.loop import leaves_in
from banach.kinds.convex_relu.problem import ConvexRelu

rng = np.random.default_rng(7)
X = rng.standard_normal((12, 3))
Y = np.abs(X[:, 0]) - X[:, 1] + 0.1 * rng.standard_normal(12)
BETA, P = 0.5, 5


def problem(**options):
    return ConvexRelu(X, Y, BETA, **({"patterns": P} | options))


def iterates(problem, method, steps):
    """The points after each of `steps` steps, and the last state."""
    start = problem.start()
    method = leaves_in(np.asarray(start.x).dtype, method)
    key = jax.random.key(0)
    first = jax.jit(lambda m, p: m.init(p, start, key))(method, problem)

    def one(state, _):
        state = method.step(problem, state, key)
        return state, method.point(state).x

    last, xs = jax.jit(lambda s: jax.lax.scan(one, s, None, length=steps))(first)
    return np.asarray(xs), last


def case(gated=False):
    """(problem, what its reference asks for)."""
    made = problem(gated=gated)
    signs = (1,) if gated else (1, -1)
    return made, SimpleNamespace(X=X, y=Y, beta=BETA, masks=made.masks, signs=signs)


def penalty():
    """beta times the unit of the rows over that of y."""
    rows, y = np.sqrt(np.mean(np.sum(X**2, axis=1))), np.sqrt(np.mean(Y**2))
    return BETA * rows / y

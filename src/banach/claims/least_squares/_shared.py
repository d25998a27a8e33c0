"""What the claims of this family share: the classical problems, and runs on them.

The four problems are those of More (1978), section 8: helical valley, Kowalik and
Osborne, Bard, Brown and Dennis (data as in More, Garbow and Hillstrom 1981).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.engine.loop import leaves_in


def problems() -> dict[str, Any]:
    """name -> (residuals, start)."""
    y = np.array([0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342,
                  0.0323, 0.0235, 0.0246])  # fmt: skip
    u = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    z = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73,
                  0.96, 1.34, 2.10, 4.39])  # fmt: skip
    i = np.arange(1.0, 16.0)
    low = np.minimum(i, 16 - i)
    t = np.arange(1.0, 21.0) / 5

    def helix(x):
        turn = jnp.arctan2(x[1], x[0]) / (2 * jnp.pi)
        far = jnp.sqrt(x[0] ** 2 + x[1] ** 2)
        return jnp.stack([10 * (x[2] - 10 * turn), 10 * (far - 1), x[2]])

    def kowalik(x):
        return y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])

    def bard(x):
        return z - (x[0] + i / ((16 - i) * x[1] + low * x[2]))

    def brown(x):
        one = x[0] + t * x[1] - np.exp(t)
        two = x[2] + x[3] * np.sin(t) - np.cos(t)
        return one**2 + two**2

    return {
        "helical valley": (helix, np.array([-1.0, 0.0, 0.0])),
        "Kowalik-Osborne": (kowalik, np.array([0.25, 0.39, 0.415, 0.39])),
        "Bard": (bard, np.ones(3)),
        "Brown-Dennis": (brown, np.array([25.0, 5.0, -5.0, -1.0])),
    }


def stated(residual: Any, x0: Any) -> Any:
    """As a problem."""
    from banach.kinds.least_squares.problem import NonlinearLeastSquares

    return NonlinearLeastSquares(residual, x0)


def history(method: Any, problem: Any, steps: int) -> dict[str, np.ndarray]:
    """x, ||r(x)|| and counted calls after steps 0 .. steps."""
    start = problem.start()
    method = leaves_in(np.float64, method)

    @jax.jit
    def program(method, problem):
        def look(state):
            x = method.point(state).x
            return x, tree.norm(problem.residual(x)), method.calls(state)

        def one(state, _):
            state = method.step(problem, state, jax.random.key(0))
            return state, look(state)

        first = method.init(problem, start, jax.random.key(0))
        _, rows = jax.lax.scan(one, first, None, steps)
        both = lambda a, b: jnp.concatenate([jnp.asarray(a)[None], b])  # noqa: E731
        return jax.tree.map(both, look(first), rows)

    x, f, calls = program(method, problem)
    calls = {k: np.asarray(v) for k, v in calls.items()}
    return {"x": np.asarray(x), "f": np.asarray(f), "calls": calls}


def offset(problem: Any, x: Any) -> float:
    """||P_J r|| / ||r||, by NumPy."""
    r, J = np.asarray(problem.residual(x)), np.asarray(problem.jacobian(x))
    sizes = np.linalg.norm(J, axis=0)
    U, sigma, _ = np.linalg.svd(J / np.where(sizes > 0, sizes, 1), full_matrices=False)
    return float(np.linalg.norm(U[:, sigma > 1e-12].T @ r) / np.linalg.norm(r))


def mean(ratios: Any) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(np.asarray(ratios, float)))))

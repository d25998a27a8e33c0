"""Fits that the claims of this family share.

The four classical problems are those of More (1978), section 8: helical valley,
Kowalik and Osborne, Bard, Brown and Dennis (data as in More, Garbow and Hillstrom
1981), from x0, 10 x0 and 100 x0.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import fresh
from banach.core import tree
from banach.kinds.least_squares.problem import NonlinearLeastSquares

_Y = np.array([0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323,
               0.0235, 0.0246])  # fmt: skip
_U = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
_Z = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96,
               1.34, 2.10, 4.39])  # fmt: skip
_I, _T = np.arange(1.0, 16.0), np.arange(1.0, 21.0) / 5


def classical(*factors: float) -> dict[str, NonlinearLeastSquares]:
    """The four problems, from each of these multiples of x0."""
    return {
        f"{name}, {factor:g} x0": NonlinearLeastSquares(fun, factor * np.array(x0))
        for name, (fun, x0) in _CLASSICAL.items()
        for factor in factors
    }


def decays(*noises: float) -> dict[str, NonlinearLeastSquares]:
    """A decay over a floor with noise of these sizes (five), the last one fresh."""
    noises = noises or (0.1, 0.2, 0.3, 0.4, 0.5)
    t = np.linspace(0.0, 4.0, 30)
    found = {}
    for seed, noise in enumerate(noises):
        last = seed == len(noises) - 1
        rng = np.random.default_rng(fresh() if last else seed)
        y = 2 * np.exp(-0.8 * t) + 0.5 + noise * rng.standard_normal(30)
        name = f"{'fresh, ' if last else ''}noise {noise:g}"
        start = np.array([1.5, 1.2, 0.3])
        found[name] = NonlinearLeastSquares(_decay, start, (t, y), data=y)
    return found


def moved(problem: Any, M: Any) -> NonlinearLeastSquares:
    """The same in coordinates z, x = M z."""
    start = np.linalg.solve(M, problem.x0)
    return NonlinearLeastSquares(
        lambda z, *args: problem.fun(M @ z, *args), start, problem.args
    )


def change(method: Any, problem: Any, M: Any, steps: int) -> float:
    """The largest change of ||r|| over these steps in coordinates x = M z, relative."""
    here, there = (
        runs.trace(p, method, steps, r=runs.residual_norm)["r"]
        for p in (problem, moved(problem, M))
    )
    return np.max(np.abs(here - there)) / here[0]


def arrivals(*norms: Any) -> list[Any]:
    """Steps until each ||r|| is within 1e-6 of the least of all; infinite if never."""
    norms = tuple(np.minimum.accumulate(r) for r in norms)
    target = min(r[-1] for r in norms) * (1 + 1e-6) + 1e-10
    return [np.argmax(r <= target) if r[-1] <= target else np.inf for r in norms]


def share(problem: Any, point: Any) -> Any:
    """||P r|| / ||r||, P onto the range of J: 0 at a stationary point."""
    Q, _ = jnp.linalg.qr(problem.jacobian(point.x))
    r = problem.residual(point.x)
    return tree.norm(Q.T @ r) / jnp.maximum(tree.norm(r), 1e-300)


def _decay(x, t, y):
    return x[0] * jnp.exp(-x[1] * t) + x[2] - y


def _helix(x):
    turn = jnp.arctan2(x[1], x[0]) / (2 * jnp.pi)
    far = jnp.sqrt(x[0] ** 2 + x[1] ** 2)
    return jnp.stack([10 * (x[2] - 10 * turn), 10 * (far - 1), x[2]])


def _kowalik(x):
    return _Y - x[0] * (_U**2 + _U * x[1]) / (_U**2 + _U * x[2] + x[3])


def _bard(x):
    low = np.minimum(_I, 16 - _I)
    return _Z - (x[0] + _I / ((16 - _I) * x[1] + low * x[2]))


def _brown(x):
    one = x[0] + _T * x[1] - np.exp(_T)
    two = x[2] + x[3] * np.sin(_T) - np.cos(_T)
    return one**2 + two**2


_CLASSICAL = {
    "helical valley": (_helix, [-1.0, 0.0, 0.0]),
    "Kowalik-Osborne": (_kowalik, [0.25, 0.39, 0.415, 0.39]),
    "Bard": (_bard, [1.0, 1.0, 1.0]),
    "Brown-Dennis": (_brown, [25.0, 5.0, -5.0, -1.0]),
}

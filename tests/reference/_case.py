"""What a reference is compared on: `CASES`, and the small problems they share."""

import dataclasses
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.core.problem import Problem
from banach.kinds.composite.problem import Composite
from banach.kinds.inclusion.problem import Inclusion
from banach.kinds.least_squares.problem import NonlinearLeastSquares
from banach.kinds.root.problem import Root
from banach.kinds.smooth.problem import Smooth
from banach.terms.norms import L1
from banach.terms.sets import Box, Simplex


@dataclasses.dataclass(frozen=True)
class Case:
    """A problem, its oracles in NumPy, and hyperparameters.

    `given` goes to the method and to the reference alike. `told` goes to the reference
    alone: it is what the method has to find out by itself (from facts, or as its
    default). In a random method it is a function of the keys of the steps, so that the
    reference is told the draws.
    """

    problem: Problem
    oracles: Any
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    told: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] = dataclasses.field(
        default_factory=dict
    )
    steps: int = 12


def bowl(scale=1.0, far=1.0, **facts):
    """A strongly convex quadratic of 5 unknowns, L = 4 scale: (problem, oracles).

    The start is about 2 `far` away from the origin.
    """
    rng = np.random.default_rng(21)
    Q, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    H = (Q * scale * np.array([0.3, 0.6, 1.0, 2.5, 4.0])) @ Q.T
    b, x0 = rng.standard_normal((2, 5))
    x0 = far * x0
    problem = Smooth(lambda x, H, b: x @ H @ x / 2 - b @ x, x0, (H, b), **facts)
    value = lambda x: x @ H @ x / 2 - b @ x  # noqa: E731
    return problem, SimpleNamespace(value=value, grad=lambda x: H @ x - b)


def lasso(**facts):
    """Least squares of 10 x 4 with an l1 term of 0.4: (problem, oracles)."""
    rng = np.random.default_rng(22)
    A, b = rng.standard_normal((10, 4)) * [1, 0.7, 0.4, 0.2], rng.standard_normal(10)
    H, c, x0 = A.T @ A, A.T @ b, np.full(4, 0.6)
    facts = {"L": float(np.linalg.eigvalsh(H)[-1]), "convex": True} | facts
    problem = Composite(lambda x: jnp.sum((A @ x - b) ** 2) / 2, L1(0.4), x0, **facts)

    def prox(v, t):
        return np.sign(v) * np.maximum(np.abs(v) - 0.4 * t, 0)

    return problem, SimpleNamespace(
        value=lambda x: np.sum((A @ x - b) ** 2) / 2,
        grad=lambda x: H @ x - c,
        prox=prox,
        L=float(np.linalg.eigvalsh(H)[-1]),
    )


def logarithms(x0, simplex=False):
    """sum x - w log x, undefined where an entry is not positive: (problem, oracles).

    The term is ||x||_1, or the simplex.
    """
    x0, w = np.array(x0), np.arange(1.0, len(x0) + 1)
    term = Simplex() if simplex else L1(1.0)
    problem = Composite(lambda x: jnp.sum(x - w * jnp.log(x)), term, x0)
    return problem, SimpleNamespace(
        value=lambda x: np.sum(x - w * np.log(x)) if np.all(x > 0) else np.inf,
        grad=lambda x: 1 - w / x,
        prox=lambda v, t: np.sign(v) * np.maximum(np.abs(v) - t, 0),
        lmo=lambda g: np.eye(g.size)[np.argmin(g)],
    )


def boxed(**facts):
    """A monotone affine operator over a box of 3 unknowns: (problem, oracles)."""
    rng = np.random.default_rng(23)
    half, turn = rng.standard_normal((2, 3, 3)) / 2
    M, q = half @ half.T + turn - turn.T + 0.1 * np.eye(3), np.array([1.5, 0.2, -0.1])
    problem = Inclusion(
        lambda z: jnp.matmul(M, z, precision="highest") + q,
        np.array([0.4, -0.3, 0.2]), term=Box(-0.5, 0.5), monotone=True, **facts,
    )  # fmt: skip
    return problem, SimpleNamespace(
        operator=lambda z: M @ z + q, resolvent=lambda v, t: np.clip(v, -0.5, 0.5)
    )


def _sides(x0, lower=-np.inf, upper=np.inf):
    return tuple(np.broadcast_to(np.array(v, float), len(x0)) for v in (lower, upper))


def valley(x0, **bounds):
    """Rosenbrock's two residuals: (problem, oracles)."""
    problem = NonlinearLeastSquares(
        lambda x: jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]]), np.array(x0), **bounds
    )
    return problem, SimpleNamespace(
        sides=_sides(x0, **bounds),
        residual=lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]),
        jacobian=lambda x: np.array([[-20 * x[0], 10.0], [-1.0, 0.0]]),
    )


def fit(x0, **bounds):
    """A decay over a floor to 12 noisy observations: (problem, oracles)."""
    t = np.linspace(0, 3, 12)
    y = 4 * np.exp(-0.9 * t) + 1.5 + 0.3 * np.random.default_rng(24).standard_normal(12)
    problem = NonlinearLeastSquares(
        lambda x: x[0] * jnp.exp(-x[1] * t) + x[2] - y, np.array(x0), data=y, **bounds
    )

    def jacobian(x):
        e = np.exp(-x[1] * t)
        return np.stack([e, -x[0] * t * e, np.ones(12)], axis=1)

    return problem, SimpleNamespace(
        sides=_sides(x0, **bounds),
        residual=lambda x: x[0] * np.exp(-x[1] * t) + x[2] - y,
        jacobian=jacobian,
    )


def cubic():
    """z^3 and a rotation, monotone and nowhere globally Lipschitz: both parts."""

    def F(z, xp=jnp):
        return z**3 + 4 * xp.stack([z[1], -z[0]]) - 1

    problem = Inclusion(F, np.array([2.0, -3.0]), monotone=True)
    return problem, SimpleNamespace(
        operator=lambda z: F(z, np), resolvent=lambda v, t: v
    )


def system(name, x0=None, **facts):
    """Two equations, mild, far from the root, singular there, or Rosenbrock's valley.

    (problem, oracles)
    """
    c, usual = {
        "mild": (2.0, [1.5, 1.0]),
        "far": (0.7, [6.0, -8.0]),
        "singular": (1.0, [-0.5, 0.0]),
        "valley": (None, [-1.2, 1.0]),
    }[name]
    x0 = usual if x0 is None else x0

    def equations(x, c, xp=jnp):
        plane = 10 * (xp.arctan(x[1]) - x[0] * c)
        return xp.stack([x[0] ** 2 + c * x[1] - 1, plane])

    def jacobian(x):
        return np.array([[2 * x[0], c], [-10 * c, 10 / (1 + x[1] ** 2)]])

    def valley(x, xp=jnp):
        return xp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    if c is None:
        return Root(valley, np.array(x0), **facts), SimpleNamespace(
            residual=lambda x: valley(x, np),
            jacobian=lambda x: np.array([[-20 * x[0], 10], [-1, 0]]),
        )
    return Root(equations, np.array(x0), (np.array(c),), **facts), SimpleNamespace(
        residual=lambda x: equations(x, c, np), jacobian=jacobian
    )

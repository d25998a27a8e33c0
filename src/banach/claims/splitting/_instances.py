"""What this family is tried on, and solutions that no method of the family found."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from banach.claims import instances
from banach.kinds.structured.problem import Structured
from banach.terms.groups import GroupL2
from banach.terms.norms import L1
from banach.terms.sets import Box
from banach.terms.term import Norm
from banach.terms.total_variation import TotalVariation1D
from banach.zoo import datasets

LAM = 0.1


class Distance(Norm):
    """||x - b||^2 / 2 by its prox."""

    oracles: ClassVar[frozenset[str]] = frozenset({"prox"})

    b: Any

    def value(self, x):
        """Half the square."""
        return jnp.sum((x - self.b) ** 2) / 2

    def prox(self, v, t):
        """(v + t b) / (1 + t)."""
        return (v + t * jnp.asarray(self.b, v.dtype)) / (1 + t)

    def mu(self):
        """1."""
        return np.ones(())


def _distance(x, b):
    return jnp.sum((x - b) ** 2) / 2


def scans(smooth: bool = False, box: bool = False) -> dict[str, Structured]:
    """||x - b||^2 / 2 + 0.1 ||D x||_1 of digits read line by line; five images.

    The square is f where `smooth`, else g; with `box` g is the box [0, 1], which holds
    b and so the solution.
    """
    images, found = datasets.digits().A.reshape(-1, 8, 8) / 16, {}
    within = Box(0.0, 1.0) if box else None
    D, zero = np.diff(np.eye(64), axis=0), np.zeros(64)
    for name, seed in instances.seeds().items():
        b = images[seed % len(images)].ravel()
        one: dict[str, Any] = dict(L=1.0, mu=1.0, quadratic=True, args=(b,))
        found[name] = (
            Structured(_distance, within, L1(LAM), D, zero, reference=zero, **one)
            if smooth
            else Structured(None, Distance(b), L1(LAM), D, zero, reference=zero)
        )
    return found


def images(side: int = 3) -> dict[str, Structured]:
    """||x - b||^2 / 2 + TV(x) / 16 of noisy mosaics of side x side digits.

    The model and the noise of 0.05 are those of Chambolle and Pock's first table, their
    image of 256 x 256 is one of 24 x 24. Begun at b.
    """
    from scipy.sparse import csr_array, vstack

    digits, found, n = datasets.digits().A.reshape(-1, 8, 8) / 16, {}, 8 * side
    one = np.arange(n * n).reshape(n, n)

    def along(axis: int) -> Any:
        here = np.delete(one, -1, axis).ravel()
        step = n if axis == 0 else 1
        ones = np.ones(here.size)
        values = np.concatenate([-ones, ones])
        places = np.concatenate([here, here]), np.concatenate([here, here + step])
        return csr_array((values, places), shape=(n * n, n * n))

    K = vstack([along(0), along(1)])
    tv = GroupL2(1 / 16, np.tile(np.arange(n * n), 2))
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        tiles = digits[rng.choice(len(digits), side * side, replace=False)]
        rows = tiles.reshape(side, side, 8, 8).transpose(0, 2, 1, 3)
        b = rows.reshape(n * n) + 0.05 * rng.standard_normal(n * n)
        found[name] = Structured(None, Distance(b), tv, K, b, reference=0 * b)
    return found


def solution(problem: Structured) -> tuple[np.ndarray, np.ndarray]:
    """(x*, y*) of a scan: Condat's taut string, and D'y = b - x."""
    part: Any = problem.g if problem.f is None else problem.f
    b = np.asarray(part.b if problem.f is None else part.args[0])
    x = np.asarray(TotalVariation1D(LAM).prox(jnp.asarray(b), 1.0))
    return x, -np.cumsum(b - x)[:-1]


def squares(states: Any, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """||x - x*||^2 and ||y - y*||^2 of stacked states."""
    far = np.sum((states.x - x) ** 2, axis=1)
    return far, np.sum((states.y - y) ** 2, axis=1)


def steps_to(method: Any, problem: Structured, share: float, cap: int) -> float:
    """Steps until ||x - x*|| <= share ||x0 - x*||; infinite beyond the cap."""
    from banach.claims import runs

    x, y = solution(problem)
    far, _ = squares(runs.states(method, problem, cap), x, y)
    near = np.flatnonzero(far <= share**2 * far[0])
    return float(near[0]) if near.size else np.inf

"""Oracles in units near 1, for libraries whose rules hold absolute constants."""

from typing import Any

import numpy as np
from jaxtyping import Float

from banach.bridge._oracles import Oracles

Vector = Float[np.ndarray, " n"]
NEAR = 1e3


class Scaled:
    """Oracles of y = x / X, f / F and c / R: X, F and R are powers of ten.

    Sizes within a thousand of 1 at the start are left as they are: most problems are
    handed over as they were stated. A trust region that begins at 1, or a penalty of 1,
    means nothing for lengths of 1e-6. Iterates go `back` by an exact factor, but for
    the rounding of a power of ten.
    """

    def __init__(self, oracles: Oracles, z0: Vector, bounds: Any, rows: bool):
        self.own = oracles
        self.x = _lengths(z0, bounds)
        g = oracles.value_and_grad(z0)[1]
        self.f = _unit(np.asarray(np.linalg.norm(g * self.x)))
        self.rows = np.ones(0)
        if rows:
            steep = np.linalg.norm(oracles.jacobian(z0) * self.x, axis=1)
            self.rows = _unit(np.maximum(steep, abs(oracles.constraints(z0))))

    def to(self, x: Vector) -> Vector:
        """x / X."""
        return x / self.x

    def back(self, y: Vector) -> Vector:
        """X y."""
        return y * self.x

    def value(self, y: Vector) -> float:
        """f / F."""
        return self.own.value(self.back(y)) / float(self.f)

    def value_and_grad(self, y: Vector) -> tuple[float, Vector]:
        """f / F and its gradient in y."""
        f, g = self.own.value_and_grad(self.back(y))
        return f / float(self.f), g * self.x / self.f

    def hvp(self, y: Vector, v: Vector) -> Vector:
        """The Hessian of f / F in y applied to v."""
        return self.own.hvp(self.back(y), self.back(v)) * self.x / self.f

    def hess(self, y: Vector) -> Float[np.ndarray, "n n"]:
        """The dense Hessian of f / F in y."""
        return self._both(self.own.hess(self.back(y))) / self.f

    def constraints(self, y: Vector) -> Vector:
        """c / R."""
        return self.own.constraints(self.back(y)) / self.rows

    def jacobian(self, y: Vector) -> Float[np.ndarray, "m n"]:
        """The Jacobian of c / R in y."""
        return self.own.jacobian(self.back(y)) * self.x / self.rows[:, None]

    def constraint_hess(self, y: Vector, v: Vector) -> Float[np.ndarray, "n n"]:
        """The Hessian of v . c / R in y."""
        return self._both(self.own.constraint_hess(self.back(y), v / self.rows))

    def _both(self, H: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
        return H * self.x * self.x[:, None]


def _lengths(z0: Vector, bounds: Any) -> Vector:
    """The size of each coordinate at the start; of a 0 that of its bounds, or all."""
    size = np.abs(z0)
    if bounds is not None:
        width = np.asarray(bounds[1], float) - np.asarray(bounds[0], float)
        wide = np.isfinite(width) & (width > 0)
        size = np.where((size == 0) & wide, np.where(wide, width, 0), size)
    most = np.max(size, initial=0)
    return _unit(np.where(size == 0, most, size))


def _unit(size: np.ndarray) -> np.ndarray:
    """A power of ten near each size; 1 where that is within a thousand of 1."""
    good = np.isfinite(size) & (size > 0)
    safe = np.where(good, size, 1.0)
    far = (safe > NEAR) | (safe < 1 / NEAR)
    return np.where(far, 10.0 ** np.round(np.log10(safe)), 1.0)

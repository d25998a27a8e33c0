"""Elliptic energies of contrasts and grids, and distances from their minimisers."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims.course import fresh
from banach.kinds.elliptic.problem import EllipticEnergy


def energies() -> dict[str, EllipticEnergy]:
    """-div((c + 1 / (1 + |grad u|^2)) grad u) + u = f on the square, f smooth.

    On grids from 15 x 15 to 127 x 127, with contrasts (c + 1) / (c - 1/8) up to 60.
    """
    grids = {f"h = 1/{n + 1}": (n, 1.0, 0) for n in (15, 31, 63, 127)}
    contrasts = {f"c = {c:g}": (31, c, 1) for c in (2.0, 0.5, 0.25, 0.145)}
    cases = {**grids, **contrasts, "fresh": (31, 0.7, fresh())}
    return {name: _energy(*case) for name, case in cases.items()}


def distance(problem: EllipticEnergy, us: Any, star: Any) -> np.ndarray:
    """(|v|_H1^2 + ||v||^2)^(1/2) of v = u - u*, for each u."""
    v = (us - star).reshape(-1, *problem.load.shape)
    w = np.pad(v, ((0, 0), (1, 1), (1, 1)))
    slopes = [np.sum(np.diff(w, axis=k) ** 2, (1, 2)) for k in (1, 2)]
    return np.sqrt(sum(slopes) + problem.cell() * np.sum(v**2, (1, 2)))


def _energy(n, c, seed):
    x = np.pi * np.arange(1, n + 1) / (n + 1)
    waves = np.sin(np.outer(np.arange(1, 5), x))
    load = 30 * waves.T @ np.random.default_rng(seed).standard_normal((4, 4)) @ waves
    return EllipticEnergy(
        _density, load, lower=c - 0.125, upper=c + 1, potential=_half_square,
        curvature=(1.0, 1.0), args=(np.array(c),),
    )  # fmt: skip


def _density(s, c):
    # Of p -> A(|p|^2), the Hessian's eigenvalues are in [c - 1/8, c + 1].
    return (c * s + jnp.log1p(s)) / 2


def _half_square(u, c):
    return u**2 / 2

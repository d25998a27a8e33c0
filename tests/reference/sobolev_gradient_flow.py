"""Marwah et al. (2023): u+ = u - eta (s I - Laplace)^-1 DE(u), dense matrices."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.elliptic.problem import EllipticEnergy


def energy(*shape):
    """-div((1 + 1 / (1 + |grad u|^2)) grad u) + u = f: (problem, DE on the grid)."""
    load, width = 10 * np.random.default_rng(6).standard_normal(shape), shape[0] + 1
    problem = EllipticEnergy(
        lambda s: (s + jnp.log1p(s)) / 2, load, lower=0.875, upper=2.0,
        potential=lambda u: u**2 / 2, curvature=(1.0, 1.0),
    )  # fmt: skip

    def E(u):
        p = [
            np.diff(np.pad(u.reshape(shape), 1), axis=k) * width
            for k in range(load.ndim)
        ]
        if load.ndim == 2:  # both triangles of each cell
            p = np.array([[p[0][:, :-1], p[0][:, 1:]], [p[1][:-1], p[1][1:]]])
        s = np.square(p).sum(axis=0)
        return np.sum(s + np.log1p(s)) / 2 / load.ndim + u @ (u / 2 - load.ravel())

    def slope(u):  # along i, where no difference rounds
        return np.array([E(u + 1e-30j * e).imag for e in np.eye(u.size)]) / 1e-30

    return problem, SimpleNamespace(slope=slope, shape=shape)


FIRST = 128 * (1 - np.cos(np.pi / 8))  # the least eigenvalue of -Laplace, 7 nodes
LOWER = (0.875 * FIRST + 1) / (FIRST + 5)
CASES = [
    Case(*energy(7), told={"step_size": 2 / 2.875, "shift": 1.0}),
    Case(*energy(7), given={"shift": 5.0}, told={"step_size": 2 / (LOWER + 2)}),
    Case(*energy(7), given={"step_size": 0.7, "shift": 0.0}),
    Case(*energy(4, 4), given={"step_size": 0.7}, told={"shift": 1.0}, steps=10),
]


def iterates(oracles, u, steps, *, step_size, shift):
    n, out = oracles.shape[0], []
    T = (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)) * (n + 1) ** 2
    line = u.size == n
    laplace = T if line else np.kron(T, np.eye(n)) + np.kron(np.eye(n), T)
    for _ in range(steps):
        metric = laplace + shift * np.eye(u.size)
        u = u - step_size * np.linalg.solve(metric, oracles.slope(u))
        out.append(u)
    return out

"""Marwah et al. (2023): u+ = u - eta (s I - Laplace)^-1 DE(u), dense matrices."""

import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.elliptic.problem import EllipticEnergy


def energy(shape):
    """-div((1 + 1 / (1 + |grad u|^2)) grad u) + u = f: (problem, DE on the grid)."""
    load = 10 * np.random.default_rng(6).standard_normal(shape)
    problem = EllipticEnergy(
        lambda s: (s + jnp.log1p(s)) / 2, load, lower=0.875, upper=2.0,
        potential=lambda u: u**2 / 2, curvature=(1.0, 1.0),
    )  # fmt: skip
    return problem, derivative(load)


def derivative(load):
    """Elements gathered one triangle at a time; no cell volume."""

    def line(v, out, w):
        p = w * np.diff(v)
        flux = (1 + 1 / (1 + p**2)) * p * w
        out[1:] += flux
        out[:-1] -= flux

    def square(v, out, w):
        for i, j in np.ndindex(w, w):
            for a, b, c in (
                ((i, j), (i + 1, j), (i, j + 1)),
                ((i + 1, j + 1), (i, j + 1), (i + 1, j)),
            ):
                # Gradient on the triangle with its right angle at a.
                p, q = w * (v[b] - v[a]), w * (v[c] - v[a])
                k = (1 + 1 / (1 + p * p + q * q)) * w / 2
                out[b] += k * p
                out[c] += k * q
                out[a] -= k * (p + q)

    def of(u):
        u = u.reshape(load.shape)
        out = np.zeros(np.pad(u, 1).shape)
        (line if u.ndim == 1 else square)(np.pad(u, 1), out, len(u) + 1)
        return (out[(slice(1, -1),) * u.ndim] + u - load).ravel(), load.shape

    return of


def laplacian(n, dims):
    T = (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)) * (n + 1) ** 2
    return T if dims == 1 else np.kron(T, np.eye(n)) + np.kron(np.eye(n), T)


def step(n, shift):
    """2 / (lower + upper) of the second derivative in the metric, on a line."""
    first = laplacian(n, 1)[0, 0] * (1 - np.cos(np.pi / (n + 1)))
    low, high = ((k * first + 1) / (first + shift) for k in (0.875, 2.0))
    return 2 / (min(0.875, low) + max(2.0, high))


CASES = [
    Case(*energy((7,)), told={"step_size": step(7, 1.0), "shift": 1.0}),
    Case(*energy((7,)), given={"shift": 5.0}, told={"step_size": step(7, 5.0)}),
    Case(*energy((7,)), given={"step_size": 0.7, "shift": 0.0}),
    Case(*energy((4, 4)), given={"step_size": 0.7}, told={"shift": 1.0}, steps=10),
]


def iterates(oracles, u, steps, *, step_size, shift):
    shape, out = oracles(u)[1], []
    metric = laplacian(shape[0], len(shape)) + shift * np.eye(u.size)
    for _ in range(steps):
        u = u - step_size * np.linalg.solve(metric, oracles(u)[0])
        out.append(u)
    return out

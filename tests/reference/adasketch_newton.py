"""Sketched Newton-KKT steps on the exact augmented Lagrangian: Hong et al. (2023)."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from numpy.linalg import norm
from reference._case import Case

import banach as bn
from banach.methods.constrained._sketch import Sketch

X0, MANY = np.array([0.8, 0.8, 1.2]), 64


def valley(x0=X0):
    """A nonconvex valley on a sphere that is not centred."""

    def f(x):
        return (x[0] - 1) ** 2 + 2 * (x[1] - x[0] ** 2) ** 2 + jnp.cos(x[2])

    return bn.Constrained(f, x0, eq=lambda x: x @ x + x[0] * x[2] - 3, reference=x0)


def _first(x):
    a, b, c = x
    f = (a - 1) ** 2 + 2 * (b - a**2) ** 2 + np.cos(c)
    g = [2 * (a - 1) - 8 * a * (b - a**2), 4 * (b - a**2), -np.sin(c)]
    J = np.array([[2 * a + c, 2 * b, 2 * c + a]])
    return f, np.array(g), np.array([x @ x + a * c - 3]), J


def _hess(x, lam):
    a, b, c = x
    H = np.diag([2 - 8 * b + 24 * a**2, 4.0, -np.cos(c)])
    H[0, 1] = H[1, 0] = -8 * a
    C = 2 * np.eye(3)
    C[0, 2] = C[2, 0] = 1
    return H + lam[0] * C


def _case(sketch, **given):
    """The sketches of each step go to the reference alone, many sweeps at a time."""

    def drawn(keys):
        @jax.jit
        def chunk(key, first):
            def one(sweep, i):
                at = jax.random.fold_in(jax.random.fold_in(key, sweep), i)
                return sketch.draw(at, 4, np.float64)

            both = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
            return both(first + jnp.arange(MANY), jnp.arange(sketch.projections(4)))

        @functools.cache
        def some(k, tries, part):
            return np.asarray(
                chunk(jax.random.fold_in(keys[k + 1], tries), part * MANY)
            )

        def draws(k, tries, sweep):
            for S in some(k, tries, sweep // MANY)[sweep % MANY]:
                yield S if sketch.kind == "gaussian" else np.eye(4)[:, S]

        return {"draws": draws}

    given = {"sketch": sketch, "max_sweeps": 10**6} | given
    oracles = SimpleNamespace(first=_first, hess=_hess)
    return Case(valley(), oracles, given, drawn, steps=6)


# With mu = 0.1 the weights must change and a step is cut.
CASES = [
    _case(Sketch("gaussian", 2), mu=0.1),
    _case(Sketch("rows", 2), mu=0.1),
    _case(Sketch("gaussian", 3), sharpen=1.0),
]


def iterates(
    oracles, x, steps, *, sketch, draws, max_sweeps, mu=1.0, nu=0.1, delta=0.1, rho=1.5,
    beta=0.1, convexity=0.1, sharpen=0.0,
):  # fmt: skip
    def merit(w):
        f, g, c, J = oracles.first(w[:n])
        return f + w[n:] @ c + mu / 2 * c @ c + nu / 2 * norm(g + w[n:] @ J) ** 2

    _, g, _, J = oracles.first(x)
    out, n, start = [], x.size, None
    w = np.append(x, np.linalg.lstsq(J.T, -g)[0])
    for k in range(steps):
        (_, g, c, J), H = oracles.first(w[:n]), oracles.hess(w[:n], w[n:])
        s, Z = g + w[n:] @ J, np.linalg.qr(J.T, mode="complete")[0][:, len(J) :]
        low = np.linalg.eigvalsh(Z.T @ H @ Z)[0]
        B = H + (convexity + norm(H)) * (low <= 0) * np.eye(n)
        K, r = np.block([[B, J.T], [J, np.zeros((len(J),) * 2)]]), np.append(s, c)
        start = norm(r) if start is None else start
        theta = min(1, norm(r) / start) ** sharpen
        z, tries, alpha, slope = 0 * r, 0, 1.0, np.inf
        while slope > -nu / 2 * r @ r:
            if tries:
                mu, nu, delta = mu * rho**2, nu / rho, delta / rho**4
            sweep, tries = 0, tries + 1
            while norm(K @ z + r) > theta * delta * norm(r):
                for S in draws(k, tries - 1, sweep):
                    z = z - np.linalg.lstsq(S.T @ K, S.T @ (K @ z + r))[0]
                sweep += 1
            slope = np.append(s + mu * c @ J + nu * H @ s, c + nu * J @ s) @ z
        while merit(w + alpha * z) > merit(w) + alpha * beta * slope:
            alpha /= 2
        w = w + alpha * z
        out.append(w[:n])
    return out

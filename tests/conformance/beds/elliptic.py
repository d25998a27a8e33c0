"""A quasilinear energy on a square of 4 x 4 inner nodes."""

from types import SimpleNamespace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bed import Bed, gap

from banach.kinds.elliptic.problem import EllipticEnergy

_N = 4
_H = 1 / (_N + 1)
_rng = np.random.default_rng(31)
_f = 20 * _rng.standard_normal((_N, _N))
_small = np.float32


def _density(s):
    return (s + jnp.log1p(s)) / 2


def _potential(u):
    return u**2 / 2


def _stated(load):
    return EllipticEnergy(
        _density,
        load,
        lower=0.875,
        upper=2.0,
        potential=_potential,
        curvature=(1.0, 1.0),
    )


elliptic = _stated(_f)


def _differences():
    """Slopes of all elements as matrices: (2 (N+1)^2 elements, N^2 nodes) twice."""
    node = {(i, j): i * _N + j for i in range(_N) for j in range(_N)}
    downs, rights = [], []

    def row(a, b):
        out = np.zeros(_N * _N)
        if b in node:
            out[node[b]] += 1 / _H
        if a in node:
            out[node[a]] -= 1 / _H
        return out

    for i in range(-1, _N):
        for j in range(-1, _N):
            downs.append(row((i, j), (i + 1, j)))
            rights.append(row((i, j), (i, j + 1)))
            downs.append(row((i, j + 1), (i + 1, j + 1)))
            rights.append(row((i + 1, j), (i + 1, j + 1)))
    return np.array(downs), np.array(rights)


_D, _R = _differences()
_K = (_D.T @ _D + _R.T @ _R) * _H**2 / 2


def _energy(u, theta=1.0):
    u = np.ravel(u)
    s = (_D @ u) ** 2 + (_R @ u) ** 2
    nodes = u**2 / 2 - theta * _f.ravel() * u
    return float(_H**2 * ((s + np.log1p(s)).sum() / 4 + nodes.sum()))


def _newton(theta):
    u = np.zeros(_N * _N)
    for _ in range(60):
        p, q = _D @ u, _R @ u
        s = p**2 + q**2
        a, b = 1 + 1 / (1 + s), -2 / (1 + s) ** 2
        g = _H**2 * ((_D.T @ (a * p) + _R.T @ (a * q)) / 2 + u - theta * _f.ravel())
        along = p[:, None] * _D + q[:, None] * _R
        H = (_D.T * a) @ _D + (_R.T * a) @ _R + (along.T * b) @ along
        u = u - np.linalg.solve(_H**2 * (H / 2 + np.eye(u.size)), g)
    return u.reshape(_N, _N)


def _seminorm(x):
    d = np.ravel(x - _newton(1.0))
    return float(np.sqrt(max(d @ _K @ d, 0)))


def _full_norm(x):
    d = np.ravel(x - _newton(1.0))
    return float(np.sqrt(max(d @ _K @ d + _H**2 * d @ d, 0)))


def _constants(start):
    values = np.linalg.eigvalsh(_K)
    first = values[0] / _H**2
    low, high = (0.875 * first + 1) / (first + 1), 2.0
    return SimpleNamespace(
        L=2 * values[-1] + _H**2,
        mu=0.875 * values[0] + _H**2,
        radius=float(np.linalg.norm(start - _newton(1.0))),
        rho=(high - low) / (high + low),
        radius_h1=_full_norm(start),
    )


def _poisoned():
    load = elliptic.load.copy()
    load[1, 2] = np.nan
    return eqx.tree_at(lambda p: p.load, elliptic, load)


BEDS = [
    Bed(
        name="elliptic",
        file=__file__,
        problem=elliptic,
        moved=lambda t: eqx.tree_at(lambda p: p.load, elliptic, t * elliptic.load),
        poisoned=_poisoned,
        narrow=lambda: _stated(_f.astype(_small)),
        solution=_newton,
        measures=gap(_energy, _newton(1.0))
        | {"|u-u*|_H1 (discrete)": _seminorm, "||u - u*||_H1": _full_norm},
        constants=_constants,
    )
]

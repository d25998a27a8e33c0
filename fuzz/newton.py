"""Solutions of small penalised regressions in 80-bit floats, all lanes at once.

The point found is only ever used as *some* point, whose objective is then evaluated
exactly: F(x) - F(point) is a lower bound of the true gap however good the point is.
Numbers up to 1e4932 need no rescaling.
"""

from typing import Any, NamedTuple

import numpy as np

LD = np.longdouble
STEPS = LD(2) ** -np.arange(0, 40, 2).astype(LD)
ROUNDS = 40


class Model(NamedTuple):
    """sum_i w_i l(z_i, y_i) + l1 |c|_1 + l2 |c|^2 / 2 + lam sum_g |c_g|, lo <= c <= up.

    All arrays have the lanes first. c has d entries, of which the first `p` (times
    the classes) are coefficients; the rest is the intercept.
    """

    loss: str
    A: np.ndarray
    y: np.ndarray
    w: np.ndarray
    delta: Any
    l1: np.ndarray
    l2: np.ndarray
    group: Any  # (weights, labels) or None
    lower: np.ndarray
    upper: np.ndarray
    classes: int
    intercept: bool


def model(loss, A, y, w, **more) -> Model:
    """In extended precision."""
    count, _, p = A.shape
    k = more.get("classes", 1)
    zero = np.zeros((count, p * k), LD)
    wide = LD(np.inf)

    def each(v):
        return zero + LD(np.asarray(v)).reshape(count, -1) if v is not None else zero

    group = more.get("group")
    return Model(
        loss, LD(A), LD(y), LD(w),
        None if more.get("delta") is None else LD(more["delta"])[:, None],
        each(more.get("l1")), each(more.get("l2")),
        None if group is None else (LD(group[0]), group[1]),
        each(more.get("lower")) if more.get("lower") is not None else zero - wide,
        each(more.get("upper")) if more.get("upper") is not None else zero + wide,
        k, more.get("intercept", False),
    )  # fmt: skip


def size(m: Model) -> int:
    """Unknowns of a lane."""
    return (m.A.shape[2] + m.intercept) * m.classes


def margins(m: Model, v):
    """z at v of shape (lanes, t, d): (lanes, t, n) or (lanes, t, n, K)."""
    count, t, _ = v.shape
    p, k = m.A.shape[2], m.classes
    c = v.reshape(count, t, -1, k)
    z = np.sum(m.A[:, None, :, :, None] * c[:, :, None, :p], axis=3)
    if m.intercept:
        z = z + c[:, :, None, p]
    return z if m.loss == "softmax" else z[..., 0]


def losses(m: Model, z):
    """l(z), shape (lanes, t, n)."""
    y = m.y[:, None]
    if m.loss == "squares":
        return (z - y) ** 2 / 2
    if m.loss == "huber":
        d, r = m.delta[:, None], abs(z - y)
        return np.where(r <= d, r**2 / 2, d * (r - d / 2))
    if m.loss == "hinge":
        return np.maximum(1 - y * z, 0) ** 2 / 2
    if m.loss == "logistic":
        return np.log1p(np.exp(-abs(z))) + np.maximum(-y * z, 0)
    if m.loss == "poisson":
        return np.exp(z) - y * z
    top = z.max(axis=-1, keepdims=True)
    own = np.take_along_axis(z, y[..., None].astype(int) + 0 * z[..., :1].astype(int),
                             axis=-1)  # fmt: skip
    return np.log(np.exp(z - top).sum(axis=-1)) + (top - own)[..., 0]


def objective(m: Model, v):
    """F at v of shape (lanes, t, d), up to a constant of the data."""
    c = v[..., : m.l1.shape[1]]
    F = np.sum(m.w[:, None] * losses(m, margins(m, v)), axis=2)
    F = F + np.sum(m.l1[:, None] * abs(c) + m.l2[:, None] * c**2 / 2, axis=2)
    if m.group is not None:
        for own in _groups(m):
            F = F + m.group[0][:, None] * np.sqrt(np.sum(c[..., own] ** 2, axis=2))
    return np.where(np.isnan(F), np.inf, F)


def _groups(m):
    labels = m.group[1]
    return [np.flatnonzero(labels == g) for g in range(labels.max() + 1)]


def derivatives(m: Model, v):
    """Gradient (lanes, d) and Hessian (lanes, d, d) of all but the l1 term."""
    count, d = v.shape
    z = margins(m, v[:, None])[:, 0]
    y, k = m.y, m.classes
    one = np.ones_like(z)
    if m.loss == "squares":
        slope, bend = z - y, one
    elif m.loss == "huber":
        slope = np.clip(z - y, -m.delta, m.delta)
        bend = (abs(z - y) <= m.delta) * one
    elif m.loss == "hinge":
        slope, bend = -y * np.maximum(1 - y * z, 0), (y * z <= 1) * one
    elif m.loss == "logistic":
        p = 1 / (1 + np.exp(y * z))
        slope, bend = -y * p, p / (1 + np.exp(-y * z))
    elif m.loss == "poisson":
        bend = np.exp(z)
        slope = bend - y
    else:
        q = np.exp(z - z.max(axis=-1, keepdims=True))
        q = q / q.sum(axis=-1, keepdims=True)
        slope = q - np.eye(k, dtype=LD)[y.astype(int)]
    B = m.A
    if m.intercept:
        B = np.concatenate([B, np.ones_like(B[..., :1])], axis=2)
    if m.loss == "softmax":
        g = np.einsum("bni,bn,bnk->bik", B, m.w, slope).reshape(count, d)
        S = q[..., :, None] * (np.eye(k, dtype=LD) - q[..., None, :])
        H = np.einsum("bni,bnj,bn,bnkl->bikjl", B, B, m.w, S).reshape(count, d, d)
    else:
        g = np.einsum("bni,bn->bi", B, m.w * slope)
        H = np.einsum("bni,bnj,bn->bij", B, B, m.w * bend)
    pen = m.l1.shape[1]
    at = np.arange(pen)
    g[:, :pen] += m.l2 * v[:, :pen]
    H[:, at, at] += m.l2
    if m.group is not None:
        for own in _groups(m):
            c = v[:, own]
            r = np.sqrt(np.sum(c**2, axis=1))[:, None]
            some = r > 0
            u = np.where(some, c / np.where(some, r, 1), 0)
            lam = m.group[0][:, None]
            g[:, own] += lam * u
            eye = np.eye(own.size, dtype=LD)
            curve = (eye - u[:, :, None] * u[:, None, :]) * some[..., None]
            curve = lam[..., None] * curve / np.where(some, r, 1)[..., None]
            H[np.ix_(range(count), own, own)] += curve
    return g, H


def linear(H, g):
    """H^-1 g for positive semidefinite H, equilibrated; null directions get 0."""
    count, n, _ = H.shape
    diag = np.einsum("bii->bi", H)
    s = np.where(diag > 0, 1 / np.sqrt(np.where(diag > 0, diag, 1)), 0)
    M = np.concatenate([H * s[:, :, None] * s[:, None, :], (g * s)[..., None]], axis=2)
    M = np.where(np.isfinite(M), M, 0)
    done = np.zeros((count, n), bool)
    lanes = np.arange(count)
    used = []
    for _ in range(n):
        pivots = np.where(done, -1, np.einsum("bii->bi", M[:, :, :n]))
        k = pivots.argmax(axis=1)
        top = pivots[lanes, k]
        good = top > LD(2) ** -60
        done[lanes, k] = True
        row = M[lanes, k] / np.where(good, top, 1)[:, None]
        row = np.where(good[:, None], row, 0)
        factor = M[lanes, :, k].copy()
        factor[lanes, k] = 0
        M = M - factor[:, :, None] * row[:, None, :]
        M[lanes, k] = row
        used.append((k, good))
    return M[:, :, n] * s


def minimise(m: Model, allowed=None, start=None):
    """A point (lanes, d) by projected Newton steps, orthant by orthant for l1."""
    count, d, pen = m.A.shape[0], size(m), m.l1.shape[1]
    v = np.zeros((count, d), LD) if start is None else LD(start).copy()
    v[:, :pen] = np.clip(v[:, :pen], m.lower, m.upper)
    allowed = np.ones((count, d), bool) if allowed is None else allowed
    l1 = np.concatenate([m.l1, np.zeros((count, d - pen), LD)], axis=1)
    lower = np.concatenate([m.lower, np.full((count, d - pen), -np.inf)], axis=1)
    upper = np.concatenate([m.upper, np.full((count, d - pen), np.inf)], axis=1)
    F = objective(m, v[:, None])[:, 0]
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            g, H = derivatives(m, v)
            up, down = g + l1, g - l1
            pull = np.where(down > 0, down, np.where(up < 0, up, 0))
            pg = np.where(v > 0, up, np.where(v < 0, down, pull))
            side = np.where(v != 0, np.sign(v), -np.sign(pg))
            bound = ((v <= lower) & (pg > 0)) | ((v >= upper) & (pg < 0))
            free = allowed & ~bound & (pg != 0)
            keep = free[:, :, None] & free[:, None, :]
            move = -linear(np.where(keep, H, 0), np.where(free, pg, 0))
            diag = np.einsum("bii->bi", H)
            plain = -np.where(free & (diag > 0), pg / np.where(diag > 0, diag, 1), 0)
            tries = []
            for direction in (move, plain / d):
                t = v[:, None] + STEPS[None, :, None] * direction[:, None]
                crossed = (l1[:, None] > 0) & (t * side[:, None] < 0)
                t = np.where(crossed, 0, t)
                tries.append(np.clip(t, lower[:, None], upper[:, None]))
            # One coordinate at a time, to its own minimum.
            alone = v[:, None] + plain[:, None] * np.eye(d, dtype=LD)[None]
            crossed = (l1[:, None] > 0) & (alone * side[:, None] < 0)
            alone = np.where(crossed, 0, alone)
            tries.append(np.clip(alone, lower[:, None], upper[:, None]))
            T = np.concatenate(tries, axis=1)
            T = np.where(np.isfinite(T), T, v[:, None])
            values = objective(m, T)
            pick = values.argmin(axis=1)
            best = values[np.arange(count), pick]
            # At the last digits the full Newton step is better than its value shows.
            full = values[:, 0] <= F + abs(F) * LD(2) ** -61
            pick = np.where(full, 0, pick)
            go = full | (best < F)
            v = np.where(go[:, None], T[np.arange(count), pick], v)
            F = np.where(go, values[np.arange(count), pick], F)
    return v

"""Activation patterns 1[X u >= 0] of data, each with a direction inside its cone.

The cone of a pattern D is {v : (2 D - 1) X v >= 0}. A direction u with strict signs
proves that the cone has an interior; everything here is NumPy on concrete data, once.
Rows of zeros have no sign: every pattern has 1 there.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from banach.core.problem import Misuse

LARGEST = 4000
_MARGIN = 1e-12


class Patterns(NamedTuple):
    """Masks (P, n) of booleans and directions (P, d) of norm 1 inside their cones."""

    masks: np.ndarray
    directions: np.ndarray


def signs(masks: np.ndarray) -> np.ndarray:
    """2 D - 1 as numbers."""
    return 2.0 * masks - 1.0


def sampled(X: np.ndarray, count: int, seed: int, eps: float = 0.0) -> Patterns:
    """Distinct patterns of Gaussian directions, at most `count` of them.

    With eps > 0 only those whose cone keeps an interior when every row of X may move
    by eps in each coordinate.
    """
    rng = np.random.default_rng(seed)
    found = Patterns(np.zeros((0, X.shape[0]), bool), np.zeros((0, X.shape[1])))
    for _ in range(8):
        u = _unit(rng.standard_normal((max(count, 16), X.shape[1])))
        drawn = _strict(X, _masks(X, u), u)
        found = _join(found, widest(X, drawn.masks, eps) if eps else drawn)
        if len(found.masks) >= count:
            break
    return Patterns(found.masks[:count], found.directions[:count])


def given(X: np.ndarray, masks: Any, eps: float = 0.0) -> Patterns:
    """A user's patterns, or Misuse where one is no pattern of these data."""
    masks = np.asarray(masks)
    if masks.ndim != 2 or masks.shape[1] != X.shape[0] or masks.shape[0] == 0:
        raise Misuse(
            f"patterns have shape {masks.shape} but X has {X.shape[0]} rows; give one "
            f"row of 0 and 1 a pattern, shape (P, {X.shape[0]}), a number, or 'all'"
        )
    if not np.isin(masks, (0, 1)).all():
        raise Misuse("patterns must hold 0 and 1 (or False and True) only")
    masks = masks.astype(bool) | ~X.any(axis=1)
    kept = widest(X, np.unique(masks, axis=0), eps)
    if len(kept.masks) < len(np.unique(masks, axis=0)):
        have = {m.tobytes() for m in kept.masks}
        bad = next(i for i, m in enumerate(masks) if m.tobytes() not in have)
        wide = f" that keeps its signs when X moves by {eps:g}" if eps else ""
        raise Misuse(
            f"pattern {bad} is not 1[X u >= 0] of these data: no u{wide} was found "
            "with its signs. Patterns belong to the X that they were made from; sample "
            "new ones with patterns=50, or enumerate them with patterns='all'"
        )
    return _join(Patterns(masks[:0], kept.directions[:0]), _ordered(kept, masks))


def enumerated(X: np.ndarray) -> Patterns:
    """Every pattern whose cone has an interior, by recursion on the rank of X.

    Each such cone has a facet in some hyperplane <x_k, u> = 0; the cones beside it
    are found from the arrangement that the other rows leave on that hyperplane. The
    cost grows like n^(rank - 1). Other u are limits of these: no network is lost.
    """
    _, s, Vt = np.linalg.svd(X, full_matrices=False)
    rank = int(np.sum(s > 1e-10 * s[0])) if s.size and s[0] > 0 else 0
    n = X.shape[0]
    if rank > 4 or n ** max(rank - 1, 0) > 100_000:
        raise Misuse(
            f"patterns='all' enumerates about n^(rank - 1) cones, here {n}^{rank - 1}; "
            "sample instead, e.g. patterns=100, or reduce X to 2 or 3 columns"
        )
    basis = Vt[: max(rank, 1)]
    u = np.array([p @ basis for p in _cells(X @ basis.T)])
    found = _strict(X, _masks(X, u), u)
    if len(found.masks) > LARGEST:
        raise Misuse(
            f"X has {len(found.masks)} patterns, more than {LARGEST}; sample them "
            "with patterns=100"
        )
    return found


def widest(X: np.ndarray, masks: np.ndarray, eps: float = 0.0) -> Patterns:
    """The direction furthest inside each cone; patterns without one are dropped.

    It is the point of least norm in the hull of the signed unit rows, each with a box
    of radius eps about it, by the finite algorithm of Wolfe (1976).
    """
    rows = np.linalg.norm(X, axis=1)
    live = rows > 0
    A, radius = X[live] / rows[live, None], eps / rows[live]
    u = np.array([_least(s[:, None] * A, radius) for s in signs(masks[:, live])])
    u = u.reshape(len(masks), X.shape[1])
    keep = _width(A, radius, signs(masks[:, live]), u) > _MARGIN
    return Patterns(masks[keep], _unit(u[keep]))


def _least(A: np.ndarray, radius: np.ndarray) -> np.ndarray:
    def lowest(w: np.ndarray) -> np.ndarray:
        k = np.argmin(A @ w - radius * np.sum(np.abs(w)))
        return A[k] - radius[k] * np.sign(w)

    corners, weight = lowest(A.mean(axis=0))[None], np.ones(1)
    for _ in range(50 * A.shape[1]):
        w = weight @ corners
        new = lowest(w)
        # Strictly inside, to six digits of the best; or the hull holds the origin.
        if w @ new >= (1 - 1e-6) * (w @ w) or w @ w <= 1e-20:
            break
        corners, weight = np.vstack([corners, new]), np.append(weight, 0.0)
        while True:
            k = len(weight)
            K = np.block([[corners @ corners.T, np.ones((k, 1))], [np.ones(k), 0.0]])
            flat = np.linalg.lstsq(K, np.append(np.zeros(k), 1.0), rcond=None)[0][:k]
            if np.all(flat > 1e-14):
                weight = flat
                break
            low = flat <= 1e-14
            t = np.min(weight[low] / np.maximum(weight[low] - flat[low], 1e-300))
            weight = weight + t * (flat - weight)
            stay = ~low | (weight > 1e-14)
            if stay.all():
                stay[np.flatnonzero(low)[np.argmin(weight[low])]] = False
            corners, weight = corners[stay], weight[stay] / weight[stay].sum()
    return weight @ corners


def _strict(X: np.ndarray, masks: np.ndarray, u: np.ndarray) -> Patterns:
    """Those whose direction has no sign in doubt, each pattern once."""
    rows = np.linalg.norm(X, axis=1)
    live = rows > 0
    A = X[live] / rows[live, None]
    keep = _width(A, 0 * rows[live], signs(masks[:, live]), u) > _MARGIN
    none = Patterns(masks[:0], u[:0])
    return _join(none, Patterns(masks[keep], _unit(u[keep])))


def _ordered(found: Patterns, masks: np.ndarray) -> Patterns:
    """In the order of the rows that were given."""
    place = {m.tobytes(): i for i, m in enumerate(found.masks)}
    rows = [place[m.tobytes()] for m in masks]
    return Patterns(found.masks[rows], found.directions[rows])


def _width(A, radius, sign, u) -> np.ndarray:
    """The least signed distance to a row's hyperplane, over |u|."""
    if not len(A):
        return np.ones(len(u))
    size = np.linalg.norm(u, axis=1)
    least = sign * (u @ A.T) - radius * np.sum(np.abs(u), axis=1, keepdims=True)
    return np.min(least, axis=1) / np.where(size > 0, size, 1)


def _masks(X: np.ndarray, u: np.ndarray) -> np.ndarray:
    return (u @ X.T >= 0) | ~X.any(axis=1)


def _unit(u: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(u, axis=1, keepdims=True)
    return u / np.where(size > 0, size, 1)


def _join(a: Patterns, b: Patterns) -> Patterns:
    masks = np.concatenate([a.masks, b.masks])
    directions = np.concatenate([a.directions, b.directions])
    masks, first = np.unique(masks, axis=0, return_index=True)
    order = np.argsort(first)
    return Patterns(masks[order], directions[first[order]])


def _cells(X: np.ndarray) -> list[np.ndarray]:
    """A point in the interior of every cell of the hyperplanes <x_k, u> = 0."""
    rows = np.linalg.norm(X, axis=1)
    X = _distinct(X[rows > 1e-10 * max(float(rows.max(initial=0)), 1e-300)])
    r = X.shape[1]
    if len(X) == 0:
        return [np.ones(r)]
    if r == 1:
        return [np.ones(1), -np.ones(1)]
    seen: dict[bytes, np.ndarray] = {}
    for k in range(len(X)):
        Q = np.linalg.svd(X[k : k + 1])[2][1:]
        rest = np.delete(X, k, axis=0) @ Q.T
        for p, side in itertools.product(_cells(rest), (1.0, -1.0)):
            q = p @ Q
            away = np.abs(X @ q)
            away[k] = np.inf
            t = 0.5 * np.min(away / np.maximum(np.abs(X @ X[k]), 1e-300), initial=1.0)
            u = _unit((q + side * t * X[k])[None])[0]
            seen.setdefault((X @ u >= 0).tobytes(), u)
    return list(seen.values())


def _distinct(X: np.ndarray) -> np.ndarray:
    """One unit row a line: parallel rows share their hyperplane."""
    X = _unit(X)
    lead = np.argmax(np.abs(X) > 1e-7, axis=1)
    X = X * np.sign(X[np.arange(len(X)), lead])[:, None]
    return X[np.unique(np.round(X, 9), axis=0, return_index=True)[1]]

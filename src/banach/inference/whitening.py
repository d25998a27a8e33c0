"""Covariances by QR of scaled and centred rows, never by the inverse of J'J.

With B = diag(sqrt(bend)) [rows 1] = Q R D^-1 T^-1, D the lengths of the columns and T
what centring did to them, the curvature of the objective is H = B'B, and everything
that is asked of it are products with

    L = T D R^-1        H^-1 = L L'          standard errors: lengths of its rows
    U = [rows 1] L      leverages: bend_i ||u_i||^2, Newton's decrement: ||U' score||

A column times 1e12, or a mean a million times its spread, costs no digit: D and T are
exact to the last place, and the condition that counts is that of R.
"""

import dataclasses

import numpy as np

from banach.core.fitted import Fitted
from banach.core.problem import Misuse
from banach.core.rounding import gam


@dataclasses.dataclass(frozen=True)
class Whitened:
    """L, U and what rounding may have done to them.

    condition: of the scaled and centred columns. rounding: a relative error of
    standard errors to first order. distortion: a bound of the relative error of
    lengths in the metric of H, infinite where there is none. decrement: an upper
    bound of sqrt(g' H^-1 g), g the gradient, its own rounding charged.
    """

    L: np.ndarray
    U: np.ndarray
    leverage: np.ndarray
    condition: float
    rounding: float
    distortion: float
    decrement: float


def whiten(fit: Fitted) -> Whitened:
    """The factorisation, or Misuse naming the parameters that data do not tell."""
    rows, bend, (n, p) = fit.rows, fit.bend, (len(fit.bend), len(fit.estimates))
    parts = (rows, bend, fit.score, fit.estimates)
    if not all(np.all(np.isfinite(v)) for v in parts):
        raise Misuse(
            "the answer, or what the model is there, is not finite: no standard "
            "errors. Start where the model is defined"
        )
    mean = np.zeros(rows.shape[1])
    if fit.intercept:
        # Any number near the mean: T uses the same, and a - m is rounded relative to
        # itself.
        total = bend.sum()
        near = bend / total if total > 0 else np.full(n, 1 / n)
        mean = near @ rows
        rows = np.column_stack([rows - mean, np.ones(n)])
    B = np.sqrt(bend)[:, None] * rows
    big = np.max(abs(B), axis=0, initial=0)
    _each_felt(fit, big)
    unit = 2.0 ** np.round(np.log2(big))
    length = unit * np.linalg.norm(B / unit, axis=0)
    if n < p:
        raise Misuse(
            f"{n} rows of data tell no {p} parameters; fix or drop some, or add data"
        )
    B, rows = B / length, rows / length
    R = np.linalg.qr(B, mode="r")
    _, sigma, V = np.linalg.svd(R)
    u = np.finfo(float).eps
    row_error = np.append(fit.row_error, 4 * u) if fit.intercept else fit.row_error
    noise = float(np.linalg.norm(row_error)) + 4 * p * u
    least = sigma[-1]
    condition = float(sigma[0] / least) if least > 0 else np.inf
    if not least > 10 * noise:
        raise Misuse(_mixed(fit, V[-1]))
    inverse = np.linalg.solve(R, np.eye(p))
    L = inverse / length[:, None]
    if fit.intercept:
        # z = (A - 1 m') c + d is A c + (d - m'c).
        L[-1] -= mean @ L[:-1]
    U = np.linalg.solve(R.T, rows.T).T
    factor = gam(4 * n * p, float) * np.sqrt(p)
    spread = 2 * (factor + noise) / least
    distortion = 1 / (1 - spread) if spread < 0.5 else np.inf
    g = rows.T @ fit.score
    lost = abs(rows).T @ (fit.score_error + gam(n + 4, float) * abs(fit.score))
    decrement = np.linalg.norm(np.linalg.solve(R.T, g)) + 1.01 * np.linalg.norm(
        lost
    ) / least  # fmt: skip
    return Whitened(
        L=L,
        U=U,
        leverage=bend * np.sum(U**2, axis=1),
        condition=condition,
        rounding=float(noise / least),
        distortion=float(distortion),
        decrement=float(decrement * distortion),
    )


def lengths(K: np.ndarray) -> np.ndarray:
    """Lengths of the columns, whatever their unit."""
    big = np.max(abs(K), axis=0, initial=0)
    unit = np.where(big > 0, big, 1)
    return unit * np.linalg.norm(K / unit, axis=0)


def _each_felt(fit: Fitted, big: np.ndarray) -> None:
    dead = [str(fit.names[j]) for j in np.flatnonzero(~(big > 0))]
    if not dead:
        return
    which = _listed(dead)
    why = (
        "its column is constant beside the intercept, or 0, or no row feels it at this "
        "answer"
        if fit.intercept
        else "its column is 0 at this answer"
    )
    raise Misuse(
        f"the data tell nothing of {which}: {why}. Drop it, or start where the model "
        "feels it"
    )


def _mixed(fit: Fitted, direction: np.ndarray) -> str:
    size = abs(direction)
    some = [str(fit.names[j]) for j in np.flatnonzero(size > 0.1 * size.max())]
    return (
        f"the data do not tell {_listed(some)} apart: to rounding the columns of the "
        "Jacobian have no full rank at this answer, and the covariance does not exist. "
        "Drop or fix one of them, or add data that tells them apart"
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more

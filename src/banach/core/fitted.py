"""What a kind says of an answer as a fit of data, for its standard errors."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Fitted:
    """An answer as an estimate: parameters theta, and one row of data a loss.

    The objective is sum_i l_i(z_i(theta)). Everything is NumPy's, in float64, at the
    answer; rows of weight 0 are left out.

    Args:
        names: of the parameters, in order; an intercept is the last.
        estimates: theta, (p,).
        rows: dz_i / dtheta, (n, p); without the intercept's column of ones.
        intercept: whether there is one.
        bend: the second derivatives l_i'' that the covariance is made of, (n,).
        score: l_i', (n,).
        score_error: bounds of the rounding of score, (n,).
        row_error: relative rounding of each column of rows, (p without intercept,).
        weights: w_i, where l_i is w_i times half a square; ones elsewhere.
        squares: sum_i w_i r_i^2, where the errors have a variance to be estimated.
        squares_error: its rounding.
        likelihood: the losses in words, where they are those of a probability model.
        self_concordance: c with |l'''| <= c l'' where z is linear in theta; None where
            it is not, or no c is known.
        hessian: the whole second derivative, (p, p), where z is not linear.
        bounds: (lower, upper) of theta, where it has any.
        conditions: under which its model covariance holds, beside those of all fits.
    """

    names: tuple
    estimates: np.ndarray
    rows: np.ndarray
    intercept: bool
    bend: np.ndarray
    score: np.ndarray
    score_error: np.ndarray
    row_error: np.ndarray
    weights: np.ndarray
    squares: float | None = None
    squares_error: float = 0.0
    likelihood: str | None = None
    self_concordance: float | None = None
    hessian: np.ndarray | None = None
    bounds: tuple[Any, Any] | None = None
    conditions: tuple[str, ...] = ()

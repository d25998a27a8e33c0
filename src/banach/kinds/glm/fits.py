"""A linear model as a fit of data: what its standard errors are made of."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.core import compat
from banach.core.fitted import Fitted
from banach.core.problem import Misuse
from banach.core.rounding import gam
from banach.kinds.glm import design
from banach.kinds.glm.inputs import known
from banach.terms.norms import L1, ElasticNet, SquaredL2, Zero
from banach.terms.sets import Box, Nonnegative

ENTRIES = 50_000_000
"""Entries of A up to which it is made dense and factorised."""
_REFIT = (
    "A fit of the chosen columns alone, on the same data, takes the choice for given "
    "and its intervals are too short: fit them on rows that had no part in the "
    "choice, with l2=0"
)
_PENALTIES = {
    SquaredL2: "l2 > 0 pulls coefficients towards 0: they are biased, by an amount "
    "that depends on the unknown truth, and no standard error covers it. State the "
    "model with l2=0 (standard errors of the same data without the penalty)",
    L1: f"an l1 penalty selects columns and shrinks the others. {_REFIT}",
    ElasticNet: f"an l1 penalty selects columns, and both shrink them. {_REFIT}",
}


def fitted(model: Any, x: Any) -> Fitted:
    """Rows, weights and scores of a model at x; Misuse where a penalty forbids it."""
    if not known(model.A, model.y, model.weight, model.offset, model.term, x):
        raise Misuse("standard errors are computed outside jit, from concrete data")
    if model.loss.no_errors:
        raise Misuse(model.loss.no_errors)
    bounds = _bounds(model)
    n, p = model.A.shape
    if n * p > ENTRIES:
        raise Misuse(
            f"A of {n} rows and {p} columns is too large to be factorised for standard "
            f"errors (at most {ENTRIES:,} entries); of so many rows a part tells "
            "standard errors well enough: they shrink with the square root of n"
        )
    A = design.host(model.A, np.float64)
    x, y = np.asarray(x, np.float64), np.asarray(model.y, np.float64)
    w = np.ones(n) if model.weight is None else np.asarray(model.weight, np.float64)
    o = np.zeros(n) if model.offset is None else np.asarray(model.offset, np.float64)
    felt = w > 0
    A, y, w, o = A[felt], y[felt], w[felt], o[felt]
    c, b = (x[:-1], x[-1]) if model.intercept else (x, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        z = A @ c + b + o
        size = abs(A) @ abs(c) + abs(b) + abs(o)
        e = 1.01 * gam(p + 4, float) * size
    with compat.double():
        loss, at, e_z = model.loss, jnp.asarray(z), jnp.asarray(e)
        slope = np.asarray(loss.derivative(at, jnp.asarray(y)))
        bend = np.asarray(loss.curvature(at, jnp.asarray(y)))
        steep = np.asarray(loss.steepest(at, e_z))
        lost = abs(slope) + (0 if loss.homogeneous else bend)
    u = np.finfo(float).eps
    squares = w * slope**2 if loss.dispersed else None
    rows = A if isinstance(A, np.ndarray) else A.toarray()
    return Fitted(
        names=_names(model),
        estimates=x,
        rows=rows,
        intercept=model.intercept,
        bend=w * bend,
        score=w * slope,
        score_error=w * (steep * e + 16 * u * lost),
        # sqrt(w l''): of l'' the error of z, of exponentials as much again.
        row_error=np.full(p, (0 if loss.homogeneous else np.max(e, initial=0)) + 4 * u),
        weights=w,
        squares=None if squares is None else float(np.sum(squares)),
        squares_error=0.0 if squares is None else float(np.sum(2 * w * abs(slope) * e)),
        likelihood=loss.likelihood,
        self_concordance=loss.self_concordance,
        bounds=bounds,
        conditions=_conditions(model),
    )


def _names(model: Any) -> tuple:
    names = tuple(model.columns) or tuple(range(model.A.shape[1]))
    if not model.intercept:
        return names
    return (*names, "intercept" if "intercept" not in names else "(intercept)")


def _conditions(model: Any) -> tuple[str, ...]:
    weighted = model.weight is not None
    said = [f"the model is true: {model.loss.likelihood}"] * (
        model.loss.likelihood is not None
    )
    if model.loss.dispersed and weighted:
        said = ["the model is true: errors of mean 0, variance s^2 / sample_weight"]
    elif weighted:
        said.append("sample_weight counts copies of a row")
    return tuple(said)


def _bounds(model: Any) -> tuple[Any, Any] | None:
    """The bounds of the parameters, None without; Misuse for a penalty."""
    term, p = model.term, model.A.shape[1]
    name = type(term).__name__
    if isinstance(term, Zero):
        return None
    if isinstance(term, SquaredL2 | L1 | ElasticNet):
        weights = [v for v in (getattr(term, k, 0.0) for k in ("lam", "l1", "l2"))]
        if all(not np.any(np.asarray(v)) for v in weights):
            return None
        raise Misuse(f"no standard errors with a penalty: {_PENALTIES[type(term)]}")
    if isinstance(term, Box):
        sides = term.lower, term.upper
    elif isinstance(term, Nonnegative):
        sides = 0.0, np.inf
    else:
        raise Misuse(
            f"no standard errors with {name}: it selects or ties coefficients, so that "
            f"they are not normal about the truth. {_REFIT}"
        )
    low, high = (np.broadcast_to(np.asarray(v, float), (p,)) for v in sides)
    if model.intercept:
        low, high = np.append(low, -np.inf), np.append(high, np.inf)
    return low, high

"""A linear model's relatives: other strengths of its term, other rows of its data."""

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from banach.core import compat
from banach.core.problem import Misuse
from banach.kinds import sparse_input
from banach.kinds.glm import design, host_model
from banach.parts.sparse import SparseMatrix
from banach.terms.norms import ElasticNet
from banach.terms.term import Norm

Model = Any


def scaled(problem: Model, multiple: float) -> Model:
    """The model with its term times a number."""
    term = problem.term

    def times(v: Any) -> Any:
        return (np.asarray(v) * multiple).astype(np.asarray(v).dtype)

    if isinstance(term, ElasticNet):
        new = eqx.tree_at(
            lambda t: (t.l1, t.l2), term, (times(term.l1), times(term.l2))
        )
    elif isinstance(term, Norm) and hasattr(term, "lam"):
        new = eqx.tree_at(lambda t: t.lam, term, times(term.lam))
    else:
        raise Misuse(
            f"{type(term).__name__} has no strength to follow a path along; use a "
            "penalty such as bn.L1 or bn.ElasticNet"
        )
    return eqx.tree_at(lambda p: p.term, problem, new)


def empty_from(problem: Model) -> float:
    """The least multiple of the term at which all coefficients are 0."""
    model = problem.on_host()
    if isinstance(model, str):
        raise Misuse(
            f"no first point of this path is known: it {model}; give multiples="
        )
    if not np.all(model.l1 > 0):
        raise Misuse(
            "no multiple makes all coefficients 0, as some have an l1 weight of 0; "
            "give multiples="
        )
    with compat.double():
        x = np.asarray(problem.reference_point().x, np.float64)
    b = x[-1] if problem.intercept else 0.0
    u = model.weight * model.slope(model.offset + b)
    return float(np.max(abs(model.A.T @ u) / model.l1, initial=0))


def of_rows(problem: Model, rows: Int[np.ndarray, " k"]) -> Model:
    """The model of some rows; its term as it is."""
    A = problem.A
    if isinstance(A, SparseMatrix):
        A = sparse_input.sparse(A.csr()[rows], "A")
    else:
        A = np.asarray(A)[rows]
    parts = [problem.y, problem.weight, problem.offset]
    cut = [None if v is None else np.asarray(v)[rows] for v in parts]
    return eqx.tree_at(
        lambda p: (p.A, p.y, p.weight, p.offset), problem, (A, *cut),
        is_leaf=lambda v: v is None,
    )  # fmt: skip


def mean_loss(problem: Model, x: Float[np.ndarray, "..."]) -> float:
    """The weighted mean of the losses at x, without the term."""
    model = host_model.of(problem)
    c, b = (x[:-1], x[-1]) if problem.intercept else (x, 0.0)
    z = model.offset + design.host(problem.A, np.float64) @ np.asarray(c, float) + b
    with np.errstate(over="ignore"):
        return float(model.weight @ model.value(z) / model.weight.sum())

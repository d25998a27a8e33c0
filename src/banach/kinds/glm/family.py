"""A linear model's relatives: other strengths of its term, other rows of its data."""

import dataclasses
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from banach.core import compat
from banach.core.problem import Misuse
from banach.kinds import sparse_input
from banach.kinds.glm import design, host_model
from banach.parts.sparse import SparseMatrix
from banach.terms.term import Norm

Model = Any
WEIGHTS = ("l1", "l2", "lam")


def scaled(problem: Model, multiple: float) -> Model:
    """The model with its term times a number."""
    term = problem.term

    def times(v: Any) -> Any:
        return (np.asarray(v) * multiple).astype(np.asarray(v).dtype)

    names = [f.name for f in dataclasses.fields(term)]
    # The lam of SCAD and MCP is a size of the coefficients as well.
    own = ["scale"] if "scale" in names else [n for n in WEIGHTS if n in names]
    if not isinstance(term, Norm) or not own:
        raise Misuse(
            f"{type(term).__name__} has no strength to follow a path along; use a "
            "penalty such as bn.L1 or bn.ElasticNet"
        )
    new = eqx.tree_at(
        lambda t: [getattr(t, n) for n in own],
        term,
        [times(getattr(term, n)) for n in own],
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

"""A linear model's relatives: other strengths of its term, other rows of its data."""

import dataclasses
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from banach.core import compat, unchanged
from banach.core.problem import Misuse
from banach.kinds import sparse_input
from banach.parts.sparse import SparseMatrix
from banach.terms.norms import Zero
from banach.terms.term import Norm

Model = Any
WEIGHTS = ("l1", "l2", "lam", "tv")


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
    why = problem.instead("host_model")
    if why is not None:
        raise Misuse(
            f"no first point of this path is known, so that multiples= is needed. {why}"
        )
    with unchanged.known({}):  # asked inside another run it belongs to none
        model = problem.host_model()
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


def of_rows(problem: Model, rows: Int[np.ndarray, " k"], held: bool = False) -> Model:
    """The model of some rows; its term as it is. `held`: it is not to be solved."""
    A = problem.A
    if isinstance(A, SparseMatrix):
        A = sparse_input.sparse(A.csr()[rows], "A")
    else:
        A = np.asarray(A)[rows]
    parts = [problem.y, problem.weight, problem.offset]
    cut = [None if v is None else np.asarray(v)[rows] for v in parts]
    if problem.intercept and not held:
        type(problem.loss).check_intercept(problem.loss, cut[0], cut[1])
    return eqx.tree_at(
        lambda p: (p.A, p.y, p.weight, p.offset), problem, (A, *cut),
        is_leaf=lambda v: v is None,
    )  # fmt: skip


def weight_of(problem: Model) -> float:
    """The sum of the sample weights."""
    w = problem.weight
    return float(problem.A.shape[0] if w is None else np.sum(w))


def mean_loss(problem: Model, x: Float[np.ndarray, "..."]) -> float:
    """The weighted mean of the losses at x, without the term."""
    bare = eqx.tree_at(lambda p: p.term, problem, Zero())
    return float(bare.value(x)) / weight_of(problem)

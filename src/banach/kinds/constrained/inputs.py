"""Linear equations and bounds as a user states them."""

from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, tree, validation
from banach.core.problem import Misuse
from banach.kinds import inputs


def equations(x0: PyTree, linear: Any) -> tuple[Any, Any] | None:
    """(A, b) as arrays of the dtype of x0, or Misuse."""
    if linear is None:
        return None
    if not (isinstance(linear, tuple | list) and len(linear) == 2):
        raise Misuse(
            "linear must be a pair (A, b) of the equations A x = b, got "
            f"{validation.shown(linear)}"
        )
    A, b = (
        validation.array(v, f"linear=(A, b): {name}")
        for name, v in zip("Ab", linear, strict=True)
    )
    n, dtype = tree.size(x0), tree.dtype(x0)
    if np.ndim(A) != 2 or np.shape(A)[1] != n or np.shape(b) != np.shape(A)[:1]:
        raise Misuse(
            f"linear=(A, b) has shapes {np.shape(A)} and {np.shape(b)}; {n} unknowns "
            f"need A of shape (p, {n}) and b of shape (p,)"
        )
    return tuple(inputs.narrowed(v, dtype, "linear=(A, b)") for v in (A, b))


def bounds(x0: PyTree, lower: Any, upper: Any) -> tuple[PyTree, PyTree]:
    """Both bounds as pytrees like x0, or (None, None) where neither was given."""
    if lower is None and upper is None:
        return None, None
    low = _bound(x0, -np.inf if lower is None else lower, "lower")
    high = _bound(x0, np.inf if upper is None else upper, "upper")
    for p, q in zip(jax.tree.leaves(low), jax.tree.leaves(high), strict=True):
        if compat.is_tracer(p) or compat.is_tracer(q):
            continue
        p, q = np.asarray(p), np.asarray(q)
        if np.any(p > q) or np.any(p == np.inf) or np.any(q == -np.inf):
            raise Misuse(
                "lower exceeds upper in some coordinate, so that no x is feasible; "
                "swap them there, or drop one with -inf or inf"
            )
    return low, high


def _bound(x0: PyTree, bound: Any, name: str) -> PyTree:
    bound = inputs.sides(bound, name)
    if jax.tree.structure(bound) == jax.tree.structure(0) and not np.ndim(bound):
        everywhere = validation.number(bound, name, infinite=True)
        bound = jax.tree.map(lambda v: inputs.full(v, everywhere, name), x0)
    shapes = [v.shape for v in jax.tree.leaves(x0)]
    if jax.tree.structure(bound) != jax.tree.structure(x0) or shapes != [
        np.shape(v) for v in jax.tree.leaves(bound)
    ]:
        raise Misuse(
            f"{name} must be one number or have the structure and shapes of x0 "
            f"{shapes}; write inf for a coordinate without a bound"
        )

    return jax.tree.map(lambda v, x: inputs.narrowed(v, x.dtype, name), bound, x0)

"""Linear equations and bounds as a user states them."""

from typing import Any

import numpy as np
from jaxtyping import PyTree

from banach.core import tree, validation
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

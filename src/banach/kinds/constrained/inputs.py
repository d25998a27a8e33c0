"""Constraints as a user states them, and what they are called."""

from collections.abc import Mapping
from typing import Any

import jax
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


def together(fun: Any, name: str) -> Any:
    """One function of what may be a dict of functions, by the user's names."""
    if not isinstance(fun, Mapping):
        return fun
    for key, one in fun.items():
        if not isinstance(key, str) or not callable(one):
            raise Misuse(
                f"Constrained's {name} must be a function of the variable, or a dict "
                f"of such by name, got {validation.shown(one)} as {key!r}"
            )
    each = dict(fun)
    return lambda x, *args: {key: one(x, *args) for key, one in each.items()}


def row_names(fun: Any, name: str) -> list[str]:
    """The names of a function's rows: of a dict its keys, else its own and a number."""
    program = fun.narrow.program
    sizes = [v.aval.size for v in program.jaxpr.outvars]
    tree_ = jax.tree.unflatten(program.out_tree, sizes)
    found: list[str] = []
    for path, size in jax.tree_util.tree_leaves_with_path(tree_):
        if path and isinstance(path[0], jax.tree_util.DictKey):
            key = jax.tree_util.keystr(path, simple=True, separator=".")
            found += [key] if size == 1 else [f"{key}[{i}]" for i in range(size)]
        else:
            found += [f"{name}[{i}]" for i in range(len(found), len(found) + size)]
    return found

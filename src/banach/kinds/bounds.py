"""Lower and upper bounds as a user states them, read once and checked."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, validation
from banach.core.problem import Misuse
from banach.kinds import inputs


def read(x0: PyTree, lower: Any, upper: Any) -> tuple[PyTree, PyTree]:
    """Both bounds as pytrees like x0, or (None, None) where neither was given.

    A number stands for every coordinate; where x0 is a mapping, names that a bound
    leaves out have none.
    """
    if lower is None and upper is None:
        return None, None
    low = _bound(x0, -np.inf if lower is None else lower, "lower", -np.inf)
    high = _bound(x0, np.inf if upper is None else upper, "upper", np.inf)
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


def _bound(x0: PyTree, bound: Any, name: str, without: float) -> PyTree:
    if isinstance(x0, Mapping) and isinstance(bound, Mapping):
        bound = _all_names(x0, bound, name, without)
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


def _all_names(x0: Mapping, bound: Mapping, name: str, without: float) -> dict:
    unknown = sorted(map(str, bound.keys() - x0.keys()))
    if unknown:
        raise Misuse(
            f"{name} has {', '.join(unknown)}, which x0 has not: its names are "
            f"{', '.join(map(str, x0))}"
        )

    def one(key: Any) -> Any:
        own = x0[key]
        side = bound.get(key, without)
        if np.ndim(side) == 0 and not isinstance(side, Mapping) and side is not None:
            return jax.tree.map(lambda v: np.full(np.shape(v), side, float), own)
        return side

    return {key: one(key) for key in x0}

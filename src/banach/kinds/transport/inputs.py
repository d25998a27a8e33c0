"""Data of transport problems, read once: costs, clouds, marginals, eps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import validation
from banach.core.problem import Misuse
from banach.kinds import inputs
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.glm.inputs import known
from banach.parts.transport_cost import COSTS, Cost, DenseCost

_SIDES = "one row a mass of a, one column a mass of b"
_POINTS = "one point a row"


def read(cost: Any, a: Any, b: Any, eps: Any) -> tuple[Cost, Any, Any, Any]:
    """Cost, marginals and eps in one dtype, or Misuse."""
    if not isinstance(cost, Cost):
        cost = DenseCost(glm_inputs.dense(cost, "cost", _SIDES))
    cost = _operator(cost)
    m, n = cost.shape
    a, b = _marginal(a, "a", m, "rows"), _marginal(b, "b", n, "columns")
    dtype = glm_inputs.common_dtype(cost, a, b)
    a, b = (inputs.cast(v, dtype, k) for k, v in (("a", a), ("b", b)))
    _alike(a, b, dtype)
    return _cast(cost, dtype), a, b, positive(eps, dtype)


def clouds(x: Any, y: Any, cost: str) -> Cost:
    """The operator of two clouds, or Misuse."""
    if not isinstance(cost, str) or cost not in COSTS:
        raise Misuse(
            f"cost must be one of {', '.join(COSTS)}, "
            f"got {validation.shown(cost)}; for "
            "another one pass its matrix: bn.Transport(cost, a, b, eps)"
        )
    x, y = (glm_inputs.dense(v, k, _POINTS) for k, v in (("x", x), ("y", y)))
    if x.shape[1] != y.shape[1]:
        raise Misuse(
            f"x has points of {x.shape[1]} coordinates and y of {y.shape[1]}; both "
            "need the same number, shapes (m, d) and (n, d)"
        )
    dtype = jnp.promote_types(x.dtype, y.dtype)
    return COSTS[cost](x.astype(dtype), y.astype(dtype))


def positive(eps: Any, dtype: Any) -> Any:
    """The regularisation as a scalar of the data's dtype."""
    try:
        given = validation.number(eps, "eps", low="positive")
        # Again where it was rounded: the formula sees the dtype of the data.
        return validation.number(given.astype(dtype), "eps", low="positive")
    except Misuse as error:
        raise Misuse(
            f"{error}; it has the units of the cost, e.g. eps=0.01 * np.median(cost)"
        ) from None


def _operator(cost: Cost) -> Cost:
    """The leaves of a cost, read: finite and real, with points of one dimension."""
    read = [
        glm_inputs.matrix(v, "cost", _SIDES if cost.stored else _POINTS)
        for v in jax.tree.leaves(cost)
    ]
    made = jax.tree.unflatten(jax.tree.structure(cost), read)
    if not cost.stored and len({v.shape[1] for v in read}) != 1:
        raise Misuse("both clouds of a cost need points of as many coordinates")
    return made


def _marginal(v: Any, name: str, k: int, side: str) -> Any:
    v = validation.array(v, name)
    if v.shape != (k,):
        raise Misuse(
            f"{name} has shape {v.shape} but the cost has {k} {side}; give one mass a "
            f"{side[:-1]}, shape ({k},)"
        )
    if not known(v):
        return v
    low = np.asarray(v).min()
    if low < 0:
        raise Misuse(f"{name} has a negative mass, {low}; masses must be positive")
    if low == 0:
        where = np.flatnonzero(np.asarray(v) == 0)
        raise Misuse(
            f"{name} is zero at {where.size} of {v.size} places, first at "
            f"{where[0]}; potentials are not defined there: drop these {side} "
            f"(keep = {name} > 0)"
        )
    return v


def _alike(a: Any, b: Any, dtype: Any) -> None:
    if not known((a, b)):
        return
    p, q = np.sum(np.asarray(a, np.float64)), np.sum(np.asarray(b, np.float64))
    u = float(jnp.finfo(dtype).eps)
    if abs(p - q) > 2 * (a.size + b.size) * u * max(p, q):
        raise Misuse(
            f"the marginals do not sum alike, sum a = {p:.17g}, sum b = {q:.17g}: no "
            "plan has both; divide each by its sum, or use an unbalanced model"
        )


def _cast(cost: Cost, dtype: Any) -> Cost:
    return jax.tree.map(lambda v: v.astype(dtype), cost)

"""Data of transport problems, read once: costs, clouds, marginals, eps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core.problem import Misuse
from banach.parts.transport_cost import COSTS, Cost, DenseCost
from banach.problems import glm_inputs
from banach.problems.glm_inputs import known


def read(cost: Any, a: Any, b: Any, eps: Any) -> tuple[Cost, Any, Any, Any]:
    """Cost, marginals and eps in one dtype, or Misuse."""
    if not isinstance(cost, Cost):
        cost = DenseCost(_matrix(cost, "cost"))
    m, n = cost.shape
    a, b = _marginal(a, "a", m, "rows"), _marginal(b, "b", n, "columns")
    dtype = glm_inputs.common_dtype(cost, a, b)
    a, b = a.astype(dtype), b.astype(dtype)
    _alike(a, b, dtype)
    return _cast(cost, dtype), a, b, _positive(eps, dtype)


def clouds(x: Any, y: Any, cost: str) -> Cost:
    """The operator of two clouds, or Misuse."""
    if cost not in COSTS:
        raise Misuse(
            f"cost must be one of {', '.join(COSTS)}, got {cost!r}; for another one "
            "pass its matrix: bn.Transport(cost, a, b, eps)"
        )
    x, y = _matrix(x, "x"), _matrix(y, "y")
    if x.shape[1] != y.shape[1]:
        raise Misuse(
            f"x has points of {x.shape[1]} coordinates and y of {y.shape[1]}; both "
            "need the same number, shapes (m, d) and (n, d)"
        )
    dtype = jnp.promote_types(x.dtype, y.dtype)
    return COSTS[cost](x.astype(dtype), y.astype(dtype))


def _positive(eps: Any, dtype: Any) -> Any:
    eps = np.asarray(eps) if known(eps) else eps
    real = jnp.issubdtype(eps.dtype, np.floating) or jnp.issubdtype(
        eps.dtype, np.integer
    )
    if eps.ndim or not real:
        raise Misuse(
            f"eps must be one positive number in the units of the cost, got {eps!r}; "
            "e.g. eps=0.01 * np.median(cost)"
        )
    given, eps = eps, eps.astype(dtype)
    if known(eps) and not (np.isfinite(eps) and eps > 0):
        raise Misuse(
            f"eps must be positive and finite in {eps.dtype}, got {float(given)}; it "
            "has the units of the cost, e.g. eps=0.01 * np.median(cost)"
        )
    return eps


def _matrix(v: Any, name: str) -> Any:
    try:
        return glm_inputs.matrix(v)
    except Misuse as e:
        text = str(e)
        raise Misuse(
            f"transport needs {name} as a 2-D array of finite numbers: "
            + (text.replace("A ", f"{name} ", 1) if text.startswith("A ") else text)
        ) from None


def _marginal(v: Any, name: str, k: int, side: str) -> Any:
    v = v if isinstance(v, jax.Array) else np.asarray(v)
    if v.shape != (k,):
        raise Misuse(
            f"{name} has shape {v.shape} but the cost has {k} {side}; give one mass a "
            f"{side[:-1]}, shape ({k},)"
        )
    if not jnp.issubdtype(v.dtype, jnp.floating):
        if not jnp.issubdtype(v.dtype, np.integer):
            raise Misuse(f"{name} must hold real numbers, got {v.dtype}")
        v = v.astype(np.float64)
    glm_inputs.finite(v, name)
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

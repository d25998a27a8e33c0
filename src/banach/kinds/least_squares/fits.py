"""Residuals as a fit of data: what its standard errors are made of."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, tree
from banach.core.fitted import Fitted
from banach.core.problem import Misuse

HESSIAN_UP_TO = 300
"""Parameters up to which the second derivatives of the residuals are looked at."""


def fitted(problem: Any, x: PyTree) -> Fitted:
    """Residuals, Jacobian and Hessian at x; the rounding of both as moving x shows."""
    if compat.any_tracer((problem, x)):
        raise Misuse("standard errors are computed outside jit, from concrete data")
    with compat.double():
        double = jax.dtypes.canonicalize_dtype("float64")
        problem, x = tree.cast(problem, double), tree.cast(x, double)
        flat, _ = tree.ravel(x)
        found = jax.device_get(_evaluated(problem, x))
        (r, J), (moved, turned) = found
        bent = None
        if flat.size <= HESSIAN_UP_TO and "hess" in problem.oracles():
            bent = np.asarray(_hessian(problem, x))
        bounds = None
        if problem.term is not None:
            bounds = tuple(np.asarray(v, np.float64) for v in problem.bounds())
    r, J, flat = (np.asarray(v, np.float64) for v in (r, J, flat))
    u = np.finfo(float).eps
    # What moving x by one unit in its last place does to r is no rounding of r.
    size = np.max(abs(J), axis=0, initial=0)
    noise = np.max(abs(turned - J), axis=0, initial=0)
    e = abs(moved - r) + u * abs(r)
    with np.errstate(over="ignore", invalid="ignore"):
        squares, lost = float(r @ r), float(2 * abs(r) @ e)
    return Fitted(
        names=names(x),
        estimates=flat,
        rows=J,
        intercept=False,
        bend=np.ones(len(r)),
        score=r,
        score_error=e,
        row_error=noise / np.where(size > 0, size, 1) + 4 * u,
        weights=np.ones(len(r)),
        squares=squares,
        squares_error=lost,
        likelihood="residuals of mean 0 and one variance",
        hessian=bent,
        bounds=bounds,
        conditions=(
            "the model is true: residuals of mean 0 and one variance (divided by "
            "sigma where you know it)",
        ),
    )


@jax.jit
def _evaluated(problem: Any, x: PyTree) -> Any:
    eps = jnp.finfo(tree.dtype(x)).eps
    near = tree.scale(1 + eps, x)
    return (
        (problem.residual(x), problem.jacobian(x)),
        (problem.residual(near), problem.jacobian(near)),
    )


@jax.jit
def _hessian(problem: Any, x: PyTree) -> Any:
    return problem.hess(x)


def names(x: PyTree) -> tuple[str, ...]:
    """Parameters by their place in x, in tree.ravel's order: a, b[0], or x[0].

    The places of a matrix are [row,column].
    """
    out = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(x):
        start = _path(path)
        for at in np.ndindex(np.shape(leaf)):
            out.append(start + (f"[{','.join(map(str, at))}]" if at else ""))
    return tuple(out)


def _path(path: tuple) -> str:
    said = ""
    for i, key in enumerate(path):
        if isinstance(key, jax.tree_util.SequenceKey):
            said += f"{'x' * (i == 0)}[{key.idx}]"
            continue
        name = getattr(key, "key", getattr(key, "name", key))
        said += f"{'.' * (i > 0)}{name}"
    return said or "x"

"""Why a run may get no further, read from the problem at the point that it reached.

Words for a hint, in floating point and without proof: what is proved has a status.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, tree

# Least squares of a dense matrix of this many unknowns is a matter of a second.
DENSE = 1000
FLAT = 1e-4


def contradiction(problem: Any, x: PyTree) -> str | None:
    """Whether x is a stationary point of the violation of the constraints, above 0.

    With v the violations and J their Jacobian, ||P(x - J'v) - x|| is compared with
    ||J|| ||v||, P the projection onto the bounds and ||J|| the larger one of x and the
    start, as J itself may vanish at x.
    """
    with compat.double():
        violation, slope, steep = (float(v) for v in _slope(problem, x))
    small = float(np.sqrt(np.finfo(tree.dtype(x)).eps))
    if not violation > small or not slope <= FLAT * steep * violation:
        return None
    return (
        f"the constraints are violated by {violation:.2g} at x, and no small move of "
        "x makes that less: they contradict each other there. Start elsewhere, or "
        "relax them"
    )


@jax.jit
def _slope(problem, x):
    flat, back = tree.ravel(x)
    c, J = problem.constraints(x), problem.jacobian(x)
    equations = jnp.arange(c.size) < problem.equations()
    v = jnp.where(equations, c, jnp.maximum(c, 0))
    move = flat - jnp.matmul(v, J, precision=tree.PRECISION)
    after = tree.ravel(problem.clipped(back(move)))[0]
    steep = jnp.maximum(tree.norm(J), tree.norm(problem.jacobian(problem.start().x)))
    return tree.norm(v), tree.norm(after - flat), steep


def inconsistent(problem: Any) -> str | None:
    """Whether the least residual of a system of moderate size is far above zero."""
    if problem.size() > DENSE:
        return None
    with compat.double():
        A, b = np.asarray(problem.matrix()), np.asarray(tree.ravel(problem.b)[0])
    if not (np.all(np.isfinite(A)) and np.all(np.isfinite(b))):
        return None
    x, _, rank, _ = np.linalg.lstsq(A, b, rcond=None)
    left = np.linalg.norm(b - A @ x)
    if rank == len(b) or not left > 1e-8 * np.linalg.norm(b):
        return None
    return (
        f"to rounding A has rank {rank} of {len(b)}, and no x comes closer to b than "
        f"||b-Ax||_2 = {left:.3g}: A x = b has no solution. bn.normal_equations(A, b, "
        "ridge) has one, the least squares solution"
    )


def no_descent(problem: Any, x: PyTree) -> str | None:
    """Whether x is a stationary point of ||F|| that is no root.

    |J_j'F| is compared with ||J_j|| ||F|| for each column j, ||J_j|| the larger one of
    x and the start, as J itself may vanish at x. Rows have a largest entry of 1 in
    either, so that neither units of equations nor those of unknowns matter.
    """
    if problem.size() > DENSE:
        return None
    with compat.double():
        size, slope = (float(v) for v in _descent(problem, x))
    if not np.isfinite(size) or not size > 0 or not slope <= FLAT:
        return None
    return (
        "x is a stationary point of ||F||, no root: to first order no small move "
        "makes the equations smaller there. Start elsewhere; there may be no root"
    )


@jax.jit
def _descent(problem, x):
    """||F|| and the largest |J_j'F| / (||J_j|| ||F||), rows weighted."""
    F, J = tree.ravel(problem.residual(x))[0], problem.jacobian(x)
    first = problem.jacobian(problem.start().x)
    rows = jnp.max(jnp.maximum(abs(J), abs(first)), axis=1)
    rows = jnp.where(rows > 0, rows, 1)
    F, J, first = F / rows, J / rows[:, None], first / rows[:, None]
    steep = jnp.sqrt(jnp.maximum(jnp.sum(J**2, 0), jnp.sum(first**2, 0)))
    size = tree.norm(F)
    slope = abs(jnp.matmul(F, J, precision=tree.PRECISION))
    whole = steep * size
    return size, jnp.max(slope / jnp.where(whole > 0, whole, 1))

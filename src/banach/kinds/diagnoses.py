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
LARGEST_JACOBIAN = 10_000_000
# Unknowns up to which the violations alone are descended, with a dense solve a step.
DESCENDED = 300


def contradiction(problem: Any, x: PyTree) -> str | None:
    """Whether the violation of the constraints is stationary, above 0, at or near x.

    With v the violations and J their Jacobian, ||P(x - J'v) - x|| is compared with
    ||J|| ||v||, P the projection onto the bounds and ||J|| the larger one of x and the
    start, as J itself may vanish at x. Near: where least squares of the violations
    alone lead from x, for a moderate number of unknowns.
    """
    with compat.double():
        violation, slope = (float(v) for v in _slope(problem, x))
        small = float(np.sqrt(np.finfo(tree.dtype(x)).eps))
        if not violation > small:
            return None
        if slope <= FLAT:
            return (
                f"the violation ||c||_2 = {violation:.2g} of the constraints is "
                f"stationary at x{_ENOUGH}"
            )
        if problem.size() > DESCENDED:
            return None
        near = _descended(problem, x)
        violation, slope = (float(v) for v in _slope(problem, near))
    if not (violation > small and slope <= FLAT):
        return None
    return (
        "least squares of the violations alone lead from x to a point where "
        f"||c||_2 = {violation:.2g} is stationary{_ENOUGH}"
    )


_ENOUGH = (
    ": no small move makes it less, and more steps from here will not. Start "
    "elsewhere, or relax the constraints"
)


@jax.jit
def _descended(problem, x):
    """Sixty steps of projected Levenberg-Marquardt on the violations."""
    flat, back = tree.ravel(x)
    equations = jnp.arange(problem.rows()) < problem.equations()
    lower, upper = problem.bounds()

    def violations(z):
        c = problem.constraints(back(z))
        return jnp.where(equations, c, jnp.maximum(c, 0))

    def step(_, state):
        z, damping = state
        v, J = violations(z), problem.jacobian(back(z))
        J = jnp.where((equations | (v > 0))[:, None], J, 0)
        g = jnp.matmul(v, J, precision=tree.PRECISION)
        held = ((z <= lower) & (g > 0)) | ((z >= upper) & (g < 0))
        J, g = jnp.where(held, 0, J), jnp.where(held, 0, g)
        H = jnp.matmul(J.T, J, precision=tree.PRECISION)
        size = damping * (jnp.max(jnp.diagonal(H)) + jnp.finfo(z.dtype).tiny)
        move = jnp.linalg.solve(H + size * jnp.eye(z.size, dtype=z.dtype), -g)
        after = jnp.clip(z + move, lower, upper)
        better = tree.norm(violations(after)) < tree.norm(v)
        return (
            jnp.where(better, after, z),
            jnp.clip(jnp.where(better, damping / 5, damping * 4), 1e-12, 1e12),
        )

    flat = jax.lax.fori_loop(0, 60, step, (flat, jnp.asarray(1e-3, flat.dtype)))[0]
    return back(flat)


@jax.jit
def _slope(problem, x):
    flat, back = tree.ravel(x)
    c, J = problem.constraints(x), problem.jacobian(x)
    equations = jnp.arange(c.size) < problem.equations()
    v = jnp.where(equations, c, jnp.maximum(c, 0))
    move = flat - jnp.matmul(v, J, precision=tree.PRECISION)
    after = tree.ravel(problem.clipped(back(move)))[0]
    steep = jnp.maximum(tree.norm(J), tree.norm(problem.jacobian(problem.start().x)))
    violation = tree.norm(v)
    return violation, tree.norm(after - flat) / (steep * violation)


def without_effect(problem: Any, x: PyTree) -> str | None:
    """Parameters that a sum of squares does not feel at x, by their place in x.

    Their columns of the Jacobian are 0, or as small as the move that one unit in the
    last place of x makes in them.
    """
    if problem.residual_size() * problem.size() > LARGEST_JACOBIAN:
        return None
    with compat.double():
        J, moved = (np.asarray(v) for v in _columns(problem, x))
        names = [
            f"x{jax.tree_util.keystr(path)}[{i}]" if np.ndim(leaf) else
            f"x{jax.tree_util.keystr(path)}"
            for path, leaf in jax.tree_util.tree_leaves_with_path(x)
            for i in range(np.size(leaf))
        ]  # fmt: skip
    if not np.all(np.isfinite(J)):
        return None
    size = np.max(np.abs(J), axis=0, initial=0)
    noise = np.max(np.abs(moved - J), axis=0, initial=0)
    dead = [n for n, a, b in zip(names, size, noise, strict=True) if a <= 2 * b]
    if not dead:
        return None
    many = f" and {len(dead) - 3} more" if len(dead) > 3 else ""
    which = ", ".join(dead[:3]) + many
    return (
        f"parameter {which} has no effect here: its column of the Jacobian is 0 to "
        "rounding, so that nothing says where it should go. Start where the model "
        "feels it, or drop it"
    )


@jax.jit
def _columns(problem, x):
    eps = jnp.finfo(tree.dtype(x)).eps
    return problem.jacobian(x), problem.jacobian(tree.scale(1 + eps, x))


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


_START = "nothing was tried: the start passes as it stands"
_CURE = "start elsewhere, or ask for the curvature too: check='second_order'"


def untried(problem: Any, x: PyTree) -> str | None:
    """Whether a stationary start is a saddle, a maximum or flat, by its Hessian."""
    if problem.size() > DESCENDED or "hess" not in problem.oracles():
        return f"{_START}; it may be a saddle or a maximum. To know, {_CURE}"
    with compat.double():
        flat, back = tree.ravel(x)
        H = np.asarray(problem.hess(x), float)
        if not np.all(np.isfinite(H)):
            return None
        values, vectors = np.linalg.eigh(H)
        least, most = values[0], np.max(np.abs(values))
        if least > 1e-6 * most:
            return None
        if not least < -1e-6 * most:
            return (
                f"{_START}, and f is flat there to second order (a Hessian eigenvalue "
                f"of {least:.1g}): the best value may be far below. To go on, {_CURE}"
            )
        f = float(problem.value(x))
        falls = [
            float(problem.value(back(jnp.asarray(flat + t * vectors[:, 0]))))
            for t in (1e-3, 1e-2, 0.1, 1.0)
        ]
    lowest = min((v for v in falls if np.isfinite(v)), default=f)
    said = f", and f falls from {f:.6g} to {lowest:.6g} along it" if lowest < f else ""
    return (
        f"{_START}, and it is a saddle or a maximum: the Hessian has the eigenvalue "
        f"{least:.3g}{said}. To go on, {_CURE}"
    )


def falling(problem: Any, x: PyTree) -> str | None:
    """Whether f keeps falling, no slower than linearly, along a ray from x."""
    with compat.double():
        flat, back = tree.ravel(x)
        start = tree.ravel(problem.start().x)[0]
        slope = tree.ravel(problem.grad(x))[0]
        for d in (flat - start, -slope):
            size = float(jnp.linalg.norm(d))
            if not (0 < size < np.inf):
                continue
            reach = 1 + float(jnp.linalg.norm(flat))
            f = [
                float(problem.value(back(flat + t * reach / size * d)))
                for t in (0.0, 1e2, 1e4, 1e6)
            ]
            drops = [(f[0] - f[i]) / 10.0 ** (2 * i) for i in (1, 2, 3)]
            if np.isfinite(f[0]) and drops[0] > 0 and drops[1] >= 0.5 * drops[0]:
                if drops[2] >= 0.5 * drops[1]:
                    return (
                        "f keeps falling along a ray from x: "
                        f"{f[1]:.3g}, {f[2]:.3g}, {f[3]:.3g} at distances "
                        f"{1e2 * reach:.1g}, {1e4 * reach:.1g}, {1e6 * reach:.1g}. It "
                        "looks unbounded below (seen, not proved): bound the variables "
                        "with bn.Constrained(..., lower=, upper=), or check its sign"
                    )
    return None

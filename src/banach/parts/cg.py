"""Linear conjugate gradients on pytrees."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree

Scalar = Float[Array, ""]


class CGResult(eqx.Module):
    """Approximate solution of A x = b.

    `residual` is ||b - A x|| computed afresh, not the recurrence, which drifts.
    `direction` is the last search direction: when `negative_curvature` is set it
    has d.Ad <= 0, and x is the iterate before it. `calls` counts products with A.
    """

    x: PyTree
    residual: Scalar
    steps: Int[Array, ""]
    calls: Int[Array, ""]
    negative_curvature: Bool[Array, ""]
    direction: PyTree


class _State(eqx.Module):
    x: PyTree
    r: PyTree
    d: PyTree
    rz: Scalar
    square: Scalar
    steps: Int[Array, ""]
    bad: Bool[Array, ""]


def cg(
    matvec: Callable[[PyTree], PyTree],
    b: PyTree,
    x0: PyTree | None = None,
    *,
    tol: Float[Array, ""] | float,
    max_steps: int | Int[Array, ""],
    precondition: Callable[[PyTree], PyTree] | None = None,
) -> CGResult:
    """Solve A x = b for a symmetric positive definite A until ||r|| <= tol ||b||.

    Stops as soon as a direction of curvature d.Ad <= 0 is met. `precondition`
    multiplies by an approximate inverse of A. Products with A: one a step, one for
    the residual, and one more when x0 is given.

    Source: Hestenes and Stiefel (1952); Nocedal and Wright (2006), algorithm 5.3.
    """
    inverse = _same if precondition is None else precondition
    dtype = tree.dtype(b)
    enough = jnp.asarray(tol, dtype) * tree.norm(b)
    x = tree.zeros_like(b) if x0 is None else x0
    r = b if x0 is None else tree.sub(b, matvec(x0))
    z = inverse(r)

    def active(s):
        return ~s.bad & (s.square > enough) & (s.steps < max_steps)

    def body(s):
        curved = matvec(s.d)
        curvature = tree.vdot(s.d, curved)
        bad = ~(curvature > 0)
        length = jnp.where(bad, 0, s.rz / jnp.where(bad, 1, curvature))
        r = tree.axpy(-length, curved, s.r)
        z = inverse(r)
        rz = tree.vdot(r, z)
        d = tree.axpy(rz / jnp.where(s.rz == 0, 1, s.rz), s.d, z)
        return _State(
            tree.axpy(length, s.d, s.x),
            r,
            tree.where(bad, s.d, d),
            rz,
            tree.norm(r),
            s.steps + 1,
            bad,
        )

    zero = jnp.zeros((), jnp.int32)
    first = _State(x, r, z, tree.vdot(r, z), tree.norm(r), zero, jnp.asarray(False))
    last = jax.lax.while_loop(active, body, first)
    residual = tree.norm(tree.sub(b, matvec(last.x)))
    calls = last.steps + (1 if x0 is None else 2)
    return CGResult(last.x, residual, last.steps, calls, last.bad, last.d)


def _same(r: PyTree) -> PyTree:
    return r

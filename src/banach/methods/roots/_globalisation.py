"""What methods for F(x) = 0 share: weights of the equations, and safe steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core import tree
from banach.core.method import Refusal

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]
Matrix = Float[Array, "n n"]


def not_square(name: str, problem: Any) -> Refusal | None:
    """A Refusal unless the residual has as many entries as there are unknowns."""
    out = jax.eval_shape(problem.residual, problem.start().x)
    rows = sum(leaf.size for leaf in jax.tree.leaves(out))
    if rows == problem.size():
        return None
    return Refusal(
        "as many equations as unknowns",
        f"{name} solves as many equations as unknowns, got {rows} for "
        f"{problem.size()}: use a method of least squares (bn.least_squares)",
    )


def product(A: Array, B: Array) -> Array:
    """A B in the precision of the dtype, on every device."""
    return jnp.matmul(A, B, precision=tree.PRECISION)


def weights(F: Vector, J: Matrix, x: Vector) -> Vector:
    """1 / (|F_i| + sum_j |J_ij x_j|): an equation over the size of its terms.

    Where that is 0 or not finite, over the largest entry of its row; then 1. A merit
    of weighted equations does not depend on their units.
    """

    def usable(v):
        return (v > 0) & jnp.isfinite(v)

    sizes = jnp.abs(F) + product(jnp.abs(J), jnp.abs(x))
    sizes = jnp.where(usable(sizes), sizes, jnp.max(jnp.abs(J), axis=1))
    return 1 / jnp.where(usable(sizes), sizes, 1)


def columns(J: Matrix) -> Vector:
    """Column norms, in whose multiples unknowns are measured; 1 for empty ones."""
    norms = jax.vmap(tree.norm, in_axes=1)(J)
    return jnp.where((norms > 0) & jnp.isfinite(norms), norms, 1)


def levenberg_step(J: Matrix, F: Vector, C: Vector, damping: Any) -> Vector:
    """argmin ||F + J d||^2 + damping ||C d||^2, C > 0 the sizes of unknowns.

    By QR of the stacked matrix: J'J would lose half of the digits.
    """
    n = F.size
    damp = jnp.sqrt(jnp.asarray(damping, F.dtype)) * jnp.eye(n, dtype=F.dtype)
    Q, R = jnp.linalg.qr(jnp.concatenate([J / C, damp]))
    return jax.scipy.linalg.solve_triangular(R, product(-F, Q[:n])) / C


class Found(NamedTuple):
    """The last trial of a search: whether it passed, and evaluations of F so far."""

    length: Scalar
    F: Vector
    ok: Bool[Array, ""]
    trials: Int[Array, ""]


def search(
    F: Callable[[Vector], Vector],
    x: Vector,
    step: Vector,
    passes: Callable[[Scalar, Vector], Any],
    shorter: Callable[[Scalar, Vector], Scalar],
    most: Any,
) -> Found:
    """The first t = 1, shorter(1), ... at which F(x + t step) passes, `most` trials.

    What is not finite never passes, and halves t.
    """
    one = jnp.ones((), x.dtype)

    def again(loop):
        at, length = loop
        value = F(x + length * step)
        finite = tree.all_finite(value)
        ok = finite & passes(length, value)
        after = jnp.where(finite, shorter(length, value), length / 2)
        return Found(length, value, ok, at.trials + 1), after

    def more(loop):
        at, _ = loop
        return ~at.ok & (at.trials < most)

    none = Found(one, x, jnp.asarray(False), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(more, again, (none, one))[0]

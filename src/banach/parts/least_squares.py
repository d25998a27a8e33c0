"""Linear least squares inside nonlinear ones: min ||J p + r|| with scaled columns.

Everything is done on J D^-1 = Q T, D the size of each parameter's column, and in
z = D p: columns of very different length cost no accuracy, and a step does not depend
on the units of the parameters. Normal equations are never formed.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from banach.core import tree

Scalar = Float[Array, ""]
Vector = Float[Array, " p"]


class LinearModel(eqx.Module):
    """T and q = Q'r of J D^-1 = Q T: ||J p + r||^2 = ||T z + q||^2 + a constant."""

    T: Float[Array, "k p"]
    q: Float[Array, " k"]


def no_model(r: Float[Array, " n"], x: Vector) -> LinearModel:
    """What stands in a state before its first Jacobian."""
    k = min(r.size, x.size)
    return LinearModel(jnp.zeros((k, x.size), r.dtype), r[:k])


def relinearised(
    problem: Any, state: Any, scaled: bool = True
) -> tuple[LinearModel, Vector]:
    """(model at the state's point, scales), made anew where `state.stale`.

    The scales are the largest norm that each column of J has had, or 1.
    """

    def anew() -> tuple[LinearModel, Vector]:
        J = problem.jacobian(state.x)
        scales = jnp.ones_like(state.scales)
        if scaled:
            scales = jnp.maximum(state.scales, column_norms(J))
        return linear_model(J, state.r, usable(scales)), scales

    return jax.lax.cond(state.stale, anew, lambda: (state.model, state.scales))


def first_radius(factor: Any, scaled: Vector, f: Scalar) -> Scalar:
    """`factor` times ||D x0||, or ||r|| where x0 is 0."""
    reach = tree.norm(scaled)
    return jnp.asarray(factor, f.dtype) * jnp.where(reach > 0, reach, f)


def column_norms(J: Float[Array, "n p"]) -> Vector:
    """Euclidean norms of the columns, without overflow."""
    return jax.vmap(tree.norm, in_axes=1)(J)


def usable(sizes: Vector) -> Vector:
    """Column sizes to divide by: 1 where a column is 0, and moves nothing."""
    return jnp.where(sizes > 0, sizes, 1)


def linear_model(
    J: Float[Array, "n p"], r: Float[Array, " n"], scales: Vector
) -> LinearModel:
    """The model in z = D p, by a QR factorisation of J D^-1."""
    Q, T = jnp.linalg.qr(J / scales)
    return LinearModel(T, _mul(Q.T, r))


def gauss_newton(model: LinearModel) -> tuple[Vector, Bool[Array, ""]]:
    """(argmin ||T z + q||, whether T has full rank); the shortest where it has not."""
    k, p = model.T.shape
    if k < p:
        return _shortest(model), jnp.asarray(False)
    diagonal = jnp.abs(jnp.diagonal(model.T))
    noise = p * jnp.finfo(model.T.dtype).eps
    full = jnp.min(diagonal) > noise * jnp.max(diagonal)
    z = jax.lax.cond(
        full, lambda m: -_triangular(m.T, m.q), lambda m: _shortest(m), model
    )
    return z, full


def damped(model: LinearModel, damping: Scalar) -> tuple[Vector, Float[Array, "p p"]]:
    """(argmin ||T z + q||^2 + damping ||z||^2, its triangle), by QR of [T; sqrt I]."""
    p = model.T.shape[1]
    eye = jnp.sqrt(damping) * jnp.eye(p, dtype=model.T.dtype)
    Q, S = jnp.linalg.qr(jnp.concatenate([model.T, eye]))
    return -_triangular(S, _mul(Q.T[:, : model.q.size], model.q)), S


def slope(model: LinearModel) -> Vector:
    """The gradient of 1/2 ||T z + q||^2 at 0, T'q = D^-1 J'r."""
    return _mul(model.T.T, model.q)


def along(model: LinearModel, z: Vector) -> Float[Array, " k"]:
    """T z, as long as J p."""
    return _mul(model.T, z)


def transposed_solve(S: Float[Array, "p p"], z: Vector) -> Vector:
    """S'^-1 z for an upper triangle S."""
    return jax.scipy.linalg.solve_triangular(S, z, trans=1)


def drowned(f: Scalar, moved: Scalar) -> Scalar:
    """The relative fall of ||r||^2 that rounding may hide, for ||r|| = f.

    Entries of r are differences of terms about as large as J x (`moved` is its norm),
    each rounded once or twice; f is positive.
    """
    return 8 * jnp.finfo(f.dtype).eps * (1 + moved / f)


def _shortest(model: LinearModel) -> Vector:
    U, sigma, V = jnp.linalg.svd(model.T, full_matrices=False)
    noise = sigma.size * jnp.finfo(sigma.dtype).eps * sigma[0]
    keep = sigma > noise
    return -_mul(
        V.T, jnp.where(keep, _mul(U.T, model.q), 0) / jnp.where(keep, sigma, 1)
    )


def _triangular(S: Array, b: Array) -> Array:
    return jax.scipy.linalg.solve_triangular(S, b)


def _mul(A: Array, b: Array) -> Array:
    return jnp.matmul(A, b, precision=tree.PRECISION)

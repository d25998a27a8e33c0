"""Multipliers of a constrained problem from its gradients at one point."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree

Rows = Float[Array, " m"]
Columns = Float[Array, " n"]
Jacobian = Float[Array, "m n"]


def fitted(
    g: Columns, J: Jacobian, rows: Rows, free: Columns, mask: Rows | None = None
) -> Rows:
    """argmin over lam of ||free (g + J'lam)||^2 + ||rows lam||^2, the shortest one.

    `rows` is 0 for equations and |c_i| for inequalities, so that the multiplier of an
    inactive one is pressed to 0; `free` is 0 in coordinates that rest on a bound.
    Where `mask` is 0 the multiplier is 0. Rank deficiency is no error: see numpy's
    lstsq. Di Pillo and Grippo (1979) call it the multiplier function.
    """
    m = J.shape[0]
    if m == 0:
        return jnp.zeros(0, g.dtype)
    keep = jnp.ones(m, g.dtype) if mask is None else mask.astype(g.dtype)
    size = jnp.linalg.norm(J, axis=1)
    size = jnp.where((size > 0) & jnp.isfinite(size), size, 1)
    # Unit rows: the rank decision must not see the units of the constraints.
    A = jnp.concatenate([(J / size[:, None]).T * free[:, None], jnp.diag(rows / size)])
    b = jnp.concatenate([-free * g, jnp.zeros(m, g.dtype)])
    good = jnp.all(jnp.isfinite(A)) & jnp.all(jnp.isfinite(b))
    A, b = jnp.where(good, A, 0), jnp.where(good, b, 0)
    return jnp.linalg.lstsq(A * keep, b)[0] * keep / size


def signed(
    g: Columns, J: Jacobian, rows: Rows, free: Columns, equations: int, rounds: int = 8
) -> Rows:
    """`fitted` with the multipliers of inequalities made nonnegative.

    Rows with a negative multiplier are dropped and the rest is fitted again, at most
    `rounds` times; what is negative then becomes 0.
    """
    m = J.shape[0]
    lam = fitted(g, J, rows, free)
    if m == equations:
        return lam
    unsigned = jnp.arange(m) < equations

    def again(_, carry):
        lam, mask = carry
        mask = mask & (unsigned | (lam >= 0))
        return fitted(g, J, rows, free, mask), mask

    lam, _ = jax.lax.fori_loop(
        0, min(rounds, m - equations), again, (lam, jnp.ones(m, bool))
    )
    return jnp.where(unsigned, lam, jnp.maximum(lam, 0))


def function(g: Columns, J: Jacobian, rows: Rows, free: Columns) -> Rows:
    """`fitted` by its normal equations: differentiable, NaN where J loses rank."""
    if J.shape[0] == 0:
        return jnp.zeros(0, g.dtype)
    weighed = J * free**2
    normal = jnp.matmul(weighed, J.T, precision=tree.PRECISION) + jnp.diag(rows**2)
    right = -jnp.matmul(weighed, g, precision=tree.PRECISION)
    return jnp.linalg.solve(normal, right)


def freedom(x: Columns, lower: Columns, upper: Columns) -> Columns:
    """s / sqrt(1 + s^2), s the distance of each coordinate to its nearer bound."""
    s = jnp.maximum(jnp.minimum(x - lower, upper - x), 0)
    far = ~jnp.isfinite(s)
    s = jnp.where(far, 1, s)
    return jnp.where(far, 1, s / jnp.sqrt(1 + s**2))

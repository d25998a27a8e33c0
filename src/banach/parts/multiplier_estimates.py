"""Multipliers of a constrained problem from its gradients at one point."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree

Rows = Float[Array, " m"]
Columns = Float[Array, " n"]
Jacobian = Float[Array, "m n"]
_REFINED = 4
_GRID = 2.0**30  # rows whose directions agree to 30 bits are one row


def fitted(
    g: Columns, J: Jacobian, rows: Rows, free: Columns, mask: Rows | None = None
) -> Rows:
    """argmin over lam of ||free (g + J'lam)||^2 + ||rows lam||^2, the shortest one.

    `rows` is 0 for equations and |c_i| for inequalities, so that the multiplier of an
    inactive one is pressed to 0; `free` is 0 in coordinates that rest on a bound.
    Where `mask` is 0 the multiplier is 0. Rank deficiency is no error: see numpy's
    lstsq. Di Pillo and Grippo (1979) call it the multiplier function.
    """
    m, n = J.shape
    if m == 0:
        return jnp.zeros(0, g.dtype)
    keep = jnp.ones(m, g.dtype) if mask is None else mask.astype(g.dtype)
    size = row_sizes(J)
    # Unit rows: the rank decision must not see the units of the constraints.
    G = (J / size[:, None]) * free * keep[:, None]
    w, b = rows / size, free * g
    good = (
        jnp.all(jnp.isfinite(G)) & jnp.all(jnp.isfinite(b)) & jnp.all(jnp.isfinite(w))
    )
    G, w, b = (jnp.where(good, v, 0) for v in (G, w, b))
    if m > n:
        return _of_many(G, w, b) * keep / size
    A = jnp.concatenate([G.T, jnp.diag(w) * keep])
    right = jnp.concatenate([-b, jnp.zeros(m, g.dtype)])
    return jnp.linalg.lstsq(A, right)[0] * keep / size


def row_sizes(J: Jacobian) -> Rows:
    """2-norms of the rows, 1 where that is 0 or not finite."""
    size = jax.vmap(tree.norm)(J)
    return jnp.where((size > 0) & jnp.isfinite(size), size, 1)


def _of_many(G: Jacobian, w: Rows, b: Columns) -> Rows:
    """The shortest argmin of ||b + G'mu||^2 + ||w mu||^2 for more rows than columns.

    Iterated Tikhonov regularisation: with W = max(w, e) the correction of mu solves
    the same problem with W in place of w, by one QR factorisation of [G / W; I], which
    has n columns. A direction of singular value s gains a factor (e / s)^2 a round.
    """
    m, n = G.shape
    W = jnp.maximum(w, jnp.finfo(b.dtype).eps ** 0.375)
    H = G / W[:, None]
    Q, R = jnp.linalg.qr(jnp.concatenate([H, jnp.eye(n, dtype=b.dtype)]))
    Q = Q[:m]
    times = functools.partial(jnp.matmul, precision=tree.PRECISION)

    def again(_, mu):
        q = w * (w / W) * mu
        left = b + times(mu, G) - times(q, H)
        e = -times(Q, jax.scipy.linalg.solve_triangular(R, left, trans=1))
        return mu + (e - q) / W

    return jax.lax.fori_loop(0, _REFINED, again, jnp.zeros(m, b.dtype))


def copies(J: Jacobian, rows: Rows, first: int) -> tuple[Rows, Rows]:
    """(leader, count) of each row: rows from `first` on that are one row many times.

    Two rows are the same if they differ by a positive factor, up to rounding. The
    leader is the index of one of them, the count is how many there are.
    """
    m, n = J.shape
    size = row_sizes(J)
    # A number that differs where the directions do, whatever they are.
    probe = jax.random.normal(jax.random.key(7), (n,), J.dtype)
    along = jnp.round(jnp.matmul(J / size[:, None], probe, precision=tree.PRECISION)
                      * _GRID) / _GRID  # fmt: skip
    far = jnp.where(jnp.arange(m) < first, jnp.arange(m) - m, 0)
    depth = rows / size
    order = jnp.lexsort((depth, along, far))
    near = jnp.abs(jnp.diff(depth[order])) <= depth[order][1:] / _GRID
    same = near & (jnp.diff(along[order]) == 0) & (jnp.diff(far[order]) == 0)
    fresh = jnp.concatenate([jnp.ones(1, bool), ~same])
    group = jnp.cumsum(fresh) - 1
    leaders = jnp.zeros(m, order.dtype).at[group].max(jnp.where(fresh, order, 0))
    count = jnp.zeros(m, J.dtype).at[group].add(1)
    back = jnp.zeros(m, group.dtype).at[order].set(group)
    return leaders[back], count[back]


def signed(
    g: Columns, J: Jacobian, rows: Rows, free: Columns, equations: int, rounds: int = 8
) -> Rows:
    """`fitted` with the multipliers of inequalities made nonnegative.

    Rows with a negative multiplier are dropped and the rest is fitted again, at most
    `rounds` times; what is negative then becomes 0. Inequalities that are one row many
    times share its multiplier.
    """
    m = J.shape[0]
    if m == equations:
        return fitted(g, J, rows, free)
    unsigned = jnp.arange(m) < equations
    # A row that is there many times is fitted once: its copies would dilute `rows`.
    leader, count = copies(J, rows, equations)
    once = leader == jnp.arange(m)

    def again(_, carry):
        lam, mask = carry
        mask = mask & (unsigned | (lam >= 0))
        return fitted(g, J, rows, free, mask), mask

    lam, _ = jax.lax.fori_loop(
        0, min(rounds, m - equations), again, (fitted(g, J, rows, free, once), once)
    )
    lam = jnp.where(unsigned, lam, jnp.maximum(lam, 0))
    size = row_sizes(J)
    return jnp.where(unsigned, lam, lam[leader] * (size[leader] / size) / count)


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

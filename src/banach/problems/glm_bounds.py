"""Numbers proved from the data of a generalised linear model.

Upper bounds on the gradient's Lipschitz constant, and bounds on how far an
unpenalised intercept can be from its optimum: without one, a dual point that misses
1'th = 0 by one rounding bounds nothing (CERTIFICATES section 4).
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core import tree
from banach.parts import norms as pn
from banach.parts.groups import GroupL2
from banach.parts.groups import GroupL2
from banach.parts.sets import Set
from banach.parts.term import Term, gam
from banach.problems.glm_inputs import known
from banach.problems.loss import Loss
from banach.problems.losses import (
    Huber,
    LeastSquares,
    Logistic,
    Poisson,
    Softmax,
    SquaredHinge,
)

Scalar = Float[Array, ""]


class DataNorms(eqx.Module):
    """Norms of the rows and columns of A, rounded up."""

    rows: Float[Array, " n"]
    columns: Float[Array, " p"]
    top: Scalar  # the largest 2-norm of a row
    top_inf: Scalar  # the largest entry
    mean: Scalar  # 2-norm of the weighted mean row
    mean_inf: Scalar


def data_norms(A: Array, w: Array) -> DataNorms:
    """All norms in two passes over A."""
    n, p = A.shape
    up = 1 + 4 * gam(n + p + 8, A.dtype)
    big = jnp.max(jnp.abs(A))
    safe = jnp.where(big > 0, big, 1)
    square = jnp.square(A / safe)
    rows = up * safe * jnp.sqrt(jnp.sum(square, axis=1))
    columns = up * safe * jnp.sqrt(jnp.sum(square, axis=0))
    total = jnp.sum(w)
    mean = jnp.matmul(w, A, precision=tree.PRECISION) / total
    error = gam(n + 8, A.dtype) * columns * tree.norm(w) / total
    mean = jnp.abs(mean) + error
    return DataNorms(
        rows, columns, jnp.max(rows), big, up * tree.norm(mean), up * jnp.max(mean)
    )


def reach(term: Term, F: Scalar, two: Scalar, inf: Scalar, like: Array) -> Scalar:
    """Bound of |<a, c>| over all c with g(c) <= F, for ||a|| <= two, |a_j| <= inf.

    Infinite where the term bounds no norm of c.
    """

    def least(weights):
        return jnp.asarray(jnp.min(jnp.asarray(weights)), F.dtype)

    def over(top, low):
        return jnp.where(low > 0, top / jnp.where(low > 0, low, 1), jnp.inf)

    def l1_l2(l1, l2):
        square = jnp.sqrt(over(2 * F, least(l2)))
        return jnp.minimum(two * square, inf * over(F, least(l1)))

    if isinstance(term, pn.SquaredL2):
        out = l1_l2(0.0, term.lam)
    elif isinstance(term, pn.L1):
        out = l1_l2(term.lam, 0.0)
    elif isinstance(term, pn.ElasticNet):
        out = l1_l2(term.l1, term.l2)
    elif isinstance(term, GroupL2 | pn.L2Norm):
        out = two * over(F, least(term.lam))
    elif isinstance(term, Set) and "lmo" in term.offers():
        size = tree.norm(term.center(like)) + jnp.asarray(term.diameter(like), F.dtype)
        out = two * size
    else:
        out = jnp.full_like(F, jnp.inf)
    return 1.01 * out


def no_reach(term: Term) -> str | None:
    """Why `reach` is infinite for this term, or None."""
    name = type(term).__name__
    if isinstance(term, Set) and "lmo" in term.offers():
        return None
    if isinstance(term, pn.L1 | pn.SquaredL2 | GroupL2 | pn.L2Norm):
        weights = [term.lam]
    elif isinstance(term, pn.ElasticNet):
        weights = [term.l1, term.l2]
    else:
        return f"{name} bounds no norm of the coefficients beside a free intercept"
    if known(weights) and not any(np.min(np.asarray(w)) > 0 for w in weights):
        return f"{name} has weights 0"
    return None


def intercept_travel(
    loss: Loss,
    term: Term,
    norms: DataNorms,
    z: Array,
    y: Array,
    w: Array,
    offset: Array | None,
    coef: Array,
    intercept: Array,
    F: Scalar,
    e_z: Array,
) -> Array:
    """Upper bound of |b* - b|, one number a class, given F >= F(x) >= F*.

    Every point with an objective of at most F is covered, so that the bound needs
    no minimiser to exist. W below is the total weight and R bounds |<a_i, c*>|.
    """
    total = jnp.sum(w)
    R = reach(term, F, norms.top, norms.top_inf, coef)
    shift = 0.0 if offset is None else jnp.max(jnp.abs(offset))
    if isinstance(loss, LeastSquares):
        # b* - b = -mean(r) - <mean a, c* - c>: no trace of the targets' offset.
        miss = jnp.abs(jnp.vdot(w, z - y)) + jnp.vdot(w, e_z)
        miss = miss + gam(z.size + 8, z.dtype) * jnp.vdot(w, jnp.abs(z - y))
        far = reach(term, F, norms.mean, norms.mean_inf, coef)
        return 1.01 * (miss / total + far + norms.mean * tree.norm(coef))
    if isinstance(loss, Huber):
        # delta |r| <= l + delta^2 / 2, at both points.
        d = jnp.asarray(loss.delta, z.dtype)
        return 1.01 * (2 * F / (d * total) + d + R + norms.top * tree.norm(coef))
    if isinstance(loss, Logistic):
        least = _lightest_sign(y, w)
        return 1.01 * (F / least + R + shift + jnp.abs(intercept))
    if isinstance(loss, SquaredHinge):
        least = _lightest_sign(y, w)
        return 1.01 * (jnp.sqrt(2 * F / least) + 1 + R + shift + jnp.abs(intercept))
    if isinstance(loss, Poisson):
        # gKL(Y || M) <= F for the totals Y, M; (sqrt M - sqrt Y)^2 <= gKL.
        Y = jnp.vdot(w, y)
        high = 2 * jnp.log(jnp.sqrt(Y) + jnp.sqrt(F)) - jnp.log(total)
        low = jnp.log(Y) - jnp.log(total) - 1 - F / Y
        size = jnp.maximum(jnp.abs(high), jnp.abs(low))
        return 1.01 * (size + R + shift + jnp.abs(intercept))
    if isinstance(loss, Softmax):
        # b_k - b_c <= F / W_c + 2 R; a common shift of b changes nothing, because
        # exact dual rows sum to 0. Both b and b* are centred between their extremes.
        each = jnp.sum(loss.onehot(z, y) * w[:, None], axis=0)
        half = F / (2 * jnp.min(each)) + R
        middle = (jnp.max(intercept) + jnp.min(intercept)) / 2
        return 1.01 * (half + jnp.abs(intercept - middle))
    return jnp.full_like(intercept, jnp.inf)


def gradient_lipschitz(A: Any, w: Any, intercept: bool, curvature: float) -> Any:
    """Upper bound of curvature * lambda_max([A 1]' diag(w) [A 1]).

    The least of ||B||_F^2, ||B||_1 ||B||_inf and tr((B'B)^m)^(1/m), m = 2^k; never
    a power iteration, which bounds from below. In float64 on concrete data.
    """
    if not known(A, w):
        B = jnp.asarray(A) if w is None else jnp.sqrt(w)[:, None] * A
        if intercept:
            column = jnp.ones(B.shape[0], B.dtype) if w is None else jnp.sqrt(w)
            B = jnp.concatenate([B, column[:, None]], axis=1)
        a = jnp.abs(B)
        plain = jnp.minimum(jnp.sum(a * a), jnp.max(a.sum(0)) * jnp.max(a.sum(1)))
        return curvature * plain * (1 + 8 * gam(sum(B.shape) + B.size, B.dtype))
    kind = np.asarray(A).dtype
    B = np.asarray(A, np.float64)
    n, p = B.shape
    root = np.ones(n) if w is None else np.sqrt(np.asarray(w, np.float64))
    B = np.concatenate([B, np.ones((n, 1))], axis=1) if intercept else B
    B = root[:, None] * B
    big = float(np.max(np.abs(B)))
    if big == 0:
        return np.float64(np.finfo(kind).tiny)
    B = B / big
    a, u = np.abs(B), np.finfo(np.float64).eps / 2
    square = float(np.sum(a * a))
    bounds = [square, float(a.sum(0).max() * a.sum(1).max()), _gram_bound(B, square)]
    margin = 1 + 16 * (n + p) * u + 4 * float(np.finfo(kind).eps)
    return np.float64(curvature * min(bounds) * margin * big**2)


def _gram_bound(B: np.ndarray, square: float) -> float:
    """tr(G^m)^(1/m) for the smaller Gram matrix G, with the error of forming it."""
    n, p = B.shape
    m, u = min(n, p), np.finfo(np.float64).eps / 2
    if m > 2000:
        return square
    G = B.T @ B if p <= n else B @ B.T
    log, power = 0.0, 1.0
    for _ in range(9 if m <= 500 else 5):
        size = float(np.linalg.norm(G))
        log, power = log + np.log(size) * power, power / 2
        G = G / size
        G = G @ G
    # lambda_max(G) <= ||G||_F; each squaring errs by m u ||G||_F^2 <= m^2 u ||G^2||.
    top = float(np.exp(log + np.log(np.linalg.norm(G)) * power))
    return top * (1 + 8 * m * m * u) + 2 * (max(n, p) + 2) * u * square


def _lightest_sign(y: Array, w: Array) -> Scalar:
    return jnp.minimum(jnp.sum(jnp.where(y > 0, w, 0)), jnp.sum(jnp.where(y < 0, w, 0)))

"""Numbers proved from the data of a generalised linear model.

Upper bounds on the gradient's Lipschitz constant, and bounds on how far an
unpenalised intercept can be from its optimum: without one, a dual point that misses
1'th = 0 by one rounding bounds nothing (CERTIFICATES section 4).
"""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core import tree
from banach.core.rounding import gam, least
from banach.estimate import spectrum
from banach.kinds.glm.inputs import known
from banach.kinds.glm.loss import Loss
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SoftmaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
)
from banach.parts.sparse import SparseMatrix
from banach.terms import norms as pn
from banach.terms.fused import FusedL1
from banach.terms.groups import GroupL2, SparseGroupL2
from banach.terms.sets import Box, Set
from banach.terms.sorted_l1 import SortedL1
from banach.terms.spectral import Nuclear
from banach.terms.term import Term

Scalar = Float[Array, ""]
# Terms that say themselves how far they are above a 2-norm.
_FLOORED = SortedL1 | SparseGroupL2 | FusedL1 | pn.LInf | Nuclear
# Entries of a block of rows, and blocks from which it pays to take A apart.
_BLOCK, _MANY = 2**17, 4
_TINY = float(np.finfo(np.float64).tiny)


class Sizes(eqx.Module):
    """How large vectors a are against a term: bounds of |<a, c>| per g(c)."""

    l2: Scalar  # max sqrt(sum a_j^2 / l2_j), so that |<a, c>| <= l2 sqrt(2 g(c))
    l1: Scalar  # max |a_j| / l1_j, so that |<a, c>| <= l1 g(c)
    plain: Scalar  # the largest 2-norm; of a box the largest |<a, c>| itself


class DataNorms(eqx.Module):
    """Norms of the rows and columns of A, rounded up, and their sizes.

    `rows` are those of A with its columns over `units`, which are of their size:
    |a_i . c| <= rows_i ||units c||, whatever the units of the columns.
    """

    rows: Float[Array, " n"]
    units: Float[Array, " p"]
    columns: Float[Array, " p"]
    top: Sizes  # over all rows
    mean: Sizes  # of the weighted mean row
    lengths: Any = None  # of a sparse A the number of entries of each row
    heights: Any = None  # and of each column


def data_norms(A: Array, w: Array, term: Term, intercept: bool = True) -> DataNorms:
    """All norms in a few passes over A; sizes are infinite without an intercept.

    Nobody asks for them there, and they are most of the work.
    """
    if isinstance(A, SparseMatrix):
        return _sparse_norms(A, w, term, intercept)
    n, p = A.shape
    up = 1 + 4 * gam(n + p + 8, A.dtype)
    # Of |A| itself there would be an array.
    big = jnp.maximum(jnp.max(A), -jnp.min(A))
    safe = jnp.where(big > 0, jnp.minimum(big, float(jnp.finfo(A.dtype).max) / 8), 1)
    # Squares of entries below sqrt(tiny) of the largest vanish.
    tiny = least(A.dtype)
    lost = (n + p) * (2 * math.sqrt(tiny) * big + tiny)
    columns = up * safe * jnp.sqrt(_column_squares(A, safe)) + lost
    units = jnp.where(columns > 0, columns, 1)
    # p quotients, not n p; nothing is known of a row where one of them vanishes.
    inverse = 1 / units
    normal = jnp.all((inverse >= tiny) & jnp.isfinite(inverse))
    rows = up * jnp.sqrt(_row_squares(A, inverse)) + p * 2 * math.sqrt(tiny)
    rows = jnp.where(normal, rows, jnp.inf)
    if not intercept:
        far = Sizes(*[jnp.full((), jnp.inf, A.dtype)] * 3)
        return DataNorms(rows, units, columns, far, far)
    total = jnp.sum(w)
    mean = jnp.abs(jnp.matmul(w, A, precision=tree.PRECISION)) + 2 * n * tiny
    error = gam(n + 8, A.dtype) * (columns * (tree.norm(w) / total) + tiny)
    mean = up * (mean / total) + 1.01 * error + tiny
    top, middle = _sizes(A, term, up), _sizes(mean[None], term, up)
    return DataNorms(rows, units, columns, top, middle)


def _sparse_norms(A: SparseMatrix, w: Array, term: Term, intercept: bool) -> DataNorms:
    """The same of a sparse A, over its entries; the names are those of the dense."""
    (n, p), dtype = A.shape, A.values.dtype
    up = 1 + 4 * gam(n + p + 8, dtype)
    size = jnp.abs(A.values)
    big = jnp.max(size)
    safe = jnp.where(big > 0, jnp.minimum(big, float(jnp.finfo(dtype).max) / 8), 1)
    tiny = least(dtype)
    lost = (n + p) * (2 * math.sqrt(tiny) * big + tiny)
    columns = up * safe * jnp.sqrt(A.column_sums(jnp.square(size / safe))) + lost
    units = jnp.where(columns > 0, columns, 1)
    inverse = 1 / units
    normal = jnp.all((inverse >= tiny) & jnp.isfinite(inverse))
    squares = A.row_sums(jnp.square(size * A.at_columns(inverse)))
    rows = up * jnp.sqrt(squares) + p * 2 * math.sqrt(tiny)
    rows = jnp.where(normal, rows, jnp.inf)
    one = jnp.ones_like(size)
    counts = A.row_sums(one), A.column_sums(one)
    if not intercept:
        far = Sizes(*[jnp.full((), jnp.inf, dtype)] * 3)
        return DataNorms(rows, units, columns, far, far, *counts)
    total = jnp.sum(w)
    mean = jnp.abs(A.rmatvec(w)) + 2 * n * tiny
    error = gam(n + 8, dtype) * (columns * (tree.norm(w) / total) + tiny)
    mean = up * (mean / total) + 1.01 * error + tiny
    top = _sparse_sizes(A.with_values(size), term, up)
    return DataNorms(rows, units, columns, top, _sizes(mean[None], term, up), *counts)


def _sparse_sizes(A: SparseMatrix, term: Term, up: float) -> Sizes:
    """`_sizes` of a sparse A >= 0: a weight of 0 anywhere bounds nothing."""
    dtype = A.values.dtype
    lost = A.width * least(dtype)

    def weights(lam):
        lam = jnp.asarray(lam, dtype)
        lam = jnp.min(lam, axis=1) if lam.ndim == 2 else lam
        return jnp.broadcast_to(lam, (A.width,))

    def over(lam):
        ratio = A.values / A.at_columns(jnp.where(lam > 0, lam, 1))
        return jnp.where(jnp.all(lam > 0), ratio, jnp.inf)

    def longest(each):
        # The largest row holds its largest entry, and is what is asked for: entries
        # that vanish beside the largest of all are none of its.
        factor, back = tree.square_scale(jnp.max(each))
        return jnp.sqrt(jnp.max(A.row_sums(jnp.square(each * factor)))) * back

    none = jnp.full((), jnp.inf, dtype)
    l1, l2 = term_weights(term)
    curved = none if l2 is None else longest(over(jnp.sqrt(weights(l2))))
    flat = none if l1 is None else jnp.max(over(weights(l1)))
    if isinstance(term, Box):
        far = jnp.maximum(jnp.abs(term.lower), jnp.abs(term.upper)).astype(dtype)
        far = jnp.max(far, axis=1) if far.ndim == 2 else far
        far = jnp.broadcast_to(far, (A.width,))
        plain = jnp.max(A.row_sums(A.values * A.at_columns(far)))
    else:
        plain = longest(A.values)
    return Sizes(up * curved + lost, up * flat + lost, up * plain + lost)


def _column_squares(A: Array, safe: Scalar) -> Float[Array, " p"]:
    """Sums of squares of A / safe down its columns."""

    def squares(block: Array) -> Array:
        return jnp.sum(jnp.square(block / safe), axis=0)

    parts = _blocks(squares, A)
    return parts[0] if len(parts) == 1 else sum(jnp.sum(v, axis=0) for v in parts)


def _row_squares(A: Array, inverse: Array) -> Float[Array, " n"]:
    """Sums of squares of A inverse along its rows."""

    def squares(block: Array) -> Array:
        return jnp.sum(jnp.square(block * inverse), axis=1)

    parts = _blocks(squares, A)
    return parts[0] if len(parts) == 1 else jnp.concatenate([v.ravel() for v in parts])


def _blocks(fun: Callable[[Array], Array], A: Array) -> list[Array]:
    """fun of A; of a large A, stacked, of its blocks of rows, and of what is left.

    What fun makes of the whole of A would be another array as large as the data.
    """
    n, p = A.shape
    height = max(1, _BLOCK // max(p, 1))
    many = n // height
    if many < _MANY:
        return [fun(A)]
    cut = lambda i: jax.lax.dynamic_slice_in_dim(A, i * height, height)  # noqa: E731
    parts = [jax.lax.map(lambda i: fun(cut(i)), jnp.arange(many))]
    if n % height:
        parts.append(fun(A[many * height :])[None])
    return parts


def _sizes(A: Array, term: Term, up: float) -> Sizes:
    """Of the rows of A; where a weight varies over classes the least one counts."""

    def weights(lam):
        lam = jnp.asarray(lam, A.dtype)
        return jnp.min(lam, axis=1) if lam.ndim == 2 else lam

    def over(lam):
        return jnp.where(lam > 0, jnp.abs(A) / jnp.where(lam > 0, lam, 1), jnp.inf)

    none = jnp.full((), jnp.inf, A.dtype)
    lost = A.shape[1] * least(A.dtype)
    l1, l2 = term_weights(term)
    curved = flat = none
    if l2 is not None:
        root = jnp.sqrt(weights(l2))
        curved = up * jnp.max(jax.vmap(tree.norm)(over(root))) + lost
    if l1 is not None:
        flat = up * jnp.max(over(weights(l1))) + lost
    if isinstance(term, Box):
        far = jnp.maximum(jnp.abs(term.lower), jnp.abs(term.upper)).astype(A.dtype)
        far = jnp.max(far, axis=1) if far.ndim == 2 else far
        plain = jnp.sum(jnp.abs(A) * far, axis=1)
    else:
        plain = jax.vmap(tree.norm)(A)
    return Sizes(curved, flat, up * jnp.max(plain) + lost)


def term_weights(term: Term) -> tuple[Any, Any]:
    """The weights of |c_j| and c_j^2 / 2 in a term, None where it has none."""
    if isinstance(term, pn.SquaredL2):
        return None, term.lam
    if isinstance(term, pn.L1):
        return term.lam, None
    if isinstance(term, pn.ElasticNet):
        return term.l1, term.l2
    return None, None


def reach(term: Term, F: Scalar, sizes: Sizes, like: Array) -> Scalar:
    """Bound of |<a, c>| over all c with g(c) <= F, for vectors a of these sizes.

    Infinite where the term bounds no norm of c. Scaling a column and its weight
    together changes nothing.
    """
    if isinstance(term, GroupL2 | pn.L2Norm | _FLOORED):
        if isinstance(term, _FLOORED):
            low = term.floor(like.size, F.dtype)
        else:
            low = jnp.asarray(jnp.min(jnp.asarray(term.lam)), F.dtype)
        far = F / jnp.where(low > 0, low, 1) + least(F.dtype)
        out = sizes.plain * jnp.where(low > 0, far, jnp.inf)
    elif isinstance(term, Box) and "lmo" in term.offers():
        out = sizes.plain
    elif isinstance(term, Set) and "lmo" in term.offers():
        size = tree.norm(term.center(like)) + jnp.asarray(term.diameter(like), F.dtype)
        out = sizes.plain * size
    else:
        # F > 0 beside an infinite size: 0 times infinity would be NaN.
        F = jnp.maximum(F, float(jnp.finfo(F.dtype).tiny))
        out = jnp.minimum(sizes.l2 * jnp.sqrt(2 * F), sizes.l1 * F)
    return 1.01 * out + 4 * least(F.dtype)


def no_reach(term: Term) -> str | None:
    """Why `reach` is infinite for this term, or None."""
    name = type(term).__name__
    if isinstance(term, Set) and "lmo" in term.offers():
        return None
    if isinstance(term, pn.L1 | pn.SquaredL2 | GroupL2 | pn.L2Norm | pn.LInf | Nuclear):
        weights = [term.lam]
    elif isinstance(term, FusedL1):
        weights = [term.l1]
    elif isinstance(term, SortedL1):
        weights = [np.ravel(term.lam)[:1]] if known(term.lam) else [term.lam]
    elif isinstance(term, SparseGroupL2):
        # Labels -1 are of no group.
        grouped = known(term.groups) and np.min(np.asarray(term.groups)) >= 0
        weights = [term.l1, term.lam] if grouped else [term.l1]
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
    no minimiser to exist. R bounds |<a_i, c>| at all of them, x included.
    """
    total = jnp.sum(w)
    R = reach(term, F, norms.top, coef)
    shift = 0.0 if offset is None else jnp.max(jnp.abs(offset))
    if isinstance(loss, SquaredLoss):
        # b* - b = -mean(r) - <mean a, c* - c>: no trace of the targets' offset.
        miss = jnp.abs(jnp.vdot(w, z - y)) + jnp.vdot(w, e_z)
        miss = miss + gam(z.size + 8, z.dtype) * jnp.vdot(w, jnp.abs(z - y))
        miss = miss + 4 * z.size * least(z.dtype) + least(z.dtype) * total
        far = reach(term, F, norms.mean, coef)
        return 1.01 * (miss / total + 2 * far)
    if isinstance(loss, HuberLoss):
        # delta |r| <= l + delta^2 / 2, at both points.
        d = jnp.asarray(loss.delta, z.dtype)
        each = 2 * (F / d) + 4 * least(z.dtype)
        return 1.01 * (each / total + d + 2 * R)
    if isinstance(loss, LogisticLoss):
        lightest = _lightest_sign(y, w)
        return 1.01 * (F / lightest + R + shift + jnp.abs(intercept))
    if isinstance(loss, SquaredHingeLoss):
        lightest = _lightest_sign(y, w)
        return 1.01 * (jnp.sqrt(2 * F / lightest) + 1 + R + shift + jnp.abs(intercept))
    if isinstance(loss, PoissonLoss):
        # gKL(Y || M) <= F for the totals Y, M; (sqrt M - sqrt Y)^2 <= gKL.
        Y = jnp.vdot(w, y)
        high = 2 * jnp.log(jnp.sqrt(Y) + jnp.sqrt(F)) - jnp.log(total)
        low = jnp.log(Y) - jnp.log(total) - 1 - F / Y
        size = jnp.maximum(jnp.abs(high), jnp.abs(low))
        return 1.01 * (size + R + shift + jnp.abs(intercept))
    if isinstance(loss, SoftmaxLoss):
        # b_k - b_c <= F / W_c + 2 R; a common shift of b changes nothing, because
        # exact dual rows sum to 0. Both b and b* are centred between their extremes.
        each = jnp.sum(loss.onehot(z, y) * w[:, None], axis=0)
        half = F / (2 * jnp.min(each)) + R
        middle = (jnp.max(intercept) + jnp.min(intercept)) / 2
        return 1.01 * (half + jnp.abs(intercept - middle))
    return jnp.full_like(intercept, jnp.inf)


def gradient_lipschitz(
    A: Any,
    w: Any,
    intercept: bool,
    curvature: float,
    seen: spectrum.Columns | None = None,
) -> Any:
    """Upper bound of curvature * lambda_max([A 1]' diag(w) [A 1]).

    Where the data can be looked at it is at most twice that: see `spectrum.upper`, and
    `spectrum.known_how` for how it is known. Of traced data it is the lesser of
    ||B||_F^2 and ||B||_1 ||B||_inf. A sparse A may be `seen` in other columns.
    """
    if isinstance(A, SparseMatrix):
        return _sparse_lipschitz(A, w, intercept, curvature, seen)
    if not known(A, w):
        B = jnp.asarray(A) if w is None else jnp.sqrt(w)[:, None] * A
        if intercept:
            column = jnp.ones(B.shape[0], B.dtype) if w is None else jnp.sqrt(w)
            B = jnp.concatenate([B, column[:, None]], axis=1)
        a = jnp.abs(B)
        plain = jnp.minimum(jnp.sum(a * a), jnp.max(a.sum(0)) * jnp.max(a.sum(1)))
        # Squares may have vanished.
        plain = plain + B.size * least(B.dtype)
        return curvature * plain * (1 + 8 * gam(sum(B.shape) + B.size, B.dtype))
    kind = np.asarray(A).dtype
    rows = None if w is None else np.asarray(w, np.float64)
    top = spectrum.upper(np.asarray(A, np.float64), rows, intercept)
    return _constant(top, curvature, kind)


def _constant(top: float, curvature: float, kind: Any) -> np.float64:
    """curvature * top as a positive number, never below it in this dtype."""
    if top == 0:
        return np.float64(np.finfo(kind).tiny)
    with np.errstate(over="ignore", under="ignore"):
        # Never 0, and never subnormal: XLA would read 0.
        top = curvature * np.float64(top) * (1 + 4 * float(np.finfo(kind).eps))
        return np.maximum(top, _TINY)


def _sparse_lipschitz(
    A: SparseMatrix, w: Any, intercept: bool, curvature: float, seen: Any
) -> Any:
    if known(A, w, seen):
        if intercept:
            seen = spectrum.Columns(np.ones(A.width), np.zeros(A.width), 1.0)
        rows = None if w is None else np.asarray(w, np.float64)
        top = spectrum.upper_sparse(A.csr(), rows, seen)
        return _constant(top, curvature, np.dtype(A.dtype))
    dtype = jax.dtypes.canonicalize_dtype(A.dtype)
    A = A.in_dtype(dtype)
    each = jnp.ones(A.height, dtype) if w is None else jnp.asarray(w, dtype)
    if seen is None:
        plain = _entry_norms(A, jnp.sqrt(each), intercept)
    else:
        plain = _moved_norm(A, each, seen)
    plain = plain + A.nnz * least(dtype)
    return curvature * plain * (1 + 8 * gam(sum(A.shape) + A.nnz, dtype))


def _entry_norms(A: SparseMatrix, root: Array, intercept: bool) -> Scalar:
    """min(||B||_F^2, ||B||_1 ||B||_inf) of B = diag(root) [A 1]."""
    a = A.at_rows(root) * jnp.abs(A.values)
    square, columns, rows = jnp.sum(a * a), A.column_sums(a), A.row_sums(a)
    high = jnp.max(columns)
    if intercept:
        square = square + jnp.sum(root * root)
        high, rows = jnp.maximum(high, jnp.sum(root)), rows + root
    return jnp.minimum(square, high * jnp.max(rows))


def _moved_norm(A: SparseMatrix, w: Array, seen: spectrum.Columns) -> Scalar:
    """||diag(sqrt(w)) [(A - 1 m') D, d 1]||_F^2: what is not stored is -m D."""
    D, m, d = (jnp.asarray(v, A.dtype) for v in seen)
    felt, total = A.at_rows(w), jnp.sum(w)
    moved = jnp.square((A.values - A.at_columns(m)) * A.at_columns(D))
    absent = jnp.maximum(total - A.column_sums(felt), 0)
    # The difference of two sums is off by their roundings.
    absent = absent + 2 * gam(A.height + 8, A.dtype) * total
    rest = jnp.sum(absent * jnp.square(m * D))
    return jnp.sum(felt * moved) + rest + jnp.square(d) * total


KRYLOV = 4
"""Steps of Lanczos: eight passes over A, and for most spectra nine tenths of L."""


def rows_times(A: Any, v: np.ndarray) -> np.ndarray:
    """A v on this thread alone.

    BLAS shares it out, and where XLA has just run its idle threads still spin on the
    other cores: a product of 0.1 ms took 8 ms, for a tenth of a second.
    """
    if not isinstance(A, np.ndarray):
        return A @ v  # SciPy's have no threads
    return np.einsum("ij,j->i", A, v)


def times_rows(u: np.ndarray, A: Any) -> np.ndarray:
    """u'A on this thread alone; see `rows_times`."""
    if not isinstance(A, np.ndarray):
        return A.T @ u
    return np.einsum("i,ij->j", u, A)


def curvature_seen(
    product: Any, adjoint: Any, w: Any, curvature: float, p: int, dtype: Any
) -> float | None:
    """A Ritz value of curvature * B'WB from a fixed random start: never above the top.

    `product(v)` is B v, `adjoint(u)` is B'u. No bound: who uses it must be ready to see
    more. None where the numbers leave their range.
    """
    v = np.random.default_rng(8).standard_normal(p).astype(dtype)
    v, past, beta = v / np.linalg.norm(v), np.zeros(p, dtype), 0.0
    diagonal, beside = [], []
    with np.errstate(all="ignore"):
        for _ in range(min(KRYLOV, p)):
            z = product(v)
            q = adjoint(z if w is None else w * z) - beta * past
            alpha = float(v @ q)
            q = q - alpha * v
            diagonal.append(alpha)
            beta = float(np.linalg.norm(q))
            beside.append(beta)
            if not beta > 1e-6 * abs(alpha):
                break
            past, v = v, (q / beta).astype(dtype)
    T = np.diag(diagonal) + sum(np.diag(beside[:-1], k) for k in (-1, 1))
    if not np.all(np.isfinite(T)):
        return None
    top = float(np.linalg.eigvalsh(T)[-1]) * curvature
    return top if np.isfinite(top) and top > 0 else None


def _lightest_sign(y: Array, w: Array) -> Scalar:
    return jnp.minimum(jnp.sum(jnp.where(y > 0, w, 0)), jnp.sum(jnp.where(y < 0, w, 0)))

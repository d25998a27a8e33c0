"""Spectral terms on one 2-D array: nuclear norm and ball, PSD cone, spectrahedron.

Projections shrink singular values or eigenvalues; their derivatives use divided
differences written so that repeated and zero values give no 0/0 (Lewis and Sendov,
"Twice differentiable spectral functions", 2001). Certified numbers do not trust the
factorisation: X = U S W' + R with R evaluated, and R is charged.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.annotations import Real
from banach.core.problem import Misuse
from banach.core.rounding import gam, least
from banach.core.tree import PRECISION
from banach.core.validated_fields import hyper
from banach.terms.term import (
    Norm,
    Scalar,
    Set,
    Term,
    arrays,
    charge,
    onto_simplex,
    positive,
    rebuild,
    safe_factor,
    single,
    spread,
)

Matrix = Float[Array, "m n"]


class Nuclear(Norm):
    """g(X) = lam times the sum of the singular values.

    Args:
        lam: a number >= 0.

    Source: Cai, Candes and Shen, SIAM J. Optimization 20 (2010), theorem 2.1.

    Example:
        >>> np.round(bn.Nuclear(1.0).prox(np.diag([3.0, 0.5]), 1.0), 6)
        Array([[2., 0.],
               [0., 0.]], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    lam: Any = hyper("Nuclear lam", "nonnegative", scalar=True)

    def value(self, x: PyTree) -> Scalar:
        """Lam times the nuclear norm."""
        X = single(self, x, 2)
        return jnp.asarray(self.lam, X.dtype) * jnp.sum(_singular_values(X))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """Soft threshold of the singular values at t lam."""
        V = single(self, v, 2)
        k = jnp.asarray(t, V.dtype) * jnp.asarray(self.lam, V.dtype)
        return rebuild(v, jnp.where(k > 0, _shrink_singular(V, k), V))

    @property
    def unpenalised(self) -> Any:
        """Everything if lam is 0."""
        return self.lam == 0

    def floor(self, size: int, dtype: Any) -> Scalar:
        """lam: singular values sum to no less than the root of their squares."""
        return jnp.asarray(self.lam, dtype)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Sum of s_i (lam - u_i' V w_i) over the singular triples of X."""
        (e,) = spread(arrays(v), e)
        X, V, e = single(self, x, 2), single(self, v, 2), single(self, e, 2)
        lam = jnp.asarray(self.lam, X.dtype)
        value, moved = _triples(X, V, e, lam)
        live = lam > 0
        value = jnp.where(live, value, 0)
        return value, charge(value, jnp.where(live, moved, 0), sum(X.shape) + 12)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """min(1, lam / (||V|| + ||e||)) with a proved bound of ||V||."""
        (e,) = spread(arrays(v), e)
        V, e = single(self, v, 2), single(self, e, 2)
        lam = jnp.asarray(self.lam, V.dtype)
        top = _spectral_bound(V) + tree.norm(e)
        ratio = jnp.where(lam > 0, top / positive(lam), 0)
        return safe_factor(ratio, V.size + 8)


class NuclearBall(Set):
    """{sum of singular values <= radius}, on one 2-D array.

    Args:
        radius: a number > 0.

    Source: Beck, First-Order Methods in Optimization (2017), chapter 7, spectral
    functions.

    Example:
        >>> np.round(bn.NuclearBall(1.0).project(np.diag([3.0, 0.5])), 6)
        Array([[1., 0.],
               [0., 0.]], dtype=float32)
    """

    oracles = frozenset({"prox", "project", "lmo", "conjugate"})

    radius: Real = hyper("NuclearBall radius", "positive", scalar=True)

    def project(self, v: PyTree) -> PyTree:
        """Shrink the singular values on the simplex."""
        V = single(self, v, 2)
        r = jnp.asarray(self.radius, V.dtype)
        inside = jnp.sum(_singular_values(V)) <= r
        return rebuild(v, jnp.where(inside, V, _singular_simplex(V, r)))

    def lmo(self, g: PyTree) -> PyTree:
        """-radius u w' for the leading singular pair of G."""
        G = single(self, g, 2)
        u, _, wt = jnp.linalg.svd(G, full_matrices=False)
        return rebuild(
            g, -jnp.asarray(self.radius, G.dtype) * jnp.outer(u[:, 0], wt[0])
        )

    def diameter(self, like: PyTree | None = None) -> Any:
        """Twice the radius, rounded up."""
        r = jnp.asarray(self.radius)
        return 2 * r * (1 + 4 * jnp.finfo(r.dtype).eps)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """(radius - ||X||_*) ||V|| + sum of s_i (||V|| - u_i' V w_i)."""
        (e,) = spread(arrays(v), e)
        X, V, e = single(self, x, 2), single(self, v, 2), single(self, e, 2)
        r, top = jnp.asarray(self.radius, X.dtype), _top_singular(V)
        s = _svd(X)[1]
        value, moved = _triples(X, V, e, top)
        value = value + (r - jnp.sum(s)) * top
        over = jnp.maximum(_spectral_bound(V) - top, 0) + tree.norm(e)
        g = gam(sum(X.shape) + 12, X.dtype)
        moved = moved + over * r + g * ((r + 2 * jnp.sum(s)) * top)
        moved = moved + 4 * sum(X.shape) * least(X.dtype) * (r + jnp.sum(s) + top)
        return value, charge(value, moved, sum(X.shape) + 12)


class PSDCone(Set):
    """{symmetric positive semidefinite matrices}, on one square 2-D array.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.3.

    Example:
        >>> np.round(bn.PSDCone().project(np.array([[1.0, 0.0], [0.0, -2.0]])), 6)
        Array([[1., 0.],
               [0., 0.]], dtype=float32)
    """

    oracles = frozenset({"prox", "project"})

    def project(self, v: PyTree) -> PyTree:
        """Symmetrise, and keep the positive eigenvalues."""
        V = _square(self, v)
        return rebuild(v, _eigen_positive(_sym(V)))


class Spectrahedron(Set):
    """{symmetric positive semidefinite, trace = radius}, on one square array.

    Args:
        radius: a number > 0, the trace.

    Source: Beck, First-Order Methods in Optimization (2017), chapter 7, spectral
    functions.

    Example:
        >>> np.round(bn.Spectrahedron().project(np.diag([2.0, 1.5])), 6)
        Array([[0.75, 0.  ],
               [0.  , 0.25]], dtype=float32)
    """

    oracles = frozenset({"prox", "project", "lmo", "conjugate"})

    radius: Real = hyper("Spectrahedron radius", "positive", scalar=True, default=1.0)

    def project(self, v: PyTree) -> PyTree:
        """Symmetrise, and project the eigenvalues on the simplex."""
        V = _sym(_square(self, v))
        r = jnp.asarray(self.radius, V.dtype)
        middle = jax.lax.stop_gradient(jnp.trace(V) / V.shape[0])
        V = V - middle * jnp.eye(V.shape[0], dtype=V.dtype)
        return rebuild(v, _eigen_simplex(V, r))

    def lmo(self, g: PyTree) -> PyTree:
        """Radius times q q' for the lowest eigenvector q of the symmetric part."""
        G = _sym(_square(self, g))
        _, q = jnp.linalg.eigh(G)
        return rebuild(
            g, jnp.asarray(self.radius, G.dtype) * jnp.outer(q[:, 0], q[:, 0])
        )

    def center(self, like: PyTree) -> PyTree:
        """The scaled identity."""
        X = _square(self, like)
        n = X.shape[0]
        scale = jnp.asarray(self.radius, X.dtype) / n
        return rebuild(like, scale * jnp.eye(n, dtype=X.dtype))

    def diameter(self, like: PyTree | None = None) -> Any:
        """sqrt(2) radius, rounded up."""
        r = jnp.asarray(self.radius)
        return jnp.sqrt(2 * jnp.square(r)) * (1 + 8 * jnp.finfo(r.dtype).eps)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Sum of l_i (top - q_i' V q_i) over the eigenpairs of X, top = l_max(V).

        |top| |radius - sum l_i| goes to the slack.
        """
        (e,) = spread(arrays(v), e)
        X, V, e = _square(self, x), _square(self, v), single(self, e, 2)
        r, half, S = jnp.asarray(self.radius, X.dtype), _sym(V), _sym(X)
        top = _eigh(half)[0][-1]
        over = jnp.maximum(_top_eigen_bound(half) - top, 0) + tree.norm(e)
        lam, q = _eigh(S)
        n, absv = X.shape[0], jnp.abs(V)
        quad = jnp.sum(q * _dot(half, q), axis=0)
        size = jnp.sum(jnp.abs(q) * _dot(_sym(absv), jnp.abs(q)), axis=0)
        value = jnp.sum(lam * (top - quad))
        g = gam(2 * n + 12, X.dtype)
        low = _dot(q * lam, q.T)
        rough = _dot(jnp.abs(q) * jnp.abs(lam), jnp.abs(q.T))
        # <V, X> = sum l_i q_i'V q_i + <V, X - Q L Q'>, asymmetry of X included.
        tiny = 8 * n * least(X.dtype)
        left = jnp.sum(absv * (jnp.abs(X - low) + g * (rough + jnp.abs(X)) + tiny))
        off = jnp.abs(r - jnp.sum(lam)) + g * jnp.sum(jnp.abs(lam))
        moved = (
            left
            + g * jnp.sum(jnp.abs(lam) * (size + jnp.abs(top)))
            + tiny * (r + jnp.abs(top) + jnp.sum(jnp.abs(lam)) + jnp.sum(jnp.abs(X)))
            + jnp.abs(top) * off
            + over * r
            + jnp.sum(e * jnp.abs(X))
        )
        return value, charge(value, moved, 2 * n + 12)


def _triples(X: Matrix, V: Matrix, e: Matrix, top: Scalar) -> tuple[Scalar, Scalar]:
    """top ||X||_* - <V, X> as a sum over singular triples of X, and its error.

    With X = U S W' + R and computed U, S, W: ||X||_* is at most
    sum s_i |u_i| |w_i| + sqrt(k) ||R||_F, and <V, X> differs by <V, R>.
    """
    u, s, w = _svd(X)
    m, n = X.shape
    g = gam(m + n + 12, X.dtype)
    quad = jnp.sum(u * _dot(V, w), axis=0)
    size = jnp.sum(jnp.abs(u) * _dot(jnp.abs(V), jnp.abs(w)), axis=0)
    long = jnp.sqrt(jnp.sum(u * u, 0) * jnp.sum(w * w, 0)) - 1
    tiny = 4 * (m + n) * least(X.dtype)
    rest = jnp.abs(X - _dot(u * s, w.T)) + tiny
    rest = rest + g * (_dot(jnp.abs(u) * s, jnp.abs(w.T)) + jnp.abs(X))
    value = jnp.sum(s * (top - quad))
    k = float(min(m, n)) ** 0.5
    moved = (
        jnp.sum(s * (top * (jnp.abs(long) + 2 * g) + g * size + tiny))
        + tiny * (top + jnp.sum(jnp.abs(V)) + jnp.sum(jnp.abs(X)))
        + top * k * tree.norm(rest)
        + jnp.sum(jnp.abs(V) * rest)
        + jnp.sum(e * jnp.abs(X))
    )
    return value, moved


def _spectral_bound(V: Matrix) -> Scalar:
    """Upper bound of ||V||: ||U|| ||W|| s_max + ||V - U S W'||_F, all evaluated."""
    u, s, w = _svd(V)
    g = gam(sum(V.shape) + 12, V.dtype)
    rest = jnp.abs(V - _dot(u * s, w.T)) + 4 * sum(V.shape) * least(V.dtype)
    rest = rest + g * (_dot(jnp.abs(u) * s, jnp.abs(w.T)) + jnp.abs(V))
    # ||U||^2 <= 1 + ||U'U - I||_F, so the product is at most 1 + the larger one.
    skew = jnp.maximum(_skew(u, g), _skew(w, g))
    return 1.01 * tree.norm(rest) + s[0] * (1 + 1.01 * skew + 4 * g)


def _top_eigen_bound(V: Matrix) -> Scalar:
    """Upper bound of the largest eigenvalue of a symmetric V."""
    lam, q = _eigh(V)
    g = gam(2 * V.shape[0] + 12, V.dtype)
    rest = jnp.abs(V - _dot(q * lam, q.T)) + 8 * V.shape[0] * least(V.dtype)
    rest = rest + g * (_dot(jnp.abs(q) * jnp.abs(lam), jnp.abs(q.T)) + jnp.abs(V))
    spread_ = jnp.max(jnp.abs(lam)) * (1.01 * _skew(q, g) + 4 * g)
    return lam[-1] + spread_ + 1.01 * tree.norm(rest)


def _skew(q: Matrix, g: float) -> Scalar:
    gram = _dot(q.T, q) - jnp.eye(q.shape[1], dtype=q.dtype)
    return tree.norm(jnp.abs(gram) + g * _dot(jnp.abs(q.T), jnp.abs(q)))


@jax.custom_jvp
def _shrink_singular(X: Matrix, theta: Scalar) -> Matrix:
    u, s, w = _svd(X)
    return _dot(u * jnp.maximum(s - theta, 0), w.T)


@_shrink_singular.defjvp
def _shrink_singular_jvp(primals, tangents):
    u, s, w = _svd(primals[0])
    f = jnp.maximum(s - primals[1], 0)
    moved = _singular_tangent(u, s, w, f, tangents[0], lambda _: tangents[1])
    return _dot(u * f, w.T), moved


@jax.custom_jvp
def _singular_simplex(X: Matrix, radius: Scalar) -> Matrix:
    u, s, w = _svd(X)
    return _dot(u * onto_simplex(s, radius)[0], w.T)


@_singular_simplex.defjvp
def _singular_simplex_jvp(primals, tangents):
    u, s, w = _svd(primals[0])
    f = onto_simplex(s, primals[1])[0]
    level = _mean_over(f, tangents[1])
    return _dot(u * f, w.T), _singular_tangent(u, s, w, f, tangents[0], level)


@jax.custom_jvp
def _eigen_positive(X: Matrix) -> Matrix:
    lam, q = _eigh(X)
    return _dot(q * jnp.maximum(lam, 0), q.T)


@_eigen_positive.defjvp
def _eigen_positive_jvp(primals, tangents):
    lam, q = _eigh(primals[0])
    f = jnp.maximum(lam, 0)
    return _dot(q * f, q.T), _eigen_tangent(lam, q, f, tangents[0], lambda _: 0)


@jax.custom_jvp
def _eigen_simplex(X: Matrix, radius: Scalar) -> Matrix:
    lam, q = _eigh(X)
    return _dot(q * onto_simplex(lam, radius)[0], q.T)


@_eigen_simplex.defjvp
def _eigen_simplex_jvp(primals, tangents):
    lam, q = _eigh(primals[0])
    f = onto_simplex(lam, primals[1])[0]
    level = _mean_over(f, tangents[1])
    return _dot(q * f, q.T), _eigen_tangent(lam, q, f, tangents[0], level)


def _mean_over(f: Array, dradius: Scalar) -> Callable[[Array], Scalar]:
    """Derivative of the simplex threshold from those of the spectrum."""
    active = (f > 0).astype(f.dtype)
    return lambda d: (jnp.sum(active * d) - dradius) / positive(jnp.sum(active))


def _singular_tangent(u, s, w, f, dX, level):
    """Derivative of U f W', f = (s - theta)_+, where theta moves by level(ds)."""
    inner = _dot(_dot(u.T, dX), w)
    even, odd = (inner + inner.T) / 2, (inner - inner.T) / 2
    ratio = (f[:, None] + f[None, :]) / positive(s[:, None] + s[None, :])
    core = _divided(s, f) * even + ratio * odd
    core = core - jnp.diag(jnp.where(f > 0, level(jnp.diag(inner)), 0))
    # A thin factor leaves a part of dX outside its range on the longer side.
    weight = f / positive(s)
    right = _dot(u.T, dX)
    right = right - _dot(_dot(right, w), w.T)
    left = _dot(dX, w)
    left = left - _dot(u, _dot(u.T, left))
    out = _dot(_dot(u, core), w.T)
    return out + _dot(u * weight, right) + _dot(left * weight, w.T)


def _eigen_tangent(lam, q, f, dX, level):
    """Derivative of Q f Q', f = (lam - theta)_+, where theta moves by level(dlam)."""
    inner = _dot(_dot(q.T, _sym(dX)), q)
    core = _divided(lam, f) * inner
    core = core - jnp.diag(jnp.where(f > 0, level(jnp.diag(inner)), 0))
    return _dot(_dot(q, core), q.T)


def _divided(s: Array, f: Array) -> Array:
    """(f_i - f_j) / (s_i - s_j) for f = (s - theta)_+: 1, 0, or a true quotient."""
    on = f > 0
    gap = jnp.abs(s[:, None] - s[None, :])
    mixed = jnp.maximum(f[:, None], f[None, :]) / positive(gap)
    both, one = on[:, None] & on[None, :], on[:, None] ^ on[None, :]
    return jnp.where(both, 1, jnp.where(one, mixed, 0))


@jax.custom_jvp
def _singular_values(X: Matrix) -> Array:
    return _svd(X)[1]


@_singular_values.defjvp
def _singular_values_jvp(primals, tangents):
    u, s, w = _svd(primals[0])
    # At s = 0 the norm has a kink: 0 is its subgradient.
    ds = jnp.sum(u * _dot(tangents[0], w), axis=0)
    return s, jnp.where(s > 0, ds, 0)


def _top_singular(V: Matrix) -> Scalar:
    return _singular_values(V)[0]


def _svd(X: Matrix) -> tuple[Matrix, Array, Matrix]:
    u, s, wt = jnp.linalg.svd(X, full_matrices=False)
    return u, s, wt.T


def _eigh(X: Matrix) -> tuple[Array, Matrix]:
    return jnp.linalg.eigh(X, symmetrize_input=False)


def _dot(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=PRECISION)


def _sym(X: Matrix) -> Matrix:
    return (X + X.T) / 2


def _square(term: Term, x: PyTree) -> Matrix:
    X = single(term, x, 2)
    if X.shape[0] != X.shape[1]:
        raise Misuse(f"{type(term).__name__} needs a square matrix, got {X.shape}")
    return X

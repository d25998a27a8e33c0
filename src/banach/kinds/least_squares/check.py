"""Nonlinear least squares: how much of the residual a linear step could remove."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.core import tree
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least
from banach.kinds.least_squares.problem import NonlinearLeastSquares

Scalar = Float[Array, ""]
LARGEST = 2000
"""Unknowns up to which the projection is affordable: its QR costs n p^2."""
_NOISE = 1000
"""A singular value below so many eps is no direction: the rounding of J hides it."""


class ProjectedResidual(Check):
    """||P_J r|| / (||r|| + tol s), the relative offset of Bates and Watts.

    P_J projects onto the range of the Jacobian, by QR of J with unit columns: the
    sine of the angle by which r misses being orthogonal to what the parameters can
    change. Other units of the data or of the parameters change nothing.

    s is the size of the data: ||data|| where the problem was given `data=`, else
    ||r(reference)|| where that was declared, else 0; it admits a fit that is exact,
    whose residual is rounding in any direction. With neither, a residual that is 0 to
    the rounding of r and of x is compared to the one at the problem's own x0. What is
    printed is the least tol at which the point passes, so that it depends on no tol:
    2 p / (R + sqrt(R^2 + 4 s p)) with p = ||P_J r|| and R = ||r||. It is at most 1,
    and has no unit: an absolute tolerance is the same tolerance.

    Within bounds the point is moved to the nearest one inside, and J is of the
    parameters that may move: those at no bound, and those that r pulls away from
    theirs. What a bound holds back is no direction.

    A residual: nothing is said of f(x) - f* or of ||x - x*||. A column of J below its
    own rounding (a parameter without effect) leaves p = ||r||, which certifies exact
    fits alone. Where J has no full rank to rounding, p is the larger of the projection
    onto its numerical range and of the column cosines.

    Slack: rounding of r and of J (a running error), of the factorisation as its own
    residual shows it, and ||P_J(true) r|| <= p (1 + e / sigma) + ||F'r|| / sigma, with
    sigma the least singular value less e = ||F||, F what rounding may have done to J.

    Args:
        size: that of the data, a number >= 0; None: found from the problem, as said
            above.
        start: the size of the residual at the problem's own x0; None: found with it.

    Source: Bates and Watts, A relative offset orthogonality convergence criterion for
    nonlinear least squares, Technometrics 23 (1981).

    Example:
        >>> t, y = np.arange(4.0), np.array([1.0, 2.9, 5.2, 7.0])
        >>> line = bn.least_squares(
        ...     lambda p: p[0] + p[1] * t - y, np.zeros(2), data=y
        ... )
        >>> verdict = bn.verify(bn.solve(line), check=bn.ProjectedResidual())
        >>> verdict.certified, verdict.certificate.quantity
        (True, '||P_J r||_2/(||r||_2 + tol ||data||_2)')
    """

    name: ClassVar[str] = "projected_residual"

    size: Any = None
    start: Any = None

    def __check_init__(self):
        evaluation.read(self, size="nonnegative", start="nonnegative")

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The offset at the point itself, or at the nearest one within the bounds."""
        ready = self if self.size is not None else self.prepared(problem)
        point = Point(problem.project(point.x))
        judged, at = evaluation.lift(problem, point)
        found = evaluation.judge(_evaluated(judged), at.x)
        (r, J), (e, E) = found.value, found.error
        grain = _grain(J, at.x, jnp.finfo(tree.dtype(point.x)).eps)
        held = None if judged.term is None else _held(judged, at.x, r, J, e, E)
        value, slack = offset(r, J, e, E, ready.size, ready.start, grain, held)
        certificate = single(
            _quantity(problem),
            value,
            slack,
            jnp.ones_like(value),
            grade="residual",
            assumes=evaluation.believed("residual and Jacobian", found.rounding)
            + evaluation.stopped(problem),
            rounding=found.rounding,
            look=look,
        )
        return certificate, Point(point.x)

    def prepared(self, problem: Problem) -> Self:
        """With s, and the size of the residual at the problem's own start."""
        size, start = sizes(problem)
        return dataclasses.replace(self, size=size, start=start)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One residual and one Jacobian."""
        return {"residual": 1, "jacobian": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without residuals, and those too large for a dense QR."""
        fits = isinstance(problem, NonlinearLeastSquares)
        no = refuse_unless(fits, problem, f"{self.name} judges sums of squares")
        if no is None and problem.size() > LARGEST:
            return (
                f"{self.name} factorises the Jacobian, which is affordable up to "
                f"{LARGEST} unknowns; use check='stationarity'"
            )
        return no


def _evaluated(problem: Problem) -> Any:
    return lambda x: (problem.residual(x), problem.jacobian(x))


def _quantity(problem: Problem) -> str:
    if problem.data is not None:
        return "||P_J r||_2/(||r||_2 + tol ||data||_2)"
    if problem.reference is not None:
        return "||P_J r||_2/(||r||_2 + tol ||r(reference)||_2)"
    return "||P_J r||_2/||r||_2"


class Held(NamedTuple):
    """Which parameters a bound holds, and what rounding may hide of each one's pull.

    The pull is J_j'r over ||J_j||: the share of r that the parameter could remove if
    its gradient had the other sign.
    """

    mask: Bool[Array, " p"]
    doubt: Float[Array, " p"]


def _held(problem: Problem, x: PyTree, r: Array, J: Array, e: Array, E: Array) -> Held:
    lower, upper = (jnp.asarray(v, r.dtype) for v in problem.bounds())
    flat = tree.ravel(x)[0]
    g = _mul(J.T, r)
    error = _mul(jnp.abs(J).T, e) + _mul(E.T, jnp.abs(r) + e)
    error = 1.01 * (error + gam(r.size + 4, r.dtype) * _mul(jnp.abs(J).T, jnp.abs(r)))
    error = error + 4 * r.size * least(r.dtype)
    fixed = lower == upper
    mask = fixed | ((flat <= lower) & (g >= 0)) | ((flat >= upper) & (g <= 0))
    length = jnp.sqrt(jnp.sum(jnp.square(J), axis=0))
    doubt = jnp.maximum(error - jnp.abs(g), 0) / jnp.where(length > 0, length, 1)
    # A derivative that does not exist holds nothing.
    mask = mask & (fixed | jnp.isfinite(error))
    return Held(mask, jnp.where(mask & ~fixed, doubt, 0))


def _grain(J: Array, x: PyTree, eps: Any) -> Scalar:
    """How much r moves where every entry of x moves by half its last unit."""
    flat = jnp.abs(tree.ravel(x)[0])
    moved = jnp.matmul(jnp.abs(J), flat, precision=tree.PRECISION)
    return tree.norm(moved) * jnp.asarray(eps / 2, moved.dtype)


def sizes(problem: Problem) -> tuple[Scalar, Scalar]:
    """(s, ||r(x0)||), both rounded down; the second serves where s is 0."""
    judged, at = evaluation.lift(problem, problem.start())
    dtype = evaluation.judged_dtype(problem)
    zero = jnp.zeros((), dtype)
    if judged.data is not None:
        return _below(tree.norm(judged.data), tree.size(judged.data)), zero
    if problem.reference is not None:
        found = evaluation.lifted_reference(problem)
        size, _ = _length(found[0], found[1].x)
        return size, zero
    size, terms = _length(judged, at.x)
    # Residuals that cancel at the start are as large as the terms that cancel.
    return zero, jnp.where(size > 0, size, terms)


def _below(norm: Scalar, entries: int) -> Scalar:
    return jnp.maximum(norm - evaluation.norm_slack(norm, 0 * norm, entries), 0)


def _length(problem: Problem, x: PyTree) -> tuple[Scalar, Scalar]:
    """A lower bound of ||r(x)||, and the size of the terms that r is made of."""
    r = evaluation.judge(problem.residual, x)
    norm, error = tree.norm(r.value), tree.norm(r.error)
    slack = evaluation.norm_slack(norm, r.error, r.value.size)
    terms = error / jnp.finfo(norm.dtype).eps
    low = jnp.where(jnp.isfinite(slack), jnp.maximum(norm - slack, 0), 0)
    return low, jnp.where(jnp.isfinite(terms), terms, 0)


class Projection(NamedTuple):
    """||P_J r|| as computed, and an upper bound of what it is without rounding."""

    value: Scalar
    upper: Scalar


def offset(
    r: Float[Array, " n"],
    J: Float[Array, "n p"],
    e: Float[Array, " n"],
    E: Float[Array, "n p"],
    size: Scalar,
    start: Scalar,
    grain: Scalar,
    held: Held | None = None,
) -> tuple[Scalar, Scalar]:
    """(value, slack) of the offset; e and E bound the errors of r and J entrywise."""
    dtype = r.dtype
    norm = tree.norm(r)
    doubt = jnp.zeros((), dtype)
    if held is not None:
        r, J, e, E = _without(r, J, e, E, held.mask)
        doubt = 1.01 * tree.norm(held.doubt)
    # In units of a power of two: exact, and squares stay in range.
    unit = evaluation.power_of_two(jnp.maximum(tree.max_abs(r), least(dtype)))
    lost = r.size * least(dtype) / unit
    r, e = r / unit, e / unit
    R = tree.norm(r)
    wide = evaluation.norm_slack(R, e, r.size) + lost
    low, high = jnp.maximum(R - wide, 0), R + wide
    low = jnp.where(jnp.isfinite(low), low, 0)
    p = projection(r, J, e, E)
    upper = p.upper + doubt / unit
    upper = jnp.where(jnp.isfinite(upper), jnp.minimum(upper, high), high)
    exact = norm <= unit * tree.norm(e) + grain
    size = jnp.asarray(size, dtype)
    size = jnp.where((size == 0) & exact, jnp.asarray(start, dtype), size)
    big = evaluation.power_of_two(jnp.maximum(size, unit))
    down, up = big / unit, size / big
    value = _least_tol(jnp.minimum(p.value, R) / down, R / down, up)
    bound = _least_tol(upper / down, low / down, up)
    # A quotient that vanished is below the smallest normal number, its root below this.
    bound = bound * (1 + 64 * gam(1, dtype)) + 4 * jnp.sqrt(least(dtype))
    bound = jnp.where(jnp.isfinite(bound), jnp.minimum(bound, 1), 1)
    return value, jnp.maximum(bound - value, 0) + gam(8, dtype) * value


def _without(
    r: Array, J: Array, e: Array, E: Array, mask: Bool[Array, " p"]
) -> tuple[Array, Array, Array, Array]:
    """The same with a masked column pointing where nothing else does.

    One more row a parameter: a masked one has a direction of its own there, with which
    r has nothing to do, and the rank stays what it is without it.
    """
    own = jnp.diag(mask.astype(r.dtype))
    zero = jnp.zeros(mask.size, r.dtype)
    J = jnp.concatenate([jnp.where(mask, 0, J), own])
    E = jnp.concatenate([jnp.where(mask, 0, E), jnp.zeros_like(own)])
    return jnp.concatenate([r, zero]), J, jnp.concatenate([e, zero]), E


def _least_tol(p: Scalar, R: Scalar, s: Scalar) -> Scalar:
    """The least t >= 0 with p <= t R + t^2 s; 1 where r may be 0 and s is."""
    below = R + jnp.sqrt(jnp.square(R) + 4 * s * p)
    t = 2 * p / jnp.where(below > 0, below, 1)
    return jnp.where(below > 0, t, jnp.where(p > 0, 1, p))


def projection(
    r: Float[Array, " n"],
    J: Float[Array, "n p"],
    e: Float[Array, " n"],
    E: Float[Array, "n p"],
) -> Projection:
    """||P_J r||, with |r - true| <= e and |J - true| <= E entrywise."""
    dtype, (n, p) = r.dtype, J.shape
    u, tiny = gam(1, dtype), least(dtype)
    # Any positive scaling of the columns leaves the range as it is.
    unit = jax.vmap(evaluation.power_of_two)(jnp.max(jnp.abs(J), axis=0, initial=0))
    A = J / unit
    length = jnp.sqrt(jnp.sum(jnp.square(A), axis=0))
    length = jnp.where(length > 0, length, 1)
    A = A / length
    E = 1.01 * (E / unit / length + u * jnp.abs(A)) + 2 * tiny
    effect = _effect(A, E)
    Q, T = jnp.linalg.qr(A)
    W, sigma, _ = jnp.linalg.svd(T, full_matrices=False)
    c = _mul(Q.T, r)
    length_r, error_r = tree.norm(r), tree.norm(e)
    # What the factorisation did, as its own residual and departure from orthogonality
    # show it (Q T is off A by F, Q'Q off I by orth).
    product = jnp.abs(A) + _mul(jnp.abs(Q), jnp.abs(T))
    F = E + 1.01 * (jnp.abs(A - _mul(Q, T)) + gam(p + 2, dtype) * product) + tiny
    gram = _mul(Q.T, Q) - jnp.eye(Q.shape[1], dtype=dtype)
    orth = 1.01 * tree.norm(jnp.abs(gram) + gam(n + 2, dtype))
    eta = 1.01 * tree.norm(F)
    blur = 16 * min(n, p) * u * sigma[0]
    kept = (sigma > _NOISE * jnp.finfo(dtype).eps * sigma[0]) & (sigma > 2 * eta + blur)
    low = jnp.min(jnp.where(kept, sigma, jnp.inf))
    next_ = jnp.max(jnp.where(kept, 0, sigma))
    inside = tree.norm(jnp.where(kept, _mul(W.T, c), 0))
    # Computed with sums of n terms; W is orthogonal to rounding.
    own = 1.01 * (gam(n + 2, dtype) * jnp.sqrt(1.0 * p) + 16 * p * u) * length_r
    spread = 1 / jnp.sqrt(jnp.maximum(1 - orth, 0.25))
    lean = 1.01 * tree.norm(_mul(F.T, jnp.abs(r)))
    sharp = low * (1 - orth) - eta - blur
    whole = inside * (1 + eta / sharp) + lean / sharp
    gap = sharp - next_ * (1 + orth)
    part = inside + 1.01 * eta / gap * length_r
    full = jnp.all(kept) & (n >= p)
    upper = jnp.where(full, whole, part) + own
    good = jnp.where(full, sharp, gap) > 0
    upper = jnp.where(good, upper * spread * (1 + 64 * u), jnp.inf)
    # A column of its own: also where its direction was dropped.
    cosine = jnp.abs(_mul(A.T, r))
    turned = _mul((E + gam(n + 2, dtype) * jnp.abs(A)).T, jnp.abs(r))
    steepest = jnp.max(cosine + 1.01 * turned) * (1 + 64 * u)
    value = jnp.maximum(inside, jnp.max(cosine))
    upper = jnp.maximum(upper, steepest) + 1.01 * error_r
    # Without effect, or unknown: all of r may be in the range.
    value = jnp.where(effect, value, length_r)
    value = jnp.where(jnp.any(jnp.isnan(J)), jnp.nan, value)
    upper = jnp.where(effect & jnp.isfinite(upper), upper, jnp.inf)
    return Projection(value, upper)


def _effect(A: Array, E: Array) -> Bool[Array, ""]:
    """Whether every column is larger than its rounding; columns of A have length 1."""
    noise = jnp.sqrt(jnp.sum(jnp.square(E), axis=0))
    return jnp.all((noise < 1) & (jnp.max(jnp.abs(A), axis=0) > 0))


def _mul(A: Array, B: Array) -> Array:
    return jnp.matmul(A, B, precision=tree.PRECISION)

"""Krawczyk's test: a computer proof that a box holds exactly one root.

With C near J(x)^-1 and a box X = x +- r,

    K = x - C F(x) + (I - C J(X)) (X - x),

and K inside the interior of X proves that F has exactly one root in X and that it
lies in K. Everything, C F and I - C J included, is interval arithmetic. F must be
continuous on X for the proof: a choice that jumps inside X is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun
from jaxtyping import Float, PyTree

from banach.checks.interval import arithmetic as ar
from banach.checks.interval.arithmetic import Interval
from banach.checks.interval.derivative_rewriting import prepared
from banach.checks.interval.evaluate import NoEnclosure, eval_jaxpr_interval
from banach.checks.interval.function import float64
from banach.core.rounding import gam

MAX_SIZE = 200
TRIES = 8


@dataclass(frozen=True)
class Enclosure:
    """Outcome of Krawczyk's test at a point x.

    When `verified`, exactly one root lies within `radius` of x in every coordinate;
    it lies in [lower, upper], and `value` = max_j sup |K_j - x_j| bounds its distance
    from x in the maximum norm. Otherwise `value` is infinite and `reason` says why.
    `strict_minimiser`: F's Jacobian is also positive definite on the whole box, so
    the root is a strict local minimiser of any f with grad f = F.
    """

    verified: bool
    value: float
    radius: float
    reason: str
    strict_minimiser: bool
    lower: Float[np.ndarray, " n"]
    upper: Float[np.ndarray, " n"]


def krawczyk(
    F: Callable[[PyTree], PyTree],
    x: PyTree,
    *,
    definite: bool = False,
    rigor: str = "libm",
) -> Enclosure:
    """Try to prove that F has exactly one root near x.

    `F` maps a pytree to a pytree with as many entries (at most 200). The proof is of
    F read over the real numbers, its float64 literals taken exactly. With `definite`
    it also tries to prove the Jacobian positive definite; F must then be a gradient.

    Raises `NoEnclosure` for an operation without an interval rule, a system that is
    not square or too large. A failed proof is an `Enclosure` with its reason.
    """
    leaves, structure = jax.tree.flatten(x)
    leaves = [np.asarray(v) for v in leaves]
    if any(v.dtype.kind not in "fV" for v in leaves):
        raise NoEnclosure("every leaf of x must be floating; close over the others")
    leaves = [float64(v) for v in leaves]
    at = np.concatenate([v.ravel() for v in leaves]) if leaves else np.zeros(0)
    if not 0 < at.size <= MAX_SIZE:
        raise NoEnclosure(
            f"{at.size} unknowns; the dense proof handles 1 to {MAX_SIZE}"
        )
    if not np.all(np.isfinite(at)):
        return _failed(at, "the point is not finite")
    shapes = [v.shape for v in leaves]
    system = _System(F, shapes, structure, at.size, rigor)
    with np.errstate(all="ignore"):
        return _prove(system, at, definite)


class _System:
    """F and its Jacobian as interval functions of a flat vector."""

    def __init__(self, F, shapes, structure, n, rigor):
        cuts = np.cumsum([int(np.prod(s, dtype=int)) for s in shapes])[:-1]

        def flat(v):
            parts = jnp.split(v, cuts)
            parts = [p.reshape(s) for p, s in zip(parts, shapes, strict=True)]
            out = jax.tree.leaves(F(jax.tree.unflatten(structure, parts)))
            return jnp.concatenate([jnp.ravel(leaf) for leaf in out])

        self.rigor = rigor
        with jax.enable_x64(True):
            start = jax.ShapeDtypeStruct((n,), np.float64)
            self.value_program, _ = prepared(flat, start)
            run = jaxpr_as_fun(self.value_program)
            (result,) = self.value_program.jaxpr.outvars
            if result.aval.shape != (n,):
                raise NoEnclosure(
                    f"F maps {n} numbers to {result.aval.size}; the test needs a "
                    "square system"
                )
            self.slope_program = jax.make_jaxpr(jax.jacfwd(lambda v: run(v)[0]))(start)

    def value(self, box: Interval) -> Interval:
        """F over a box; fails where F may jump inside it."""
        (out,) = eval_jaxpr_interval(
            self.value_program, box, rigor=self.rigor, strict=True, shift=True
        )
        return out

    def slope(self, box: Interval) -> Interval:
        """Every derivative of F over a box, generalised ones at kinks included."""
        (out,) = eval_jaxpr_interval(
            self.slope_program, box, rigor=self.rigor, shift=True
        )
        return out


def _failed(at, reason):
    unknown = np.full(at.shape, np.nan)
    return Enclosure(False, np.inf, np.inf, reason, False, unknown, unknown)


def _prove(system, at, definite):
    here = ar.point(at)
    try:
        residual = system.value(here)
        slope = system.slope(here)
    except NoEnclosure as error:
        if not error.by_value:
            raise
        return _failed(at, f"at the point itself: {error}")
    try:
        inverse = np.linalg.inv(slope.mid)
    except np.linalg.LinAlgError:
        return _failed(at, "the Jacobian is singular at the point")
    if not np.all(np.isfinite(inverse)):
        return _failed(at, "the Jacobian is singular at the point")
    C = ar.point(inverse)
    step = _column(ar.matmul(C, _matrix(residual)))
    r = 2 * step.sup_abs + 1e-15 * (1 + np.abs(at))
    if not np.all(np.isfinite(r)):
        return _failed(at, "the Newton step overflows")
    reason = ""
    for _ in range(TRIES):
        box = Interval.around(at, r)
        try:
            system.value(box)
            slope = system.slope(box)
        except NoEnclosure as error:
            if not error.by_value:
                raise
            reason = f"on the box of radius {float(r.max()):.1e}: {error}"
            break
        defect = ar.sub(ar.point(np.eye(at.size)), ar.matmul(C, slope))
        offset = ar.sub(box, here)
        spread = _column(ar.matmul(defect, _matrix(offset)))
        K = ar.add(ar.sub(here, step), spread)
        if np.all((K.lo > box.lo) & (K.hi < box.hi)):
            value = float(ar.sub(K, here).sup_abs.max())
            radius = float(offset.sup_abs.max())
            proof = "" if not definite else _indefinite(slope)
            strict = definite and not proof
            return Enclosure(True, value, radius, proof, strict, K.lo, K.hi)
        r = 4 * r
    reason = reason or (
        "no box around the point could be proved to hold exactly one root: the root "
        "may be multiple, absent, or farther away than the Newton step suggests"
    )
    return _failed(at, reason)


def _matrix(v: Interval) -> Interval:
    return v.map(lambda a: a[:, None])


def _column(v: Interval) -> Interval:
    return v.map(lambda a: a[:, 0])


def _indefinite(H: Interval) -> str:
    """Return "" if every symmetric matrix in H is positive definite, else why not.

    With M the symmetric midpoint and R the radii, Cholesky of M - c I completing
    for c = 1.01 gam(n + 2) tr(M) + 4 u max m_ii + ||R||_F proves it (Rump).
    """
    n = H.shape[0]
    other = H.map(np.transpose)
    if np.any((H.lo > other.hi) | (other.lo > H.hi)):
        return "the Jacobian is not symmetric: F is not a gradient"
    # Symmetric members lie in the intersection of H with its transpose.
    both = Interval(np.maximum(H.lo, other.lo), np.minimum(H.hi, other.hi))
    mid, diagonal = both.mid, np.diag(both.mid)
    if np.any(diagonal <= 0):
        return "the Jacobian is not positive definite: a diagonal entry is <= 0"
    u = 2.0**-53
    spread = ar.up(np.sqrt(np.sum(both.radius**2)) * (1 + 4 * n * n * u))
    shift = 1.01 * gam(n + 2, float) * diagonal.sum() + 4 * u * diagonal.max() + spread
    shift = ar.up(shift * (1 + 16 * u) + n * 2.0**-1022)
    try:
        np.linalg.cholesky(mid - shift * np.eye(n))
    except np.linalg.LinAlgError:
        return "the Jacobian could not be proved positive definite on the box"
    return ""

"""Second-order stationarity: small gradient, Hessian almost positive semidefinite."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.checks import evaluation
from banach.checks.lanczos import lanczos_lower_bound
from banach.checks.refusals import refuse_without
from banach.checks.scales import at_most_one, held_against, source
from banach.checks.stationarity import gradient_scale, no_term
from banach.core import tree, validation
from banach.core.annotations import Real
from banach.core.check import Certificate, Check, Part
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least

DENSE = 2000
_MARGINS = (4.0, 64.0, 4096.0)


def _positive(name: str) -> Any:
    """A converter to None or a positive number."""

    def read(value: Any) -> Any:
        return None if value is None else validation.number(value, name, low="positive")

    return read


def _delta(value: Any) -> Any:
    return validation.probability(value, "delta")


class SecondOrder(Check):
    """Parts ||grad f(x)|| and max(0, -lb), lb a proved lower bound of lambda_min.

    Up to 2000 unknowns lb is proved by a Cholesky factorisation that completes
    (Rump); above, by `steps` Lanczos products from a random start, true with
    probability at least 1 - delta over all looks (Kuczynski and Wozniakowski 1992).
    That resolves only a fraction (ln(n/delta)/steps)^2 / 4 of the spectrum's width.

    The curvature has its own tolerance `curvature`, sqrt(tol) if None, relative to
    |<g, H g>| / ||g||^2 at the reference, or to min(1, that at x0). `tol` must be the
    tolerance of the run: it only converts one into the other.

    Args:
        tol: the tolerance of the run.
        curvature: the tolerance of the curvature; None: sqrt(tol).
        delta: the probability, in (0, 1), with which the Lanczos bound may fail.
        steps: Lanczos products, above 2000 unknowns.
        dense: whether the Hessian is formed; None: up to 2000 unknowns.
        scales: what the two parts are relative to; None: found from the problem.

    Source: Rump, BIT Numerical Mathematics 46 (2006), for the Cholesky factorisation;
    Kuczynski and Wozniakowski, SIAM J. Matrix Analysis 13 (1992).

    Example:
        >>> saddle = bn.Smooth(
        ...     lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4, np.array([1.0, 0.1])
        ... )
        >>> verdict = bn.verify(saddle, np.zeros(2), check=bn.SecondOrder())
        >>> print(verdict)
        budget: second-order stationarity, ratio 0.002, tol 1e-06
          ...
        >>> verdict = bn.verify(
        ...     saddle, np.array([0.0, np.sqrt(0.5)]), check=bn.SecondOrder()
        ... )
        >>> verdict.certified
        True
    """

    name: ClassVar[str] = "second_order"

    tol: Real = eqx.field(default=1e-6, converter=_positive("tol"))
    curvature: Any = eqx.field(default=None, converter=_positive("curvature"))
    delta: Real = eqx.field(default=0.01, converter=_delta)
    steps: int = eqx.field(static=True, default=50)
    dense: bool | None = eqx.field(static=True, default=None)
    scales: Any = None

    def __check_init__(self):
        validation.integer(self.steps, "steps", low=1)
        if self.dense is not None:
            validation.flag(self.dense, "dense")

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Both parts at the point itself."""
        ready = self if self.scales is not None else self.prepared(problem)
        judged, at = evaluation.lift(problem, point)
        norm, slack, label = evaluation.grad_norm(judged, at.x, None, None)
        norm = evaluation.where_defined(judged, at.x, norm)
        first, bend = ready.scales
        dtype = norm.dtype
        tol = jnp.asarray(self.tol, dtype)
        own = jnp.sqrt(tol) if self.curvature is None else self.curvature
        notes = evaluation.believed("gradient", label) + evaluation.stopped(problem)
        if self._dense(problem):
            lower, how = cholesky_lower_bound(judged, at.x)
            notes += evaluation.believed("Hessian", how)
            spent, turn = jnp.zeros((), dtype), look
        else:
            m = jnp.asarray(look, dtype) + 1
            spent = jnp.asarray(self.delta, dtype) / (m * (m + 1))
            fresh = jax.random.fold_in(key, look)
            lower = lanczos_lower_bound(judged, at.x, fresh, self.steps, spent)
            notes += ("HVP rounding: estimated",)
            how, turn = "estimated", look + 1
        worst = "estimated" if "estimated" in (label, how) else "modelled"
        zero = jnp.zeros_like(norm)
        since = source(problem)
        curved = Part(
            "max(0,-lambda_min)",
            jnp.maximum(-lower, 0),
            zero,
            bend * jnp.asarray(own, dtype) / tol,
            scale_from=since,
        )
        first = held_against(problem, norm, slack, first, label)
        certificate = Certificate(
            (Part("||grad f(x)||_2", norm, slack, first, scale_from=since), curved),
            "second-order stationarity",
            "residual" if self._dense(problem) else "statistical",
            notes,
            worst,
            False,
            spent,
            jnp.asarray(turn, jnp.int32),
            jnp.zeros((), jnp.int32),
        )
        return certificate, Point(point.x)

    def prepared(self, problem: Problem) -> "SecondOrder":
        """With gradient norm and curvature at the reference, or at most 1 at x0."""
        first = gradient_scale(problem)
        reference = problem.reference_point()
        judged, at = evaluation.lift(problem, reference or problem.start())
        g = judged.grad(at.x)
        square = tree.vdot(g, g)
        curve = jnp.abs(tree.vdot(g, judged.hvp(at.x, g)))
        ratio = curve / jnp.where(square > 0, square, 1)
        ratio = jnp.where(square > 0, ratio, 0)
        if reference is None:
            bend = jnp.where(ratio > 0, at_most_one(ratio), 1)
        else:
            bend = evaluation.usable(ratio, 0 * ratio, evaluation.ordinary(judged))
        return eqx.tree_at(
            lambda c: c.scales, self, (first, bend), is_leaf=lambda v: v is None
        )

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One value and gradient and a Hessian, or `steps` + 1 Hessian products."""
        if self._dense(problem):
            return {"value": 1, "grad": 1, "hess": 1}
        return {"value": 1, "grad": 1, "hvp": min(self.steps, problem.size()) + 1}

    def refuses(self, problem: Problem) -> str | None:
        """With a term, or without second derivatives."""
        oracle = "hess" if self._dense(problem) else "hvp"
        needs = f"{self.name} needs {oracle}"
        return no_term(problem, self.name) or refuse_without(oracle, problem, needs)

    def _dense(self, problem: Problem) -> bool:
        return problem.size() <= DENSE if self.dense is None else self.dense


def cholesky_lower_bound(problem: Problem, x: PyTree) -> tuple[Float[Array, ""], str]:
    """s <= lambda_min(Hessian at x), proved, and how the Hessian's error is known.

    fl-chol(H - s I - c I) completing with c = 1.01 gam(n + 2) tr(H - s I) +
    4 u max |h_ii| + ||dH||_F proves it. s is tried at the computed eigenvalue less
    growing margins; if all fail, -||H||_F - ||dH||_F.
    """
    H = evaluation.judge(problem.hess, x)
    error = tree.norm(H.error) + tree.norm(H.value - H.value.T)
    return proved_lower_bound((H.value + H.value.T) / 2, error), H.rounding


def proved_lower_bound(
    H: Float[Array, "n n"], error: Float[Array, ""]
) -> Float[Array, ""]:
    """Lower bound of lambda_min of every symmetric matrix within `error` (2-norm)."""
    n, dtype = H.shape[0], H.dtype
    # Of H over a power of two: every margin below is a normal number.
    power = evaluation.power_of_two(jnp.maximum(tree.max_abs(H), error))
    H, error = H / power, error / power + 2 * n * least(dtype)
    unit = float(jnp.finfo(dtype).eps) / 2
    g = gam(n + 2, dtype)
    size = tree.norm(H)
    finite = jnp.all(jnp.isfinite(H)) & jnp.isfinite(error)
    safe = jnp.where(finite, H, jnp.eye(n, dtype=dtype))
    guess = jnp.linalg.eigvalsh(safe)[0]
    best = -1.01 * (size + error)
    for margin in reversed(_MARGINS):
        s = guess - error - margin * g * (size + jnp.abs(guess)) - margin * unit * size
        diagonal = jnp.diagonal(safe) - s
        trace = jnp.maximum(jnp.sum(diagonal), 0)
        c = 1.01 * g * trace + 4 * unit * jnp.max(jnp.abs(diagonal)) + error
        # s and c are subtracted with one rounding each.
        c = c + 4 * unit * (jnp.abs(s) + jnp.max(jnp.abs(jnp.diagonal(safe))))
        shifted = safe - (s + c * (1 + 8 * unit)) * jnp.eye(n, dtype=dtype)
        done = jnp.all(jnp.isfinite(jnp.linalg.cholesky(shifted)))
        best = jnp.where(done, jnp.maximum(best, s), best)
    return jnp.where(finite, best * power - least(dtype), -math.inf)

"""Linear systems: the residual, and the errors that it bounds."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.checks.scales import Scaled
from banach.checks.second_order import proved_lower_bound
from banach.core import tree
from banach.core.check import Certificate, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least, subnormal
from banach.parts.operators import DenseMatrix

Scalar = Float[Array, ""]
DENSE = 2000


class LinearResidual(Scaled):
    """||b - A x||_2, recomputed from A, relative to ||b||_2 (absolute where b = 0).

    A residual: nothing is said of x - x*; where A is nearly singular, or has no
    solution at all, a huge x may come close. Slack: gam(k + 2) (|A| |x| + |b|), k
    the longest row; of a function A a running error, or an estimate where an
    operation has no rule.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), chapters 3
    and 7.

    Example:
        >>> A, b = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
        >>> verdict = bn.verify(
        ...     bn.Linear(A, b), np.linalg.solve(A, b), check=bn.LinearResidual()
        ... )
        >>> print(verdict)
        certified: ||b-Ax||_2, ratio 1.13e-15, tol 1e-06
          ...
    """

    name: ClassVar[str] = "linear_residual"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The norm of the residual at the point itself."""
        value, slack, label = _residual(problem, point, self.screen, self.scale)
        certificate = single(
            "||b-Ax||_2",
            value,
            slack,
            self.scale,
            grade="residual",
            assumes=evaluation.believed("A x", label),
            rounding=label,
            look=look,
        )
        return certificate, Point(point.x)

    def measured(self, problem: Problem) -> tuple[Scalar]:
        """||b||."""
        return (_right_side(problem),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One residual; where a screen passes, one product with |A| more."""
        return {"residual": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are not a linear system."""
        return _only_linear(problem, self.name)


class LinearDistance(Scaled):
    """||x - x*||_2 <= ||b - A x||_2 / sigma, sigma at most the least singular value.

    sigma is proved for dense A up to 2000 unknowns (a Cholesky factorisation that
    completes; without definiteness (1 - ||I - C A||_F) / ||C||_F with C near A^-1),
    by construction ridge of normal equations, else as declared. The scale is
    ||b|| / L <= ||x*||, so that the ratio bounds the relative error; 1 where no
    bound L of ||A|| is known, and where b = 0.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.
        sigma: a lower bound of the least singular value of A; None: found as said
            above.

    Source: Rump, Verification methods, Acta Numerica 19 (2010).

    Example:
        >>> A, b = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
        >>> verdict = bn.verify(
        ...     bn.Linear(A, b), np.linalg.solve(A, b), check=bn.LinearDistance()
        ... )
        >>> print(verdict)
        certified: ||x-x*||_2, ratio 2.52e-15, tol 1e-06
          ...
    """

    name: ClassVar[str] = "linear_distance"

    sigma: Any = None

    def __check_init__(self):
        evaluation.read(self, sigma="positive")

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        return _bounded("||x-x*||_2", problem, point, self, self.sigma, look)

    def measured(self, problem: Problem) -> tuple[Scalar, Scalar]:
        """||b|| / L and sigma."""
        return _shrunk(problem, lambda L: L), _sigma(problem)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One residual."""
        return {"residual": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Where no sigma can be had."""
        return _only_linear(problem, self.name) or _needs_sigma(problem, self.name)


class EnergyError(Scaled):
    """||x - x*||_A = sqrt((x - x*)'A (x - x*)) <= ||b - A x||_2 / sqrt(sigma).

    For symmetric positive definite A; half its square is f(x) - f* of the quadratic
    x'A x / 2 - b'x. sigma is that of `linear_distance`. The scale is
    ||b|| / sqrt(L) <= ||x*||_A, or 1.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.
        sigma: a lower bound of the least singular value of A; None: that of
            `bn.LinearDistance`.

    Source: Golub and Meurant, Matrices, Moments and Quadrature with Applications
    (2010).

    Example:
        >>> A, b = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
        >>> verdict = bn.verify(
        ...     bn.Linear(A, b), np.linalg.solve(A, b), check=bn.EnergyError()
        ... )
        >>> print(verdict)
        certified: ||x-x*||_A, ratio 1.71e-15, tol 1e-06
          ...
    """

    name: ClassVar[str] = "energy_error"

    sigma: Any = None

    def __check_init__(self):
        evaluation.read(self, sigma="positive")

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        root = jnp.sqrt(jnp.maximum(self.sigma, 0))
        return _bounded("||x-x*||_A", problem, point, self, root, look)

    def measured(self, problem: Problem) -> tuple[Scalar, Scalar]:
        """||b|| / sqrt(L) and sigma."""
        return _shrunk(problem, jnp.sqrt), _sigma(problem)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One residual."""
        return {"residual": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Without definiteness, or where no sigma can be had."""
        no = _only_linear(problem, self.name)
        if no is None and not problem.facts().has("positive_definite"):
            return (
                f"{self.name} needs a symmetric positive definite A; declare "
                "positive_definite=True if it is, or use check='linear_distance'"
            )
        return no or _needs_sigma(problem, self.name)


def _residual(
    problem: Problem, point: Point, screen: Any, scale: Scalar
) -> tuple[Scalar, Scalar, str]:
    """||b - A x||, its slack, and how that is known."""
    judged, at = evaluation.lift(problem, point)
    x, size = at.x, problem.size()
    value = tree.norm(judged.residual(x))
    known = judged.A.entrywise
    label = "modelled" if known else evaluation.provenance(judged.residual, x)

    def full() -> Scalar:
        if known:
            big = jax.tree.map(jnp.abs, x)
            error = _times(judged.A.terms(), judged.A.absolute(big), judged.b)
            error = tree.add(error, judged.A.vanished(big))
            # Data that are read as 0 are another system.
            lost = jnp.where(subnormal(judged), jnp.inf, 0)
            error = jax.tree.map(lambda e: e + lost, error)
        else:
            error = evaluation.judge(judged.residual, x).error
        return evaluation.norm_slack(value, error, size)

    passes = evaluation.below(screen, value, scale)
    return value, evaluation.screened(passes, lambda: value / 2, full), label


def _times(terms: int, entries: PyTree, b: PyTree) -> PyTree:
    g = gam(terms + 2, tree.dtype(entries))
    tiny = 2 * least(tree.dtype(entries))
    return jax.tree.map(lambda e, c: 1.01 * g * (e + jnp.abs(c)) + tiny, entries, b)


def _right_side(problem: Problem) -> Scalar:
    """||b|| as a scale.

    1 where b is exactly 0; 0, which certifies nothing, where b is only read as 0.
    """
    value, slack, _ = _residual(problem, problem.reference_point(), None, None)
    empty = tree.max_abs(problem.b) == 0
    # Where b is 0 so is the residual, whatever vanishing products are charged.
    known = jnp.where(empty, 0, slack)
    return evaluation.usable(value, known, empty & ~subnormal(problem.b))


def _shrunk(problem: Problem, by: Any) -> Scalar:
    """||b|| over by(L), rounded down; 1 where either is unknown."""
    size = _right_side(problem)
    judged, _ = evaluation.lift(problem, problem.start())
    # Frobenius' for certain; what the facts know better they know but for a chance.
    L = judged.A.norm() if judged.A.entrywise else None
    if L is None:
        return jnp.ones_like(size)
    # A norm may have vanished in a square.
    L = jnp.asarray(L, size.dtype) + 4 * (problem.size() + 4) * least(size.dtype)
    empty = tree.max_abs(judged.b) == 0
    good = jnp.isfinite(L) & (L > 0) & ~empty
    least_scale = 0.99 * size / by(jnp.where(good, L, 1))
    # An L beyond the floats certifies nothing; where b is 0 the scale is 1.
    return jnp.where(good, least_scale, jnp.where(empty, size, 0))


def _bounded(quantity, problem, point, ready, sigma, look):
    """||b - A x|| / sigma as a certificate; infinite where sigma is not positive."""
    good = sigma > 0
    safe = jnp.where(good, sigma, 1)
    value, e, label = _residual(problem, point, ready.screen, ready.scale * safe)
    tiny = 4 * least(value.dtype) * (1 + value + e)
    slack = 1.01 * (e / safe) + gam(6, value.dtype) * (value / safe) + tiny
    certificate = single(
        quantity,
        jnp.where(good, value / safe, jnp.inf),
        slack,
        ready.scale,
        grade="bound",
        assumes=_trusted(problem, quantity) + evaluation.believed("A x", label),
        rounding=label,
        look=look,
    )
    return certificate, Point(point.x)


def _trusted(problem: Problem, quantity: str) -> tuple[str, ...]:
    facts = problem.facts()
    names = ["positive_definite"] if quantity.endswith("_A") else []
    if facts.mu is not None:
        names.append("mu")
    return tuple(facts.says(name) for name in names)


def _sigma(problem: Problem) -> Scalar:
    """A lower bound of the least singular value of A."""
    judged, _ = evaluation.lift(problem, problem.start())
    dtype = evaluation.judged_dtype(problem)
    facts = judged.facts()
    if facts.mu is not None:
        return evaluation.rounded_down(facts.mu, dtype)
    A = jnp.asarray(judged.A.entries, dtype)
    # Of A over a power of two, whose squares are in range; exact but for entries
    # that vanish beside the largest one.
    unit = evaluation.power_of_two(tree.max_abs(A))
    A, n = A / unit, A.shape[0]
    lost = jnp.where(subnormal(judged.A), jnp.inf, n * least(dtype))
    if facts.has("positive_definite"):
        half = (A + A.T) / 2
        low = proved_lower_bound(half, 1.01 * tree.norm(A - half) + lost)
        # Below the normal numbers nothing is proved.
        return jnp.where(jnp.isfinite(low), low, -1) * unit
    eye = jnp.eye(n, dtype=dtype)
    finite = jnp.all(jnp.isfinite(A))
    C = jnp.linalg.inv(jnp.where(finite, A, eye))
    product = jnp.matmul(C, A, precision=tree.PRECISION)
    rough = jnp.matmul(jnp.abs(C), jnp.abs(A), precision=tree.PRECISION) + eye
    g = 1.01 * gam(n + 4, dtype)
    top = tree.norm(C) * (1 + gam(n * n + 4, dtype))
    off = (tree.norm(eye - product) + g * tree.norm(rough)) * (1 + gam(n * n, dtype))
    off = off + n * lost * (4 + top)
    low = 0.99 * (1 - off) / top * unit
    # Rounded down only where the product is a normal number.
    return jnp.where(finite & (off < 1) & (low > least(dtype)), low, 0)


def _only_linear(problem: Problem, name: str) -> str | None:
    fits = "matvec" in problem.oracles()
    return refuse_unless(fits, problem, f"{name} judges linear systems A x = b")


def _needs_sigma(problem: Problem, name: str) -> str | None:
    dense = isinstance(problem.A, DenseMatrix) and problem.size() <= DENSE
    if dense or problem.facts().mu is not None:
        return None
    return (
        f"{name} needs a lower bound of the least singular value of A, which can be "
        f"proved for dense A up to {DENSE} unknowns only; declare sigma=..., or use "
        "check='linear_residual'"
    )

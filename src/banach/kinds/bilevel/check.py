"""Bilevel problems: the three residuals of the hypergradient, and its error bound."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.checks.scales import held_against
from banach.core import tree
from banach.core.check import Certificate, Check, Part
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam
from banach.kinds.bilevel.problem import Bilevel
from banach.parts import bilevel_solves

Scalar = Float[Array, ""]
NAMES = ("||grad_y g||", "||G_yy v - F_y||", "||F_x - G_xy v||")
CURVATURE = "G_yy below its declared convexity by"
QUICK, THOROUGH = 5, 1000
DENSE_CROSS = 250_000


class _Looked(NamedTuple):
    """Residual norms with slack, the v they hold for, and the curvature part."""

    values: tuple[Scalar, ...]
    slacks: tuple[Scalar, ...]
    v: PyTree
    bend: Part
    label: str
    judged: Problem
    z: PyTree


class Hypergradient(Check):
    """Parts ||grad_y g||, ||G_yy v - F_y|| and ||F_x - G_xy v|| at the pair (x, y).

    All three zero says that grad Phi(x) = 0 where g is strongly convex in y, which
    is declared with the problem; together they are a residual, in the units of F
    and g, and say nothing of the distance in x. Each lies alone: y of another x makes
    the third small, v of another y hides F_y. They are absolute, and each is held
    against min(1, its terms at x0 and y0): small units are no solution. Where all
    that is left of one is modelled rounding it is held against 1.

    v is the check's own: conjugate gradients on G_yy v = F_y, begun at Point.dual
    where that is better than zero, and every residual recomputed with it. A
    direction of negative curvature, or of less curvature than `lower_mu`, refutes
    the declaration. Behind a `screen` the linear solve is cut short at points whose
    lower residual fails already.

    Args:
        screen: the ratio above which the linear solve is cut short; None: never.
        scales: what the three parts are relative to; None: found from the problem.

    Source: Pedregosa, Hyperparameter optimization with approximate gradient, ICML
    (2016), section 2.

    Example:
        >>> two = bn.Bilevel(
        ...     lambda x, y: (y - 1.0) ** 2,
        ...     lambda x, y: (y - x) ** 2,
        ...     0.0,
        ...     0.0,
        ...     lower_mu=2.0,
        ... )
        >>> verdict = bn.verify(
        ...     two, (np.array(1.0), np.array(1.0)), check=bn.Hypergradient()
        ... )
        >>> print(verdict)
        certified: residuals of grad Phi(x), ratio 7.49e-307, tol 1e-06
          ...
    """

    name: ClassVar[str] = "hypergradient"

    screen: Any = None
    scales: Any = None

    def __check_init__(self):
        evaluation.read(self, screen="positive")

    def prepared(self, problem: Problem) -> "Hypergradient":
        """With the terms of each residual at the start."""
        return Hypergradient(self.screen, _scales(problem))

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The residuals at the pair itself; the returned dual is v."""
        scales = _scales(problem) if self.scales is None else self.scales
        seen = _look(problem, point, self.screen, scales)
        parts = tuple(
            Part(
                name,
                evaluation.where_defined(seen.judged, seen.z, value),
                slack,
                held_against(problem, value, slack, scale, seen.label),
                scale_from="start",
            )
            for name, value, slack, scale in zip(
                NAMES, seen.values, seen.slacks, scales, strict=True
            )
        )
        assumes = (
            *_declared(problem),
            *evaluation.believed("residuals", seen.label),
            *evaluation.stopped(problem),
        )
        certificate = _certificate(
            (*parts, seen.bend), "residuals of grad Phi(x)", "residual", assumes,
            seen.label, look,
        )  # fmt: skip
        return certificate, Point(point.x, _like(seen.v, point.x[1]))

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """Three residuals, and the products of a linear solve cut short."""
        return _COST

    def refuses(self, problem: Problem) -> str | None:
        """Other kinds, and lower problems that are not known strongly convex."""
        return _refused(problem, self.name)


class HypergradientBound(Check):
    """||grad Phi(x)||_2 <= ||F_x - G_xy v|| + E, from declared smoothness.

    E = (L_Fx + L_Gxy ||v||) e + (||G_xy|| + L_Gxy e) (r + (L_H ||v|| + L_Fy) e) / mu

    with e = ||grad_y g|| / mu >= ||y - y*(x)||, r = ||G_yy v - F_y||, and ||G_xy||
    bounded by its Frobenius norm at the pair. A bound of the gradient of Phi alone,
    absolute, and held against min(1, the terms of F_x - G_xy v at x0 and y0).

    Args:
        screen: the ratio above which the linear solve is cut short; None: never.
        scales: what the parts are relative to; None: found from the problem.

    Source: Ghadimi and Wang, Approximation methods for bilevel programming (2018),
    lemma 2.2, kept explicit.

    Example:
        >>> two = bn.Bilevel(
        ...     lambda x, y: (y - 1.0) ** 2,
        ...     lambda x, y: (y - x) ** 2,
        ...     0.0,
        ...     0.0,
        ...     lower_mu=2.0,
        ...     smoothness={
        ...         "upper_x": 0.0,
        ...         "upper_y": 2.0,
        ...         "cross": 0.0,
        ...         "hess": 0.0,
        ...     },
        ... )
        >>> verdict = bn.verify(
        ...     two, (np.array(1.0), np.array(1.0)), check=bn.HypergradientBound()
        ... )
        >>> print(verdict)
        certified: ||grad Phi(x)||_2, ratio 1.53e-306, tol 1e-06
          ...
    """

    name: ClassVar[str] = "hypergradient_bound"

    screen: Any = None
    scales: Any = None

    def __check_init__(self):
        evaluation.read(self, screen="positive")

    def prepared(self, problem: Problem) -> "HypergradientBound":
        """With the terms of each residual at the start."""
        return HypergradientBound(self.screen, _scales(problem))

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at x; y and v are its witnesses."""
        scales = _scales(problem) if self.scales is None else self.scales
        seen = _look(problem, point, self.screen, scales)
        judged, z = seen.judged, seen.z
        dtype = seen.values[0].dtype
        mu = jnp.asarray(judged.lower_mu, dtype)
        smooth = {k: jnp.asarray(c, dtype) for k, c in judged.smoothness.items()}
        size = tree.norm(seen.v)
        across, blur, how = _cross_norm(judged, z)
        label = "estimated" if "estimated" in (seen.label, how) else seen.label

        def bound(lower, adjoint, upper, width):
            e = lower / mu
            inner = adjoint + (smooth["hess"] * size + smooth["upper_y"]) * e
            first = (smooth["upper_x"] + smooth["cross"] * size) * e
            return upper + first + (width + smooth["cross"] * e) * inner / mu

        value = bound(*seen.values, across)
        worst = [a + b for a, b in zip(seen.values, seen.slacks, strict=True)]
        rounds = gam(problem.size() + 40, dtype)
        slack = 1.01 * (bound(*worst, across + blur) - value) + rounds * value
        value = evaluation.where_defined(judged, z, value)
        name = "||grad Phi(x)||_2"
        scale = held_against(problem, value, slack, scales[2], label)
        main = Part(name, value, slack, scale, scale_from="start")
        assumes = (
            *_declared(problem),
            "smoothness: declared",
            *evaluation.believed("residuals", seen.label),
            *evaluation.believed("cross derivative", how),
            *evaluation.stopped(problem),
        )
        certificate = _certificate(
            (main, seen.bend), name, "bound", assumes, label, look
        )
        return certificate, Point(point.x, _like(seen.v, point.x[1]))

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """As the residuals, and the dense cross derivative."""
        small = min(tree.size(leaf) for leaf in problem.start().x)
        return {**_COST, "cross": small + 1}

    def refuses(self, problem: Problem) -> str | None:
        """Without the constants, or where G_xy is too large to be formed."""
        no = _refused(problem, self.name)
        if no is not None:
            return no
        if problem.lower_mu is None or problem.smoothness is None:
            return (
                f"{self.name} needs lower_mu and smoothness, which this problem does "
                "not declare; declare both, or use check='hypergradient'"
            )
        n, m = (tree.size(leaf) for leaf in problem.start().x)
        if n * m > DENSE_CROSS:
            return (
                f"{self.name} forms G_xy, here {n} x {m}, more than {DENSE_CROSS} "
                "entries; use check='hypergradient'"
            )
        return None


_COST = {"upper_grad": 1, "lower_grad": 1, "lower_hvp": QUICK + 5, "cross": 1}


def _scales(problem: Problem) -> tuple[Scalar, Scalar, Scalar]:
    """min(1, the terms of each residual at the start); 1 where there are none.

    Of v the start knows a step along F_y. The terms are the running error over the
    unit roundoff; where that is only estimated, the norms of the gradients.
    """
    judged, at = evaluation.lift(problem, problem.start())
    z = at.x
    fx, fy = judged.upper_grad(z)
    square, bent = tree.vdot(fy, fy), tree.vdot(fy, judged.lower_hvp(z, fy))
    v = tree.scale(jnp.where(bent > 0, square / jnp.where(bent > 0, bent, 1), 0), fy)

    def residuals(z):
        fx, fy = judged.upper_grad(z)
        own, across = judged.lower_products(z, v)
        return judged.lower_grad(z), tree.sub(own, fy), tree.sub(fx, across)

    if evaluation.provenance(residuals, z) == "estimated":
        lower = tree.norm(judged.lower_grad(z))
        sizes = (lower, tree.norm(fy), tree.norm(fx) + tree.norm(residuals(z)[2]))
    else:
        error = evaluation.judge(residuals, z).error
        # Products that only vanished are no terms.
        sizes = tuple(tree.norm(jax.tree.map(evaluation.terms, e)) for e in error)
    return tuple(
        jnp.where(jnp.isfinite(s) & (s > 0), jnp.minimum(s, 1), jnp.ones_like(s))
        for s in sizes
    )


def _look(
    problem: Problem, point: Point, screen: Any, scales: tuple[Scalar, ...]
) -> _Looked:
    judged, at = evaluation.lift(problem, point)
    z = at.x
    gy = judged.lower_grad(z)
    _, fy = judged.upper_grad(z)
    size, lower = tree.norm(fy), tree.norm(gy)
    eps = float(jnp.finfo(lower.dtype).eps)
    begin = _offered(judged, z, fy, at.dual)
    if screen is None:
        goal, cap = 10 * eps * size, THOROUGH
    else:
        # A tenth of what passes, and few products where the point fails anyway.
        asked = jnp.asarray(screen, lower.dtype)
        goal = jnp.maximum(asked * scales[1] / 10, 10 * eps * size)
        cap = jnp.where(lower <= asked, THOROUGH, QUICK)
    out = bilevel_solves.adjoint(judged, z, fy, begin, goal, cap)
    v = jax.lax.stop_gradient(out.x)

    def residuals(z):
        fx, fy = judged.upper_grad(z)
        own, across = judged.lower_products(z, v)
        return judged.lower_grad(z), tree.sub(own, fy), tree.sub(fx, across)

    sizes = [tree.size(z[1]), tree.size(z[1]), tree.size(z[0])]

    def full():
        r = evaluation.judge(residuals, z)
        norms = [tree.norm(part) for part in r.value]
        slack = [
            evaluation.norm_slack(n, e, k)
            for n, e, k in zip(norms, r.error, sizes, strict=True)
        ]
        return tuple(norms), tuple(slack)

    label = evaluation.provenance(residuals, z)
    if screen is None:
        values, slacks = full()
    else:
        cheap = tuple(tree.norm(part) for part in residuals(z))
        passes = [
            evaluation.below(screen, value, jnp.ones_like(value)) for value in cheap
        ]
        values, slacks = evaluation.screened(
            jnp.all(jnp.stack(passes)),
            lambda: (cheap, tuple(value / 8 for value in cheap)),
            full,
        )
    bend = _curvature(judged, z, v, out)
    return _Looked(values, slacks, v, bend, label, judged, z)


def _offered(problem: Problem, z: PyTree, fy: PyTree, dual: PyTree) -> PyTree:
    """The offered v where it fits, is finite and better than zero; else zero."""
    zero = tree.zeros_like(fy)
    same = jax.tree.structure(dual) == jax.tree.structure(fy) and all(
        jnp.shape(a) == jnp.shape(b)
        for a, b in zip(jax.tree.leaves(dual), jax.tree.leaves(fy), strict=True)
    )
    if not same:
        return zero
    dual = _like(dual, fy)
    finite = tree.all_finite(dual)
    safe = tree.where(finite, dual, zero)
    left = tree.norm(tree.sub(fy, problem.lower_hvp(z, safe)))
    return tree.where(finite & (left < tree.norm(fy)), safe, zero)


def _curvature(problem: Problem, z: PyTree, v: PyTree, out: Any) -> Part:
    """How far a Rayleigh quotient of G_yy is below mu (0), as a negative number."""
    mu = 0.0 if problem.lower_mu is None else problem.lower_mu
    dtype = tree.dtype(z)
    mu = jnp.asarray(mu, dtype)
    worst, noise = jnp.zeros((), dtype), jnp.zeros((), dtype)
    for w in (v, out.direction):
        length = tree.norm(w)
        there = length > 0
        w = tree.scale(1 / jnp.where(there, length, 1), w)
        bent = problem.lower_hvp(z, w)
        rayleigh = tree.vdot(w, bent) - mu
        rough = jnp.sqrt(jnp.finfo(dtype).eps) * (tree.norm(bent) + mu)
        take = there & (rayleigh < -rough) & (rayleigh < worst)
        worst = jnp.where(take, rayleigh, worst)
        noise = jnp.where(take, rough, noise)
    return Part(CURVATURE, worst, noise.astype(dtype), jnp.ones((), dtype))


def _cross_norm(problem: Problem, z: PyTree) -> tuple[Scalar, Scalar, str]:
    """Frobenius norm of G_xy, its slack and how that is known.

    By products with unit vectors, each judged: an entry may be a difference of large
    numbers, and what cancels is not small where it is lost.
    """
    flat, back = tree.ravel(z[1])
    n = tree.size(z[0])

    def dense(z: PyTree) -> Array:
        fx = lambda w: tree.ravel(problem.cross(z, back(w)))[0]  # noqa: E731
        if flat.size <= n:
            return jax.vmap(fx)(jnp.eye(flat.size, dtype=flat.dtype))
        turn = jax.linear_transpose(fx, flat)
        return jax.vmap(turn)(jnp.eye(n, dtype=flat.dtype))[0]

    found = evaluation.judge(dense, z)
    norm = tree.norm(found.value)
    slack = evaluation.norm_slack(norm, found.error, n * flat.size)
    return norm, slack, found.rounding


def _certificate(parts, quantity, grade, assumes, label, look) -> Certificate:
    return Certificate(
        parts, quantity, grade, assumes, label, False,
        jnp.zeros_like(parts[0].value), jnp.asarray(look, jnp.int32),
        jnp.zeros((), jnp.int32),
    )  # fmt: skip


def _declared(problem: Problem) -> tuple[str, ...]:
    names = ["lower_strongly_convex"]
    names += [] if problem.lower_mu is None else ["lower_mu"]
    return evaluation.declared(problem, *names)


def _like(v: PyTree, model: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.asarray(a, b.dtype), v, model)


def _refused(problem: Problem, name: str) -> str | None:
    fits = isinstance(problem, Bilevel)
    no = refuse_unless(fits, problem, f"{name} judges bilevel problems")
    if fits and not problem.facts().has("lower_strongly_convex"):
        return (
            f"{name} needs a lower problem that is strongly convex in y: otherwise "
            "y*(x) may jump and the hypergradient need not exist. Declare "
            "lower_strongly_convex=True or lower_mu=... if it is true; if g is only "
            "convex, add (rho/2) ||y||^2 to it and declare lower_mu=rho"
        )
    return no

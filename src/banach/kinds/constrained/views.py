"""A constrained problem seen by its KKT conditions, or as f plus a box.

The points of both are {"dual": lam, "x": x}; lam travels home as `Point.dual`, where
the check evaluates it again.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.facts import Facts
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.view import Costs, Seen, View, Way, way
from banach.kinds import view_bases
from banach.kinds.composite.views import DENSE_UP_TO
from banach.parts import multiplier_estimates as kkt

_HALF = 0.5**0.5


class _Multiplied(View):
    """A view whose points hold multipliers."""

    rows: int = eqx.field(static=True)
    equations: int = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Any) -> "_Multiplied":
        """With as many multipliers as rows."""
        return cls(problem.rows(), problem.equations())

    def to(self, point: Point, problem: Any) -> Point:
        """x, and the offered multipliers or else the least-squares ones."""
        lam = point.dual
        if lam is None:
            lam = self.multipliers(problem, point.x)
        return Point({"dual": lam, "x": point.x})

    def multipliers(self, problem: Any, x: PyTree) -> Float[Array, " m"]:
        """argmin ||grad f + J'lam|| at x, no inequality's below 0."""
        g, J = tree.ravel(problem.grad(x))[0], problem.jacobian(x)
        c, at = problem.constraints(x), tree.ravel(x)[0]
        inner = jnp.arange(self.rows) < self.equations
        rows = jnp.where(inner, 0, jnp.abs(c))
        free = kkt.freedom(at, *problem.bounds())
        return kkt.signed(g, J, rows, free, self.equations)

    def back(self, point: Point, problem: Problem | None = None) -> Point:
        """x, with the multipliers beside it."""
        return Point(point.x["x"], point.x["dual"])

    def entering(self) -> dict[str, int]:
        """What the first multipliers are fitted to."""
        return {"grad": 1, "constraints": 1, "jacobian": 1}

    def fits(self, problem: Any) -> bool:
        """As many rows and equations."""
        if "constraints" not in problem.oracles():
            return False
        return (problem.rows(), problem.equations()) == (self.rows, self.equations)


class KktInclusion(_Multiplied):
    """0 in (grad f + J'lam, -c) + the normal cones of the bounds and of lam >= 0.

    Monotone where f and the inequalities are convex and the equations affine.
    """

    name: ClassVar[str] = "kkt_inclusion"
    derives: ClassVar[bool] = True

    def there(self, problem: Problem) -> "SaddleInclusion":
        """The inclusion."""
        return SaddleInclusion(problem)

    def costs(self) -> Costs:
        """An operator is a gradient, the constraints and their Jacobian."""
        each = {"grad": 1, "constraints": 1, "jacobian": 1}
        return {"operator": each, "component": each, "resolvent": {}}

    def text(self) -> str:
        """Which inclusion."""
        return "an inclusion of its KKT conditions"


class SaddleInclusion(view_bases.AsInclusion):
    """The saddle operator of the Lagrangian."""

    def space(self) -> PyTree:
        """Multipliers and x."""
        return _space(self.base)

    def start(self) -> Point:
        """The base's, with multipliers 0."""
        return Point({"dual": _zeros(self.base), "x": self.base.start().x})

    def essential(self) -> frozenset[str]:
        """The resolvent, which keeps bounds and signs."""
        return frozenset({"resolvent"})

    def operator(self, z: PyTree) -> PyTree:
        """(grad f + J'lam, -c)."""
        base: Any = self.base
        x, lam = z["x"], z["dual"]
        slope = _pulled(base.jacobian(x), lam, x)
        return {
            "dual": -base.constraints(x),
            "x": tree.add(base.grad(x), slope),
        }

    def resolvent(self, v: PyTree, t: Any) -> PyTree:
        """x within its bounds, the inequalities' multipliers not below 0."""
        base: Any = self.base
        lam = v["dual"]
        free = jnp.arange(base.rows()) < base.equations()
        return {
            "dual": jnp.where(free, lam, jnp.maximum(lam, 0)),
            "x": _clipped(base, v["x"]),
        }

    def facts(self) -> Facts:
        """Monotone where the problem is convex."""
        return Facts({"monotone": view_bases.how(self.base.facts(), "convex")})


class KktSystem(_Multiplied):
    """The KKT conditions as equations, one a row and one an unknown.

    c_i for equations; the function of Fischer and Burmeister,
    sqrt(c_i^2 + lam_i^2) + c_i - lam_i, for inequalities, zero where c_i <= 0,
    lam_i >= 0 and one of them is 0; x - P(x - grad L), P the projection on the
    bounds.

    Maxima and saddles are roots too. Unless the problem is convex, a point where the
    Hessian of L is negative along a direction that the active rows and bounds leave
    free is not taken home: no minimiser is such a point.
    """

    name: ClassVar[str] = "kkt_system"
    derives: ClassVar[bool] = True

    guarded: bool = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Any) -> "KktSystem":
        """Guarded where it is not known to be convex."""
        convex = problem.facts().has("convex")
        return cls(problem.rows(), problem.equations(), not convex)

    def guards(self) -> bool:
        """Where it is not convex."""
        return self.guarded

    def alone(self) -> bool:
        """Where nothing is guarded."""
        return not self.guarded

    def admits(self, point: Point, problem: Any) -> Any:
        """Whether the Hessian of L is nonnegative in the free directions.

        Up to a millionth of its size (ours): a Hessian that is nearly zero there says
        nothing.
        """
        x, lam = point.x["x"], point.x["dual"]
        flat = tree.ravel(x)[0]
        c, J = problem.constraints(x), problem.jacobian(x)
        H = problem.lagrangian_hess(x, lam)
        h = tree.ravel(tree.add(problem.grad(x), _pulled(J, lam, x)))[0]
        lower, upper = problem.bounds()
        free = ((lower < flat - h) & (flat - h < upper)).astype(flat.dtype)
        inner = jnp.arange(self.rows) < self.equations
        held = (inner | (lam + c > 0)).astype(flat.dtype)
        A = held[:, None] * J * free / kkt.row_sizes(J)[:, None]
        tangent = jnp.diag(free)
        if self.rows:
            tangent = tangent - jnp.matmul(
                jnp.linalg.pinv(A), A, precision=tree.PRECISION
            )
        bent = jnp.matmul(H, tangent, precision=tree.PRECISION)
        bent = jnp.matmul(tangent, bent, precision=tree.PRECISION)
        good = tree.all_finite(bent)
        least = jnp.linalg.eigvalsh(jnp.where(good, (bent + bent.T) / 2, 0))[0]
        return good & (least >= -1e-6 * tree.norm(H))

    def leaving(self) -> dict[str, int]:
        """What the guard asks for."""
        each = {"grad": 1, "constraints": 1, "jacobian": 1, "hess": 1}
        return each if self.guarded else {}

    def there(self, problem: Problem) -> "KktRoot":
        """The equations."""
        return KktRoot(problem)

    def costs(self) -> Costs:
        """A residual asks for first derivatives, a Jacobian for a Hessian of L too."""
        first = {"grad": 1, "constraints": 1, "jacobian": 1}
        return {"residual": first, "jacobian": {**first, "hess": 1}}

    def text(self) -> str:
        """Whose root is sought."""
        return "a root of its KKT conditions"


class KktRoot(view_bases.AsRoot):
    """F of `KktSystem`."""

    def space(self) -> PyTree:
        """Multipliers and x."""
        return _space(self.base)

    def start(self) -> Point:
        """The base's, with multipliers 0."""
        return Point({"dual": _zeros(self.base), "x": self.base.start().x})

    def residual(self, x: PyTree) -> PyTree:
        """One number a row, and one an unknown."""
        base: Any = self.base
        at, lam = x["x"], x["dual"]
        c, h = base.constraints(at), self._slope(x, base.jacobian(at))
        size = jnp.hypot(c, lam)
        inner = jnp.arange(base.rows()) < base.equations()
        rows = jnp.where(inner, c, size + c - lam)
        if base.bounded():
            h = tree.sub(at, _clipped(base, tree.sub(at, h)))
        return {"dual": rows, "x": h}

    def jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """Of one side where there is a kink."""
        base: Any = self.base
        at, lam = x["x"], x["dual"]
        c, J, H = base.constraints(at), base.jacobian(at), base.lagrangian_hess(at, lam)
        inner = jnp.arange(base.rows()) < base.equations()
        size = jnp.hypot(c, lam)
        safe = jnp.where(size > 0, size, 1)
        by_c = jnp.where(inner, 1, jnp.where(size > 0, c / safe, _HALF) + 1)
        by_lam = jnp.where(inner, 0, jnp.where(size > 0, lam / safe, _HALF) - 1)
        free = jnp.ones(base.size(), c.dtype)
        if base.bounded():
            h = tree.ravel(self._slope(x, J))[0]
            lower, upper = base.bounds()
            moved = tree.ravel(at)[0] - h
            free = ((lower < moved) & (moved < upper)).astype(c.dtype)
        top = jnp.concatenate([jnp.diag(by_lam), by_c[:, None] * J], axis=1)
        eye = jnp.diag(1 - free)
        low = jnp.concatenate([free[:, None] * J.T, free[:, None] * H + eye], axis=1)
        return jnp.concatenate([top, low])

    def _slope(self, z: PyTree, J: Float[Array, "m n"]) -> PyTree:
        base: Any = self.base
        return tree.add(base.grad(z["x"]), _pulled(J, z["dual"], z["x"]))


class BoundsAsTerm(View):
    """f plus the indicator of its bounds, where these are the only constraints."""

    name: ClassVar[str] = "bounds_as_term"

    def there(self, problem: Problem) -> "Bounded":
        """The sum."""
        return Bounded(problem)

    def costs(self) -> Costs:
        """A projection is free."""
        return {"prox": {}, "project": {}}

    def fits(self, problem: Any) -> bool:
        """Bounds and no rows."""
        own = "constraints" in problem.oracles()
        return own and not problem.rows() and problem.bounded()

    def text(self) -> str:
        """What is added."""
        return "a sum with the indicator of its bounds"


class Bounded(Seen):
    """f, and a prox that clips."""

    kind: ClassVar[str] = "Composite"
    boxed: ClassVar[bool] = True

    def oracles(self) -> frozenset[str]:
        """Those of f, and the projection."""
        return frozenset({"value", "grad", "hvp", "hess", "prox", "project"})

    def essential(self) -> frozenset[str]:
        """The projection."""
        return frozenset({"prox", "project"})

    def facts(self) -> Facts:
        """Those of the problem."""
        return self.base.facts()

    def value(self, x: PyTree) -> Any:
        """f(x)."""
        return self.base.value(x)

    def grad(self, x: PyTree) -> PyTree:
        """The gradient of f."""
        return self.base.grad(x)

    def value_and_grad(self, x: PyTree) -> tuple[Any, PyTree]:
        """Both."""
        return self.base.value_and_grad(x)

    def hvp(self, x: PyTree, v: PyTree) -> PyTree:
        """The Hessian of f applied to v."""
        return self.base.hvp(x, v)

    def hess(self, x: PyTree) -> Float[Array, "n n"]:
        """The dense Hessian of f."""
        return self.base.hess(x)

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The nearest point within the bounds."""
        return _clipped(self.base, v)

    def project(self, v: PyTree) -> PyTree:
        """The nearest point within the bounds."""
        return _clipped(self.base, v)

    def term_value(self, x: PyTree) -> Any:
        """0 within the bounds."""
        return jnp.zeros((), tree.dtype(x))


def of(problem: Any) -> tuple[Way, ...]:
    """The views of a constrained problem, in declared order."""
    return (bounds_as_term(problem), inclusion(problem), system(problem))


def bounds_as_term(problem: Any) -> Way:
    """As a sum, where bounds are all there is."""
    absent = ""
    if problem.rows():
        absent = "it has rows of constraints, and a term holds bounds alone"
    return way(BoundsAsTerm, "Composite", problem, absent)


def inclusion(problem: Any) -> Way:
    """As an inclusion, where it is convex."""
    absent = ""
    if not problem.facts().has("convex"):
        absent = (
            "its KKT conditions are a monotone inclusion where f and the inequalities "
            "are convex and the equations affine; declare convex=True where they are"
        )
    return way(KktInclusion, "Inclusion", problem, absent)


def system(problem: Any) -> Way:
    """As equations, up to a size whose Jacobian can be stored."""
    absent, size = "", problem.size() + problem.rows()
    if size > DENSE_UP_TO:
        absent = (
            f"a dense Jacobian of {size} unknowns and multipliers is too large (more "
            f"than {DENSE_UP_TO})"
        )
    return way(KktSystem, "Root", problem, absent)


def _space(base: Any) -> PyTree:
    dual = jax.ShapeDtypeStruct((base.rows(),), tree.dtype(base.space()))
    return {"dual": dual, "x": base.space()}


def _zeros(base: Any) -> Any:
    return jnp.zeros(base.rows(), tree.dtype(base.space()))


def _clipped(base: Any, x: PyTree) -> PyTree:
    if not base.bounded():
        return x
    flat, back = tree.ravel(x)
    lower, upper = base.bounds()
    return back(jnp.clip(flat, lower.astype(flat.dtype), upper.astype(flat.dtype)))


def _pulled(J: Any, lam: Any, x: PyTree) -> PyTree:
    """J'lam, a pytree like x."""
    return tree.ravel(x)[1](jnp.matmul(lam, J, precision=tree.PRECISION))

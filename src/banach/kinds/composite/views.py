"""A smooth part plus a term, seen as an inclusion, a fixed point, a smooth function.

What is said here of f and g holds for every kind with the oracles grad and prox:
Composite, linear models with a term, and, with the prox that does nothing, whatever
has a gradient and no term.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import compat, tree
from banach.core.facts import Fact, Facts
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.view import Costs, View, Way, way
from banach.kinds import view_bases

# Unknowns up to which a dense Jacobian is offered.
DENSE_UP_TO = 2000


def near(problem: Problem, v: PyTree, t: Any) -> PyTree:
    """The prox of the term, or v where there is none."""
    return problem.prox(v, t) if problem.essential() else v


def _has(problem: Problem, *oracles: str) -> bool:
    """Whether the oracles are there, and a prox where there is a term."""
    offered, essential = problem.oracles(), problem.essential()
    return set(oracles) <= offered and (not essential or "prox" in offered)


class InclusionOfGradient(View):
    """0 in grad f(x) + subgradients of g."""

    name: ClassVar[str] = "inclusion_of_gradient"
    derives: ClassVar[bool] = True

    term: bool = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "InclusionOfGradient":
        """With the resolvent of the term where there is one."""
        return cls(bool(problem.essential()))

    def there(self, problem: Problem) -> "GradientInclusion":
        """The inclusion."""
        return GradientInclusion(problem)

    def costs(self) -> Costs:
        """An operator is a gradient, a resolvent a prox."""
        free: dict[str, int] = {"prox": 1} if self.term else {}
        return {"operator": {"grad": 1}, "component": {"grad": 1}, "resolvent": free}

    def fits(self, problem: Problem) -> bool:
        """A gradient, and a term or none as it was."""
        return _has(problem, "grad") and self.term == bool(problem.essential())

    def text(self) -> str:
        """Whose zero is sought."""
        term = " and the term's subgradients" if self.term else ""
        return f"an inclusion of the gradient{term}"


class GradientInclusion(view_bases.AsInclusion):
    """F = grad f, G the subgradients of g."""

    def essential(self) -> frozenset[str]:
        """The resolvent where there is a term."""
        return frozenset({"resolvent"} if self.base.essential() else ())

    def operator(self, z: PyTree) -> PyTree:
        """grad f."""
        return self.base.grad(z)

    def resolvent(self, v: PyTree, t: Any) -> PyTree:
        """The prox of t g."""
        return near(self.base, v, t)

    def facts(self) -> Facts:
        """Those of the gradient."""
        return monotone(self.base)


def monotone(problem: Problem) -> Facts:
    """Monotone where f is convex, and then 1/L-cocoercive (Baillon and Haddad)."""
    base = problem.smooth_facts()
    constants = {name: view_bases.bound(base, name) for name in ("L", "mu", "radius")}
    if not base.has("convex"):
        return Facts({}, constants)
    if base.provenance("L") is not None:
        source = view_bases.how(base, "convex", "L")
        constants["cocoercive"] = Fact(lambda: inverse(base.L), source)
    return Facts({"monotone": view_bases.how(base, "convex")}, constants)


class ForwardBackward(View):
    """v = V(v), V(v) = p - t grad f(p) with p = prox(v, t), and x = prox(v, t).

    The forward-backward step, taken at the point before the prox: whatever a method
    makes of v (Anderson's may lie outside of a set), the x that is taken home ends in
    a prox, and costs no gradient (Mai and Johansson 2020). With convex f, g and
    t <= 2 / L both steps are nonexpansive; they contract by max |1 - t mu|, |1 - t L|.
    """

    name: ClassVar[str] = "forward_backward"
    derives: ClassVar[bool] = True

    t: Any
    term: bool = eqx.field(static=True)
    unknowns: int = eqx.field(static=True)
    second: bool = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "ForwardBackward":
        """t = 1 / L, or 2 / (L + mu) where f is strongly convex."""
        facts = problem.smooth_facts()
        L, mu = facts.L, facts.mu
        step = inverse(L) if mu is None else 2 * inverse(L + mu)
        size = problem.size()
        second = "hess" in problem.oracles() and size <= DENSE_UP_TO
        return cls(step, bool(problem.essential()), size, second)

    def there(self, problem: Problem) -> "ForwardBackwardMap":
        """The fixed point."""
        return ForwardBackwardMap(problem, self)

    def to(self, point: Point, problem: Problem) -> Point:
        """x - t grad f(x), whose prox is one step from x, and x at a solution."""
        return Point(self.forward(problem, point.x))

    def back(self, point: Point, problem: Problem | None = None) -> Point:
        """prox(v, t)."""
        if not self.term:
            return Point(point.x)
        assert problem is not None
        return Point(near(problem, point.x, self.step(point.x)))

    def alone(self) -> bool:
        """Without a term x is v."""
        return not self.term

    def forward(self, problem: Any, x: PyTree) -> PyTree:
        """x - t grad f(x)."""
        return tree.axpy(-self.step(x), problem.grad(x), x)

    def step(self, x: PyTree) -> Float[Array, ""]:
        """t in the dtype of x."""
        return jnp.asarray(self.t, tree.dtype(x))

    def costs(self) -> Costs:
        """A map is a gradient and a prox; n of each, or a Hessian, its Jacobian."""
        proxes = {"prox": 1} if self.term else {}
        many = {"prox": self.unknowns + 1} if self.term else {}
        bent = {"hess": 1} if self.second else {"grad": self.unknowns}
        return {"map": {"grad": 1, **proxes}, "map_jacobian": {**bent, **many}}

    def entering(self) -> Mapping[str, int]:
        """A gradient."""
        return {"grad": 1}

    def leaving(self) -> Mapping[str, int]:
        """A prox."""
        return {"prox": 1} if self.term else {}

    def fits(self, problem: Problem) -> bool:
        """A gradient, and a term or none as it was, in as many unknowns."""
        same = self.term == bool(problem.essential())
        return _has(problem, "grad") and same and problem.size() == self.unknowns

    def text(self) -> str:
        """Whose fixed point is sought."""
        what = "forward-backward" if self.term else "gradient"
        return f"a fixed point of {what} steps"


class ForwardBackwardMap(view_bases.AsFixedPoint):
    """V of `ForwardBackward`."""

    view: ForwardBackward

    def start(self) -> Point:
        """The base's, one gradient step on."""
        return self.view.to(self.base.start(), self.base)

    def map(self, x: PyTree) -> PyTree:
        """p - t grad f(p), p = prox(x, t)."""
        p = near(self.base, x, self.view.step(x))
        return self.view.forward(self.base, p)

    def map_jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """(I - t H(p)) P, P the prox's derivative: its limit from one side at kinks."""
        if not self.view.second:
            return view_bases.jacobian(self.map, x)
        t = self.view.step(x)
        p = near(self.base, x, t)
        H = self.base.hess(p)
        after = view_bases.dense(x) - t * H
        if not self.view.term:
            return after
        P = view_bases.jacobian(lambda v: near(self.base, v, t), x)
        return jnp.matmul(after, P, precision=tree.PRECISION)

    def facts(self) -> Facts:
        """Nonexpansive; with mu a contraction by q = (L - mu) / (L + mu)."""
        base = self.base.smooth_facts()
        if not base.has("convex"):
            return Facts()
        source = view_bases.how(base, "convex", "L")
        properties, constants = {"nonexpansive": source}, {}
        if base.provenance("mu") is not None:
            source = view_bases.how(base, "convex", "L", "mu")
            constants["q"] = Fact(lambda: _factor(base.L, base.mu), source)
            if _below(base):
                properties["contractive"] = source
        return Facts(properties, constants)


class Envelope(View):
    """The forward-backward envelope, a smooth function with the minimisers of f + g.

    phi(x) = f(x) - t/2 ||grad f(x)||^2 + (the Moreau envelope of t g at x - t grad f)
           = f(x) + <grad f(x), z - x> + g(z) + ||z - x||^2 / (2 t),
    grad phi(x) = (I - t H(x)) (x - z) / t,  z = prox(x - t grad f(x), t)

    for t < 1 / L, where z is what is taken home (Stella, Themelis and Patrinos 2017).
    For a quadratic f it is the Moreau envelope of f + g in the metric I / t - H, so
    that it is convex, and its gradient's constant is at most 1 / t.
    """

    name: ClassVar[str] = "envelope"
    derives: ClassVar[bool] = True

    t: Any
    quadratic: bool = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "Envelope":
        """t = 0.95 / L, as the authors take it."""
        return cls(0.95 * inverse(problem.facts().L), problem.is_quadratic())

    def there(self, problem: Problem) -> "EnvelopeOfSum":
        """The envelope."""
        return EnvelopeOfSum(problem, self)

    def back(self, point: Point, problem: Any = None) -> Point:
        """z: a forward-backward step."""
        return Point(self.nearest(problem, point.x, problem.grad(point.x)))

    def alone(self) -> bool:
        """z asks for a gradient and a prox."""
        return False

    def nearest(self, problem: Any, x: PyTree, g: PyTree) -> PyTree:
        """z, from the gradient g at x."""
        t = jnp.asarray(self.t, tree.dtype(x))
        return problem.prox(tree.axpy(-t, g, x), t)

    def costs(self) -> Costs:
        """A gradient takes one of f, a prox and a Hessian product."""
        return {"value": {"value": 1}, "grad": {"grad": 1, "prox": 1, "hvp": 1}}

    def leaving(self) -> Mapping[str, int]:
        """A gradient and a prox."""
        return {"grad": 1, "prox": 1}

    def fits(self, problem: Problem) -> bool:
        """Its oracles, and a quadratic where it was one."""
        own = bool(problem.essential()) and _has(problem, "value", "grad", "hvp")
        return own and (not self.quadratic or problem.is_quadratic())

    def text(self) -> str:
        """Which function is minimised."""
        return "its forward-backward envelope"


class EnvelopeOfSum(view_bases.AsSmooth):
    """phi of `Envelope`."""

    view: Envelope

    def value_and_grad(self, x: PyTree) -> tuple[Any, PyTree]:
        """phi(x) and its gradient."""
        t = jnp.asarray(self.view.t, tree.dtype(x))
        f, g = self.base.value_and_grad(x)
        z = self.view.nearest(self.base, x, g)
        back = tree.sub(x, z)
        g_of_z = self.base.term_value(z)
        value = f - tree.vdot(g, back) + g_of_z + tree.vdot(back, back) / (2 * t)
        bent = self.base.hvp(x, back)
        return value, tree.axpy(-1, bent, tree.scale(1 / t, back))

    def facts(self) -> Facts:
        """Differentiable where f is twice; convex with 1 / t for a quadratic f."""
        base, properties, constants = self.base.facts(), {}, {}
        properties["smooth"] = view_bases.how(base, "smooth")
        if self.view.quadratic and base.has("convex"):
            source = view_bases.how(base, "convex", "L")
            properties["convex"] = source
            constants["L"] = Fact(lambda: inverse(self.view.t), source)
        return Facts(properties, constants)


def inverse(L: Any) -> Any:
    """1 / L; of L = 0, which any number bounds, 1."""
    if compat.is_tracer(L):
        return 1 / jnp.where(L > 0, L, 1)
    return 1 / float(L) if float(L) > 0 else 1.0


def _factor(L: Any, mu: Any) -> Any:
    """(L - mu) / (L + mu), rounded up."""
    q = (L - mu) / (L + mu)
    return q + 4e-16 if not compat.is_tracer(q) else q


def _below(facts: Facts) -> bool:
    """Whether q is below 1; of traced constants it is believed."""
    L, mu = facts.L, facts.mu
    return compat.any_tracer((L, mu)) or float(_factor(L, mu)) < 1


def of(problem: Problem) -> tuple[Way, ...]:
    """The views of f + g: inclusion, forward-backward, envelope, in this order."""
    return (inclusion(problem), forward_backward(problem), envelope(problem))


def inclusion(problem: Problem) -> Way:
    """As an inclusion, where it would be monotone."""
    absent = no_prox(problem) or not_convex(problem)
    return way(InclusionOfGradient, "Inclusion", problem, absent)


def forward_backward(problem: Problem) -> Way:
    """As a fixed point, where t <= 2 / L is known."""
    absent = no_prox(problem) or not_convex(problem) or no_constant(problem)
    return way(ForwardBackward, "FixedPoint", problem, absent)


def envelope(problem: Problem) -> Way:
    """As a smooth function."""
    absent = no_prox(problem) or not_convex(problem) or no_constant(problem)
    if not absent and not problem.essential():
        absent = f"{problem.kind} has no term; it is smooth as it stands"
    if not absent and "hvp" not in problem.oracles():
        absent = f"its gradient needs Hessian products, which {problem.kind} lacks"
    return way(Envelope, "Smooth", problem, absent)


def no_prox(problem: Problem) -> str:
    """Why there is no prox, or empty."""
    if not problem.essential() or "prox" in problem.oracles():
        return ""
    return "the term has no prox; use one that has"


def not_convex(problem: Problem) -> str:
    """Why nothing convex is known, or empty."""
    if problem.facts().has("convex"):
        return ""
    term = getattr(getattr(problem, "base", problem), "term", None)
    if term is not None and not term.is_convex():
        return f"{type(term).__name__} is not convex; use a convex term, such as L1"
    return "nothing says that it is convex; declare convex=True if it is"


def no_constant(problem: Problem) -> str:
    """Why no step is known to be short enough, or empty."""
    if problem.facts().provenance("L") is not None:
        return ""
    return (
        "its steps need L, the Lipschitz constant of the gradient: declare L=..., or "
        "use a method that searches for its step"
    )

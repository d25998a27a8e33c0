"""An inclusion seen as a fixed point of forward-backward steps, and as a root."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import compat, tree
from banach.core.facts import Facts
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.view import Costs, View, Way, way
from banach.kinds import view_bases
from banach.kinds.composite.views import DENSE_UP_TO


class ForwardBackwardOfInclusion(View):
    """v = V(v), V(v) = p - t F(p) with p = J_t(v), and z = J_t(v).

    Nonexpansive for t <= 2 beta and a beta-cocoercive F; t is beta.
    """

    name: ClassVar[str] = "forward_backward"

    t: Any
    term: bool = eqx.field(static=True)
    unknowns: int = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "ForwardBackwardOfInclusion":
        """t = beta."""
        beta = problem.facts().get("cocoercive")
        beta = beta if compat.is_tracer(beta) else float(beta)
        return cls(beta, bool(problem.essential()), problem.size())

    def there(self, problem: Problem) -> "InclusionMap":
        """The fixed point."""
        return InclusionMap(problem, self)

    def to(self, point: Point, problem: Problem) -> Point:
        """z - t F(z), whose resolvent is one step from z, and z at a solution."""
        return Point(self.forward(problem, point.x))

    def back(self, point: Point, problem: Problem | None = None) -> Point:
        """J_t(v)."""
        if not self.term:
            return Point(point.x)
        assert problem is not None
        return Point(self.backward(problem, point.x))

    def alone(self) -> bool:
        """Without a term z is v."""
        return not self.term

    def forward(self, problem: Any, z: PyTree) -> PyTree:
        """z - t F(z)."""
        return tree.axpy(-self.step(z), problem.operator(z), z)

    def backward(self, problem: Any, v: PyTree) -> PyTree:
        """J_t(v)."""
        return problem.resolvent(v, self.step(v)) if self.term else v

    def step(self, z: PyTree) -> Float[Array, ""]:
        """t in the dtype of z."""
        return jnp.asarray(self.t, tree.dtype(z))

    def costs(self) -> Costs:
        """A map is an operator and a resolvent; n of each its Jacobian."""
        n = self.unknowns
        free = {"resolvent": 1} if self.term else {}
        many = {"resolvent": n} if self.term else {}
        return {"map": {"operator": 1, **free}, "map_jacobian": {"operator": n, **many}}

    def entering(self) -> Mapping[str, int]:
        """An operator."""
        return {"operator": 1}

    def leaving(self) -> Mapping[str, int]:
        """A resolvent."""
        return {"resolvent": 1} if self.term else {}

    def fits(self, problem: Problem) -> bool:
        """An operator, and a term or none as it was, in as many unknowns."""
        same = self.term == bool(problem.essential())
        own = "operator" in problem.oracles()
        return own and same and problem.size() == self.unknowns

    def text(self) -> str:
        """Whose fixed point is sought."""
        return "a fixed point of forward-backward steps"


class InclusionMap(view_bases.AsFixedPoint):
    """V of `ForwardBackwardOfInclusion`."""

    view: ForwardBackwardOfInclusion

    def start(self) -> Point:
        """The base's, one forward step on."""
        return self.view.to(self.base.start(), self.base)

    def map(self, x: PyTree) -> PyTree:
        """p - t F(p), p = J_t(x)."""
        return self.view.forward(self.base, self.view.backward(self.base, x))

    def facts(self) -> Facts:
        """Nonexpansive."""
        return Facts({"nonexpansive": view_bases.how(self.base.facts(), "cocoercive")})


class RootOfOperator(View):
    """F(z) = 0, where there is no term."""

    name: ClassVar[str] = "root_of_operator"

    unknowns: int = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "RootOfOperator":
        """With as many equations as unknowns."""
        return cls(problem.size())

    def there(self, problem: Problem) -> "OperatorRoot":
        """The equations."""
        return OperatorRoot(problem)

    def costs(self) -> Costs:
        """A Jacobian is n derivatives of the operator."""
        return {"residual": {"operator": 1}, "jacobian": {"operator": self.unknowns}}

    def fits(self, problem: Problem) -> bool:
        """An operator of as many unknowns, and no term."""
        own = "operator" in problem.oracles() and not problem.essential()
        return own and problem.size() == self.unknowns

    def text(self) -> str:
        """Whose root is sought."""
        return "a root of its operator"


class OperatorRoot(view_bases.AsRoot):
    """F(z)."""

    def residual(self, x: PyTree) -> PyTree:
        """The operator."""
        return self.base.operator(x)

    def jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """By forward derivatives."""
        return view_bases.jacobian(self.residual, x)


def of(problem: Any) -> tuple[Way, ...]:
    """The views of an inclusion, in declared order."""
    return (forward_backward(problem), root(problem))


def forward_backward(problem: Any) -> Way:
    """As a fixed point, where a step is known that is nonexpansive."""
    absent = ""
    if problem.facts().provenance("cocoercive") is None:
        absent = (
            "its steps are nonexpansive for a cocoercive operator alone; declare "
            "cocoercive=beta where it is"
        )
    return way(ForwardBackwardOfInclusion, "FixedPoint", problem, absent)


def root(problem: Any) -> Way:
    """As equations, where there is no term."""
    absent = ""
    if problem.essential():
        absent = "with a term it is no system of equations; drop the term"
    elif problem.size() > DENSE_UP_TO:
        absent = (
            f"a dense Jacobian of {problem.size()} unknowns is too large (more than "
            f"{DENSE_UP_TO})"
        )
    return way(RootOfOperator, "Root", problem, absent)

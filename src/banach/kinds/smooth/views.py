"""A differentiable function, seen as a sum with no term, and by its gradient."""

from typing import Any, ClassVar

from jaxtyping import Array, Float, PyTree

from banach.core.facts import Facts
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.view import Costs, View, Way, way
from banach.kinds import view_bases
from banach.kinds.composite import views as composite


class WithoutTerm(View):
    """f plus the term 0, whose prox does nothing."""

    name: ClassVar[str] = "without_term"

    def there(self, problem: Problem) -> "ZeroTerm":
        """The sum."""
        return ZeroTerm(problem)

    def costs(self) -> Costs:
        """The prox is free."""
        return {"prox": {}}

    def fits(self, problem: Problem) -> bool:
        """A value and a gradient, and no term."""
        return {"value", "grad"} <= problem.oracles() and not problem.essential()

    def text(self) -> str:
        """What is added."""
        return "a sum with the term 0"


class ZeroTerm(view_bases.Seen):
    """f + 0."""

    kind: ClassVar[str] = "Composite"

    def oracles(self) -> frozenset[str]:
        """Value, gradient, and the prox."""
        return frozenset({"value", "grad", "prox"})

    def facts(self) -> Facts:
        """Those of f."""
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

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """v."""
        return v

    def optimality(self, point: Point) -> Point:
        """The gradient of f."""
        return self.base.optimality(point)


class RootOfGradient(View):
    """grad f(x) = 0."""

    name: ClassVar[str] = "root_of_gradient"
    derives: ClassVar[bool] = True

    def there(self, problem: Problem) -> "GradientRoot":
        """The equations."""
        return GradientRoot(problem)

    def costs(self) -> Costs:
        """A residual is a gradient, a Jacobian a Hessian."""
        return {"residual": {"grad": 1}, "jacobian": {"hess": 1}}

    def fits(self, problem: Problem) -> bool:
        """A gradient and a Hessian, and no term."""
        return {"grad", "hess"} <= problem.oracles() and not problem.essential()

    def text(self) -> str:
        """Whose root is sought."""
        return "a root of its gradient"


class GradientRoot(view_bases.AsRoot):
    """F = grad f."""

    def residual(self, x: PyTree) -> PyTree:
        """The gradient."""
        return self.base.grad(x)

    def jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """The Hessian."""
        return self.base.hess(x)


def of(problem: Problem) -> tuple[Way, ...]:
    """The views of a differentiable function, in declared order."""
    return (
        without_term(problem),
        root_of_gradient(problem),
        composite.inclusion(problem),
        composite.forward_backward(problem),
    )


def without_term(problem: Problem) -> Way:
    """As a sum with the term 0."""
    return way(WithoutTerm, "Composite", problem, _term(problem))


def root_of_gradient(problem: Problem) -> Way:
    """As equations; by default only where each root is a minimiser."""
    absent = _term(problem)
    if not absent and "hess" not in problem.oracles():
        absent = f"its Jacobian is a dense Hessian, which {problem.kind} lacks"
    if not absent and problem.size() > composite.DENSE_UP_TO:
        absent = (
            f"a dense Hessian of {problem.size()} unknowns is too large (more than "
            f"{composite.DENSE_UP_TO})"
        )
    risk = ""
    if composite.not_convex(problem):
        risk = "nothing says that f is convex, and roots of a gradient may be saddles"
    return way(RootOfGradient, "Root", problem, absent, risk)


def _term(problem: Problem) -> str:
    if not problem.essential():
        return ""
    return f"{problem.kind} has a term that is not smooth"

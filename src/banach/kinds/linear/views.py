"""Linear equations seen as a quadratic, as a root, and as least squares."""

from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.facts import Facts
from banach.core.problem import Problem
from banach.core.view import Costs, View, Way, way
from banach.kinds import view_bases
from banach.kinds.composite.views import DENSE_UP_TO
from banach.kinds.root import views as root


class QuadraticOfEquations(View):
    """minimise 1/2 <x, A x> - <b, x>, for a symmetric positive definite A."""

    name: ClassVar[str] = "quadratic"

    unknowns: int = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "QuadraticOfEquations":
        """In as many unknowns."""
        return cls(problem.size())

    def there(self, problem: Problem) -> "Quadratic":
        """The quadratic."""
        return Quadratic(problem)

    def costs(self) -> Costs:
        """A gradient is a residual, a Hessian product one with A, a Hessian n."""
        return {
            "value": {},
            "grad": {"residual": 1},
            "hvp": {"matvec": 1},
            "hess": {"matvec": self.unknowns},
        }

    def fits(self, problem: Problem) -> bool:
        """Products with an A of as many unknowns."""
        return "matvec" in problem.oracles() and problem.size() == self.unknowns

    def text(self) -> str:
        """What is minimised."""
        return "the quadratic 1/2 <x, A x> - <b, x>"


class Quadratic(view_bases.AsSmooth):
    """Its gradient is A x - b."""

    def oracles(self) -> frozenset[str]:
        """Value, gradient and Hessian products; the Hessian up to a size."""
        own = {"value", "grad", "hvp"}
        return frozenset(own | {"hess"} if self.size() <= DENSE_UP_TO else own)

    def is_quadratic(self) -> bool:
        """Yes."""
        return True

    def value_and_grad(self, x: PyTree) -> tuple[Any, PyTree]:
        """From one product: <x, A x> / 2 - <b, x> = <x, (A x - b) - b> / 2."""
        g = tree.neg(self.base.residual(x))
        b = tree.cast(self.base.b, tree.dtype(x))
        return tree.vdot(x, tree.sub(g, b)) / 2, g

    def hvp(self, x: PyTree, v: PyTree) -> PyTree:
        """A v."""
        return self.base.matvec(v)

    def hess(self, x: PyTree) -> Float[Array, "n n"]:
        """A, dense."""
        return self.base.matrix()

    def facts(self) -> Facts:
        """Convex; L is the norm of A, mu its least singular value."""
        base = self.base.facts()
        how = view_bases.how(base, "positive_definite")
        constants = {name: view_bases.bound(base, name) for name in ("L", "mu")}
        properties = {"convex": how, "smooth": how}
        if constants["mu"] is not None:
            properties["strongly_convex"] = view_bases.how(
                base, "positive_definite", "mu"
            )
        return Facts(properties, constants)


class RootOfEquations(View):
    """A x - b = 0, with A for a Jacobian."""

    name: ClassVar[str] = "root"

    unknowns: int = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "RootOfEquations":
        """In as many unknowns."""
        return cls(problem.size())

    def there(self, problem: Problem) -> "EquationsRoot":
        """The equations."""
        return EquationsRoot(problem)

    def costs(self) -> Costs:
        """The Jacobian is n products."""
        return {"residual": {"residual": 1}, "jacobian": {"matvec": self.unknowns}}

    def fits(self, problem: Problem) -> bool:
        """Products with an A of as many unknowns."""
        return "matvec" in problem.oracles() and problem.size() == self.unknowns

    def text(self) -> str:
        """Whose root is sought."""
        return "a root of A x - b"


class EquationsRoot(view_bases.AsRoot):
    """F = A x - b."""

    def residual(self, x: PyTree) -> PyTree:
        """A x - b."""
        return tree.neg(self.base.residual(x))

    def jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """A."""
        return self.base.matrix()


def of(problem: Any) -> tuple[Way, ...]:
    """The views of linear equations, in declared order."""
    facts, absent = problem.facts(), ""
    if not (facts.has("symmetric") and facts.has("positive_definite")):
        absent = (
            "its solution is a minimiser for a symmetric positive definite A alone; "
            "declare symmetric=True and positive_definite=True where it is"
        )
    large = ""
    if problem.size() > DENSE_UP_TO:
        large = (
            f"a dense A of {problem.size()} unknowns is too large (more than "
            f"{DENSE_UP_TO})"
        )
    return (
        way(QuadraticOfEquations, "Smooth", problem, absent),
        way(RootOfEquations, "Root", problem, large),
        way(root.LeastSquaresOfRoot, "NonlinearLeastSquares", problem),
    )

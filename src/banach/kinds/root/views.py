"""Equations seen as least squares."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.facts import Facts
from banach.core.problem import Problem
from banach.core.view import Costs, View, Way, way
from banach.kinds import view_bases


class LeastSquaresOfRoot(View):
    """minimise 1/2 ||F(x)||^2, whose least value 0 the roots have.

    Other stationary points of ||F|| are no roots, and nothing certifies them.
    """

    name: ClassVar[str] = "least_squares"
    squares: ClassVar[bool] = True

    def there(self, problem: Problem) -> "RootSquares":
        """The sum of squares."""
        return RootSquares(problem)

    def costs(self) -> Costs:
        """A gradient is F and, backwards, as much again; J'J is a Jacobian."""
        return {
            "value": {},
            "grad": {"residual": 2},
            "gauss_newton": {"jacobian": 1},
        }

    def fits(self, problem: Problem) -> bool:
        """A residual."""
        return "residual" in problem.oracles()

    def text(self) -> str:
        """What is minimised."""
        return "least squares of its equations"


class RootSquares(view_bases.AsSmooth):
    """r = F, its Jacobian, and what follows."""

    kind: ClassVar[str] = "NonlinearLeastSquares"

    def oracles(self) -> frozenset[str]:
        """The residual, the value and its gradient; a Jacobian where there is one."""
        jacobian = {"jacobian"} & self.base.oracles()
        return frozenset({"residual", "value", "grad"} | jacobian)

    def facts(self) -> Facts:
        """Differentiable where the equations are."""
        how = self.base.facts().provenance("smooth")
        return Facts() if how is None else Facts({"smooth": how})

    def residual(self, x: PyTree) -> Float[Array, " m"]:
        """F(x) as one vector."""
        return tree.ravel(self.base.residual(x))[0]

    def jacobian(self, x: PyTree) -> Float[Array, "m n"]:
        """That of F."""
        return self.base.jacobian(x)

    def gauss_newton(self, x: PyTree) -> Float[Array, "n n"]:
        """J'J, positive semidefinite."""
        J = self.jacobian(x)
        return jnp.matmul(J.T, J, precision=tree.PRECISION)

    def value_and_grad(self, x: PyTree) -> tuple[Any, PyTree]:
        """1/2 ||F||^2 and J'F."""

        def half(x: PyTree) -> Any:
            r = self.residual(x)
            return jnp.vdot(r, r, precision=tree.PRECISION) / 2

        return jax.value_and_grad(half)(x)


def of(problem: Problem) -> tuple[Way, ...]:
    """The views of equations."""
    return (way(LeastSquaresOfRoot, "NonlinearLeastSquares", problem),)

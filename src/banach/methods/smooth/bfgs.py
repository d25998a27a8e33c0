"""BFGS with a dense matrix."""

from typing import Any

from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.smooth._inverse_matrix import InverseMatrix, too_large
from banach.parts import newton
from banach.parts.line_search_methods import Composed, Searched, UnitWolfe


class BfgsDirection(InverseMatrix):
    """H+ = (I - s y'/s.y) H (I - y s'/s.y) + s s'/s.y, multiplied out."""

    def corrected(self, matrix, s, y):
        return newton.bfgs_update(matrix, s, y)


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="fletcher1970new",
)
class Bfgs(Composed):
    """Quasi-Newton steps with a matrix that learns from every one of them.

    x+ = x - a H g,  H+ = (I - s y'/s.y) H (I - y s'/s.y) + s s'/s.y

    where s = x+ - x and y = g+ - g (Broyden, Fletcher, Goldfarb and Shanno, each alone
    in 1970). The step a satisfies the approximate Wolfe conditions, a = 1 is tried
    first (the first step has length 1), and H stays positive definite. After a search
    that failed, H begins again once. Superlinear at a definite Hessian.

    Fails to be affordable for many unknowns (n^2 memory and work): use lbfgs. On
    functions without convexity it may converge to no stationary point, in theory.
    """

    curvature: Any = real(below=1)

    @classmethod
    def suggest(cls, problem, facts):
        return too_large("bfgs", problem) or cls(curvature=0.9)

    def composition(self):
        """BFGS along approximate Wolfe steps from 1."""
        return Searched(BfgsDirection(), UnitWolfe(curvature=self.curvature))

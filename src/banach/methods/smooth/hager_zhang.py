"""Hager-Zhang conjugate gradients, truncated without units (CG_DESCENT 6)."""

from typing import Any

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.validated_fields import number
from banach.methods.smooth import _conjugate
from banach.parts.line_search_methods import Composed, Searched, Wolfe


class HagerZhangDirection(_conjugate.ConjugateDirection):
    """Hager and Zhang's beta with the floor eta d.g / d.d, g the gradient before."""

    floor: Any = number("HagerZhangDirection floor", "nonnegative", default=0.4)

    def beta(self, y, g, before):
        d = before.d
        floor = self.floor * tree.vdot(d, before.g) / tree.vdot(d, d)
        return _conjugate.hager_zhang(y, g, d, floor)


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="hager2013limited",
)
class HagerZhang(Composed):
    """Conjugate directions that descend, and do not change with the units of f.

    x+ = x + a d,  d+ = -g+ + max(beta, eta d.g / d.d) d,  y = g+ - g,
    beta = (y - 2 d (y.y) / (d.y)).g+ / d.y,  eta = 0.4

    so that g.d <= -7/8 ||g||^2 whatever the search did. The floor of the first paper
    (`nonlinear_cg`) compares gradients with 0.01; this one compares directions with
    each other. The step a satisfies the approximate Wolfe conditions; its first trial
    expects the decrease of the step before, which takes no evaluation.

    Fails slowly on ill-conditioned problems, where lbfgs needs fewer evaluations.
    """

    curvature: Any = real(below=1)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(curvature=0.1)

    def composition(self):
        """These directions along approximate Wolfe steps."""
        return Searched(HagerZhangDirection(), Wolfe(curvature=self.curvature))

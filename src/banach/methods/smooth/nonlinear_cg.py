"""Nonlinear conjugate gradients with guaranteed descent (CG_DESCENT)."""

from typing import Any

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.smooth import _conjugate
from banach.parts.line_search_methods import Composed, Searched, Wolfe


class NonlinearCgDirection(_conjugate.ConjugateDirection):
    """Hager and Zhang's beta with the floor of their first paper."""

    def beta(self, y, g, before):
        length = tree.norm(before.d) * jnp.minimum(0.01, tree.norm(before.g))
        return _conjugate.hager_zhang(y, g, before.d, -1 / length)


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="hager2005cgdescent",
)
class NonlinearCg(Composed):
    """Conjugate directions that descend whatever the line search did.

    x+ = x + a d,  d+ = -g+ + max(beta, floor) d,  y = g+ - g,
    beta = (y - 2 d (y.y) / (d.y)).g+ / d.y
    floor = -1 / (||d|| min(eta, ||g||)),  eta = 0.01

    so that g.d <= -7/8 ||g||^2 in exact arithmetic. The step a satisfies the
    approximate Wolfe conditions; its first trial expects the decrease of the step
    before, a (g.d) / (g+.d+), which takes no evaluation, unlike the paper's
    interpolation. A failed search restarts from -g once before the method is stuck.

    Fails slowly on ill-conditioned problems, where lbfgs needs fewer evaluations.
    `hager_zhang` is the same with a floor that knows no units of f.
    """

    curvature: Any = real(below=1)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(curvature=0.1)

    def composition(self):
        """These directions along approximate Wolfe steps."""
        return Searched(NonlinearCgDirection(), Wolfe(curvature=self.curvature))

"""Polak-Ribiere-plus conjugate gradients."""

from typing import Any

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.validated_fields import number
from banach.methods.smooth._conjugate import ConjugateDirection
from banach.parts.line_search_methods import Composed, Searched, Wolfe


class PolakRibiereDirection(ConjugateDirection):
    """beta = max(g+.y / g.g, 0), and 0 where -g+ + beta d would hardly descend."""

    descent: Any = number("PolakRibiereDirection descent", "positive", default=0.01)

    def beta(self, y, g, before):
        square, old = tree.vdot(g, g), tree.vdot(before.g, before.g)
        beta = jnp.maximum(tree.vdot(g, y) / jnp.where(old > 0, old, 1), 0)
        downhill = beta * tree.vdot(g, before.d) <= (1 - self.descent) * square
        return jnp.where(downhill, beta, 0)


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="gilbert1992global",
)
class PolakRibiere(Composed):
    """Conjugate directions that restart by themselves after a small step.

    x+ = x + a d,  d+ = -g+ + max(beta, 0) d,  beta = g+.(g+ - g) / g.g

    Where g changed little beta is near 0, so that a poor direction is left at once.
    The step a satisfies the approximate Wolfe conditions, its first trial expects the
    decrease of the step before, and d+ is -g+ unless g+.d+ <= -0.01 ||g+||^2,
    which the convergence theorem of Gilbert and Nocedal (1992) asks.

    Fails slowly on ill-conditioned problems, where lbfgs needs fewer evaluations;
    `hager_zhang` descends by itself, whatever the search.
    """

    curvature: Any = real(below=1)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(curvature=0.1)

    def composition(self):
        """These directions along approximate Wolfe steps."""
        return Searched(PolakRibiereDirection(), Wolfe(curvature=self.curvature))

"""The Barzilai-Borwein gradient method with a nonmonotone search."""

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count
from banach.parts.line_search_methods import Composed, Direction, Nonmonotone, Searched
from banach.parts.newton import positive


class BarzilaiBorweinDirection(Direction):
    """d = -a g, a = s.s / s.y; as long as the last step where s.y <= 0."""

    def init(self, g):
        return jnp.ones((), tree.dtype(g)) / positive(tree.norm(g))

    def direction(self, g, state):
        return tree.scale(-state, g)

    def update(self, s, y, g, state):
        ss, sy = tree.vdot(s, s), tree.vdot(s, y)
        secant = ss / positive(sy)
        good = (sy > 0) & (secant > 0) & jnp.isfinite(secant)
        return jnp.where(good, secant, tree.norm(s) / positive(tree.norm(g)))


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="raydan1997barzilai",
)
class BarzilaiBorwein(Composed):
    """Gradient steps whose length is a secant of the last one.

    x+ = x - a g,  a = s.s / s.y,  s = x - x-,  y = g - g-

    so that a is between the inverses of the least and largest curvature (Barzilai and
    Borwein 1988), and f need not fall in every step: a step is halved only where f
    would rise above the largest of its last `memory` values (Raydan 1997). The first
    step has length 1; where the curvature s.y is not positive the step is as long as
    the last one. R-linear on strictly convex quadratics.

    Fails slowly on ill-conditioned problems; lbfgs needs fewer evaluations.
    """

    memory: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(memory=10)

    def composition(self):
        """The direction along nonmonotone steps from 1."""
        return Searched(BarzilaiBorweinDirection(), Nonmonotone(self.memory))

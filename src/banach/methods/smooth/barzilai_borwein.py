"""The Barzilai-Borwein gradient method with a nonmonotone search."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count
from banach.parts.line_search_methods import Composed, Direction, Nonmonotone, Searched


class BarzilaiBorweinDirection(Direction):
    """d = -a g, a = s.s / s.y; as long as the last step where s.y <= 0."""

    def init(self, g) -> Float[Array, ""]:
        return self._length(jnp.ones((), tree.dtype(g)), g)

    def direction(self, g, state):
        return tree.scale(-state, g)

    def update(self, s, y, g, state):
        ss, sy = tree.vdot(s, s), tree.vdot(s, y)
        secant = ss / jnp.where(sy > 0, sy, 1)
        good = (sy > 0) & (secant > 0) & jnp.isfinite(secant)
        return jnp.where(good, secant, self._length(tree.norm(s), g))

    def _length(self, size, g):
        """The multiple of g that is so long."""
        norm = tree.norm(g)
        return size / jnp.where(norm > 0, norm, 1)


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="raydan1997barzilai",
)
class BarzilaiBorwein(Composed):
    """Gradient steps whose length is a secant of the last one.

    x+ = x - a g,  a = s.s / s.y,  s = x - x-,  y = g - g-

    so that a is between the inverses of the least and largest curvature, and f need
    not fall in every step: a step is halved only where f would rise above the largest
    of its last `memory` values (Grippo, Lampariello and Lucidi 1986; Raydan 1997). The
    first step has length 1; where the curvature s.y is not positive the step is as
    long as the last one. R-linear on strictly convex quadratics (Dai and Liao 2002).

    Fails slowly on ill-conditioned problems, and by nature not monotone: lbfgs needs
    fewer evaluations where they are dear.
    """

    memory: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(memory=10)

    def composition(self):
        """The direction along nonmonotone steps from 1."""
        return Searched(BarzilaiBorweinDirection(), Nonmonotone(self.memory))

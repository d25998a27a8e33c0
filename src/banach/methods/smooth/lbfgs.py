"""Limited-memory BFGS (L-BFGS)."""

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count
from banach.core.validated_fields import count as whole
from banach.methods.smooth import _memory as mem
from banach.parts.line_search_methods import Composed, Direction, Searched, UnitWolfe


class LbfgsDirection(Direction):
    """d = -H g, H the BFGS matrix of the last `memory` pairs (s, y)."""

    memory: int = whole("LbfgsDirection memory", default=10)

    def init(self, g):
        length = tree.norm(g)
        pairs = mem.empty(g, self.memory)
        return mem.rescaled(pairs, 1 / jnp.where(length > 0, length, 1))

    def direction(self, g, state):
        return tree.neg(mem.apply(state, g))

    def update(self, s, y, g, state):
        return mem.push(state, s, y)

    def renewed(self, g, state):
        return mem.forgotten(state)


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="liu1989limited",
)
class Lbfgs(Composed):
    """Quasi-Newton steps from the last `memory` pairs of steps and gradient changes.

    x+ = x - a H g,  H the BFGS matrix of the pairs on top of (s.y / y.y) I

    The first trial of the line search is a = 1 (the first step has length 1). The
    search accepts approximate Wolfe steps, which works down to the rounding error
    of the gradient. A failed search drops the pairs and tries the gradient once
    before the method is stuck. R-linear on strongly convex functions.

    Fails slowly when the Hessian changes faster than the memory follows, and on
    functions with kinks.
    """

    memory: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(memory=10)

    def composition(self):
        """These directions along approximate Wolfe steps from 1."""
        return Searched(LbfgsDirection(self.memory), UnitWolfe())

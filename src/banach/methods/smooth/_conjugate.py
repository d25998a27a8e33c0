"""Directions of nonlinear conjugate gradients, which differ in one number."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.parts.line_search_methods import Direction

Scalar = Float[Array, ""]


class Conjugate(eqx.Module):
    """The direction, and the gradient that it came from."""

    d: PyTree
    g: PyTree


class ConjugateDirection(Direction):
    """d+ = -g+ + beta d, from d = -g."""

    @abc.abstractmethod
    def beta(self, y: PyTree, g: PyTree, before: Conjugate) -> Scalar:
        """How much of the old direction stays, where the gradient is now g."""

    def init(self, g: PyTree) -> Conjugate:
        """The steepest direction."""
        return Conjugate(tree.neg(g), g)

    def direction(self, g: PyTree, state: Conjugate) -> PyTree:
        """What the last step left."""
        return state.d

    def update(self, s: PyTree, y: PyTree, g: PyTree, state: Conjugate) -> Conjugate:
        """The next direction."""
        beta = self.beta(y, g, state)
        return Conjugate(tree.axpy(beta, state.d, tree.neg(g)), g)


def hager_zhang(y: PyTree, g: PyTree, d: PyTree, floor: Scalar) -> Scalar:
    """(y - 2 d (y.y) / (d.y)).g / d.y, or the floor; 0 where d.y is not positive.

    Where the floor is not positive the next direction, -g + beta d, has
    g.d+ <= -7/8 ||g||^2.

    Source: Hager and Zhang (2005), equation 1.3 and theorem 1.1.
    """
    dy = tree.vdot(d, y)
    good = dy > 0
    dy = jnp.where(good, dy, 1)
    beta = (tree.vdot(y, g) - 2 * tree.vdot(y, y) * tree.vdot(d, g) / dy) / dy
    return jnp.where(good, jnp.maximum(beta, floor), 0)

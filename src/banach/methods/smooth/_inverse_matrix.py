"""Directions from a dense matrix that stands for the inverse of the Hessian."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.method import Refusal
from banach.core.problem import Problem
from banach.parts.line_search_methods import Direction

Vector = Float[Array, " n"]
Matrix = Float[Array, "n n"]

# The matrix of so many unknowns takes 800 MB.
MOST = 10_000


class Inverse(eqx.Module):
    """The matrix, and whether it is still a multiple of the identity."""

    matrix: Matrix
    blank: Bool[Array, ""]


class InverseMatrix(Direction):
    """d = -H g, H corrected by every step so that H y = s.

    H begins as I / ||g||: the first direction has length 1. Before the first
    correction it becomes (s.y / y.y) I (Nocedal and Wright 2006, equation 6.20).
    """

    @abc.abstractmethod
    def corrected(self, matrix: Matrix, s: Vector, y: Vector) -> Matrix:
        """The matrix after a step s that changed the gradient by y."""

    def init(self, g: PyTree) -> Inverse:
        """The identity over the norm of the gradient."""
        flat = tree.ravel(g)[0]
        size = tree.norm(flat)
        eye = jnp.eye(flat.size, dtype=flat.dtype)
        return Inverse(eye / jnp.where(size > 0, size, 1), jnp.asarray(True))

    def direction(self, g: PyTree, state: Inverse) -> PyTree:
        """-H g."""
        flat, back = tree.ravel(g)
        return back(-jnp.matmul(state.matrix, flat, precision=tree.PRECISION))

    def update(self, s: PyTree, y: PyTree, g: PyTree, state: Inverse) -> Inverse:
        """The correction; skipped unless s.y is positive, so that H stays definite."""
        s, y = tree.ravel(s)[0], tree.ravel(y)[0]
        sy, yy = jnp.vdot(s, y), jnp.vdot(y, y)
        eps = jnp.finfo(s.dtype).eps
        keep = jnp.isfinite(1 / sy) & (sy > eps * tree.norm(s) * tree.norm(y))
        s, y = jnp.where(keep, s, 1), jnp.where(keep, y, 1)
        scaled = jnp.eye(s.size, dtype=s.dtype) * sy / jnp.where(keep, yy, 1)
        matrix = jnp.where(state.blank, scaled, state.matrix)
        matrix = jnp.where(keep, self.corrected(matrix, s, y), state.matrix)
        return Inverse(matrix, state.blank & ~keep)


def too_large(name: str, problem: Problem) -> Refusal | None:
    """The refusal of a matrix that does not fit; None where it does."""
    n = problem.size()
    if n <= MOST:
        return None
    return Refusal(
        f"{MOST} unknowns or fewer",
        f"{name} keeps an {n} by {n} matrix: use lbfgs, which keeps a few vectors",
    )

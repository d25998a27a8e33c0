"""What methods for F(x) = 0 share: state, weights of the equations, safe steps."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.method import Method, Refusal

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]
Matrix = Float[Array, "n n"]


class RootState(eqx.Module):
    """Iterate, weighted F, the method's matrix, weights, what it met, what it spent."""

    x: PyTree
    F: Vector
    matrix: PyTree
    w: Vector
    C: Vector
    met: PyTree
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


class RootMethod(Method):
    """A method for as many equations as unknowns; it counts what it evaluates.

    Equations are weighted by w, the sizes of their terms at the start; C are the sizes
    of unknowns, norms of columns of the weighted Jacobian A.
    """

    typical: ClassVar[Mapping[str, float]] = {"residual": 1, "jacobian": 0.1}

    @abc.abstractmethod
    def begun(self, x: Vector, F: Vector, A: Matrix, C: Vector) -> tuple[Any, Any]:
        """(matrix, what was met) of the first state."""

    @classmethod
    def suggest(cls, problem, facts):
        """The defaults; a Refusal where there are more equations, or fewer."""
        out = jax.eval_shape(problem.residual, problem.start().x)
        rows = sum(leaf.size for leaf in jax.tree.leaves(out))
        if rows == problem.size():
            return cls()
        return Refusal(
            "as many equations as unknowns",
            f"{cls.card.name} solves as many equations as unknowns, got {rows} for "
            f"{problem.size()}: use a method of least squares (bn.least_squares)",
        )

    def init(self, problem, start, key):
        """F and J at the start."""
        x = tree.ravel(start.x)[0]
        F, J = tree.ravel(problem.residual(start.x))[0], problem.jacobian(start.x)
        w = weights(F, J, x)
        F, A, one = w * F, w[:, None] * J, jnp.ones((), jnp.int32)
        C = columns(A)
        matrix, met = self.begun(x, F, A, C)
        return RootState(start.x, F, matrix, w, C, met, one, one, jnp.asarray(False))

    def calls(self, state):
        """As counted in the state."""
        return {"residual": state.residuals, "jacobian": state.jacobians}


def residual(problem: Any, state: RootState) -> Callable[[Vector], Vector]:
    """The weighted F at a vector."""
    back = tree.ravel(state.x)[1]
    return lambda v: state.w * tree.ravel(problem.residual(back(v)))[0]


def jacobian(problem: Any, state: RootState) -> Matrix:
    """The weighted J at the iterate."""
    return state.w[:, None] * problem.jacobian(state.x)


def renewed(
    problem: Any,
    state: RootState,
    wanted: Bool[Array, ""],
    made: Callable[[Matrix], Any] = lambda A: A,
) -> Any:
    """What is made of the weighted J at the iterate where wanted, else the old one."""
    return jax.lax.cond(
        wanted, lambda: made(jacobian(problem, state)), lambda: state.matrix
    )


def taken(
    state: RootState, step: Vector, found: "Found"
) -> tuple[Bool[Array, ""], tuple[PyTree, Vector]]:
    """(whether a search moved the iterate, the iterate and F after it)."""
    x, back = tree.ravel(state.x)
    moved = x + found.length * step
    ok = found.ok & jnp.any(moved != x)
    return ok, tree.where(ok, (back(moved), found.F), (state.x, state.F))


def product(A: Array, B: Array) -> Array:
    """A B in the precision of the dtype, on every device."""
    return jnp.matmul(A, B, precision=tree.PRECISION)


def weights(F: Vector, J: Matrix, x: Vector) -> Vector:
    """1 / (|F_i| + sum_j |J_ij x_j|): an equation over the size of its terms.

    Where that is 0 or not finite, over the largest entry of its row; then 1. A merit
    of weighted equations does not depend on their units.
    """

    def usable(v):
        return (v > 0) & jnp.isfinite(v)

    sizes = jnp.abs(F) + product(jnp.abs(J), jnp.abs(x))
    sizes = jnp.where(usable(sizes), sizes, jnp.max(jnp.abs(J), axis=1))
    return 1 / jnp.where(usable(sizes), sizes, 1)


def columns(J: Matrix) -> Vector:
    """Column norms, in whose multiples unknowns are measured; 1 for empty ones."""
    norms = jax.vmap(tree.norm, in_axes=1)(J)
    return jnp.where((norms > 0) & jnp.isfinite(norms), norms, 1)


def levenberg_step(J: Matrix, F: Vector, C: Vector, damping: Any) -> Vector:
    """argmin ||F + J d||^2 + damping ||C d||^2, C > 0 the sizes of unknowns.

    By QR of the stacked matrix: J'J would lose half of the digits.
    """
    n = F.size
    damp = jnp.sqrt(jnp.asarray(damping, F.dtype)) * jnp.eye(n, dtype=F.dtype)
    Q, R = jnp.linalg.qr(jnp.concatenate([J / C, damp]))
    return jax.scipy.linalg.solve_triangular(R, product(-F, Q[:n])) / C


class Found(NamedTuple):
    """The last trial of a search: whether it passed, and evaluations of F so far."""

    length: Scalar
    F: Vector
    ok: Bool[Array, ""]
    trials: Int[Array, ""]


def search(
    F: Callable[[Vector], Vector],
    x: Vector,
    step: Vector,
    passes: Callable[[Scalar, Vector], Any],
    shorter: Callable[[Scalar, Vector], Scalar],
    most: Any,
) -> Found:
    """The first t = 1, shorter(1), ... at which F(x + t step) passes, `most` trials.

    What is not finite never passes, and halves t.
    """
    one = jnp.ones((), x.dtype)

    def again(loop):
        at, length = loop
        value = F(x + length * step)
        finite = tree.all_finite(value)
        ok = finite & passes(length, value)
        after = jnp.where(finite, shorter(length, value), length / 2)
        return Found(length, value, ok, at.trials + 1), after

    def more(loop):
        at, _ = loop
        return ~at.ok & (at.trials < most)

    none = Found(one, x, jnp.asarray(False), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(more, again, (none, one))[0]

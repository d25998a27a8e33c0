"""Implicit derivatives of a solution, from `problem.optimality` alone."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.point import Point
from banach.core.problem import Problem

DENSE_BELOW = 800
# A linear solve whose relative residual exceeds this gives NaN, not a number.
RESIDUAL_LIMIT = 1e-6


class Sensitivity(NamedTuple):
    """A cotangent pulled back to the data, with the evidence of its solve."""

    gradient: PyTree
    residual: Any
    condition: Any


def attach_derivative(problem: Problem, x: PyTree, ok: Bool[Array, ""]) -> PyTree:
    """x with the derivative of the solution map; NaN tangents where not ok."""
    diff, rest = eqx.partition(problem, eqx.is_inexact_array)
    if not jax.tree.leaves(diff):
        return x

    @jax.custom_jvp
    def solution(diff, rest, x, ok):
        return x

    @solution.defjvp
    def _(primals, tangents):
        diff, rest, x, ok = primals
        moved = tangents[0]
        at = lambda d, y: eqx.combine(d, rest).optimality(Point(y)).x  # noqa: E731
        _, push = jax.jvp(lambda d: at(d, x), (diff,), (moved,))
        dx = _solve(lambda y: at(diff, y), x, tree.neg(push), ok)
        return x, dx

    return solution(diff, jax.lax.stop_gradient(rest), jax.lax.stop_gradient(x), ok)


def _solve(F, x: PyTree, b: PyTree, ok: Any) -> PyTree:
    """J(x)^-1 b, transposable, NaN where the solve or the point is bad."""
    flat, unravel = tree.ravel(x)
    rhs = tree.ravel(b)[0]

    def residual(v):
        return tree.ravel(F(unravel(v)))[0]

    if flat.shape[0] <= DENSE_BELOW:
        J = jax.jacfwd(residual)(flat)
        matvec = lambda v: jnp.matmul(J, v, precision=tree.PRECISION)  # noqa: E731
        forward = lambda _, c: jnp.linalg.solve(J, c)  # noqa: E731
        backward = lambda _, c: jnp.linalg.solve(J.T, c)  # noqa: E731
        guarded = (_guard(matvec, forward, ok), None)
        rev = lambda v: jnp.matmul(J.T, v, precision=tree.PRECISION)  # noqa: E731
        guarded = (guarded[0], _guard(rev, backward, ok))
    else:
        matvec = lambda v: jax.jvp(residual, (flat,), (v,))[1]  # noqa: E731
        transpose = jax.linear_transpose(matvec, flat)
        rev = lambda v: transpose(v)[0]  # noqa: E731
        guarded = (
            _guard(matvec, lambda m, c: _krylov(matvec, c), ok),
            _guard(rev, lambda m, c: _krylov(rev, c), ok),
        )
    solved = jax.lax.custom_linear_solve(
        matvec, rhs, solve=guarded[0], transpose_solve=guarded[1]
    )
    return unravel(solved)


def _guard(matvec, solve, ok):
    def guarded(mv, c):
        v = solve(mv, c)
        good = ok & (_relative(matvec(v) - c, c) <= RESIDUAL_LIMIT)
        return jnp.where(good, v, jnp.nan)

    return guarded


def _relative(r: Array, b: Array) -> Array:
    size = jnp.linalg.norm(b)
    return jnp.linalg.norm(r) / jnp.where(size > 0, size, 1)


def _krylov(matvec, c: Array) -> Array:
    import lineax as lx  # 0.07 s of start-up that only derivatives need

    operator = lx.FunctionLinearOperator(matvec, jax.eval_shape(lambda: c))
    solver = lx.GMRES(rtol=1e-10, atol=1e-12, max_steps=2000, restart=50)
    return lx.linear_solve(operator, c, solver, throw=False).value


def sensitivity_at(problem: Problem, x: PyTree, cotangent: PyTree) -> Sensitivity:
    """Pull a cotangent of x back to the problem's data (dense Jacobian).

    Returns the gradient (structure of the problem's floating leaves), the relative
    residual of the adjoint solve and the 2-norm condition number of its matrix.
    """
    diff, rest = eqx.partition(problem, eqx.is_inexact_array)
    flat, unravel = tree.ravel(x)

    def residual(d, v):
        out = eqx.combine(d, rest).optimality(Point(unravel(v))).x
        return tree.ravel(out)[0]

    J = jax.jacfwd(lambda v: residual(diff, v))(flat)
    c = tree.ravel(cotangent)[0]
    w = jnp.linalg.solve(J.T, c)
    rel = _relative(jnp.matmul(J.T, w, precision=tree.PRECISION) - c, c)
    _, pull = jax.vjp(lambda d: residual(d, flat), diff)
    (gradient,) = pull(-w)
    return Sensitivity(gradient, rel, condition_number(J))


def condition_number(J: Float[Array, "n n"]) -> Float[Array, ""]:
    """Ratio of extreme singular values."""
    s = jnp.linalg.svd(J, compute_uv=False)
    return s[0] / s[-1]

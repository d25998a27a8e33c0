"""Curvature operators: what stands for the Hessian in a regularised Newton step.

Each offers `prepare(problem, x)`, once a point, and `solve(problem, x, data, shift,
g, metric)`, the step -(C + shift B)^-1 g for one shift > 0, where B is the metric
(None: the identity). A system that is not positive definite, or not solved to its
tolerance, gives ok = False or NaN, never a wrong step in silence.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core import tree
from banach.core.validated_fields import count, number
from banach.parts import newton
from banach.parts.cg import cg

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]
Matrix = Float[Array, "n n"]


class Solved(NamedTuple):
    """The step, its relative residual, and what it cost in products and factors."""

    step: Vector
    ok: Bool[Array, ""]
    residual: Scalar
    products: Int[Array, ""]
    factors: Int[Array, ""]


class Exact(eqx.Module):
    """The Hessian itself, dense, by Cholesky."""

    def oracle(self) -> str | None:
        """What `prepare` calls once."""
        return "hess"

    def prepare(self, problem, x) -> Matrix:
        """The dense Hessian at x."""
        return problem.hess(x)

    def solve(self, problem, x, data, shift, g, metric=None) -> Solved:
        """One Cholesky factorisation."""
        return _dense(data, shift, g, metric)


class GaussNewton(eqx.Module):
    """J'J of a least-squares problem: positive semidefinite, no second derivatives."""

    def oracle(self) -> str | None:
        """What `prepare` calls once."""
        return "gauss_newton"

    def prepare(self, problem, x) -> Matrix:
        """The problem's Gauss-Newton matrix."""
        return problem.gauss_newton(x)

    def solve(self, problem, x, data, shift, g, metric=None) -> Solved:
        """One Cholesky factorisation."""
        return _dense(data, shift, g, metric)


class Given(eqx.Module):
    """Any approximation fun(problem, x), positive semidefinite; e.g. a Fisher matrix.

    Its cost is the caller's affair: it is no oracle of the problem.
    """

    fun: Callable[[Any, Any], Matrix] = eqx.field(static=True)

    def oracle(self) -> str | None:
        """None: not counted."""
        return None

    def prepare(self, problem, x) -> Matrix:
        """fun(problem, x)."""
        return self.fun(problem, x)

    def solve(self, problem, x, data, shift, g, metric=None) -> Solved:
        """One Cholesky factorisation."""
        return _dense(data, shift, g, metric)


class Zero(eqx.Module):
    """No curvature: the step is -B^-1 g / shift, a normalised gradient method."""

    def oracle(self) -> str | None:
        """None."""
        return None

    def prepare(self, problem, x):
        """Nothing to prepare."""
        return ()

    def solve(self, problem, x, data, shift, g, metric=None) -> Solved:
        """A division, and a factorisation of the metric if there is one."""
        none = jnp.zeros((), jnp.int32)
        step, factors = -g / shift, none
        if metric is not None:
            step, factors = -newton.solve(newton.factor(metric), g) / shift, none + 1
        return Solved(step, jnp.asarray(True), jnp.zeros_like(shift), none, factors)


class MatrixFree(eqx.Module):
    """The Hessian through products alone, by conjugate gradients.

    A solve counts only when ||(C + shift B) h + g|| computed afresh is at most
    tol ||g|| and no direction of negative curvature was met; a larger shift makes
    both easier. max_steps bounds the products of one solve.
    """

    tol: Scalar = number("MatrixFree tol", "positive", default=1e-2)
    max_steps: Int[Array, ""] = count("MatrixFree max_steps", static=False, default=200)

    def oracle(self) -> str | None:
        """None: products are counted one by one."""
        return None

    def prepare(self, problem, x):
        """Nothing to prepare."""
        return ()

    def solve(self, problem, x, data, shift, g, metric=None) -> Solved:
        """At most max_steps + 1 products."""
        back = tree.ravel(x)[1]

        def product(v):
            lifted = v if metric is None else metric @ v
            return tree.ravel(problem.hvp(x, back(v)))[0] + shift * lifted

        out = cg(product, -g, tol=self.tol, max_steps=self.max_steps)
        size = tree.norm(g)
        relative = out.residual / jnp.where(size > 0, size, 1)
        # The recurrence that stopped the loop drifts by rounding.
        ok = ~out.negative_curvature & (relative <= 1.1 * self.tol)
        return Solved(out.x, ok, relative, out.calls, jnp.zeros((), jnp.int32))


Curvature = Exact | GaussNewton | Given | Zero | MatrixFree


def _dense(matrix: Matrix, shift: Scalar, g: Vector, metric: Matrix | None) -> Solved:
    if metric is None:
        lower = newton.factor(matrix, shift)
    else:
        lower = newton.factor(matrix + shift * metric)
    step = -newton.solve(lower, g)
    none = jnp.zeros((), jnp.int32)
    return Solved(step, jnp.asarray(True), jnp.zeros_like(shift), none, none + 1)

"""What kinds with a start and with derivatives share."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.view import Way
from banach.engine.precompute import evaluated
from banach.kinds import diagnoses, inputs
from banach.terms.term import Term

Scalar = Float[Array, ""]


class Started(Problem):
    """A problem stated with a start `x0` and a `reference` (None: absolute)."""

    x0: eqx.AbstractVar[PyTree]
    reference: eqx.AbstractVar[PyTree]

    def space(self) -> PyTree:
        """Structure of x0."""
        return structs(self.x0)

    def start(self) -> Point:
        """The start x0."""
        return Point(self.x0)

    def reference_point(self) -> Point | None:
        """The declared reference."""
        return None if self.reference is None else Point(self.reference)


class Differentiable(Problem):
    """A problem whose derivatives are those of `value`, taken by JAX."""

    @abc.abstractmethod
    def value(self, x: PyTree) -> Scalar:
        """f(x)."""

    def grad(self, x: PyTree) -> PyTree:
        """The gradient, a pytree like x."""
        return jax.grad(self.value)(x)

    def value_and_grad(self, x: PyTree) -> tuple[Scalar, PyTree]:
        """f(x) and its gradient in one pass."""
        return jax.value_and_grad(self.value)(x)

    def hvp(self, x: PyTree, v: PyTree) -> PyTree:
        """The Hessian at x applied to v."""
        return jax.jvp(self.grad, (x,), (v,))[1]

    def hess(self, x: PyTree) -> Float[Array, "n n"]:
        """The dense Hessian in the order of tree.ravel."""
        return dense_hessian(self.value, x)

    def objective(self, x: PyTree) -> Scalar:
        """f(x)."""
        return self.value(x)

    def optimality(self, point: Point) -> Point:
        """The gradient."""
        return Point(self.grad(point.x))

    def views(self) -> tuple[Way, ...]:
        """As a sum with no term, and by its gradient."""
        from banach.kinds.smooth import views

        return views.of(self)


class Minimised(Differentiable):
    """A differentiable objective: what there is to say where a run has no answer."""

    def untried(self, x: PyTree) -> str | None:
        """Whether a start that is stationary is a saddle, a maximum or flat."""
        if self.facts().has("convex"):
            return None
        return diagnoses.untried(self, x)

    def beside(self) -> Point | None:
        """x0 moved by a tenth of its size, in one fixed direction."""
        if self.facts().has("convex"):
            return None
        return Point(inputs.moved(self.start().x))

    def diagnosis(self, x: PyTree) -> str | None:
        """Whether f keeps falling along a ray from x."""
        return diagnoses.falling(self, x)


def dense_hessian(value: Callable[[PyTree], Scalar], x: PyTree) -> Float[Array, "n n"]:
    """Hessian of a function of a pytree, in the order of tree.ravel."""
    flat, back = tree.ravel(x)
    return jax.hessian(lambda v: value(back(v)))(flat)


def structs(x: PyTree) -> PyTree:
    """Shapes and dtypes of a pytree of arrays."""
    return jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), x)


def check_floating(fun: Any, name: str) -> None:
    """Refuse results that are not real floating numbers."""
    if not fun.program.jaxpr.outvars:
        raise Misuse(
            f"{name} returns no numbers\n  return an array, e.g. jnp.sum(x**2)"
        )
    for v in fun.program.jaxpr.outvars:
        kind = v.aval.dtype
        if jnp.issubdtype(kind, jnp.complexfloating):
            raise Misuse(
                f"{name} returns {kind} numbers, where real ones are minimised or "
                "solved\n  return their real part, .real, or jnp.abs(value) ** 2"
            )
        if not jnp.issubdtype(kind, jnp.floating):
            raise Misuse(
                f"{name} returns {kind}, which cannot be differentiated; "
                "return real floating numbers, e.g. (1.0 * result)"
            )


def check_scalar(fun: Any, name: str) -> None:
    """Refuse results that are not one real floating number."""
    outs = fun.program.jaxpr.outvars
    shapes = [v.aval.shape for v in outs]
    if shapes != [()]:
        raise Misuse(
            f"{name} must return one scalar, got shapes {shapes}; reduce it, e.g. "
            "with jnp.sum, or state residuals as bn.least_squares"
        )
    check_bare(fun, name)
    check_floating(fun, name)


def check_bare(fun: Any, name: str) -> None:
    """Refuse one number inside a list, tuple or dict, which JAX does not derive."""
    tree = fun.program.out_tree
    if not jax.tree_util.treedef_is_leaf(tree):
        raise Misuse(
            f"{name} returns its number inside a container, {tree}; return the number "
            "itself, e.g. value in place of [value]"
        )


def within(term: Term, x: PyTree) -> PyTree:
    """x, projected where the term is a set that it lies outside of."""
    return evaluated(_within, term, x)


def _within(term: Term, x: PyTree) -> PyTree:
    return tree.where(term.violation(x) > 0, term.project(x), x)

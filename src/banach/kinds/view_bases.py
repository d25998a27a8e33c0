"""What the other problem of a view is, kind by kind: the oracles that methods meet.

A view of a kind gives the oracles; these bases give what follows from them, and the
views that such a problem has in turn.
"""

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.facts import CONSTRUCTION, Fact, Facts
from banach.core.point import Point
from banach.core.view import Seen, Way


class AsRoot(Seen):
    """residual(x) = 0, with a dense Jacobian."""

    kind: ClassVar[str] = "Root"

    def oracles(self) -> frozenset[str]:
        """The residual and its dense Jacobian."""
        return frozenset({"residual", "jacobian"})

    @abc.abstractmethod
    def residual(self, x: PyTree) -> PyTree:
        """F(x), in the structure of x."""

    @abc.abstractmethod
    def jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """The dense Jacobian in the order of tree.ravel."""

    def objective(self, x: PyTree) -> Any:
        """1/2 ||F(x)||^2."""
        r = self.residual(x)
        return tree.vdot(r, r) / 2

    def optimality(self, point: Point) -> Point:
        """F(x)."""
        return Point(self.residual(point.x))

    def views(self) -> tuple[Way, ...]:
        """Those of equations."""
        from banach.kinds.root import views

        return views.of(self)


class AsInclusion(Seen):
    """0 in operator(z) + G(z), with the resolvent of G."""

    kind: ClassVar[str] = "Inclusion"

    @property
    def n(self) -> int:
        """Number of components (static)."""
        return 1

    def oracles(self) -> frozenset[str]:
        """The operator, its components and the resolvent."""
        return frozenset({"operator", "component", "resolvent"})

    @abc.abstractmethod
    def operator(self, z: PyTree) -> PyTree:
        """F(z)."""

    @abc.abstractmethod
    def resolvent(self, v: PyTree, t: Any) -> PyTree:
        """The z with v in z + t G(z)."""

    def component(self, z: PyTree, batch: Any) -> PyTree:
        """The mean of the components of a batch: F(z), where there is one."""
        return self.operator(z)


class AsFixedPoint(Seen):
    """x = map(x)."""

    kind: ClassVar[str] = "FixedPoint"
    # In which norm q and nonexpansiveness hold; "" where nothing is said.
    norm: ClassVar[str] = "2"

    def oracles(self) -> frozenset[str]:
        """The map."""
        return frozenset({"map"})

    @abc.abstractmethod
    def map(self, x: PyTree) -> PyTree:
        """T(x), in the structure of x."""

    def map_jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """The dense Jacobian of T in the order of tree.ravel."""
        return jacobian(self.map, x)

    def objective(self, x: PyTree) -> Any:
        """1/2 ||x - T(x)||^2."""
        r = tree.sub(x, self.map(x))
        return tree.vdot(r, r) / 2

    def optimality(self, point: Point) -> Point:
        """x - T(x)."""
        return Point(tree.sub(point.x, self.map(point.x)))

    def views(self) -> tuple[Way, ...]:
        """Those of fixed points."""
        from banach.kinds.fixed_point import views

        return views.of(self)


class AsSmooth(Seen):
    """minimise value(x), with its gradient."""

    kind: ClassVar[str] = "Smooth"

    def oracles(self) -> frozenset[str]:
        """Value and gradient."""
        return frozenset({"value", "grad"})

    @abc.abstractmethod
    def value_and_grad(self, x: PyTree) -> tuple[Any, PyTree]:
        """Both in one pass."""

    def value(self, x: PyTree) -> Any:
        """f(x)."""
        return self.value_and_grad(x)[0]

    def grad(self, x: PyTree) -> PyTree:
        """The gradient, a pytree like x."""
        return self.value_and_grad(x)[1]

    def objective(self, x: PyTree) -> Any:
        """f(x)."""
        return self.value(x)

    def optimality(self, point: Point) -> Point:
        """The gradient."""
        return Point(self.grad(point.x))

    def views(self) -> tuple[Way, ...]:
        """Those of smooth functions."""
        from banach.kinds.smooth import views

        return views.of(self)


def jacobian(fun: Any, x: PyTree) -> Float[Array, "m n"]:
    """The dense Jacobian of a function of a pytree, in the order of tree.ravel."""
    flat, back = tree.ravel(x)
    return jax.jacfwd(lambda v: tree.ravel(fun(back(v)))[0])(flat)


def bound(facts: Facts, name: str) -> Fact | None:
    """A constant of the base as a fact of the view, not worked out yet."""
    how = facts.provenance(name)
    return None if how is None else Fact(lambda: facts.get(name), how)


def how(facts: Facts, *names: str) -> str:
    """The provenance of what follows from several facts: that of the weakest."""
    said = [facts.provenance(name) for name in names]
    return next((s for s in said if s and s != CONSTRUCTION), CONSTRUCTION)


def dense(x: PyTree) -> Float[Array, "n n"]:
    """The identity on a pytree, in the order of tree.ravel."""
    flat = tree.ravel(x)[0]
    return jnp.eye(flat.size, dtype=flat.dtype)

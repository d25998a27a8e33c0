"""A problem seen as another one, and a method that sees it so.

A view is three things: `there` makes the other problem, `to` takes a point of the
original to it, `back` takes a point of it home. The method meets the other problem
alone; every check meets the original, at the point that `back` returns. What a call
of the other problem's oracles costs is said in calls of the original's, as data.

A kind lists its views in `Problem.views()` as `Way`s: each is there for an instance,
or says why it is not.
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from banach.core import tree
from banach.core.card import Card
from banach.core.facts import Facts
from banach.core.hyperparameters import part
from banach.core.method import Method
from banach.core.point import Point
from banach.core.problem import Misuse, Problem

Calls = Mapping[str, Any]
Costs = Mapping[str, Mapping[str, int]]


class View(eqx.Module):
    """How a problem is seen; its numbers are leaves of the run.

    `squares` says that a solution is sought as the least of a sum of squares, and
    `derives` that the other problem holds derivatives of this one: the first after the
    second would square a gradient, and is not made.

    Costs hold for each call apart, but for `value`: a gradient brings the value of its
    point with it, and `value` is what it costs beside that.
    """

    name: ClassVar[str] = "view"
    squares: ClassVar[bool] = False
    derives: ClassVar[bool] = False

    @classmethod
    def of(cls, problem: Problem) -> "View":
        """The view of this problem, whose data may be traced."""
        return cls()

    @abc.abstractmethod
    def there(self, problem: Problem) -> Problem:
        """The other problem."""

    def to(self, point: Point, problem: Problem) -> Point:
        """A point of the original as one of the other problem."""
        return Point(point.x)

    def back(self, point: Point, problem: Problem | None = None) -> Point:
        """A point of the other problem as one of the original.

        `problem` is the original; None only where `alone()`.
        """
        return Point(point.x)

    def alone(self) -> bool:
        """Whether `back` needs no oracle of the original, nor a guard (static)."""
        return True

    def guards(self) -> bool:
        """Whether some points are not taken home, see `admits` (static)."""
        return False

    def admits(self, point: Point, problem: Problem) -> Any:
        """Whether a point of the other problem may be taken home.

        Where it may not, the one before stays; asked only where the view `guards`.
        """
        return True

    def costs(self) -> Costs:
        """Calls of the original's oracles in one of the other's; its own where left
        out."""
        return {}

    def entering(self) -> Mapping[str, int]:
        """Calls of the original's oracles in `to`."""
        return {}

    def leaving(self) -> Mapping[str, int]:
        """Calls of the original's oracles in `back` and `admits`, once a step."""
        return {}

    @abc.abstractmethod
    def fits(self, problem: Problem) -> bool:
        """Whether the view was made for a problem of this shape."""

    def again(self, problem: Problem) -> "View":
        """The same view of another problem of the same structure, traced or not."""
        return type(self).of(problem)

    @abc.abstractmethod
    def text(self) -> str:
        """What a result says of it, a few words."""


class Way(NamedTuple):
    """A view that a kind has, as one instance has it or not.

    `kind` is that of the other problem; `make` is None where the instance has none,
    and `absent` says why and what would change that. `risk` says why the view is made
    only where somebody names the method, and not by default.
    """

    name: str
    kind: str
    make: Callable[[], View] | None
    absent: str = ""
    risk: str = ""


def way(
    cls: type[View], kind: str, problem: Problem, absent: str = "", risk: str = ""
) -> Way:
    """The view of a class as a way: there for this instance unless `absent`."""
    make = None if absent else lambda: cls.of(problem)
    return Way(cls.name, kind, make, absent, risk)


class Through(View):
    """Two views in a row."""

    first: View
    second: View

    def there(self, problem: Problem) -> Problem:
        """The second's of the first's."""
        return self.second.there(self.first.there(problem))

    def to(self, point: Point, problem: Problem) -> Point:
        """The first's, then the second's."""
        middle = self.first.there(problem)
        return self.second.to(self.first.to(point, problem), middle)

    def back(self, point: Point, problem: Problem | None = None) -> Point:
        """The second's, then the first's."""
        middle = None if problem is None else self.first.there(problem)
        return self.first.back(self.second.back(point, middle), problem)

    def guards(self) -> bool:
        """Where one does."""
        return self.first.guards() or self.second.guards()

    def admits(self, point: Point, problem: Problem) -> Any:
        """Where both do."""
        middle = self.first.there(problem)
        inner = self.second.admits(point, middle)
        return inner & self.first.admits(self.second.back(point, middle), problem)

    def alone(self) -> bool:
        """Where both are."""
        return self.first.alone() and self.second.alone()

    def costs(self) -> Costs:
        """The second's in calls of the original."""
        own, inner = self.second.costs(), self.first.costs()
        both = {k: translated(inner, v) for k, v in own.items()}
        return {k: v for k, v in inner.items() if k not in both} | both

    def entering(self) -> Mapping[str, int]:
        """Both."""
        later = translated(self.first.costs(), self.second.entering())
        return added(self.first.entering(), later)

    def leaving(self) -> Mapping[str, int]:
        """Both."""
        first = translated(self.first.costs(), self.second.leaving())
        return added(first, self.first.leaving())

    def fits(self, problem: Problem) -> bool:
        """Both do."""
        return self.first.fits(problem) and self.second.fits(self.first.there(problem))

    def again(self, problem: Problem) -> View:
        """Both again."""
        first = self.first.again(problem)
        return Through(first, self.second.again(first.there(problem)))

    def text(self) -> str:
        """Both, in their order."""
        return f"{self.first.text()}, and that as {self.second.text()}"


class Seen(Problem):
    """The other problem of a view: some oracles, made from those of `base`.

    It is met by methods alone; no check judges it.
    """

    base: Problem

    def space(self) -> PyTree:
        """That of the base."""
        return self.base.space()

    def start(self) -> Point:
        """That of the base."""
        return self.base.start()

    def facts(self) -> Facts:
        """Nothing, where the view says nothing."""
        return Facts()

    def objective(self, x: PyTree) -> Any:
        """That of the base."""
        return self.base.objective(x)

    def optimality(self, point: Point) -> Point:
        """That of the base."""
        return self.base.optimality(point)

    def formula(self) -> str:
        """The base's."""
        return self.base.formula()

    def default_check(self) -> str:
        """The base's."""
        return self.base.default_check()


def translated(costs: Costs, calls: Calls) -> dict[str, Any]:
    """Calls of one problem's oracles in calls of another's."""
    out: dict[str, Any] = {}
    for name, count in calls.items():
        for own, each in costs.get(name, {name: 1}).items():
            more = each * count
            out[own] = out[own] + more if own in out else more
    return out


def added(one: Calls, other: Calls) -> dict[str, Any]:
    """The sum of two counts."""
    return {k: one.get(k, 0) + other.get(k, 0) for k in [*one, *other]}


class ViewedState(eqx.Module):
    """The method's state, its point taken home, and steps."""

    inner: PyTree
    home: Point
    steps: Int[Array, ""]


class Viewed(Method):
    """A method that meets a problem through a view of it.

    Name and what is sent are the method's own; calls are of the original's oracles.
    Where taking a point home asks the original something, that is done once a step.
    """

    method: Method = part(Method)
    view: View = part(View)

    @property
    def card(self) -> Card:  # type: ignore[override]
        """The method's, its oracles and costs in those of the original."""
        card, costs = self.method.card, self.view.costs()
        if not costs and not self._begun():
            return card
        needs = translated(costs, dict.fromkeys(card.needs, 1))
        cost, begun = card.cost, card.init_cost
        if cost is not None:
            cost = added(translated(costs, cost), self.view.leaving())
            begun = added(translated(costs, begun or {}), self._begun())
        return dataclasses.replace(
            card, needs=frozenset(needs), cost=cost, init_cost=begun
        )

    @property
    def typical(self) -> Mapping[str, float] | None:  # type: ignore[override]
        """The method's, in calls of the original."""
        typical, costs = self.method.typical, self.view.costs()
        if typical is None:
            if self.method.card.cost is not None or not costs:
                return None
            typical = dict.fromkeys(self.method.card.needs, 1)
        return added(translated(costs, typical), self.view.leaving())

    def init(self, problem: Problem, start: Point, key: Array) -> PyTree:
        """The method's state at the start as the view has it."""
        there, begun = self.view.there(problem), self.view.to(start, problem)
        return self._carried(self.method.init(there, begun, key), problem, None)

    def step(self, problem: Problem, state: PyTree, key: Array) -> PyTree:
        """A step of the method on the other problem."""
        inner = state if self.view.alone() else state.inner
        after = self.method.step(self.view.there(problem), inner, key)
        return self._carried(after, problem, state)

    def _carried(self, inner: PyTree, problem: Problem, before: Any) -> PyTree:
        """The state, with the point at home where the view must ask for it."""
        if self.view.alone():
            return inner
        point = self.method.point(inner)
        home = self.view.back(point, problem)
        if before is None:
            return ViewedState(inner, home, jnp.zeros((), jnp.int32))
        if self.view.guards():
            home = tree.where(self.view.admits(point, problem), home, before.home)
        return ViewedState(inner, home, before.steps + 1)

    def point(self, state: PyTree) -> Point:
        """The method's point, taken home."""
        if self.view.alone():
            return self.view.back(self.method.point(state))
        return state.home

    def stuck(self, state: PyTree) -> Bool[Array, ""]:
        """The method's."""
        return self.method.stuck(self._inner(state))

    def calls(self, state: PyTree) -> dict[str, Any]:
        """The method's, and the view's own."""
        own = translated(self.view.costs(), self.method.calls(self._inner(state)))
        if self.view.alone():
            return added(own, self._begun())
        leaving = {k: n * state.steps for k, n in self.view.leaving().items()}
        return added(added(own, leaving), self._begun())

    def sent(self, problem: Problem, steps: int) -> dict[str, int]:
        """The method's."""
        return self.method.sent(self.view.there(problem), steps)

    def label(self) -> str:
        """The method's."""
        return self.method.label()

    def said(self, state: PyTree) -> dict[str, str] | None:
        """The method's."""
        return self.method.said(self._inner(state))

    def bare(self) -> Method:
        """The method without the view."""
        return self.method

    def seen_as(self) -> str:
        """The view, in words."""
        return self.view.text()

    def suited(self, problem: Problem) -> None:
        """Misuse unless the view was made for a problem of this shape."""
        if not self.view.fits(problem):
            raise Misuse(
                f"this {self.label()} sees another problem through {self.view.text()}; "
                f"pass method={self.label()!r}, and the view is made anew"
            )

    def _begun(self) -> dict[str, int]:
        """Calls of the view's own before the first step."""
        return added(self.view.entering(), self.view.leaving())

    def _inner(self, state: PyTree) -> PyTree:
        return state if self.view.alone() else state.inner

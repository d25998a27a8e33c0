"""A problem seen as another one, and a method that sees it so.

A view is three things: `there` makes the other problem, `to` takes a point of the
original to it, `back` takes a point of it home. The method meets the other problem
alone; every check meets the original, at the point that `back` returns.
"""

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
from jaxtyping import Array, Bool, PyTree

from banach.core.card import Card
from banach.core.hyperparameters import part
from banach.core.method import Method
from banach.core.point import Point
from banach.core.problem import Misuse, Problem


class View(eqx.Module):
    """How a problem is seen; its numbers are leaves of the run."""

    @abc.abstractmethod
    def there(self, problem: Problem) -> Problem:
        """The other problem."""

    @abc.abstractmethod
    def to(self, point: Point) -> Point:
        """A point of the original as one of the other problem."""

    @abc.abstractmethod
    def back(self, point: Point) -> Point:
        """A point of the other problem as one of the original."""

    @abc.abstractmethod
    def fits(self, problem: Problem) -> bool:
        """Whether the view was made for a problem of this shape."""

    @abc.abstractmethod
    def text(self) -> str:
        """What a result says of it, a few words."""


class Viewed(Method):
    """A method that meets a problem through a view of it.

    Name, card, calls and what is sent are the method's own: a call of an oracle of
    the view is one call of the original's.
    """

    method: Method = part(Method)
    view: View = part(View)

    @property
    def card(self) -> Card:  # type: ignore[override]
        """The method's."""
        return self.method.card

    @property
    def typical(self) -> Mapping[str, float] | None:  # type: ignore[override]
        """The method's."""
        return self.method.typical

    def init(self, problem: Problem, start: Point, key: Array) -> PyTree:
        """The method's state at the start as the view has it."""
        return self.method.init(self.view.there(problem), self.view.to(start), key)

    def step(self, problem: Problem, state: PyTree, key: Array) -> PyTree:
        """A step of the method on the other problem."""
        return self.method.step(self.view.there(problem), state, key)

    def point(self, state: PyTree) -> Point:
        """The method's point, taken home."""
        return self.view.back(self.method.point(state))

    def stuck(self, state: PyTree) -> Bool[Array, ""]:
        """The method's."""
        return self.method.stuck(state)

    def calls(self, state: PyTree) -> dict[str, Any]:
        """The method's."""
        return self.method.calls(state)

    def sent(self, problem: Problem, steps: int) -> dict[str, int]:
        """The method's."""
        return self.method.sent(problem, steps)

    def label(self) -> str:
        """The method's."""
        return self.method.label()

    def said(self, state: PyTree) -> dict[str, str] | None:
        """The method's."""
        return self.method.said(state)

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

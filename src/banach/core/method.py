"""The base of every method, and when a method applies."""

import abc
from collections.abc import Generator, Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from banach.core import cures
from banach.core.card import Card
from banach.core.facts import Facts
from banach.core.point import Point
from banach.core.problem import Misuse, Problem


class Refusal(NamedTuple):
    """Why a method does not apply, and what would make it apply."""

    missing: str
    cure: str

    def __str__(self):
        return f"missing {self.missing}: {self.cure}"


class Method(eqx.Module):
    """Iterates. Hyperparameters are leaves (a new value never recompiles) unless
    they fix a shape (then a static field). It holds no tolerance, clock or file.
    """

    card: ClassVar[Card]
    # Oracle calls of an ordinary step where card.cost is None; paces the checks only.
    typical: ClassVar[Mapping[str, float] | None] = None

    @classmethod
    @abc.abstractmethod
    def suggest(cls, problem: Problem, facts: Facts) -> "Method | Refusal":
        """Build an instance for this problem, or say what is missing."""

    @classmethod
    def variants(cls, problem: Problem, facts: Facts) -> tuple[str, ...]:
        """What a race runs as "name:variant" instead of what `suggest` builds."""
        return ()

    @classmethod
    def variant(cls, name: str, problem: Problem, facts: Facts) -> "Method | Refusal":
        """Build the variant of this name, or say what is missing."""
        base = cls.card.name
        raise Misuse(f"{base} has no variants; got '{base}:{name}', use {base!r}")

    @abc.abstractmethod
    def init(self, problem: Problem, start: Point, key: Array) -> PyTree:
        """The state before the first step."""

    @abc.abstractmethod
    def step(self, problem: Problem, state: PyTree, key: Array) -> PyTree:
        """One iteration; same structure, shapes and dtypes."""

    @abc.abstractmethod
    def point(self, state: PyTree) -> Point:
        """What would be handed to the user now."""

    def stuck(self, state: PyTree) -> Bool[Array, ""]:
        """Whether no further step can change the point; ends a run as stalled."""
        return jnp.asarray(False)

    def calls(self, state: PyTree) -> dict[str, Any]:
        """Oracle calls so far, for cards with cost=None."""
        raise NotImplementedError(f"{self.card.name}: cost=None needs calls(state)")

    def sent(self, problem: Problem, steps: int) -> dict[str, int]:
        """Bytes sent in a run of so many steps, by direction; empty: nothing is."""
        return {}

    def label(self) -> str:
        """Name in tables; bridges add the peer's algorithm."""
        return self.card.name


class HostMethod(eqx.Module):
    """A method that runs on the host (a peer library); it cannot be resumed."""

    card: ClassVar[Card]

    @classmethod
    @abc.abstractmethod
    def suggest(cls, problem: Problem, facts: Facts) -> "HostMethod | Refusal":
        """Build an instance for this problem, or say what is missing."""

    @abc.abstractmethod
    def stream(
        self, problem: Problem, start: Point, key: Array
    ) -> Generator[Any, None, None]:
        """Yield (Point, calls so far) after each of the peer's iterations."""

    def sent(self, problem: Problem, steps: int) -> dict[str, int]:
        """Nothing: a peer runs on one host."""
        return {}

    @abc.abstractmethod
    def label(self) -> str:
        """Name in tables, with the peer's algorithm."""


def applicable(card_needs, card_assumes, problem: Problem, facts: Facts, name: str):
    """None where a card fits a problem, else the Refusal that names the cure."""
    oracles = problem.oracles()
    missing = sorted(card_needs - oracles)
    if missing:
        what = ", ".join(missing)
        usual = cures.ORACLE.get(missing[0])
        usual = usual or f"banach methods --problem {problem.kind}"
        cure = problem.instead(missing[0]) or usual
        return Refusal(
            f"oracle {what}",
            f"{name} needs the oracle {what}, which {problem.kind} lacks. {cure}",
        )
    essential = problem.essential()
    if essential and not (essential & card_needs):
        first = min(essential, key=lambda name: (name not in cures.IGNORED, name))
        what, example = cures.IGNORED.get(first, ("the term", ""))
        either = " or ".join(sorted(essential))
        return Refusal(
            f"use of {either}",
            f"{name} would ignore {what} of {problem.kind}; use a method that needs "
            f"{either}{example}, or drop {what}",
        )
    absent = sorted(f for f in card_assumes if not facts.has(f))
    if absent:
        what = ", ".join(absent)
        return Refusal(
            f"fact {what}",
            f"{name} assumes {what}, which {problem.kind} does not know. Declare it "
            f"({absent[0]}=True where the problem is stated) if it is true"
            + cures.OTHERWISE.get(absent[0], ""),
        )
    return None

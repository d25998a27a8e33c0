"""The base of every method, and when a method applies."""

import abc
from collections.abc import Generator, Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

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

    @abc.abstractmethod
    def label(self) -> str:
        """Name in tables, with the peer's algorithm."""


def applicable(card_needs, card_assumes, problem: Problem, facts: Facts, name: str):
    """None where a card fits a problem, else the Refusal that names the cure."""
    oracles = problem.oracles()
    missing = sorted(card_needs - oracles)
    if missing:
        what = ", ".join(missing)
        cure = _CURES.get(missing[0], f"banach methods --problem {problem.kind}")
        return Refusal(
            f"oracle {what}",
            f"{name} needs the oracle {what}, which {problem.kind} lacks. {cure}",
        )
    essential = problem.essential()
    if essential and not (essential & card_needs):
        return Refusal(
            f"use of {' or '.join(sorted(essential))}",
            f"{name} would ignore the term of {problem.kind}; use a method that needs "
            f"one of {sorted(essential)}, e.g. proximal_gradient, or drop the term",
        )
    absent = sorted(f for f in card_assumes if not facts.has(f))
    if absent:
        what = ", ".join(absent)
        return Refusal(
            f"fact {what}",
            f"{name} assumes {what}, which {problem.kind} does not know. Declare it "
            f"(e.g. bn.{problem.kind}(..., {absent[0]}=True)) if it is true"
            + _OTHERWISE.get(absent[0], ""),
        )
    return None


# What to do where a fact is false.
_OTHERWISE = {
    "positive_definite": "; otherwise bn.normal_equations(A, b) is a system that has it"
}
_CURES = {
    "prox": "State the problem as bn.Composite, or: banach methods --problem smooth",
    "lmo": "Use a compact set (bn.Simplex, bn.L1Ball, bn.Box) as the term",
    "project": "Use a set (bn.Box, bn.Simplex, ...) as the term",
    "hess": "State a problem with second derivatives (bn.Smooth or bn.GLM)",
    "hvp": "State a problem with second derivatives (bn.Smooth or bn.GLM)",
}

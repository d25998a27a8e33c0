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
from banach.core.problem import Problem


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
        usual = _CURES.get(missing[0], f"banach methods --problem {problem.kind}")
        cure = problem.instead(missing[0]) or usual
        return Refusal(
            f"oracle {what}",
            f"{name} needs the oracle {what}, which {problem.kind} lacks. {cure}",
        )
    essential = problem.essential()
    if essential and not (essential & card_needs):
        what, example = _IGNORED.get(min(essential), ("the term", ""))
        if "prox" in essential:
            example = ", e.g. proximal_gradient"
        return Refusal(
            f"use of {' or '.join(sorted(essential))}",
            f"{name} would ignore {what} of {problem.kind}; use a method that needs "
            f"one of {sorted(essential)}{example}, or drop {what}",
        )
    absent = sorted(f for f in card_assumes if not facts.has(f))
    if absent:
        what = ", ".join(absent)
        return Refusal(
            f"fact {what}",
            f"{name} assumes {what}, which {problem.kind} does not know. Declare it "
            f"({absent[0]}=True where the problem is stated) if it is true",
            f"(e.g. bn.{problem.kind}(..., {absent[0]}=True)) if it is true",
        )
    return None


# By the first essential oracle: what is ignored, and a method that respects it.
_IGNORED = {"constraints": ("the constraints", ", e.g. adasketch_newton or scipy:SLSQP")}
_CURES = {
    "stochastic_grad": (
        "State the sum with its terms: bn.FiniteSum(f, x0, data), or "
        "glm.as_finite_sum()"
    ),
    "constraints": "State the problem as bn.Constrained(f, x0, eq=c)",
    "jacobian": "State the problem as bn.Constrained(f, x0, eq=c)",
    "prox": "State the problem as bn.Composite, or: banach methods --problem smooth",
    "lmo": "Use a compact set (bn.Simplex, bn.L1Ball, bn.Box) as the term",
    "project": "Use a set (bn.Box, bn.Simplex, ...) as the term",
    "hess": "State a problem with second derivatives (bn.Smooth or bn.GLM)",
    "component": "State F as a finite sum: bn.Inclusion(components, z0, data)",
    "operator": "State the problem as bn.Inclusion(F, z0) or bn.saddle(phi, x0, y0)",
    "resolvent": "State the problem as bn.Inclusion(F, z0) or bn.saddle(phi, x0, y0)",
    **dict.fromkeys(
        """upper_value upper_grad lower_grad lower_hvp cross sample_upper_grad
        sample_lower_grad sample_lower_hvp sample_cross""".split(),
        "State a problem of two levels as bn.Bilevel",
    ),
    "split": "State a program over activation patterns (bn.ConvexRelu)",
    "split_prox": "State a program over activation patterns (bn.ConvexRelu)",
    "normal": "State a program over activation patterns (bn.ConvexRelu)",
    "hvp": "State a problem with second derivatives (bn.Smooth or bn.GLM)",
}

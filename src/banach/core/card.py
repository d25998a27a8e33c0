"""The card of a method: plain data, readable without importing jax."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from banach.core.kind import unknown

FACTS = frozenset(
    """convex smooth strongly_convex monotone self_concordant contractive symmetric
    positive_definite nonexpansive compact lower_strongly_convex""".split()
)


@dataclass(frozen=True)
class Card:
    """What a method is, needs, assumes and promises.

    `needs` are oracles of the problem, `assumes` are facts about it: together they
    decide whether the method applies. `rate(constants, step)` bounds the quantity
    named by `rate_of`. `cost` counts oracle calls per step and `init_cost` those of
    `init`; cost=None means that the state counts both (`Method.calls`).
    """

    name: str
    family: str
    problem: str
    needs: frozenset[str]
    assumes: frozenset[str]
    paper: str
    rate_of: str | None = None
    rate: Callable[..., Any] | None = None
    cost: Mapping[str, int] | None = field(default=None, hash=False)
    init_cost: Mapping[str, int] | None = field(default=None, hash=False)
    random: bool = False
    host: bool = False
    status: str = "stable"

    def __post_init__(self):
        strange = unknown(self.needs) | (self.assumes - FACTS)
        if strange:
            raise ValueError(
                f"card {self.name}: unknown oracles or facts {sorted(strange)}; an "
                "oracle is one that some kind offers, a fact one of "
                "banach.core.card.FACTS"
            )
        if self.status not in ("stable", "new"):
            raise ValueError(f"card {self.name}: status is 'stable' or 'new'")


def method(
    *,
    name: str,
    family: str,
    problem: str,
    needs: Iterable[str],
    assumes: Iterable[str] = (),
    paper: str,
    rate_of: str | None = None,
    rate: Callable[..., Any] | None = None,
    cost: Mapping[str, int] | None = None,
    init_cost: Mapping[str, int] | None = None,
    random: bool = False,
    host: bool = False,
    status: str = "new",
) -> Callable[[type], type]:
    """Attach a card to a Method class; every argument but `rate` is a literal."""
    card = Card(
        name=name,
        family=family,
        problem=problem,
        needs=frozenset(needs),
        assumes=frozenset(assumes),
        paper=paper,
        rate_of=rate_of,
        rate=rate,
        cost=cost,
        init_cost=init_cost,
        random=random,
        host=host,
        status=status,
    )

    def attach(cls: type) -> type:
        cls.card = card  # type: ignore[attr-defined]
        return cls

    return attach

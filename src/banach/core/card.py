"""The card of a method: plain data, readable without importing jax."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ORACLES = frozenset(
    """value grad hvp hess prox project lmo dual residual
    sample stochastic_grad local_grad local_sample coded_grad
    operator component resolvent constraints jacobian split split_prox normal
    upper_value upper_grad lower_grad lower_hvp cross sample_upper_grad
    sample_lower_grad sample_lower_hvp sample_cross
    plan transform map linear_part riesz matvec""".split()
)
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
        unknown = (self.needs - ORACLES) | (self.assumes - FACTS)
        if unknown:
            raise ValueError(
                f"card {self.name}: unknown oracles or facts {sorted(unknown)}; "
                "use the words of banach.core.card.ORACLES and FACTS"
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

"""The card of a method: plain data, readable without importing jax."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from banach.catalogue import snake_case
from banach.core.kind import unknown

C = TypeVar("C", bound=type)
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

    Args:
        name, family, problem: as `bn.method` has them.
        needs: oracles of the problem.
        assumes: facts about it.
        paper: the key of its BibTeX entry.
        rate_of: the quantity that the rate bounds.
        rate: (constants, step), the bound.
        cost, init_cost: oracle calls of a step and of `init`; cost None: the state
            counts.
        random: whether it draws.
        host: whether it runs on the host, in a peer library or in NumPy.
        status: "new" or "stable".

    Example:
        >>> bn.Fista.card.needs == {"grad", "prox"}, bn.Fista.card.paper
        (True, 'beck2009fista')
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
    problem: str,
    needs: Iterable[str],
    paper: str,
    name: str | None = None,
    family: str | None = None,
    assumes: Iterable[str] = (),
    status: str = "new",
    **promises: Any,
) -> Callable[[C], C]:
    """Attach a card to a Method class; every argument but `rate` is a literal.

    The name is the class's in snake case, and the family the folder of banach/methods
    that it stands in ("own" elsewhere), unless they are given. `promises` are the
    remaining fields of `Card`.

    Args:
        problem: the kind that it is stated for.
        needs: names of the oracles that it calls.
        paper: the key of its BibTeX entry.
        name: None: the class's in snake case.
        family: None: the folder that it stands in.
        assumes: names of facts, as in `banach.core.card.FACTS`.
        status: "new" or "stable".
        promises: cost, init_cost, rate, rate_of, random; see `Card`.

    Raises:
        Misuse or ValueError: oracles or facts that there are not.

    Example:
        >>> @bn.method(
        ...     problem="Smooth",
        ...     needs={"grad"},
        ...     paper="cauchy1847methode",
        ...     cost={"grad": 1},
        ... )
        ... class Halving(bn.Method):
        ...     step_size: float = 0.5
        ...     def init(self, problem, start, key):
        ...         return start.x
        ...     def step(self, problem, state, key):
        ...         return state - self.step_size * problem.grad(state)
        ...     def point(self, state):
        ...         return bn.Point(state)
        ...
        >>> bn.solve(
        ...     bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2)), Halving()
        ... ).x
        array([1., 1.])
    """

    def attach(cls: C) -> C:
        cls.card = Card(  # type: ignore[attr-defined]
            name=name or snake_case(cls.__name__),
            family=family or home(cls.__module__),
            problem=problem,
            needs=frozenset(needs),
            assumes=frozenset(assumes),
            paper=paper,
            status=status,
            **promises,
        )
        return cls

    return attach


def home(module: str) -> str:
    """The family of a class in this module: its folder in banach, or "own"."""
    parts = module.split(".")
    if parts[:2] == ["banach", "methods"] and len(parts) == 4:
        return parts[2]
    return "bridge" if parts[:2] == ["banach", "bridge"] else "own"

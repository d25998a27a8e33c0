"""The card of a kind of problem: what some instance offers, and what suits it.

What cannot be literal stays with the instance (the oracles and the default check of a
linear model depend on its term): the card holds what *some* instance has, and a test
holds every instance within its card.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from banach import catalogue
from banach.core.misuse import Misuse

__all__ = ["KindCard", "cure", "kind", "made", "preferred", "unknown"]

C = TypeVar("C", bound=type)
# Preferred methods of a problem of minimisation, for kinds that name none.
MINIMISATION = {
    "term": "fista proximal_gradient frank_wolfe",
    "size<=2000, fact:convex": "lazy_newton trust_region_newton lbfgs",
    "size<=2000": "trust_region_newton lbfgs nonlinear_cg",
    "": "lbfgs newton_cg gradient_descent",
}
_CONDITION = re.compile(r"term|has:[a-z_]+|fact:[a-z_]+|size<=\d+")
# Cards of this process by name; banach's own are also in the catalogue.
_CARDS: dict[str, "KindCard"] = {}


@dataclass(frozen=True)
class KindCard:
    """What a kind is, offers and prefers; plain data.

    Attributes:
        name: of the kind; `problem.kind`.
        oracles: what some instance offers.
        checks: default checks of its instances, the usual one first.
        prefers: names of default methods, best first, by condition. The first row
            whose condition holds is taken; an empty one always holds. Conditions,
            joined by commas: `term` (an essential term), `has:ORACLE`, `fact:NAME`,
            `size<=N`. No rows: those of a minimisation.
        views: names of the kind's views, in the order in which they are tried.
        term: what a method ignores that uses none of the essential oracles.
        cures: by oracles (or facts) that another problem lacks, what to do: usually
            how to state it as this kind. A key may hold several words.
        public: names in `bn` besides the class, by file of the room: other ways to
            state such a problem.
        pieces: names in `bn` of what it is stated with; not in `dir(bn)`.
        zoo: what the names of the ready problems begin with.

    Example:
        >>> card = bn.KindCard("Nearest", frozenset({"value"}), ("stationarity",))
        >>> card.name, card.checks
        ('Nearest', ('stationarity',))
    """

    name: str
    oracles: frozenset[str]
    checks: tuple[str, ...]
    prefers: Mapping[str, str] = field(default_factory=dict, hash=False)
    views: tuple[str, ...] = ()
    term: str = "the term"
    cures: Mapping[str, str] = field(default_factory=dict, hash=False)
    public: Mapping[str, str] = field(default_factory=dict, hash=False)
    pieces: Mapping[str, str] = field(default_factory=dict, hash=False)
    zoo: tuple[str, ...] = ()

    def __post_init__(self):
        for condition in self.prefers:
            for part in filter(None, condition.split(", ")):
                if not _CONDITION.fullmatch(part):
                    raise Misuse(
                        f"card {self.name}: prefers is for {part!r}; a condition is "
                        "term, has:ORACLE, fact:NAME or size<=N"
                    )


def kind(
    *,
    name: str,
    oracles: Iterable[str],
    checks: Iterable[str],
    prefers: Mapping[str, str] | None = None,
    views: Iterable[str] = (),
    term: str = "the term",
    cures: Mapping[str, str] | None = None,
    public: Mapping[str, str] | None = None,
    pieces: Mapping[str, str] | None = None,
    zoo: Iterable[str] = (),
) -> Callable[[C], C]:
    """Attach a card to a Problem class; every argument is a literal.

    Words may be given as one string with spaces. See `KindCard`.

    Args:
        name: of the kind, one word.
        oracles: what some instance offers.
        checks: names of its default checks, the usual one first.
        prefers: names of default methods by condition; None: those of a minimisation.
        views: names of its views, in the order in which they are tried.
        term: the words for what a method ignores.
        cures: by what another problem lacks, what to do.
        public, pieces: names that `bn` has besides, by file of the room.
        zoo: what the names of the ready problems begin with.

    Raises:
        Misuse: a name that is taken, or a condition that is none.

    Example:
        >>> @bn.kind(name="Nearest", oracles="value grad", checks="stationarity")
        ... class Nearest(bn.Problem):
        ...     pass
        ...
        >>> Nearest.kind
        'Nearest'
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise Misuse(f"a kind's name is one word, got {name!r}; e.g. name='Nearest'")
    card = KindCard(
        name=name,
        oracles=frozenset(_words(oracles)),
        checks=_words(checks),
        prefers=dict(prefers or {}),
        views=_words(views),
        term=term,
        cures={
            word: text
            for words, text in (cures or {}).items()
            for word in words.split()
        },
        public=dict(public or {}),
        pieces=dict(pieces or {}),
        zoo=_words(zoo),
    )

    def attach(cls: C) -> C:
        if not callable(getattr(cls, "optimality", None)):
            raise Misuse(
                f"@bn.kind stands above a class derived from bn.Problem (or a kind), "
                f"and {cls!r} is none"
            )
        known = catalogue.own()["kinds"].get(name)
        if known is not None and known["module"] != cls.__module__:
            raise Misuse(f"the kind {name} is one of banach's; give yours another name")
        cls.card = card  # type: ignore[attr-defined]
        cls.kind = name  # type: ignore[attr-defined]
        _CARDS[name] = card
        return cls

    return attach


def made() -> list[str]:
    """Names of the kinds whose classes this process has loaded."""
    return list(_CARDS)


def preferred(card: KindCard | None, problem: Any, facts: Any) -> list[str]:
    """Names of default methods for an instance, best first."""
    rows = card.prefers if card is not None and card.prefers else MINIMISATION
    for condition, names in rows.items():
        parts = filter(None, condition.split(", "))
        if all(_holds(part, problem, facts) for part in parts):
            return names.split()
    return []


def unknown(oracles: Iterable[str]) -> set[str]:
    """Those that no kind offers: banach's own, this process's, installed packages'."""
    left = set(oracles)
    for entry in catalogue.own()["kinds"].values():
        left.difference_update(entry["oracles"])
    # Installed packages are searched only for what nobody here offers.
    for card in _all() if left else ():
        left.difference_update(card["oracles"])
    return left


def cure(missing: str) -> str | None:
    """What to do where a problem lacks an oracle or a fact, from the kinds' cards.

    Without words of its own: the first kind that offers the oracle.
    """
    cards = _all()
    for card in cards:
        if missing in card["cures"]:
            return card["cures"][missing]
    for card in cards:
        if missing in card["oracles"]:
            return f"State the problem as bn.{card['class']}"
    return None


def _all() -> list[dict[str, Any]]:
    """The catalogue's entries, then the cards that this process made by hand."""
    known = catalogue.kinds()
    here = [vars(card) | {"class": card.name} for card in _CARDS.values()]
    return [*known.values(), *(card for card in here if card["name"] not in known)]


def _holds(part: str, problem: Any, facts: Any) -> bool:
    if part == "term":
        return bool(problem.essential())
    word, _, name = part.partition(":")
    if word == "has":
        return name in problem.oracles()
    if word == "fact":
        return facts.has(name)
    return problem.size() <= int(part.removeprefix("size<="))


def _words(given: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(given.split() if isinstance(given, str) else given)

"""Which methods meet a problem, as it stands or through its views.

The problem itself comes first, in scaled columns where it has them; then its views in
the order in which the kind declares them, then two in a row. A squaring after a
gradient is no path (`core.view`). What is refused names the view that is missing.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from banach.core.facts import Facts
from banach.core.method import Refusal, applicable
from banach.core.problem import Problem
from banach.core.view import Through, View, Viewed


class Path(NamedTuple):
    """A view, or two in a row, and the other problem at its end."""

    view: View
    other: Problem
    facts: Facts
    names: tuple[str, ...]
    risk: str


class Paths:
    """The ways to see one problem, each made when it is first asked for."""

    def __init__(self, problem: Problem, facts: Facts):
        self.problem, self.facts = problem, facts
        self._made: list[Path] = []
        self._more = self._all()
        self._columns: Any = ()

    @property
    def columns(self) -> Path | None:
        """The problem in scaled columns, where that would change much."""
        if self._columns == ():
            view = self.problem.view()
            self._columns = None
            if view is not None:
                other = view.there(self.problem)
                self._columns = Path(view, other, other.facts(), (view.name,), "")
        return self._columns

    def __iter__(self) -> Iterator[Path]:
        yield from self._made
        for path in self._more:
            self._made.append(path)
            yield path

    def _all(self) -> Iterator[Path]:
        """One view more than the columns, one, and two, in this order."""
        near = [] if self.columns is None else [self.columns]
        for one in near:
            yield from _on(one)
        first = []
        for path in _from(self.problem):
            first.append(path)
            yield path
        for one in first:
            yield from _on(one)


def _from(problem: Problem) -> Iterator[Path]:
    for each in problem.views():
        if each.make is not None:
            view = each.make()
            other = view.there(problem)
            yield Path(view, other, other.facts(), (each.name,), each.risk)


def _on(path: Path) -> Iterator[Path]:
    """The views of the problem at the end of a path."""
    for more in _from(path.other):
        if path.view.derives and more.view.squares:
            continue
        names, risk = path.names + more.names, path.risk or more.risk
        yield Path(Through(path.view, more.view), more.other, more.facts, names, risk)


def meet(
    cls: Any, paths: Paths, build: Callable[[Problem, Facts], Any], risky: bool
) -> Any:
    """The method that `build` makes of the problem or of the first view it takes.

    A Refusal where there is none. `risky`: views that may lead to something else than
    a solution are taken too.
    """
    card, problem, facts = cls.card, paths.problem, paths.facts
    no = applicable(card.needs, card.assumes, problem, facts, card.name)
    # What another library brings (its step sizes too) meets the problem as it stands.
    foreign = card.host or card.family == "bridge"
    if no is None:
        near = None if foreign else paths.columns
        if near is None or not card.needs <= near.other.oracles():
            made = build(problem, facts)
        else:
            made = build(near.other, near.facts)
            if not isinstance(made, Refusal):
                return Viewed(made, near.view)
        if not isinstance(made, Refusal):
            return made
        no = made
    if foreign:
        return no
    refused: dict[str, str] = {}
    for path in paths:
        lacks = card.needs - path.other.oracles()
        if lacks:
            why = f"it offers no {', '.join(sorted(lacks))}"
        elif path.risk and not risky:
            why = f"{path.risk}; name the method to have it made"
        else:
            no_more = applicable(
                card.needs, card.assumes, path.other, path.facts, card.name
            )
            made = build(path.other, path.facts) if no_more is None else no_more
            if not isinstance(made, Refusal):
                return Viewed(made, path.view)
            why = made.cure
        if path.other.kind == card.problem:
            refused.setdefault(path.names[-1], why)
    return Refusal(no.missing, f"{no.cure.rstrip()}{_missing(card, paths, refused)}")


def _missing(card: Any, paths: Paths, refused: dict[str, str]) -> str:
    """The views that would have led to the method's kind, and why they do not."""
    said = [
        f"Its view {each.name} is missing: {each.absent}"
        for each in paths.problem.views()
        if each.kind == card.problem and each.make is None
    ]
    said += [f"Seen through its view {name}: {why}" for name, why in refused.items()]
    kind = paths.problem.kind
    if not said and card.problem != kind:
        said.append(f"No view leads from {kind} to {card.problem}")
    return "".join(f". {line}" for line in said)

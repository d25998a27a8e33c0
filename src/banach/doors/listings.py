"""What there is: methods, ready problems, checks, as rows that print as a table.

`bn.methods()`, `bn.problems()`, `bn.checks()` and `bn.explain(name)` answer as
`banach methods`, `banach problems`, `banach checks` and `banach explain` do: the
command line prints what these return. None of them imports jax, but for a kind of
problem that no method is stated for, and to explain.
"""

import shutil
import textwrap
from typing import Any

from banach import catalogue

CARD = ("name", "family", "problem", "needs", "assumes", "paper", "title", "status")


class Listing(list):
    """Rows as dicts, equal keys in each; printed as a table of the columns named."""

    def __init__(self, rows: list[dict[str, Any]], columns: tuple[str, ...]):
        super().__init__(rows)
        self.columns = columns

    def __str__(self) -> str:
        if not self:
            return "none"
        *short, last = self.columns
        widths = [max(len(str(row[key])) for row in self) for key in short]
        room = (
            shutil.get_terminal_size((100, 24)).columns - sum(widths) - 2 * len(short)
        )
        lines = []
        for row in self:
            cells = [f"{row[k]!s:<{w}}" for k, w in zip(short, widths, strict=True)]
            said = row[last]
            if last != "seen_as":
                said = textwrap.shorten(said, max(30, room), placeholder="...")
            lines.append("  ".join([*cells, said]).rstrip())
        return "\n".join(lines)

    __repr__ = __str__


def methods(problem: Any = None, family: str | None = None) -> Listing:
    """The methods, by name; those of a kind, or of one problem, or of a family.

    Args:
        problem: a kind, such as "Smooth" or "composite" (where no method is stated for
            it: those that take a ready problem of the kind); or a Problem, the name of
            a ready one, or file.py:object: those that take it.
        family: a family, such as "minimax".

    Returns:
        Listing: a list of cards as dicts (name, family, problem, needs, assumes, paper,
        title, status, summary) that prints as a table. Of one problem each row has
        `seen_as` besides: through which view the method meets it.

    Raises:
        Misuse: a family or kind that there is not.

    >>> [row["name"] for row in bn.methods(family="transport")]
    ['sinkhorn', 'sinkhorn_newton_sparse']
    """
    rows = list(catalogue.load_index().values())
    if family is not None:
        families = sorted({row["family"] for row in rows})
        rows = [row for row in rows if row["family"] == family]
        if not rows:
            _misuse(f"no family {family!r}; families: {', '.join(families)}")
    if _stated(problem):
        return _taking(rows, problem)
    if problem is not None:
        own = [r for r in rows if r["problem"].lower() == str(problem).lower()]
        rows = own or _applicable(rows, str(problem))
        if not rows:
            known = ", ".join(_kinds())
            _misuse(f"no method for {problem!r}; kinds: {known}")
    found = [{key: row[key] for key in (*CARD, "summary")} for row in rows]
    return Listing(found, ("name", "family", "problem", "summary"))


def problems(kind: str | None = None) -> Listing:
    """The ready problems: name, kind, title. `banach solve NAME` solves one.

    Args:
        kind: only this kind, such as "GLM".

    Raises:
        Misuse: a kind that there is not.

    >>> [row["name"] for row in bn.problems("transport")][0]
    'transport:digits'
    """
    from banach import zoo

    rows = zoo.names()
    if kind is not None:
        if str(kind).lower() not in {name.lower() for name in _kinds()}:
            _misuse(f"no kind {kind!r}; kinds: {', '.join(_kinds())}")
        rows = [row for row in rows if row["kind"].lower() == str(kind).lower()]
    return Listing(rows, ("name", "kind", "title"))


def checks(problem: Any = None) -> Listing:
    """The checks: name, class, summary; those that judge a problem where one is given.

    Args:
        problem: a Problem, or the name of a ready one.

    >>> "gap" in [row["name"] for row in bn.checks("lasso:diabetes")]
    True
    """
    rows = [
        {"name": name, "class": entry["class"], "summary": entry["summary"]}
        for name, entry in sorted(catalogue.checks().items())
    ]
    if problem is not None:
        if not isinstance(problem, str):
            _stated(problem)
        rows = [row for row in rows if _judges(row["name"], problem)]
    return Listing(rows, ("name", "class", "summary"))


def _judges(name: str, problem: Any) -> bool:
    """Whether the check takes the problem; of one with arguments, its default form."""
    import inspect

    from banach import checks, zoo
    from banach.core import compat

    cls = checks.load(name)
    try:
        inspect.signature(cls).bind()
    except TypeError:
        return False
    with compat.double():
        stated = zoo.load(problem) if isinstance(problem, str) else problem
        return cls().refuses(stated) is None


def _stated(problem: Any) -> bool:
    """Whether this is a problem or names one, and no kind; what is a kind is cheap."""
    if problem is None:
        return False
    if isinstance(problem, str):
        # A name with a colon is no kind; who loads it says what there is.
        return ":" in problem or problem in _plain_names(problem)
    from banach.core.problem import Problem

    if not isinstance(problem, Problem):
        _misuse(
            f"problem must be a kind, a Problem or the name of one, got {problem!r:.60}"
        )
    return True


def _plain_names(problem: str) -> set[str]:
    """Names of ready problems without a colon, unless this is a kind."""
    if problem.lower() in {name.lower() for name in _kinds()}:
        return set()
    from banach import zoo

    return {row["name"] for row in zoo.names()}


def _kinds() -> list[str]:
    """Names of the kinds: the catalogue's, and those that this process made."""
    import sys

    here = sys.modules.get("banach.core.kind")
    return sorted({*catalogue.kinds(), *(here.made() if here else ())})


def _taking(rows: list[dict[str, Any]], problem: Any) -> Listing:
    """The methods of banach that take one problem, and how they see it."""
    from banach import zoo
    from banach.core import compat
    from banach.core.method import Refusal
    from banach.doors import defaults
    from banach.doors.routes import Paths

    found = []
    with compat.double():
        stated = zoo.load(problem) if isinstance(problem, str) else problem
        paths = Paths(stated, stated.facts())
        for row in rows:
            if row["family"] == "bridge":
                continue
            made = defaults.suggest(row["name"], stated, paths.facts, paths=paths)
            if not isinstance(made, Refusal):
                seen = made.seen_as() or "as it stands"
                found.append({key: row[key] for key in (*CARD, "summary")})
                found[-1]["seen_as"] = seen
    if not found:
        _misuse(f"no method takes {problem} as it stands or through a view")
    return Listing(found, ("name", "family", "seen_as"))


def _applicable(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Methods of other kinds that take a ready problem of this one."""
    from banach import zoo

    names = [r["name"] for r in zoo.names() if r["kind"].lower() == kind.lower()]
    if not names:
        return []
    taking = {row["name"] for row in _taking(rows, names[0])}
    return [row for row in rows if row["name"] in taking]


def _misuse(words: str) -> None:
    from banach.core.problem import Misuse

    raise Misuse(words)

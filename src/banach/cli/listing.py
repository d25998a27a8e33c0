"""methods, problems, explain and cite: all without importing jax where possible."""

from typing import Any

from banach import catalogue
from banach.cli import console
from banach.doors import listings


def listed(rows: Any, json: bool) -> int:
    """What a listing or an explanation says, or the same as JSON."""
    if json:
        console.emit(rows)
    else:
        console.out(str(rows))
    return console.CERTIFIED


def methods_command(problem: Any, family: Any, json: bool) -> int:
    """Cards as a table, or as a JSON list; of a problem how each method sees it."""
    return listed(listings.methods(problem, family), json)


def problems_command(kind: Any, json: bool) -> int:
    """The built-in problems, or those of a kind."""
    return listed(listings.problems(kind), json)


def checks_command(problem: str | None, json: bool) -> int:
    """The checks, or those that judge a built-in problem."""
    return listed(listings.checks(problem), json)


def explain_command(name: str, json: bool) -> int:
    """A method, check, kind, problem, term or part, or a composition, in words."""
    from banach.doors.explain import explain

    return listed(explain(name), json)


def cite_command(names: list[str]) -> int:
    """BibTeX on stdout."""
    for name in names:
        console.out(catalogue.reference(name.partition(":")[0]))
    return console.CERTIFIED

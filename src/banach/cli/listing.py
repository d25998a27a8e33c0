"""methods, problems, explain and cite: all without importing jax where possible."""

import textwrap
from typing import Any

from banach import catalogue
from banach.cli import console
from banach.doors import listings


def listed(rows: Any, json: bool, keys: tuple[str, ...] | None = None) -> int:
    """A listing as a table, or as a JSON list of these keys."""
    if json:
        console.emit([{k: row[k] for k in keys or row} for row in rows])
    else:
        console.out(str(rows))
    return console.CERTIFIED


def methods_command(problem: Any, family: Any, json: bool) -> int:
    """Cards as a table, or as a JSON list; of a problem how each method sees it."""
    rows = listings.methods(problem, family)
    seen = "seen_as" in rows.columns
    return listed(rows, json, ("name", "seen_as") if seen else listings.CARD)


def problems_command(json: bool) -> int:
    """The built-in problems."""
    return listed(listings.problems(), json)


def checks_command(problem: str | None, json: bool) -> int:
    """The checks, or those that judge a built-in problem."""
    return listed(listings.checks(problem), json)


def explain_command(name: str, json: bool) -> int:
    """A method's card and docstring, a check's docstring, or a problem's facts."""
    index = catalogue.load_index()
    base = name.partition(":")[0]
    if base in index:
        return _explain_method(index[base], json)
    from banach import checks

    if name in checks.names():
        text = checks.by_name(name).__doc__ or ""
        console.emit({"check": name, "text": text}) if json else console.out(
            f"{name}: a check\n\n{textwrap.dedent(text)}"
        )
        return console.CERTIFIED
    from banach import zoo

    if zoo.is_file(name) or name in {r["name"] for r in zoo.names()}:
        return _explain_problem(name, json)
    catalogue.find(base)
    return console.USAGE


def _explain_method(entry: dict[str, Any], json: bool) -> int:
    cls = catalogue.load_method(entry["name"])
    doc = textwrap.dedent("    " + (cls.__doc__ or "")).strip()
    if json:
        console.emit({**entry, "doc": doc})
        return console.CERTIFIED
    lines = [
        f"{entry['name']} ({entry['family']}, {entry['status']})",
        "",
        doc,
        "",
        f"needs     {', '.join(entry['needs']) or 'nothing'}",
        f"assumes   {', '.join(entry['assumes']) or 'nothing'}",
        f"rate      {entry['rate_of'] or 'none declared'}",
        f"paper     {entry['title']}",
        f"          banach cite {entry['name']}",
    ]
    console.out("\n".join(lines))
    return console.CERTIFIED


def _explain_problem(name: str, json: bool) -> int:
    from banach import zoo
    from banach.core import compat

    with compat.double():
        problem = zoo.load(name)
        facts = problem.facts().table()
        data = {
            "name": name,
            "kind": problem.kind,
            "size": problem.size(),
            "objective": problem.formula(),
            "oracles": sorted(problem.oracles()),
            "facts": {k: list(v) for k, v in facts.items()},
            "check": problem.default_check(),
            "views": {
                w.name: {"kind": w.kind, "missing": w.absent, "risk": w.risk}
                for w in problem.views()
            },
        }
    if json:
        console.emit(data)
        return console.CERTIFIED
    console.out(f"{name}: {data['kind']}, {data['size']} unknowns\n")
    console.out(f"objective  {data['objective']}")
    console.out(f"oracles    {', '.join(data['oracles'])}")
    for k, (value, how) in facts.items():
        console.out(f"fact       {k} = {value} ({how})")
    console.out(f"check      {data['check']}")
    for k, view in data["views"].items():
        why = f": missing, {view['missing']}" if view["missing"] else ""
        why = f": by name alone, {view['risk']}" if view["risk"] and not why else why
        console.out(f"view       {k} ({view['kind']}){why}")
    return console.CERTIFIED


def cite_command(names: list[str]) -> int:
    """BibTeX on stdout."""
    for name in names:
        console.out(catalogue.reference(name.partition(":")[0]))
    return console.CERTIFIED

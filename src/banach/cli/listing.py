"""methods, problems, explain and cite: all without importing jax where possible."""

import shutil
import textwrap
from typing import Any

from banach import catalogue
from banach.cli import common

CARD = ("name", "family", "problem", "needs", "assumes", "paper", "title", "status")


def methods_command(problem: Any, family: Any, json: bool) -> int:
    """Cards as a table, or as a JSON list."""
    rows = list(catalogue.load_index().values())
    if family is not None:
        rows = [r for r in rows if r["family"] == family]
        known = sorted({r["family"] for r in catalogue.load_index().values()})
        if not rows:
            raise common.Usage(f"no family {family!r}; families: {', '.join(known)}")
    if problem is not None:
        kinds = sorted({r["problem"] for r in catalogue.load_index().values()})
        own = [r for r in rows if r["problem"].lower() == problem.lower()]
        if not own and _stated(problem):
            return _of_problem(rows, problem, json)
        rows = own or _applicable(rows, problem)
        if not rows:
            raise common.Usage(f"no method for {problem!r}; kinds: {', '.join(kinds)}")
    if json:
        common.emit([{k: r[k] for k in CARD} for r in rows])
        return common.CERTIFIED
    width = max(len(r["name"]) for r in rows)
    kind = max(len(r["problem"]) for r in rows)
    room = max(30, shutil.get_terminal_size((100, 24)).columns - width - kind - 18)
    for r in rows:
        summary = textwrap.shorten(r["summary"], room, placeholder="...")
        common.out(
            f"{r['name']:<{width}}  {r['family']:<12} {r['problem']:<{kind}} {summary}"
        )
    return common.CERTIFIED


def _applicable(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Methods of other kinds that take a built-in problem of this one."""
    from banach import zoo

    names = [r["name"] for r in zoo.names() if r["kind"].lower() == kind.lower()]
    if not names:
        return []
    from banach.core import compat
    from banach.core.method import Refusal
    from banach.doors import defaults

    with compat.double():
        example = zoo.load(names[0])
        facts = example.facts()
        return [
            r
            for r in rows
            if not r["host"]
            and not isinstance(defaults.suggest(r["name"], example, facts), Refusal)
        ]


def _stated(name: str) -> bool:
    """Whether this names a problem and no kind."""
    from banach import zoo

    return zoo.is_file(name) or name in {r["name"] for r in zoo.names()}


def _of_problem(rows: list[dict[str, Any]], name: str, json: bool) -> int:
    """Methods that take one built-in problem or file.py:object, and how they see it."""
    from banach import zoo
    from banach.core import compat
    from banach.core.method import Refusal
    from banach.doors import defaults
    from banach.doors.paths import Paths

    with compat.double():
        problem = zoo.load(name)
        facts = problem.facts()
        paths = Paths(problem, facts)
        made = {
            r["name"]: defaults.suggest(r["name"], problem, facts, paths=paths)
            for r in rows
            if r["family"] != "bridge"
        }
    taken = {k: m for k, m in made.items() if not isinstance(m, Refusal)}
    if json:
        common.emit([{"name": k, "seen_as": m.seen_as()} for k, m in taken.items()])
        return common.CERTIFIED
    if not taken:
        raise common.Usage(f"no method takes {name} as it stands or through a view")
    width = max(map(len, taken))
    for k, m in taken.items():
        common.out(f"{k:<{width}}  {m.seen_as() or 'as it stands'}")
    return common.CERTIFIED


def problems_command(json: bool) -> int:
    """The built-in problems."""
    from banach import zoo

    rows = zoo.names()
    if json:
        common.emit(rows)
        return common.CERTIFIED
    width, kind = (max(len(r[k]) for r in rows) for k in ("name", "kind"))
    for r in rows:
        common.out(f"{r['name']:<{width}}  {r['kind']:<{kind}}  {r['title']}")
    return common.CERTIFIED


def explain_command(name: str, json: bool) -> int:
    """A method's card and docstring, a check's docstring, or a problem's facts."""
    index = catalogue.load_index()
    base = name.partition(":")[0]
    if base in index:
        return _explain_method(index[base], json)
    from banach import checks

    if name in checks.names():
        text = checks.by_name(name).__doc__ or ""
        common.emit({"check": name, "text": text}) if json else common.out(
            f"{name}: a check\n\n{textwrap.dedent(text)}"
        )
        return common.CERTIFIED
    from banach import zoo

    if zoo.is_file(name) or name in {r["name"] for r in zoo.names()}:
        return _explain_problem(name, json)
    catalogue.find(base)
    return common.USAGE


def _explain_method(entry: dict[str, Any], json: bool) -> int:
    cls = catalogue.load_method(entry["name"])
    doc = textwrap.dedent("    " + (cls.__doc__ or "")).strip()
    if json:
        common.emit({**entry, "doc": doc})
        return common.CERTIFIED
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
    common.out("\n".join(lines))
    return common.CERTIFIED


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
        common.emit(data)
        return common.CERTIFIED
    common.out(f"{name}: {data['kind']}, {data['size']} unknowns\n")
    common.out(f"objective  {data['objective']}")
    common.out(f"oracles    {', '.join(data['oracles'])}")
    for k, (value, how) in facts.items():
        common.out(f"fact       {k} = {value} ({how})")
    common.out(f"check      {data['check']}")
    for k, view in data["views"].items():
        why = f": missing, {view['missing']}" if view["missing"] else ""
        why = f": by name alone, {view['risk']}" if view["risk"] and not why else why
        common.out(f"view       {k} ({view['kind']}){why}")
    return common.CERTIFIED


def cite_command(names: list[str]) -> int:
    """BibTeX on stdout."""
    for name in names:
        common.out(catalogue.reference(name.partition(":")[0]))
    return common.CERTIFIED

"""One thing in words: a method, check, kind, problem, term or part, or a composition.

`bn.explain(name)` and `banach explain NAME` are this: the same fields as a dict (the
JSON of the command line), and the same lines when printed.
"""

import difflib
import importlib
import inspect
import re
import textwrap
from typing import Any

from banach import catalogue
from banach.core.door import door

_WRAPPED = re.compile(r"(\w+)\((.*)\)")


class Explanation(dict):
    """Fields by name; printed as lines."""

    def __init__(self, fields: dict[str, Any], lines: list[str]):
        super().__init__(fields)
        self.lines = lines

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__


@door
def explain(name: Any) -> Explanation:
    """Explain a method, check, kind, problem, term or part.

    Args:
        name: its name ("fista", "gap", "Composite", "lasso:diabetes", "L1",
            "averaged(sgd)", file.py:object) or the thing itself: a problem, a class,
            an instance.

    Returns:
        Explanation: a dict that prints as lines.

    Raises:
        Misuse: nothing has this name; the nearest names.

    >>> bn.explain("gap")["check"]
    'gap'
    """
    from banach.core.check import Check
    from banach.core.method import HostMethod, Method
    from banach.core.problem import Misuse, Problem

    if isinstance(name, Problem):
        return _problem(name, type(name).__name__)
    if isinstance(name, Method | HostMethod):
        return _named(name.label())
    if isinstance(name, Check):
        return _check(name.name, type(name))
    if isinstance(name, type):
        return _class(name)
    if not isinstance(name, str):
        cls = type(name)
        if not cls.__module__.startswith("banach."):
            raise Misuse(
                f"explain takes a name, a problem, a method or a check, got "
                f"{name!r:.60}; see banach methods, banach checks, banach problems"
            )
        return _class(cls)
    return _named(name)


def _named(name: str) -> Explanation:
    from banach import checks, names_elsewhere, zoo
    from banach.core.problem import Misuse

    base = name.partition(":")[0]
    entry = catalogue.entry("methods", base)
    if entry is not None:
        return _method(entry, name)
    if catalogue.entry("checks", name) is not None:
        return _check(name, checks.load(name))
    if zoo.is_file(name) or name in {row["name"] for row in zoo.names()}:
        return _problem(zoo.load(name), name)
    wrapped = _WRAPPED.fullmatch(name)
    if wrapped is not None:
        return _composition(name, *wrapped.groups())
    kinds = {kind.lower(): kind for kind in catalogue.kinds()}
    if name.lower() in kinds:
        return _kind(kinds[name.lower()])
    known = _classes()
    found = known.get(name) or _spelled().get(name)
    if found is not None:
        return _class(found())
    if ":" in name:
        zoo.load(name)
    every = [*catalogue.load_index(), *catalogue.checks(), *kinds.values(), *known]
    near = [
        *difflib.get_close_matches(name, every, n=3, cutoff=0.5),
        *names_elsewhere.methods(base, catalogue.load_index()),
    ]
    hint = f"Did you mean {' or '.join(dict.fromkeys(near))}? " if near else ""
    raise Misuse(
        f"nothing is called {name!r}. {hint}All names: banach methods, banach checks, "
        "banach problems, dir(bn.terms), dir(bn.parts)"
    )


def _classes() -> dict[str, Any]:
    """By the names in `bn` of classes, what imports each."""
    import banach

    def loading(name: str) -> Any:
        return lambda: getattr(banach, name)

    names = [
        *(e["class"] for e in catalogue.load_index().values()),
        *(e["class"] for e in catalogue.checks().values()),
        *(n for e in catalogue.kinds().values() for n in (*e["public"], *e["pieces"])),
        *dir(banach.terms),
        *dir(banach.parts),
    ]
    return {name: loading(name) for name in names if not name.startswith("_")}


def _spelled() -> dict[str, Any]:
    """The same by their names in small letters, as labels have them."""
    return {catalogue.snake_case(name): load for name, load in _classes().items()}


def _class(cls: Any) -> Explanation:
    """A class, or the function that states a model."""
    name = cls.__name__
    for entry in catalogue.load_index().values():
        if entry["class"] == name:
            return _method(entry, entry["name"])
    for check, entry in catalogue.checks().items():
        if entry["class"] == name:
            return _check(check, cls)
    if name in catalogue.kinds():
        return _kind(name)
    call = f"bn.{name}{_arguments(cls)}"
    text = _text(cls)
    return Explanation({"name": name, "call": call, "text": text}, [call, "", text])


def _text(thing: Any) -> str:
    """The docstring."""
    return inspect.cleandoc(thing.__doc__ or "")


def _arguments(thing: Any) -> str:
    try:
        listed = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return "(...)"
    return f"({', '.join(p.name for p in listed)})"


def _method(entry: dict[str, Any], name: str) -> Explanation:
    cls = catalogue.load_method(entry["name"])
    doc = textwrap.dedent("    " + (cls.__doc__ or "")).strip()
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
    return Explanation({**entry, "doc": doc}, lines)


def _check(name: str, cls: Any) -> Explanation:
    text = _text(cls)
    return Explanation({"check": name, "text": text}, [f"{name}: a check", "", text])


def _kind(name: str) -> Explanation:
    from banach import zoo
    from banach.core.kind import MINIMISATION

    entry = catalogue.kinds()[name]
    text = _text(getattr(importlib.import_module(entry["module"]), entry["class"]))
    prefers = entry["prefers"] or MINIMISATION
    ready = [row["name"] for row in zoo.names() if row["kind"] == name]
    lines = [f"{name}: a kind of problem", "", text, ""]
    lines += [f"oracles   {', '.join(sorted(entry['oracles']))}"]
    lines += [f"checks    {', '.join(entry['checks'])}"]
    for condition, methods in prefers.items():
        lines += [f"method    {methods}{f' (where {condition})' if condition else ''}"]
    lines += [f"view      {view}" for view in entry["views"]]
    lines += [f"ready     {', '.join(ready) or 'none'}"]
    lines += [f"          banach methods --problem {name}"]
    fields = {
        "kind": name,
        "text": text,
        "oracles": sorted(entry["oracles"]),
        "checks": list(entry["checks"]),
        "prefers": {k: v.split() for k, v in prefers.items()},
        "views": list(entry["views"]),
        "problems": ready,
    }
    return Explanation(fields, lines)


def _composition(name: str, outer: str, inner: str) -> Explanation:
    """A wrapper with what it wraps, by the label that a result prints."""
    parts, depth, word = [], 0, ""
    for letter in inner:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(word.strip())
            word = ""
        else:
            word += letter
    # A wrapper's label may say how: averaged_tail(sgd).
    wrapper = outer if outer in _spelled() else outer.partition("_")[0]
    found = [_named(part) for part in (wrapper, *filter(None, [*parts, word.strip()]))]
    lines = [f"{name}: {outer} of {inner}"]
    for one in found:
        lines += ["", *one.lines]
    return Explanation({"name": name, "parts": [dict(one) for one in found]}, lines)


def _problem(problem: Any, name: str) -> Explanation:
    from banach.core import compat

    with compat.double():
        facts = problem.facts().table()
        near = problem.view()
        views = {} if near is None else {
            near.name: {
                "kind": problem.kind, "missing": "", "risk": "", "first": near.text(),
            }
        }  # fmt: skip
        views |= {
            way.name: {"kind": way.kind, "missing": way.absent, "risk": way.risk}
            for way in problem.views()
        }
        data = {
            "name": name,
            "kind": problem.kind,
            "size": problem.size(),
            "objective": problem.formula(),
            "oracles": sorted(problem.oracles()),
            "facts": {k: list(v) for k, v in facts.items()},
            "check": problem.default_check(),
            "views": views,
        }
    lines = [
        f"{name}: {data['kind']}, {data['size']} unknowns",
        "",
        f"objective  {data['objective']}",
        f"oracles    {', '.join(data['oracles'])}",
        *(f"fact       {k} = {value} ({how})" for k, (value, how) in facts.items()),
        f"check      {data['check']}",
    ]
    for k, view in views.items():
        why = f": missing, {view['missing']}" if view["missing"] else ""
        why = f": by name alone, {view['risk']}" if view["risk"] and not why else why
        why = f": {view['first']}, before all others" if "first" in view else why
        lines.append(f"view       {k} ({view['kind']}){why}")
    return Explanation(data, lines)

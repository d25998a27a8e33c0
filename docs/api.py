"""A page for each public name, written by mkdocstrings from the sources.

Methods have pages of their own (`generate.py`). mkdocs calls `pages` through the hook
in generate.py.
"""

import importlib
import inspect
from typing import Any

from mathematics import escaped

import banach as bn
from banach import catalogue

GROUPS = {
    "Doors": "Functions that solve, judge, race and tell.",
    "Kinds": "Problems, by what they minimise or solve, and their recipes.",
    "Terms and sets": "Added to a smooth function: penalties, and sets to stay in.",
    "Losses": "Of generalised linear models.",
    "Checks": "What may be certified.",
    "Results": "What doors return.",
    "For authors": "What methods, kinds and checks are built on.",
    "Parts": "Schedules, searches and preconditioners that methods take.",
}
# Classes whose methods people call; of the others the constructor is what matters.
WHOLE = {"Result", "Results", "Race", "Uncertainty", "Verdict", "Problem", "Stacked"}


def groups() -> dict[str, list[str]]:
    """Public names by group, each once; `terms.L1` where that is how it is reached."""
    kinds = catalogue.own()["kinds"].values()
    made = [name for entry in kinds for name in entry["public"]]
    pieces = {name for entry in kinds for name in entry["pieces"]} - set(made)
    methods = {e["class"] for e in catalogue.own()["methods"].values()}
    checks = {e["class"] for e in catalogue.own()["checks"].values()}
    doors = set(" ".join(bn._DOORS.values()).split())
    types = set(" ".join(bn._TYPES.values()).split())
    results = {"Result", "Results", "Race", "Uncertainty", "Verdict", "Outcome",
               "Certificate", "NotCertified", "Misuse"}  # fmt: skip
    terms = {f"terms.{n}" for n in dir(bn.terms) if n[0] != "_"}
    losses = {n for n in pieces if n.endswith("Loss")}
    return {
        "Doors": sorted(doors),
        "Kinds": sorted(set(made)),
        "Terms and sets": sorted(terms),
        "Losses": sorted(losses),
        "Checks": sorted(checks),
        "Results": sorted(results),
        "For authors": sorted((types | (pieces - losses - checks)) - results - methods),
        "Parts": sorted(f"parts.{n}" for n in dir(bn.parts) if n[0] != "_"),
    }


def place(name: str) -> str:
    """Where the sources define what a public name stands for."""
    room, _, last = name.rpartition(".")
    home: Any = getattr(bn, room) if room else bn
    value = getattr(home, last)
    module = inspect.getmodule(value)
    if module is None:  # a door wraps the function that it is
        module = importlib.import_module(value.__module__)
    for word in (last, getattr(value, "__name__", last)):
        if word in vars(module):
            return f"{module.__name__}.{word}"
    raise LookupError(f"{name} is not where {module.__name__} says")


def file(name: str) -> str:
    """The page of a name; capitals apart from small letters on any disk."""
    kind = "function" if name.rpartition(".")[2][0].islower() else "class"
    return f"{name.replace('.', '-')}-{kind}.md"


def page(name: str) -> str:
    """Its text: a heading, and what mkdocstrings shows of the source."""
    whole = "true" if name in WHOLE else "false"
    function = name.rpartition(".")[2][0].islower()
    # How a class is called stands under the heading, and is not griffe's to know.
    root = "true" if function else "false"
    options = [
        "    options:",
        f"      heading: bn.{name}",
        f"      toc_label: bn.{name}",
        "      heading_level: 1",
        f"      show_root_heading: {root}",
        f"      show_root_toc_entry: {'false' if function else 'true'}",
        "      show_source: false",
        "      show_bases: false",
        f"      members: {whole}",
        "      filters: ['!^_']",
        "      separate_signature: true",
        "      show_signature_annotations: true",
        f"      show_signature: {root}",
    ]
    directive = "\n".join([f"::: {place(name)}", *options]) + "\n"
    if function:
        return directive
    return f"# bn.{name}\n\n{constructor(name)}\n{directive}"


def constructor(name: str) -> str:
    """How a class is called: what equinox makes of its fields, without types."""
    room, _, last = name.rpartition(".")
    value = getattr(getattr(bn, room) if room else bn, last)
    try:
        given = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in given]
    whole = f"bn.{name}{inspect.Signature(plain)}"
    if len(whole) > 80:
        inside = ",\n    ".join(map(str, plain))
        whole = f"bn.{name}(\n    {inside},\n)"
    return f"```python\n{whole}\n```\n"


def pages() -> dict[str, str]:
    """Every page by file name, and their list."""
    head = "Every public name. `import banach as bn`; names load when they are used."
    found, listed = {}, ["# API", head]
    for group, names in groups().items():
        rows = [f"- [`bn.{name}`]({file(name)}): {first_line(name)}" for name in names]
        listed += [f"## {group}", GROUPS[group], "\n".join(rows)]
        found |= {file(name): page(name) for name in names}
    return {"index.md": "\n\n".join(listed) + "\n", **found}


def first_line(name: str) -> str:
    """The first paragraph of its docstring."""
    room, _, last = name.rpartition(".")
    value = getattr(getattr(bn, room) if room else bn, last)
    said = (inspect.getdoc(value) or "").strip().split("\n\n")[0].replace("\n", " ")
    return escaped(said)


def nav() -> list[Any]:
    """The part of the navigation that shows them."""
    every: list[Any] = ["api/index.md"]
    for group, names in groups().items():
        every.append({group: [{f"bn.{n}": f"api/{file(n)}"} for n in names]})
    return every

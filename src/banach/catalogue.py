"""The catalogue: every method's card, read without importing jax or the methods.

`index.json` is generated from the source by `ast` and shipped with the package, so
that listing three hundred methods costs one small file. The sources stay the truth:

    python -m banach.catalogue --write    regenerate src/banach/index.json
    python -m banach.catalogue --check    exit 1 when it is stale
"""

import functools
import json
import re
import sys
from pathlib import Path
from typing import Any

from banach import names_elsewhere

ROOT = Path(__file__).parent
INDEX = ROOT / "index.json"
SETS = ("needs", "assumes")
DEFAULTS = {
    "assumes": [],
    "rate_of": None,
    "cost": None,
    "init_cost": None,
    "random": False,
    "host": False,
    "status": "new",
}
REQUIRED = ("name", "family", "problem", "needs", "paper")


class CatalogueError(ValueError):
    """A card, file or reference that breaks a rule; the message names file and line."""


class UnknownMethod(LookupError):
    """No method has this name; the message lists the closest ones."""


@functools.cache
def load_index() -> dict[str, dict[str, Any]]:
    """Every method's entry by name, from the package's index.json."""
    return json.loads(INDEX.read_text(encoding="utf-8"))


def find(name: str) -> dict[str, Any]:
    """The entry of one method; `UnknownMethod` with near names when there is none."""
    index = load_index()
    if name in index:
        return index[name]
    near = names_elsewhere.methods(name, index)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UnknownMethod(
        f"no method is called {name!r}. {hint}All names: banach methods"
    )


def by_class(name: str) -> dict[str, Any] | None:
    """The entry whose class has this name, or None."""
    for entry in load_index().values():
        if entry["class"] == name:
            return entry
    return None


def load_method(name: str) -> type:
    """Import and return the class of one method."""
    import importlib

    entry = find(name)
    return getattr(importlib.import_module(entry["module"]), entry["class"])


def reference(name: str) -> str:
    """The BibTeX entry of a method's paper, as text."""
    import banach.bibtex as bibtex

    entry = find(name)
    module = ROOT.joinpath(*entry["module"].split(".")[1:])
    bib = module.with_suffix(".bib")
    return bibtex.parse(bib.read_text(encoding="utf-8"), bib.name)[
        entry["paper"]
    ].render()


def snake_case(name: str) -> str:
    """`GradientDescent` to `gradient_descent`, `LBFGS` to `lbfgs`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.lower().replace("-", "_")


def build_index(src: Path) -> dict[str, dict[str, Any]]:
    """Read every card below `src` (the folder of the package `banach`), by `ast`.

    Methods live in methods/<family>/<name>.py with <name>.bib beside them, one class
    a file; bridge/<file>.py may hold several, with one <file>.bib. Files that start
    with an underscore are skipped. Raises `CatalogueError` (or `BibtexError`) for a
    card that is not literal, a name that differs from file or class, a missing
    paper, a wrong family, or a name used twice.
    """
    entries: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    for file in sorted([*src.glob("methods/*/*.py"), *src.glob("bridge/*.py")]):
        if file.name.startswith("_"):
            continue
        for entry, where in _read(file, src):
            name = entry["name"]
            if name in entries:
                raise CatalogueError(
                    f"{where}: the name {name} is already taken by {places[name]}"
                )
            entries[name], places[name] = entry, where
    return dict(sorted(entries.items()))


def dump(index: dict[str, dict[str, Any]]) -> str:
    """The exact text of index.json: readable in a diff, one method a block."""
    return json.dumps(index, indent=1, ensure_ascii=False) + "\n"


def _read(file: Path, src: Path) -> list[tuple[dict[str, Any], str]]:
    """The entries of one file, each with the place of its card."""
    import ast

    shown = file.relative_to(src).as_posix()
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise CatalogueError(f"{shown}:{error.lineno}: {error.msg}") from error
    cards = [
        (node, call)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call) and _called(call) == "method"
    ]
    in_family = file.parent.parent.name == "methods"
    if in_family and len(cards) != 1:
        raise CatalogueError(
            f"{shown}: a method file holds one class decorated with @method(...), "
            f"this one holds {len(cards)}; what methods share belongs in parts/"
        )
    if not cards:
        return []
    summary = (ast.get_docstring(tree) or "").split("\n")[0].strip()
    if not summary:
        raise CatalogueError(f"{shown}:1: the module needs a docstring")
    entries = []
    for node, call in cards:
        where = f"{shown}:{node.lineno}"
        card = _card(call, shown)
        _validate(card, node, file, where, in_family)
        docstring = ast.get_docstring(node)
        if not docstring:
            raise CatalogueError(f"{where}: {node.name} needs a docstring")
        paper = _paper(file.with_suffix(".bib"), src, card["paper"], where)
        entry = {key: card[key] for key in ("name", "family", "problem", *SETS)}
        entry |= {
            "paper": paper.key,
            "title": paper.title,
            "authors": paper.authors,
            "year": paper.year,
        }
        entry |= {
            key: card[key] for key in ("rate_of", "has_rate", "cost", "init_cost")
        }
        entry |= {key: card[key] for key in ("random", "host", "status")}
        entry |= {
            "class": node.name,
            "module": ".".join(
                ["banach", *file.relative_to(src).with_suffix("").parts]
            ),
            "summary": summary,
            "doc": docstring,
        }
        entries.append((entry, where))
    return entries


def _called(call) -> str:
    """The last name of a call's function: `method` for `core.method(...)` too."""
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def _card(call, shown: str) -> dict[str, Any]:
    """The literal arguments of a card, defaults filled in, sets sorted."""
    import ast

    where = f"{shown}:{call.lineno}"
    if call.args:
        raise CatalogueError(f"{where}: every argument of @method is named")
    card: dict[str, Any] = {**DEFAULTS, "has_rate": False}
    known = {*REQUIRED, *DEFAULTS, "rate"}
    for word in call.keywords:
        place = f"{shown}:{word.value.lineno}"
        if word.arg not in known:
            raise CatalogueError(
                f"{place}: @method has no argument {word.arg}; it has {sorted(known)}"
            )
        if word.arg == "rate":
            card["has_rate"] = not (
                isinstance(word.value, ast.Constant) and word.value.value is None
            )
            continue
        try:
            value = ast.literal_eval(word.value)
        except ValueError:
            raise CatalogueError(
                f"{place}: {word.arg} must be a literal, found "
                f"{ast.unparse(word.value)}"
            ) from None
        if word.arg in SETS:
            if isinstance(value, str):
                raise CatalogueError(f"{place}: {word.arg} is a set of words")
            value = sorted(value)
        card[word.arg] = value
    missing = [key for key in REQUIRED if key not in card]
    if missing:
        raise CatalogueError(f"{where}: @method lacks {', '.join(missing)}")
    return card


def _validate(card, node, file: Path, where: str, in_family: bool) -> None:
    """Names agree with each other and with the file's place."""
    name, family = card["name"], card["family"]
    if in_family and name != file.stem:
        raise CatalogueError(f"{where}: name {name!r} but the file is {file.name}")
    if snake_case(node.name) != name:
        raise CatalogueError(
            f"{where}: name {name!r} but the class {node.name} spells "
            f"{snake_case(node.name)!r}"
        )
    if family != file.parent.name:
        raise CatalogueError(
            f"{where}: family {family!r} but the folder is {file.parent.name}"
        )
    if card["has_rate"] and not card["rate_of"]:
        raise CatalogueError(f"{where}: a rate needs rate_of, the quantity it bounds")


def _paper(bib: Path, src: Path, key: str, where: str):
    """The reference behind a card."""
    import banach.bibtex as bibtex

    shown = bib.relative_to(src).as_posix()
    if not bib.exists():
        raise CatalogueError(f"{where}: {shown} does not exist; write the reference")
    papers = bibtex.parse(bib.read_text(encoding="utf-8"), shown)
    if key not in papers:
        raise CatalogueError(
            f"{where}: paper {key!r} is not in {shown}, which has {sorted(papers)}"
        )
    return papers[key]


def main(argv: list[str] | None = None) -> int:
    """Write or check index.json; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if argv not in (["--write"], ["--check"]):
        print("usage: python -m banach.catalogue --write | --check", file=sys.stderr)
        return 2
    from banach.bibtex import BibtexError

    try:
        text = dump(build_index(ROOT))
    except (CatalogueError, BibtexError) as error:
        print(error, file=sys.stderr)
        return 1
    current = INDEX.read_text(encoding="utf-8") if INDEX.exists() else ""
    if argv == ["--write"]:
        if text != current:
            INDEX.write_text(text, encoding="utf-8")
        return 0
    if text != current:
        print(f"{INDEX.name} is stale; cure: make index", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

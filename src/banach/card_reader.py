"""Cards read from sources by `ast`: methods, kinds of problem, checks.

Nothing is imported, so that an index of three hundred methods is made in a second and
a broken file is told by its line. A card holds literals alone.
"""

import ast
import json
from pathlib import Path
from typing import Any

import banach.bibtex as bibtex
from banach.catalogue import CatalogueError, snake_case

SETS = ("needs", "assumes")
DEFAULTS: dict[str, Any] = {
    "assumes": [],
    "rate_of": None,
    "cost": None,
    "init_cost": None,
    "random": False,
    "host": False,
    "status": "new",
}
REQUIRED = ("problem", "needs", "paper")
PLACED = ("name", "family")  # the class and the folder say them
KIND = {
    "name": str,
    "oracles": list,
    "checks": list,
    "prefers": dict,
    "views": list,
    "term": str,
    "cures": dict,
    "public": dict,
    "pieces": dict,
    "zoo": list,
}
KIND_NEEDS = ("name", "oracles", "checks")


def build(src: Path) -> dict[str, dict[str, Any]]:
    """The whole index of the package `banach` below `src`."""
    rooms = sorted(src.glob("kinds/*/problem.py"))
    kinds: dict[str, Any] = {}
    for file in rooms:
        for name, found in read_kind(file, module_of(file, src)).items():
            if name in kinds:
                raise CatalogueError(f"{file}: the kind {name} is there already")
            kinds[name] = found
    checks: dict[str, Any] = {}
    for file in sorted([*src.glob("checks/*.py"), *src.glob("kinds/*/*check.py")]):
        for name, found in read_checks(file, module_of(file, src)).items():
            if name in checks:
                raise CatalogueError(f"{file}: the check {name} is there already")
            checks[name] = found
    return {
        "methods": build_index(src),
        "kinds": dict(sorted(kinds.items())),
        "checks": dict(sorted(checks.items())),
    }


def outside(part: str, name: str, value: str) -> dict[str, dict[str, Any]]:
    """What one entry point of an installed package adds, by part of the index."""
    module, _, cls = value.partition(":")
    file = source(module)
    if part == "methods":
        read = [entry for entry, _ in _read(file, file.name, module, "outside")]
        found = {e["name"]: e for e in read if e["name"] == name}
        if not found or (cls and found[name]["class"] != cls):
            raise CatalogueError(f"{module} has no method {name!r} of class {cls!r}")
        return {"methods": found}
    kinds = read_kind(file, module)
    if name not in kinds:
        raise CatalogueError(f"{module} has no class with a card @kind(name={name!r})")
    room = module.rpartition(".")[0]
    checks: dict[str, Any] = {}
    for beside in sorted(file.parent.glob("*check.py")):
        checks |= read_checks(beside, f"{room}.{beside.stem}")
    return {"kinds": {name: kinds[name]}, "checks": checks}


def source(module: str) -> Path:
    """The file of a module of an installed package; its packages are imported."""
    from importlib import util

    spec = util.find_spec(module)
    if spec is None or spec.origin is None:
        raise CatalogueError(f"no module {module} is installed")
    return Path(spec.origin)


def module_of(file: Path, src: Path) -> str:
    """The dotted name of a file below banach."""
    return ".".join(["banach", *file.relative_to(src).with_suffix("").parts])


def dump(index: dict[str, dict[str, Any]]) -> str:
    """The exact text of index.json: readable in a diff, one entry a block."""
    return json.dumps(index, indent=1, ensure_ascii=False) + "\n"


def _parsed(file: Path, shown: str) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise CatalogueError(f"{shown}:{error.lineno}: {error.msg}") from error


def _carded(tree: ast.Module, word: str) -> list[tuple[ast.ClassDef, ast.Call]]:
    """The classes under a decorator of this name, and their cards."""
    return [
        (node, call)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call) and _called(call) == word
    ]


def read_kind(file: Path, module: str) -> dict[str, dict[str, Any]]:
    """The kinds of one file by name; a room of banach holds one."""
    shown = f"{file.parent.name}/{file.name}"
    tree = _parsed(file, shown)
    cards = _carded(tree, "kind")
    if module.startswith("banach.") and len(cards) != 1:
        raise CatalogueError(
            f"{shown}: a room holds one class under @kind(...), this one {len(cards)}"
        )
    room = module.rpartition(".")[0]
    found = {}
    for node, call in cards:
        card = _kind_card(call, shown)
        doc = ast.get_docstring(node)
        if not doc:
            raise CatalogueError(
                f"{shown}:{node.lineno}: {node.name} needs a docstring"
            )
        homes = {
            key: {
                name: f"{room}.{part}"
                for part, names in card[key].items()
                for name in names.split()
            }
            for key in ("public", "pieces")
        }
        found[card["name"]] = {
            **card,
            "public": {node.name: module, **homes["public"]},
            "pieces": homes["pieces"],
            "cures": {
                word: text
                for words, text in card["cures"].items()
                for word in words.split()
            },
            "class": node.name,
            "module": module,
            "room": room,
            "summary": (ast.get_docstring(tree) or "").split("\n")[0].strip(),
            "doc": doc,
        }
    return found


def _kind_card(call: ast.Call, shown: str) -> dict[str, Any]:
    """The literal arguments of a kind's card; words become sorted lists."""
    card: dict[str, Any] = {key: make() for key, make in KIND.items()}
    card["term"] = "the term"
    where = f"{shown}:{call.lineno}"
    if call.args:
        raise CatalogueError(f"{where}: every argument of @kind is named")
    for word in call.keywords:
        place = f"{shown}:{word.value.lineno}"
        if word.arg not in KIND:
            raise CatalogueError(
                f"{place}: @kind has no argument {word.arg}; it has {sorted(KIND)}"
            )
        try:
            value = ast.literal_eval(word.value)
        except ValueError:
            raise CatalogueError(
                f"{place}: {word.arg} must be a literal, found "
                f"{ast.unparse(word.value)}"
            ) from None
        if KIND[word.arg] is list:
            value = value.split() if isinstance(value, str) else value
            value = sorted(value) if word.arg == "oracles" else list(value)
        elif not isinstance(value, KIND[word.arg]):
            raise CatalogueError(f"{place}: {word.arg} is a {KIND[word.arg].__name__}")
        card[word.arg] = value
    missing = [key for key in KIND_NEEDS if not card[key]]
    if missing:
        raise CatalogueError(f"{where}: @kind lacks {', '.join(missing)}")
    return card


def read_checks(file: Path, module: str) -> dict[str, dict[str, Any]]:
    """The checks of one file: its public classes with a literal `name`."""
    shown = f"{file.parent.name}/{file.name}"
    found = {}
    for node in _parsed(file, shown).body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        for line in node.body:
            named = isinstance(line, ast.AnnAssign) and isinstance(
                line.target, ast.Name
            )
            if not named or line.target.id != "name" or line.value is None:
                continue
            doc = ast.get_docstring(node)
            if not doc:
                raise CatalogueError(
                    f"{shown}:{node.lineno}: {node.name}: no docstring"
                )
            found[ast.literal_eval(line.value)] = {
                "class": node.name,
                "module": module,
                "summary": doc.split("\n")[0].strip(),
                "doc": doc,
            }
    return found


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
        shown, module = file.relative_to(src).as_posix(), module_of(file, src)
        place = "family" if file.parent.parent.name == "methods" else "bridge"
        for entry, where in _read(file, shown, module, place):
            name = entry["name"]
            if name in entries:
                raise CatalogueError(
                    f"{where}: the name {name} is already taken by {places[name]}"
                )
            entries[name], places[name] = entry, where
    return dict(sorted(entries.items()))


def _read(
    file: Path, shown: str, module: str, place: str
) -> list[tuple[dict[str, Any], str]]:
    """The methods of one file, each with the place of its card."""
    tree = _parsed(file, shown)
    cards = _carded(tree, "method")
    if place == "family" and len(cards) != 1:
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
        home = "own" if place == "outside" else file.parent.name
        card = {"name": snake_case(node.name), "family": home, **_card(call, shown)}
        _validate(card, node, file, where, place)
        docstring = ast.get_docstring(node)
        if not docstring:
            raise CatalogueError(f"{where}: {node.name} needs a docstring")
        paper = _paper(file.with_suffix(".bib"), shown, card["paper"], where)
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
            "module": module,
            # An optimiser of bn.train: of Rule, or of a class made for such, in parts/.
            "rule": any(ast.unparse(b).endswith("Rule") for b in node.bases),
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
    where = f"{shown}:{call.lineno}"
    if call.args:
        raise CatalogueError(f"{where}: every argument of @method is named")
    card: dict[str, Any] = {**DEFAULTS, "has_rate": False}
    known = {*REQUIRED, *PLACED, *DEFAULTS, "rate"}
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


def _validate(card, node, file: Path, where: str, place: str) -> None:
    """Names agree with each other and, in banach, with the file's place."""
    name, family = card["name"], card["family"]
    if place == "family" and name != file.stem:
        raise CatalogueError(f"{where}: name {name!r} but the file is {file.name}")
    if snake_case(node.name) != name:
        raise CatalogueError(
            f"{where}: name {name!r} but the class {node.name} spells "
            f"{snake_case(node.name)!r}"
        )
    if place != "outside" and family != file.parent.name:
        raise CatalogueError(
            f"{where}: family {family!r} but the folder is {file.parent.name}"
        )
    if card["has_rate"] and not card["rate_of"]:
        raise CatalogueError(f"{where}: a rate needs rate_of, the quantity it bounds")


def _paper(bib: Path, shown: str, key: str, where: str) -> Any:
    """The reference behind a card."""
    shown = shown.removesuffix(".py") + ".bib"
    if not bib.exists():
        raise CatalogueError(f"{where}: {shown} does not exist; write the reference")
    papers = bibtex.parse(bib.read_text(encoding="utf-8"), shown)
    if key not in papers:
        raise CatalogueError(
            f"{where}: paper {key!r} is not in {shown}, which has {sorted(papers)}"
        )
    return papers[key]

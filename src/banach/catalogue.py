"""The catalogue: cards of methods, kinds and checks, without importing jax or them.

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

ROOT = Path(__file__).parent
INDEX = ROOT / "index.json"
# Where a package outside says what it adds: name = "package.module:Class".
GROUPS = {"methods": "banach.methods", "kinds": "banach.kinds"}


class CatalogueError(ValueError):
    """A card, file or reference that breaks a rule; the message names file and line."""


class UnknownMethod(LookupError):
    """No method has this name; the message lists the closest ones."""


@functools.cache
def own() -> dict[str, dict[str, Any]]:
    """What banach itself holds: {"methods": ..., "kinds": ..., "checks": ...}."""
    return json.loads(INDEX.read_text(encoding="utf-8"))


@functools.cache
def outside() -> dict[str, dict[str, Any]]:
    """What installed packages add by the entry points of `GROUPS`, in the same form.

    Their cards are read as banach's own are, by `ast`. A card that cannot be read is
    left out with a warning that names it: one package does not stop the others.
    """
    from importlib import metadata

    found: dict[str, dict[str, Any]] = {part: {} for part in own()}
    for part, group in GROUPS.items():
        for point in metadata.entry_points(group=group):
            from banach import card_reader

            try:
                read = card_reader.outside(part, point.name, point.value)
                for kind, entries in read.items():
                    taken = sorted(own()[kind].keys() & entries.keys())
                    if taken:
                        raise CatalogueError(f"the name {taken[0]!r} is taken")
            except (CatalogueError, ValueError, OSError, ImportError) as error:
                import warnings

                warnings.warn(
                    f"{point.name} = {point.value} ({group}) is left out: {error}",
                    stacklevel=2,
                )
                continue
            for kind, entries in read.items():
                found[kind] |= entries
    return found


def registered(module: str) -> bool:
    """Whether an installed package has added a class of this module."""
    return any(
        found["module"] == module
        for entries in outside().values()
        for found in entries.values()
    )


def load_index() -> dict[str, dict[str, Any]]:
    """Every method's entry by name: banach's, and those of packages outside."""
    return own()["methods"] | outside()["methods"]


def kinds() -> dict[str, dict[str, Any]]:
    """Every kind's entry by name."""
    return own()["kinds"] | outside()["kinds"]


def checks() -> dict[str, dict[str, Any]]:
    """Every check's entry by name."""
    return own()["checks"] | outside()["checks"]


def entry(part: str, name: str) -> dict[str, Any] | None:
    """One entry; installed packages are searched only where banach has none."""
    return own()[part].get(name) or outside()[part].get(name)


def find(name: str) -> dict[str, Any]:
    """The entry of one method; `UnknownMethod` with near names when there is none."""
    known = entry("methods", name)
    if known:
        return known
    from banach import names_elsewhere

    near = names_elsewhere.methods(name, load_index())
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UnknownMethod(
        f"no method is called {name!r}. {hint}All names: banach methods"
    )


def load_method(name: str) -> type[Any]:
    """Import and return the class of one method."""
    import importlib

    found = find(name)
    return getattr(importlib.import_module(found["module"]), found["class"])


def reference(name: str) -> str:
    """The BibTeX entry of a method's paper, as text."""
    import banach.bibtex as bibtex

    found = find(name)
    module = found["module"].split(".")
    if module[0] == "banach":
        bib = ROOT.joinpath(*module[1:]).with_suffix(".bib")
    else:
        from banach import card_reader

        bib = card_reader.source(found["module"]).with_suffix(".bib")
    papers = bibtex.parse(bib.read_text(encoding="utf-8"), bib.name)
    return papers[found["paper"]].render()


def snake_case(name: str) -> str:
    """`GradientDescent` to `gradient_descent`, `LBFGS` to `lbfgs`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.lower().replace("-", "_")


def main(argv: list[str] | None = None) -> int:
    """Write or check index.json; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if argv not in (["--write"], ["--check"]):
        print("usage: python -m banach.catalogue --write | --check", file=sys.stderr)
        return 2
    from banach import card_reader
    from banach.bibtex import BibtexError

    try:
        text = card_reader.dump(card_reader.build(ROOT))
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

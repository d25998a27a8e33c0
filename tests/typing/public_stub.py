"""What a type checker and an editor see of `import banach as bn`, committed.

    python tests/typing/public_stub.py --write     # where public names change

`banach/__init__.py` finds a name when it is first asked for, which no checker can
follow: the stub beside it names every one, with the module that it stands in. Types
are those of the sources; only what is called though it is a package is written here.
"""

import ast
import importlib
import sys
from collections import defaultdict
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "banach"
BY = '"""Written by tests/typing/public_stub.py --write; a test holds it."""\n'
PACKAGES = """\
from banach import parts as parts
from banach import terms as terms
from banach._called_packages import *
"""
TOP = """
{imports}

__version__: str
"""
# In a file of their own: what reads sources for documentation keeps the packages of
# these names, beside an import of everything, and would lose them to a variable.
CALLED = """
from types import ModuleType

from banach.core.problem import Problem
from banach.doors.listings import Listing

__all__ = ["checks", "methods"]

class Methods(ModuleType):
    def __call__(
        self, problem: Problem | str | None = None, family: str | None = None
    ) -> Listing: ...

class Checks(ModuleType):
    def __call__(self, problem: Problem | str | None = None) -> Listing: ...

methods: Methods
checks: Checks
"""


def homes() -> dict[str, str]:
    """The module that each name of `bn` stands in, of banach's own."""
    import banach as bn
    from banach import catalogue

    index, where = catalogue.own(), dict(bn._WHERE)
    for entry in index["kinds"].values():
        where |= entry["pieces"] | entry["public"]
    for part in ("methods", "checks"):
        for entry in index[part].values():
            where[entry["class"]] = entry["module"]
            direction = f"{entry['class']}Direction"
            if f"class {direction}" in _source(entry["module"]):
                where[direction] = entry["module"]
    for room in ("terms", "parts"):
        package = importlib.import_module(f"banach.{room}")
        for name in dir(package):
            where.setdefault(name, getattr(package, name).__module__)
    return {name: _written(name, home) for name, home in where.items()}


def stubs() -> dict[Path, str]:
    """The text of each stub by its file."""
    where = homes()
    imports = f"{PACKAGES}{_imports(where)}"
    texts = {
        SRC / "__init__.pyi": TOP.format(imports=imports),
        SRC / "_called_packages.pyi": CALLED,
    }
    for room in ("terms", "parts"):
        package = importlib.import_module(f"banach.{room}")
        own = {name: where[name] for name in dir(package)}
        texts[SRC / room / "__init__.pyi"] = "\n" + _imports(own) + "\n"
    return {file: BY + text for file, text in texts.items()}


def _imports(where: dict[str, str]) -> str:
    """Names by module; `as` says that a name is public."""
    by = defaultdict(list)
    for name, home in where.items():
        by[home].append(f"{name} as {name}")
    lines = []
    for home, names in sorted(by.items()):
        for name in sorted(names, key=_as_sorted):
            line = f"from {home} import {name}"
            wide = len(line) > 88
            lines.append(f"from {home} import (\n    {name},\n)" if wide else line)
    return "\n".join(lines)


def _as_sorted(name: str) -> tuple[int, str]:
    """As ruff orders the names of an import: constants, classes, functions."""
    word = name.split()[0]
    return (0 if word.isupper() else 1 if word[0].isupper() else 2), word


def _source(module: str) -> str:
    file = SRC.parent.joinpath(*module.split("."))
    package = file / "__init__.py"
    return (package if package.exists() else file.with_suffix(".py")).read_text("utf-8")


def _written(name: str, module: str) -> str:
    """The module that writes a name, where another one only passes it on."""
    for node in ast.parse(_source(module)).body:
        if isinstance(node, ast.ImportFrom):
            if any((a.asname or a.name) == name for a in node.names):
                return _written(name, node.module or "")
    return module


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    for file, text in stubs().items():
        file.write_text(text, encoding="utf-8")

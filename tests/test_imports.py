"""The import rules: layers, and one file per optional library.

The rules are data (`MAY`, `FREE`, `PRIVATE`); the checker reads sources by ast, so
it sees imports inside functions and branches too.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SRC = Path(__file__).parents[1] / "src" / "banach"

# What each layer may import from banach; a layer that is not listed sits on top and
# may import anything but racing and cli.
MAY = {
    "core": {"core"},
    "parts": {"core", "parts"},
    "estimate": {"core", "parts", "estimate"},
    "problems": {"core", "parts", "estimate", "problems"},
    "checks": {"core", "parts", "estimate", "checks"},
    "methods": {"core", "parts", "estimate", "catalogue", "methods"},
    "catalogue.py": {"bibtex"},
    "bibtex.py": set(),
    "racing": {"*", "racing"},
    "cli": {"*", "racing", "cli"},
    "__main__.py": {"*", "cli"},
}
TOP = {"racing", "cli"}
# Inside a function these may also import racing, cli and report: names that are
# looked up lazily, and the display methods of a result.
LAZY = {"__init__.py", "api.py", "core/result.py"}
LAZY_LAYERS = {"racing", "cli", "report"}
# Dependencies that any file may use; every other library has one file.
FREE = {"jax", "jaxlib", "equinox", "lineax", "optax", "jaxtyping", "numpy", "scipy"}
FREE |= {"typer", "rich", "matplotlib", "jinja2", "banach", *sys.stdlib_module_names}
PRIVATE = ("equinox.internal", "jax._src")


class Import(NamedTuple):
    """One imported dotted name, and whether the import stands in a function."""

    name: str
    line: int
    lazy: bool


def imports(tree: ast.Module, package: str) -> Iterator[Import]:
    """Every import and every attribute path to a private module."""
    aliases = {}
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, lazy = stack.pop()
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        stack += [(child, inside) for child in ast.iter_child_nodes(node)]
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.split(".")[0]] = alias.name
                yield Import(alias.name, node.lineno, lazy)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, lazy)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{aliases.get(node.value.id, node.value.id)}.{node.attr}"
            if name in PRIVATE:
                yield Import(name, node.lineno, False)


def under(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def violations(path: str, source: str, modules: set[str]) -> list[str]:
    """Broken rules of one file; `modules` are the names directly under banach."""
    parts = path.split("/")
    layer = parts[0]
    package = ".".join(["banach", *parts[:-1]])
    may = MAY.get(layer, {"*"})
    found = []
    for name, line, lazy in sorted(set(imports(ast.parse(source), package))):
        where = f"{path}:{line}"
        if path != "core/compat.py" and any(under(name, p) for p in PRIVATE):
            found.append(f"{where}: {name} belongs in core/compat.py")
        if not under(name, "banach"):
            continue
        target = [*name.split("."), ""][1]
        if target not in modules:
            # `import banach` and `from banach import solve` reach every layer.
            if "*" not in may:
                found.append(f"{where}: {layer} may not import banach itself")
            continue
        if lazy and path in LAZY and target in LAZY_LAYERS:
            continue
        if target not in may and ("*" not in may or target in TOP):
            found.append(f"{where}: {layer} may not import {target}")
        family = name.split(".")[2:3]
        if layer == target == "methods" and family != parts[1:2]:
            found.append(f"{where}: a family may not import the family {family}")
    return found


def libraries(path: str, source: str) -> set[str]:
    """The optional libraries that one file imports."""
    package = ".".join(["banach", *path.split("/")[:-1]])
    names = {name.split(".")[0] for name, _, _ in imports(ast.parse(source), package)}
    return names - FREE


def sources() -> dict[str, str]:
    return {
        file.relative_to(SRC).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(SRC.rglob("*.py"))
    }


def known(files: dict[str, str]) -> set[str]:
    return {path.split("/")[0].removesuffix(".py") for path in files}


def test_layers():
    files = sources()
    assert len(files) > 5
    found = [
        line
        for path, source in files.items()
        for line in violations(path, source, known(files))
    ]
    assert not found, "\n" + "\n".join(found)


def test_an_optional_library_has_one_file():
    users = defaultdict(list)
    for path, source in sources().items():
        for library in libraries(path, source):
            users[library].append(path)
    shared = {library: paths for library, paths in users.items() if len(paths) > 1}
    assert not shared


# The checker itself: each bad snippet breaks exactly one rule, each good one none.

MODULES = {"core", "parts", "problems", "estimate", "checks", "methods", "bridge"}
MODULES |= {"api", "racing", "cli", "report", "catalogue", "zoo", "claims"}


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("core/run.py", "import banach.methods", "core may not import methods"),
        ("core/run.py", "from banach import parts", "core may not import parts"),
        ("core/run.py", "from ..checks import gap", "core may not import checks"),
        ("core/run.py", "def f():\n  from banach import api", "not import api"),
        ("core/run.py", "import banach as bn", "may not import banach itself"),
        ("core/run.py", "from banach import solve", "may not import banach itself"),
        ("core/result.py", "from banach import report", "core may not import report"),
        ("parts/a.py", "from banach.problems import Glm", "not import problems"),
        ("problems/a.py", "from banach import checks", "not import checks"),
        ("problems/a.py", "if X:\n  import banach.methods.smooth", "not import meth"),
        ("checks/a.py", "from banach.methods.smooth import x", "not import methods"),
        ("methods/smooth/a.py", "from banach import checks", "not import checks"),
        ("methods/smooth/a.py", "from ..composite import fista", "family may not"),
        ("methods/smooth/a.py", "from banach import bridge", "not import bridge"),
        ("api.py", "from banach import racing", "api.py may not import racing"),
        ("bridge/a.py", "def f():\n  import banach.cli", "bridge may not import cli"),
        ("report/page.py", "import banach.racing", "report may not import racing"),
        ("core/run.py", "import equinox.internal as eqxi", "core/compat.py"),
        ("core/run.py", "from jax._src import core", "core/compat.py"),
        ("core/run.py", "from jax import _src", "core/compat.py"),
        ("core/run.py", "import equinox as eqx\neqx.internal.x", "core/compat.py"),
    ],
)
def test_the_checker_sees_a_broken_rule(path, source, message):
    found = violations(path, source, MODULES)
    assert len(found) == 1 and message in found[0], found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/run.py", "from banach.core import tree\nfrom .card import Card"),
        ("core/result.py", "def plot(self):\n  from banach.report import figure"),
        ("core/compat.py", "from jax._src import core\nimport equinox.internal"),
        ("problems/a.py", "from banach.parts import prox"),
        ("methods/smooth/a.py", "from .b import c\nfrom banach import catalogue"),
        ("api.py", "def f():\n  from banach import racing"),
        ("api.py", "from banach import methods, checks"),
        ("__main__.py", "from banach.cli import main"),
        ("cli/main.py", "from banach import racing, report"),
        ("core/run.py", "import jax\njax.scipy.linalg.norm"),
    ],
)
def test_the_checker_lets_good_imports_pass(path, source):
    assert violations(path, source, MODULES) == []


def test_the_checker_sees_optional_libraries():
    source = "import jax.scipy, numpy\ndef f():\n  from sklearn.svm import x"
    assert libraries("bridge/a.py", source) == {"sklearn"}
    assert libraries("bridge/scipy.py", "from . import sklearn") == set()

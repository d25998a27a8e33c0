"""The import rules: layers, and one file per optional library.

The rules are data (`MAY`, `FREE`, `PRIVATE`); the checker reads sources by ast, so
it sees imports inside functions and branches too.
"""

import ast
import importlib
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
    # The catalogue is plain data, which card and cure are read from.
    "core": {"core", "catalogue"},
    "engine": {"core", "engine"},
    "terms": {"core", "terms", "lazy"},
    "parts": {"core", "terms", "parts", "lazy"},
    "lazy.py": set(),
    "estimate": {"core", "terms", "parts", "estimate"},
    "kinds": {"core", "engine", "terms", "parts", "estimate", "kinds"},
    "checks": {"core", "terms", "parts", "estimate", "catalogue", "checks"},
    "methods": {"core", "terms", "parts", "estimate", "catalogue", "methods"},
    # A kind's own check, and its ready problems, stand in its room.
    "kinds/check": {"core", "terms", "parts", "estimate", "checks", "kinds"},
    "kinds/zoo": {"*"},
    "catalogue.py": {"bibtex", "card_reader", "names_elsewhere"},
    "card_reader.py": {"bibtex", "catalogue"},
    "names_elsewhere.py": set(),
    "bibtex.py": set(),
    "racing": {"*", "racing"},
    "cli": {"*", "racing", "cli"},
    "__main__.py": {"*", "cli"},
}
TOP = {"racing", "cli"}
# Inside a function these may also import racing, cli and report: names that are
# looked up lazily, and the display methods of a result.
DISPLAY = {"racing", "cli", "report"}
LAZY = dict.fromkeys(("__init__.py", "doors/solve.py", "core/result.py"), DISPLAY)
LAZY |= {"engine/solve_many_results.py": {"report"}}
# Packages that answer as a door does when they are called.
LAZY |= {"methods/__init__.py": {"doors"}, "checks/__init__.py": {"doors"}}
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


def is_check(names: list[str]) -> bool:
    """Whether a file of a kind's room holds a check: check.py, or some_check.py."""
    return any(name == "check" or name.endswith("_check") for name in names)


def layer_of(parts: list[str]) -> str:
    """The row of `MAY` for a file below banach."""
    if parts[0] == "kinds" and len(parts) > 2:
        stem = parts[-1].removesuffix(".py")
        if stem == "zoo":
            return "kinds/zoo"
        if is_check([stem]):
            return "kinds/check"
    return parts[0]


def violations(path: str, source: str, modules: set[str]) -> list[str]:
    """Broken rules of one file; `modules` are the names directly under banach."""
    parts = path.split("/")
    layer = layer_of(parts)
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
        if lazy and target in LAZY.get(path, ()):
            continue
        if target not in may and ("*" not in may or target in TOP):
            found.append(f"{where}: {layer} may not import {target}")
        if layer == "kinds" and is_check(name.split(".")[3:4]):
            found.append(f"{where}: a problem may not import the check of a kind")
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


@pytest.mark.parametrize("package", ["banach", "banach.parts", "banach.terms"])
def test_no_lazy_name_is_that_of_a_file(package):
    # An imported submodule becomes an attribute, and would be what is found next time.
    module = importlib.import_module(package)
    files = {file.stem for file in Path(module.__file__).parent.glob("*.py")}
    assert len(dir(module)) > 5 and len(files) > 5
    assert not files & set(dir(module))


# The checker itself: each bad snippet breaks exactly one rule, each good one none.

MODULES = {"core", "engine", "terms", "parts", "estimate", "kinds", "checks", "methods"}
MODULES |= {"doors", "racing", "cli", "report", "catalogue", "zoo", "claims", "bridge"}


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("engine/loop.py", "import banach.methods", "engine may not import methods"),
        ("engine/loop.py", "from banach import parts", "engine may not import parts"),
        ("engine/loop.py", "from ..checks import gap", "engine may not import checks"),
        ("engine/loop.py", "def f():\n  from banach import doors", "not import doors"),
        ("engine/loop.py", "import banach as bn", "may not import banach itself"),
        ("engine/loop.py", "from banach import solve", "may not import banach itself"),
        ("core/result.py", "from banach import report", "core may not import report"),
        ("parts/a.py", "from banach.kinds import glm", "not import kinds"),
        (
            "core/check.py",
            "from banach.engine import loop",
            "core may not import engine",
        ),
        ("kinds/glm/problem.py", "from banach import checks", "not import checks"),
        (
            "kinds/glm/problem.py",
            "from banach.kinds.glm import check",
            "import the check",
        ),
        ("kinds/a/b.py", "if X:\n  import banach.methods.smooth", "not import meth"),
        (
            "kinds/glm/check.py",
            "from banach.methods.smooth import x",
            "not import meth",
        ),
        ("checks/a.py", "from banach.methods.smooth import x", "not import methods"),
        ("methods/smooth/a.py", "from banach import checks", "not import checks"),
        ("methods/smooth/a.py", "from ..composite import fista", "family may not"),
        ("methods/smooth/a.py", "from banach import bridge", "not import bridge"),
        ("doors/relay.py", "from banach import racing", "doors may not import racing"),
        ("bridge/a.py", "def f():\n  import banach.cli", "bridge may not import cli"),
        ("report/page.py", "import banach.racing", "report may not import racing"),
        ("engine/loop.py", "import equinox.internal as eqxi", "core/compat.py"),
        ("engine/loop.py", "from jax._src import core", "core/compat.py"),
        ("engine/loop.py", "from jax import _src", "core/compat.py"),
        ("engine/loop.py", "import equinox as eqx\neqx.internal.x", "core/compat.py"),
    ],
)
def test_the_checker_sees_a_broken_rule(path, source, message):
    found = violations(path, source, MODULES)
    assert len(found) == 1 and message in found[0], found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("engine/loop.py", "from banach.core import tree\nfrom .card import Card"),
        ("core/result.py", "def plot(self):\n  from banach.report import figure"),
        ("core/compat.py", "from jax._src import core\nimport equinox.internal"),
        ("kinds/glm/problem.py", "from banach.terms import norms"),
        ("kinds/glm/gap_check.py", "from banach.checks import evaluation"),
        ("kinds/glm/zoo.py", "from banach.zoo import registry"),
        ("methods/smooth/a.py", "from .b import c\nfrom banach import catalogue"),
        ("doors/solve.py", "def f():\n  from banach import racing"),
        ("doors/defaults.py", "from banach import methods, checks"),
        ("__main__.py", "from banach.cli import main"),
        ("cli/main.py", "from banach import racing, report"),
        ("engine/loop.py", "import jax\njax.scipy.linalg.norm"),
    ],
)
def test_the_checker_lets_good_imports_pass(path, source):
    assert violations(path, source, MODULES) == []


def test_the_checker_sees_optional_libraries():
    source = "import jax.scipy, numpy\ndef f():\n  from sklearn.svm import x"
    assert libraries("bridge/a.py", source) == {"sklearn"}
    assert libraries("bridge/scipy.py", "from . import sklearn") == set()

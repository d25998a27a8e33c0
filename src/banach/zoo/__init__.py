"""Ready problems by name, and problems stated in a user's file."""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from banach.core.problem import Misuse, Problem

# Each says which names it knows, lists them, and loads them.
HOMES = (
    "problems functions sums inclusions constrained bilevel relu fixed_point pde "
    "transport linear"
).split()


def is_file(spec: str) -> bool:
    """Whether a PROBLEM is written file.py:object."""
    path, _, name = spec.rpartition(":")
    return path.endswith(".py") and bool(name)


def load(spec: str) -> Problem:
    """The problem of a built-in name ("lasso:diabetes") or "file.py:object"."""
    if is_file(spec):
        return _from_file(spec)
    if spec.endswith(".py"):
        raise Misuse(f"name the object too: {spec}:problem")
    for home in _homes():
        if home.knows(spec):
            return home.load(spec)
    import difflib

    known = [row["name"] for row in names()]
    near = difflib.get_close_matches(spec, known, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise Misuse(f"no problem is called {spec!r}.{hint} All names: banach problems")


def names() -> list[dict[str, str]]:
    """name, title and kind of every built-in problem."""
    return [row for home in _homes() for row in home.names()]


def source(spec: str) -> dict[str, Any]:
    """What a saved run keeps, so that its problem can be loaded again."""
    if not is_file(spec):
        return {"zoo": spec}
    path, _, name = spec.rpartition(":")
    file = Path(path).resolve()
    return {"file": str(file), "object": name, "sha256": _digest(file)}


def from_source(stated: dict[str, Any]) -> Problem:
    """Load the problem that a saved run names; a changed file is refused."""
    if "zoo" in stated:
        return load(stated["zoo"])
    file = Path(stated["file"])
    spec = f"{file}:{stated['object']}"
    if not file.exists():
        raise Misuse(
            f"the run's problem lived in {file}, which is gone; pass problem= "
            "(--problem on the command line)"
        )
    if _digest(file) != stated["sha256"]:
        raise Misuse(
            f"{file} has changed since the run was saved; restore it, or state the "
            "problem to judge against with problem= (--problem)"
        )
    return load(spec)


def _homes() -> list[Any]:
    return [importlib.import_module(f"banach.zoo.{home}") for home in HOMES]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _from_file(spec: str) -> Problem:
    path, _, name = spec.rpartition(":")
    file = Path(path)
    if not file.exists():
        raise Misuse(f"no file {path} (from PROBLEM {spec!r})")
    module_spec = importlib.util.spec_from_file_location(f"_banach_{file.stem}", file)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    try:
        module_spec.loader.exec_module(module)
    except Exception as e:
        raise Misuse(f"{path} failed to import: {type(e).__name__}: {e}") from e
    public = [k for k, v in vars(module).items() if isinstance(v, Problem)]
    if name not in vars(module):
        offers = ", ".join(public) or "no problem at all"
        raise Misuse(f"{path} has no object {name!r}; it offers {offers}")
    found = vars(module)[name]
    if callable(found) and not isinstance(found, Problem):
        try:
            found = found()
        except Exception as e:
            raise Misuse(f"{spec}() failed: {type(e).__name__}: {e}") from e
    if not isinstance(found, Problem):
        raise Misuse(
            f"{spec} is a {type(found).__name__}, not a problem; state it as "
            "bn.Smooth(f, x0), bn.Composite(...) or bn.GLM(...)"
        )
    return found

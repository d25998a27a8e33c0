"""Problems by the name that they have here, or in a user's file."""

import hashlib
import sys
import types
from pathlib import Path
from typing import Any

from banach.core import compat
from banach.core.problem import Misuse, Problem
from banach.zoo import is_file, names, shelves


def load(spec: str) -> Problem:
    """The problem of a built-in name ("lasso:diabetes") or "file.py:object"."""
    if is_file(spec):
        return _from_file(spec)
    if spec.endswith(".py"):
        raise Misuse(f"name the object too: {spec}:problem")
    for shelf in shelves(spec.partition(":")[0]):
        if shelf.knows(spec):
            return shelf.load(spec)
    import difflib

    known = [row["name"] for row in names()]
    near = difflib.get_close_matches(spec, known, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise Misuse(f"no problem is called {spec!r}.{hint} All names: banach problems")


def source(spec: str) -> dict[str, Any]:
    """What a saved run keeps, so that its problem can be loaded again."""
    if not is_file(spec):
        return {"zoo": spec}
    path, _, name = spec.rpartition(":")
    file = Path(path).resolve()
    return {"file": str(file), "object": name, "sha256": _digest(file)}


def from_source(stated: dict[str, Any], *, trust: bool = False) -> Problem:
    """Load the problem that a saved run names.

    A built-in name is looked up, never executed. A user's Python file is executed
    with `trust` alone, if it is the file that was there when the run was saved; that
    is told on stderr before it happens. What the file itself imports is not compared.
    """
    if set(stated) == {"zoo"}:
        return _built_in(stated["zoo"])
    words = all(isinstance(v, str) and "\0" not in v for v in stated.values())
    if set(stated) != {"file", "object", "sha256"} or not words:
        raise Misuse("the run names no problem that this banach can load")
    file, name = Path(stated["file"]), stated["object"]
    if file.suffix != ".py" or not name.isidentifier():
        raise Misuse(f"the run names {file}:{name}, which is no file.py:object")
    if not trust:
        raise Misuse(
            f"the run's problem is {file}:{name}, a Python file that would be executed "
            "to load it. Read that file, then pass trust=True (--trust on the command "
            "line); or state the problem yourself with problem= (--problem)"
        )
    if not file.is_file():
        raise Misuse(
            f"the run's problem lived in {file}, which is gone; pass problem= "
            "(--problem on the command line)"
        )
    source = _source(file)
    if hashlib.sha256(source).hexdigest() != stated["sha256"]:
        raise Misuse(
            f"{file} has changed since the run was saved; restore it, or state the "
            "problem to judge against with problem= (--problem)"
        )
    print(f"banach: executing {file}, as trusted", file=sys.stderr, flush=True)
    return _executed(source, file, name)


def _built_in(name: Any) -> Problem:
    """The problem of a built-in name, and of nothing else."""
    if not isinstance(name, str) or is_file(name) or name.endswith(".py"):
        raise Misuse(f"the run names {name!r:.80}, which is no built-in problem")
    size = name.rpartition(":")[2]
    if size.isdecimal() and len(size) > 8:
        raise Misuse(f"the run names {name!r:.80}, more unknowns than a run has")
    return load(name)


def _digest(file: Path) -> str:
    return hashlib.sha256(_source(file)).hexdigest()


def _source(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as e:
        raise Misuse(f"{file} cannot be read: {e.strerror or e}") from e


def _from_file(spec: str) -> Problem:
    path, _, name = spec.rpartition(":")
    file = Path(path)
    if not file.exists():
        raise Misuse(f"no file {path} (from PROBLEM {spec!r})")
    return _executed(_source(file), file, name)


def _executed(source: bytes, file: Path, name: str) -> Problem:
    """The object of a user's file; exactly these bytes are run, no cached program.

    In the precision that the file has as a script, so that it is one problem whether
    its file is named or imported.
    """
    with compat.no_double():
        return _run(source, file, name)


def _run(source: bytes, file: Path, name: str) -> Problem:
    module = types.ModuleType(f"_banach_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)
    except (Exception, SystemExit) as e:
        raise Misuse(f"{file} failed to import: {type(e).__name__}: {e}") from e
    public = [k for k, v in vars(module).items() if isinstance(v, Problem)]
    if name not in vars(module):
        offers = ", ".join(public) or "no problem at all"
        raise Misuse(f"{file} has no object {name!r}; it offers {offers}")
    found = vars(module)[name]
    if callable(found) and not isinstance(found, Problem):
        try:
            found = found()
        except Exception as e:
            raise Misuse(f"{file}:{name}() failed: {type(e).__name__}: {e}") from e
    if not isinstance(found, Problem):
        raise Misuse(
            f"{file}:{name} is a {type(found).__name__}, not a problem; state it as "
            "bn.Smooth(f, x0), bn.Composite(...) or bn.GLM(...)"
        )
    return found

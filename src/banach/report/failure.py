"""One file about one run, for somebody who has neither the data nor the machine.

With the data in it, the file is a saved run (`core.save`) with one more section,
`report`: `banach verify` and `bn.load` read it. Without them it is the same document
less problem, point, multipliers and check, of another `kind`; what it says of arrays is
their shape, dtype, range, condition and hash. `doors.reproduce` reads both.
"""

import hashlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from banach.core import atomic_files, compat
from banach.core.misuse import Misuse
from banach.core.printing import number
from banach.core.result import LeftOut
from banach.core.save import SCHEMA, Store, document, encode, seal, write
from banach.engine import restore
from banach.engine.restore import REPORT as KIND

FEW = 4  # entries of an array that its range would give away
CONDITION_UP_TO = 1 << 20  # entries of a matrix whose singular values are computed
# A path of at least one folder; what is behind the last separator stays.
_PATHS = re.compile(
    r"(?:file://)?(?:(?<![\w./\\])~?(?:/[\w.@+-]+)+/|[A-Za-z]:\\(?:[^\\\s:]+\\)+)"
)
# Where words are found; data that were agreed to are left as they are.
_WORDS = ("reason", "hint", "peer", "manifest")
_TOLD = ("environment", "problem", "attach", "again")


def write_report(result: Any, path: Any, data: bool) -> Path:
    """Write the report of a Result; see `Result.report`."""
    if not isinstance(data, bool):
        raise Misuse(f"data must be True or False, got {data!r}")
    said = as_report(result, data)
    if path is None:
        path = f"banach-report-{said['run_id'][:8]}.json"
    path = atomic_files.tried(path)
    with atomic_files.unwritable(path), atomic_files.Lock(path):
        write(path, said, Store())
    return path


def as_report(result: Any, data: bool = False) -> dict[str, Any]:
    """The report of a Result as plain data, sealed by its `run_id`."""
    with compat.double():
        whole, why = _whole(result, data)
        if whole is None:
            whole = result.to_dict() | {
                "schema_version": SCHEMA,
                "kind": KIND,
                "problem_id": result.problem_id,
                "key": Store(inline=True).put(result.key_data),
            }
        open_ = whole["kind"] != KIND
        asked, lacks = _asked(result, open_)
        needs = [*why, *lacks]
        if not open_:
            _veil(whole, result.problem)
        whole["report"] = {
            "environment": environment(),
            "problem": _problem(result.problem, open_),
            "asked": asked,
            "attach": needs,
            "again": _again(result, open_, bool(needs)),
        }
    known = _folders()
    told = whole["report"]
    for said, fields in ((whole, _WORDS), (told, _TOLD)):
        said |= {k: _scrubbed(said[k], known) for k in fields}
    return seal(whole)


def environment() -> dict[str, Any]:
    """What the numbers of a run may depend on; no name of a host, user or folder."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cores": os.cpu_count(),
        "devices": [f"{d.platform}:{d.device_kind}" for d in jax.devices()],
        "matmul_precision": str(
            jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        ),
    }


def _whole(result: Any, data: bool) -> tuple[dict[str, Any] | None, list[str]]:
    """The saved run with all arrays inline, if it may and can be; what it lacks."""
    source, problem = result.source, result.problem
    built_in = source is not None and set(source) == {"zoo"}
    if not data and not built_in:
        return None, [
            f"the data of the problem: result.report(path, data=True); {_hash(result)}"
        ]
    if isinstance(problem, LeftOut):
        return None, ["the problem: this result was pickled without its functions"]
    store = Store(inline=True)
    try:
        plain = result if built_in else result.replaced(source=None)
        whole = document(plain, store)
        restore.check_of(whole, restore.Store())
        if not built_in:
            restore.problem_of(whole, restore.Store(), None)
    except Misuse as refused:
        said = f"the code that states the problem ({refused})"
        if source is not None:
            name = Path(source["file"]).name
            said = (
                f"{name}, whose object {source['object']!r} is the problem (sha256 "
                f"{source['sha256']}), with the data that it reads"
            )
        return None, [said]
    return whole, []


def _asked(result: Any, open_: bool) -> tuple[dict[str, Any], list[str]]:
    """What the run was given beside its problem, and what of that is left out."""
    asked = result.asked or {"default": False, "resumed": False, "start": None}
    kept = {k: v for k, v in asked.items() if k != "start"}
    method, lacks = _coded(result.method, "method", open_)
    if asked["default"]:
        method, lacks = None, []
    check, more = _coded(result.check, "check", open_)
    start = None
    lacks += more
    if asked["start"] is not None:
        point = jax.device_get(asked["start"])
        if open_:
            start = encode([point.x, point.dual], Store(inline=True))
        else:
            lacks.append(f"the start: {_arrays_text(point.x)}")
    if asked["resumed"]:
        lacks.append("the checkpoint that the run went on from")
    if result.asked is None:
        lacks.append("its start, if it had one: lanes of bn.solve_many do not keep it")
    return kept | {
        "method": method,
        "check": check,
        "start": start,
        "given_start": asked["start"] is not None,
        "seed": int(result.manifest["seed"]),
    }, lacks


def _coded(value: Any, what: str, open_: bool) -> tuple[Any, list[str]]:
    """A method or a check as data; without consent only where it holds no array."""
    name = value.label() if what == "method" else value.name
    if isinstance(value, LeftOut):
        return None, [f"the {what} {name}: it holds functions"]
    held = jax.device_get(value)
    if not open_ and any(np.ndim(v) for v in jax.tree.leaves(held)):
        return None, [f"the arrays of the {what} {name}"]
    try:
        coded = encode(held, Store(inline=True))
        restore.decode(coded, restore.Store())
    except Misuse as refused:
        return None, [f"the {what} {name} ({refused})"]
    return coded, []


def _problem(problem: Any, open_: bool) -> dict[str, Any]:
    """What may be said of any problem: formula, sizes, facts, and its arrays."""
    if isinstance(problem, LeftOut):
        return {"kind": problem.name}
    formula = problem.formula()
    return {
        "title": problem.title(),
        "kind": problem.kind,
        # The labels of classes are data.
        "formula": formula if open_ else formula.partition(", classes ")[0],
        "size": problem.size(),
        "facts": {k: _plain(v) for k, v in problem.facts().table().items()},
        "arrays": [described(name, a) for name, a in _arrays(problem)],
    }


def _arrays(tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if isinstance(leaf, np.ndarray | np.generic | jax.Array):
            yield jax.tree_util.keystr(path), np.asarray(leaf)


def described(name: str, a: np.ndarray) -> dict[str, Any]:
    """An array in numbers that do not give it away."""
    said: dict[str, Any] = {
        "name": name, "shape": list(a.shape), "dtype": str(a.dtype)
    }  # fmt: skip
    if a.dtype.kind not in "biuf" or (a.ndim and a.size < FEW):
        return said
    good = np.isfinite(a)
    seen = a[good].astype(float)
    if seen.size:
        said |= {"least": number(seen.min()), "greatest": number(seen.max())}
        small = abs(seen[seen != 0])
        said["least_nonzero"] = number(small.min()) if small.size else None
    said |= {"zeros": int((a == 0).sum()), "not_finite": int((~good).sum())}
    if a.ndim == 2 and min(a.shape) > 1 and good.all():
        norms = np.linalg.norm(a.astype(float), axis=0)
        said["column_norms"] = [number(norms.min()), number(norms.max())]
        if a.size <= CONDITION_UP_TO:
            values = np.linalg.svd(a.astype(float), compute_uv=False)
            least = values[-1]
            said["condition"] = number(values[0] / least) if least else None
            said["rank"] = int((values > values[0] * max(a.shape) * 2.0**-52).sum())
    return said


def _again(result: Any, open_: bool, lacking: bool) -> list[str]:
    """How a reader runs it again."""
    banach = result.manifest["versions"]["banach"]
    install = f"with banach {banach} and the versions of manifest.versions"
    if open_:
        if lacking:
            return [install, "bn.verify(file), of the answer; see attach for the run"]
        return [install, "banach verify FILE", "banach reproduce FILE"]
    return [
        install,
        "get what `attach` names, state the problem in mine.py, then "
        "banach reproduce FILE --problem mine.py:problem",
    ]


def _hash(result: Any) -> str:
    return f"they have the hash {result.problem_id}"


def _arrays_text(tree: Any) -> str:
    digest = hashlib.sha256()
    sizes = []
    for _, a in _arrays(tree):
        digest.update(np.ascontiguousarray(a).tobytes())
        sizes.append(f"{a.dtype}{list(a.shape)}")
    return f"{', '.join(sizes)}, sha256 {digest.hexdigest()[:16]}"


def _plain(value: Any) -> Any:
    """A fact as JSON: numbers as numbers, all else in words."""
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    try:
        return number(value)
    except (TypeError, ValueError):
        return str(value)


def _veil(whole: dict[str, Any], problem: Any) -> None:
    """Names of columns and labels of classes, out of the words of a run."""
    names = {repr(c): f"column {j}" for j, c in enumerate(_names(problem, "columns"))}
    names |= {repr(c): f"class {k}" for k, c in enumerate(_names(problem, "classes"))}
    for field in ("reason", "hint"):
        for name, said in names.items():
            whole[field] = whole[field].replace(name, said)


def _names(problem: Any, field: str) -> tuple[Any, ...]:
    try:
        return tuple(getattr(problem, field) or ())
    except AttributeError:
        return ()


def _scrubbed(value: Any, known: tuple[str, ...]) -> Any:
    """Words without folders: of a path its last name stays."""
    if isinstance(value, str):
        for folder in known:
            value = value.replace(folder + os.sep, "").replace(folder, "")
        return _PATHS.sub("", value)
    if isinstance(value, dict):
        return {k: _scrubbed(v, known) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(v, known) for v in value]
    return value


def _folders() -> tuple[str, ...]:
    """Folders of this machine that no pattern may miss, such as one with a space."""
    own = (os.getcwd(), os.path.expanduser("~"), tempfile.gettempdir(), sys.prefix)
    return tuple(sorted((f for f in own if len(f) > 1), key=len, reverse=True))

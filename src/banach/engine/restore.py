"""Saved runs read back. A file is data: nothing in it is believed or executed.

Every array, number and word is looked at before it is used; classes are banach's own
and are built by their constructors, or else made again and validated whole; whatever
is wrong with a file is one `Misuse`. A saved verdict is never believed: `verify`
looks again, and `resume` judges a finished run's point before it calls it certified.
"""

import base64
import binascii
import contextlib
import dataclasses
import errno
import hashlib
import importlib
import inspect
import io
import json
import math
import os
import re
import types
import typing
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from banach.core import atomic_files, tree
from banach.core import save as saving
from banach.core.check import GRADES, ROUNDINGS, SCALES_FROM, Check, Prepared
from banach.core.method import Method, completed
from banach.core.point import Point
from banach.core.problem import Misuse, Problem, recheck
from banach.engine import loop, problem_cache, tiers
from banach.engine.judge import judged
from banach.engine.plan import Limits

DEEPEST = 100  # levels of a saved document
_LARGEST = 1 << 48  # bytes of one array, far beyond any memory
_DTYPE = re.compile(r"[<>|](b1|[iu][1248]|f(2|4|8|12|16))")
REPORT = "report of a banach run"  # of a document without the data of its problem
_BESIDE = re.compile(r"[^/\\:\0]+\.[0-9a-f]{16}\.npz")
_SEALED = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")
_BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError,
    MemoryError, NotImplementedError, RecursionError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


@contextlib.contextmanager
def clear(path: Any, *, named: bool = True) -> Iterator[None]:
    """One clear error for whatever a file holds that fits nothing.

    A Misuse gets the file's name in front, unless it may be about something else.
    """
    try:
        yield
    except Misuse as e:
        if not named or str(path) in str(e):
            raise
        raise Misuse(f"{path}: {e}") from e
    except _BROKEN as e:
        said = str(e).splitlines()[0][:200] if str(e) else ""
        raise Misuse(
            f"{path} holds data that do not fit together ({type(e).__name__}: {said}); "
            "it was damaged or written by hand: solve again and save anew"
        ) from e


class Store(saving.Store):
    """The arrays of one file that was read."""

    def get(self, item: Any) -> np.ndarray:
        """The array of a stand-in, bit for bit; its dtype, shape and bytes agree."""
        head = _only(item, "array")
        if not isinstance(head, dict):
            raise Misuse(f"an array is written as {_short(head)}")
        _keys(head, {"dtype", "shape"}, {"base64", "npz", "sha256"}, "an array")
        dtype, shape = _dtype(head["dtype"]), _shape(head["shape"])
        if ("npz" in head) == ("base64" in head):
            raise Misuse("an array needs its bytes either here or in the .npz file")
        if "npz" in head:
            raw = self._beside(head)
        else:
            raw = _bytes(head["base64"])
        if len(raw) != dtype.itemsize * math.prod(shape):
            raise Misuse(
                f"an array of shape {shape} and dtype {dtype} has {len(raw)} bytes"
            )
        if dtype.kind == "b" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
            raise Misuse("an array of booleans holds other numbers than 0 and 1")
        out = np.empty(shape, dtype)
        if raw:
            out = np.frombuffer(raw, dtype).reshape(shape).copy()
        return out

    def _beside(self, head: dict[str, Any]) -> bytes:
        name = head["npz"]
        if not isinstance(name, str) or name not in self.arrays:
            raise Misuse("the saved run lacks its .npz file; keep both files together")
        raw = self.arrays[name].tobytes()
        if hashlib.sha256(raw).hexdigest() != head.get("sha256"):
            raise Misuse(
                f"the array {name} in the .npz file is not the one that was saved"
            )
        return raw


def decode(item: Any, store: Store, kind: type = object, depth: int = 0) -> Any:
    """The inverse of `save.encode`, an instance of `kind`, or Misuse."""
    value = _decoded(item, store, depth)
    if not isinstance(value, kind):
        raise Misuse(
            f"the file holds a {type(value).__name__} in the place of a {kind.__name__}"
        )
    return value


def _decoded(item: Any, store: Store, depth: int) -> Any:
    if depth > DEEPEST:
        raise Misuse("the file is nested too deeply for a saved run")
    if not isinstance(item, dict):
        if item is None or isinstance(item, bool | str):
            return item
        if isinstance(item, int) and abs(item) < 2**31:
            return item
        raise Misuse(f"the file holds {_short(item)} where a value is coded")
    if "class" in item:
        return _build(item, store, depth)
    if len(item) != 1:
        raise Misuse(f"the file codes a value by the keys {sorted(item)}")
    (form, inner), below = next(iter(item.items())), depth + 1
    if form == "array":
        return store.get(item)
    if form == "float" and isinstance(inner, str):
        number = float.fromhex(inner)
        if math.isnan(number):
            raise Misuse("the file holds NaN in the place of a number")
        return number
    if form == "struct" and isinstance(inner, list) and len(inner) == 2:
        return jax.ShapeDtypeStruct(_shape(inner[0]), np.dtype(_word(inner[1])))
    if form in ("tuple", "list") and isinstance(inner, list):
        values = [_decoded(v, store, below) for v in inner]
        return tuple(values) if form == "tuple" else values
    if form == "dict" and isinstance(inner, list):
        pairs = [(_word(k), _decoded(v, store, below)) for k, v in inner]
        if len(dict(pairs)) != len(pairs):
            raise Misuse("the file holds a dict with a key twice")
        return dict(pairs)
    if form == "frozenset" and isinstance(inner, list):
        return frozenset(map(_word, inner))
    raise Misuse(f"the file codes a value by {form!r}: {_short(inner)}")


def _build(item: dict[str, Any], store: Store, depth: int) -> Any:
    """A module of banach's, by its constructor, or made again and validated."""
    _keys(item, {"class", "fields"}, set(), "a class")
    cls = _class(item["class"])
    given = item["fields"]
    own = {f.name: f for f in dataclasses.fields(cls)}
    if not isinstance(given, dict) or set(given) != set(own):
        raise Misuse(f"the file was written by another version of {item['class']}")
    values = {k: _decoded(v, store, depth + 1) for k, v in given.items()}
    for name, field in own.items():
        _suits(values[name], field, cls)
    if issubclass(cls, Problem):
        return _stated(cls, values)
    return _constructed(cls, values) or _again(cls, values)


def _class(name: Any) -> type:
    module, _, own = _word(name).partition(":")
    if not saving.home(module) or not saving.top(own):
        raise Misuse(f"the file names the class {name!r}, not one of banach's")
    root = Path(__file__).parent.parent
    known = root.joinpath(*module.split(".")[1:]).with_suffix(".py").is_file()
    if module.startswith("banach.") and not known:
        raise Misuse(f"the file names {name!r}, which this banach does not have")
    cls = getattr(importlib.import_module(module), own, None)
    if not (isinstance(cls, type) and issubclass(cls, eqx.Module)):
        raise Misuse(f"the file names {name!r}, which is no banach class")
    if cls.__module__ != module or inspect.isabstract(cls) or cls is Prepared:
        raise Misuse(f"the file names {name!r}, of which nothing can be built")
    return cls


def _stated(cls: type, values: dict[str, Any]) -> Any:
    """A problem of these fields, which its own constructor would store just so."""
    if cls.restated is Problem.restated:  # type: ignore[attr-defined]
        raise Misuse(
            f"{cls.__name__} cannot be read from a file, for it gives no constructor "
            "again; state the problem in a file and solve 'file.py:object'"
        )
    made = _set(cls, values)
    _numbers(made)
    made.validate()
    return made


def _constructed(cls: type, values: dict[str, Any]) -> Any:
    """What cls(...) accepts, where its arguments are its fields; else None.

    What comes out has the values that were saved: a constructor that changes one says
    that it was never there. Number or array, and of which dtype, is as it was saved: a
    run keeps its method's numbers as arrays of its own dtype.
    """
    parameters = inspect.signature(cls).parameters
    if set(parameters) != set(values):
        return None
    many = [
        k for k, p in parameters.items() if p.kind is inspect.Parameter.VAR_POSITIONAL
    ]
    if many and (len(values) > 1 or not isinstance(values[many[0]], tuple)):
        return None
    # A flag among a run's leaves is an array there, and a flag to a constructor.
    plain: dict[str, Any]
    plain = {k: bool(v) if _is_flag(v) else v for k, v in values.items()}
    made = cls(*plain[many[0]]) if many else cls(**plain)
    for name, value in values.items():
        if not _equal(getattr(made, name), value):
            raise Misuse(
                f"{cls.__name__} never holds {name}={_short(value)}; the file was "
                "written by hand or by another version"
            )
    return _set(cls, values)


def _is_flag(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "b" and not value.ndim


def _equal(a: Any, b: Any) -> bool:
    """Whether two values have one structure, and leaves of the same numbers."""
    (ours, left), (theirs, right) = jax.tree.flatten(a), jax.tree.flatten(b)
    pairs = zip(ours, theirs, strict=False)
    return left == right and all(np.array_equal(u, v) for u, v in pairs)


def _again(cls: type, values: dict[str, Any]) -> Any:
    """An instance with these fields, validated as the constructor would have."""
    if not any("__check_init__" in k.__dict__ for k in cls.__mro__):
        raise Misuse(
            f"{cls.__name__} cannot be read from a file: nothing says which of its "
            "values are right; state the problem in a file and solve 'file.py:object'"
        )
    made = _set(cls, values)
    recheck(made)
    return made


def _set(cls: type, values: dict[str, Any]) -> Any:
    """An instance that nothing was demanded of yet."""
    made: Any = object.__new__(cls)
    for key, value in values.items():
        object.__setattr__(made, key, value)
    return made


def same(a: Any, b: Any) -> bool:
    """Whether two values have one structure, and leaves of the same dtype and bits."""
    (ours, left), (theirs, right) = jax.tree.flatten(a), jax.tree.flatten(b)
    return left == right and all(map(_bits, ours, theirs))


def _bits(a: Any, b: Any) -> bool:
    if isinstance(a, str | int | jax.ShapeDtypeStruct) and type(a) is type(b):
        return bool(a == b)
    # A run holds as an array of no axes what a constructor makes a Python number.
    a, b = np.asarray(a), np.asarray(b)
    return (a.dtype, a.shape) == (b.dtype, b.shape) and a.tobytes() == b.tobytes()


def _suits(value: Any, field: Any, cls: type) -> None:
    """Static fields and modules have the types that they are declared with."""
    options = _options(field.type)
    if options and not any(_is(value, o) for o in options):
        words = " or ".join(getattr(o, "__name__", str(o)) for o in options)
        raise Misuse(
            f"{cls.__name__}.{field.name} must be {words}, the file holds "
            f"{_short(value)}"
        )


def _options(declared: Any) -> list[type]:
    """The classes of a declared type, where it consists of such alone; else none."""
    if typing.get_origin(declared) in (typing.Union, types.UnionType):
        each = [_options(part) for part in typing.get_args(declared)]
        return [kind for part in each for kind in part] if all(each) else []
    base = typing.get_origin(declared) or declared
    if base in (bool, int, str, tuple, frozenset, types.NoneType):
        return [base]
    return [base] if isinstance(base, type) and issubclass(base, eqx.Module) else []


def _is(value: Any, kind: type) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _numbers(problem: Problem) -> None:
    for leaf in jax.tree.leaves(problem):
        if not isinstance(leaf, np.ndarray | float | int):
            raise Misuse(
                f"the file holds {_short(leaf)} among the numbers of the problem"
            )


def read(path: Any) -> tuple[dict[str, Any], Store]:
    """A saved run, looked at from top to bottom, and its arrays."""
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise Misuse(
            f"a saved run is read from a path such as 'run.json', got {_short(path)}"
        )
    path = Path(path)
    with clear(path):
        for _ in range(3):
            saved = _parsed(path)
            _head(saved, path)
            try:
                store = Store(_arrays(path, saved))
                break
            except Misuse:
                # A writer may have replaced both files between our two looks.
                if _parsed(path).get("npz") == saved.get("npz"):
                    raise
        _document(saved)
        extra = sorted(set(store.arrays) - _named_arrays(saved))
        if extra:
            raise Misuse(
                f"the .npz file of {path} holds {', '.join(extra)}, which the run does "
                "not name"
            )
    return saved, store


def read_report(path: Any) -> tuple[dict[str, Any], Store]:
    """What `Result.report` wrote, with or without the data of its problem."""
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise Misuse(
            f"a report is read from a path such as 'report.json', got {_short(path)}"
        )
    path = Path(path)
    with clear(path):
        saved = _parsed(path)
        if "report" not in saved:
            raise Misuse(
                f"{path} holds a saved run, not a report: bn.verify judges its answer, "
                "and result.report(path) writes what can be run again"
            )
        _version(saved, path)
        if saved.get("kind") == REPORT:
            without = {"problem", "check", "point", "dual"}
            rules = {k: v for k, v in _DOCUMENT.items() if k not in without}
            rules |= {"kind": _among((REPORT,))}
            _fields(saved, rules, "the report", {"peer", "report"})
        else:
            _document(saved)
        _report(saved["report"])
        if not intact(saved):
            raise Misuse(
                f"{path} was edited after it was written; ask for the file as it was"
            )
    return saved, Store()


def intact(saved: dict[str, Any]) -> bool:
    """Whether nothing was edited since the run was saved, by its own `run_id`."""
    return bool(saved["run_id"] == saving.run_id(saved))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        _regular(path)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Misuse(
            f"no file {path}; write one with result.save({path.name!r})"
        ) from None
    except OSError as e:
        raise Misuse(f"{path} cannot be read: {e.strerror or e}") from None
    except ValueError as e:
        raise Misuse(f"{path} is not a banach run: {e}") from None
    try:
        saved = json.loads(
            text, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_once
        )
    except RecursionError:
        raise Misuse(f"{path} is not a banach run: it is nested too deeply") from None
    except ValueError as e:
        raise Misuse(f"{path} is not a banach run: {e}") from None
    if not isinstance(saved, dict) or "certificate" not in saved:
        raise Misuse(f"{path} is not a banach run (no certificate in it)")
    return saved


def _refused(word: str) -> Any:
    raise Misuse(f"it holds {word}, which a saved run never does")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Misuse(f"it holds {text}, which is no finite number")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Misuse("it holds an object with a key twice")
    return found


def _arrays(path: Path, saved: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays beside the JSON; raw bytes, no pickles, no more than the file has."""
    if "npz" not in saved:
        return {}
    name = saved["npz"]
    # A copy under another name keeps the name of its arrays: any plain one will do.
    if not (isinstance(name, str) and _BESIDE.fullmatch(name)):
        raise Misuse(
            f"{path} names {_short(name)} as its arrays, which is no file beside it"
        )
    beside = atomic_files.real(path).with_name(name)
    try:
        _regular(beside)
        with open(beside, "rb") as f, zipfile.ZipFile(f) as z:
            found = z.infolist()
            if sum(info.file_size for info in found) > beside.stat().st_size:
                raise ValueError("it declares more bytes than it has")
            return {i.filename.removesuffix(".npy"): _member(z, i) for i in found}
    except (OSError, zipfile.BadZipFile, *_BROKEN) as e:
        raise Misuse(
            f"the arrays of {path} cannot be read from {beside}: {e}; keep both "
            "files together"
        ) from None


def _member(z: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{info.filename} is compressed or encrypted")
    # Stored, so that it takes no more memory than the file has bytes.
    raw = io.BytesIO(z.read(info))
    version = np.lib.format.read_magic(raw)
    if version != (1, 0):
        raise ValueError(f"{info.filename} is an array of another format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(raw)
    rest = raw.read()
    if dtype != np.uint8 or shape != (len(rest),):
        raise ValueError(f"{info.filename} holds no plain bytes")
    return np.frombuffer(rest, np.uint8)


def _regular(path: Path) -> None:
    """Raise an OSError for a folder, a pipe or a device: reading these may not end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file")


def _named_arrays(value: Any) -> set[Any]:
    """The names of arrays in the .npz file that a document refers to."""
    names, left = set(), [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            if isinstance(item.get("npz"), str) and "dtype" in item:
                names.add(item["npz"])
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return names


def _head(saved: dict[str, Any], path: Path) -> None:
    _version(saved, path)
    if saved.get("kind") == REPORT:
        raise Misuse(
            f"{path} is a report without the data of its problem, so that there is "
            "nothing to judge; run it again on a problem of your own: "
            "bn.reproduce(path, problem=...)"
        )


def _version(saved: dict[str, Any], path: Path) -> None:
    version = saved.get("schema_version")
    if version == 1 and not isinstance(version, bool):
        raise Misuse(
            f"{path} has schema_version 1, of an earlier banach: it carries no run_id "
            "and certifies nothing. Solve again and save anew, or judge its point "
            "yourself: bn.verify(problem, x)"
        )
    if version != saving.SCHEMA or isinstance(version, bool):
        raise Misuse(
            f"{path} has schema_version {version!r}, this banach reads {saving.SCHEMA}"
        )


_COUNT = (lambda v: type(v) is int and v >= 0, "a count")
_WORD = (lambda v: isinstance(v, str), "text")
_TIME = (lambda v: type(v) in (int, float) and v >= 0, "seconds")
_REAL = (lambda v: v is None or type(v) in (int, float), "a number or null")
_POSITIVE = (lambda v: type(v) in (int, float) and 0 < v < math.inf, "positive")
_TRUTH = (lambda v: isinstance(v, bool), "true or false")
_TABLE = (lambda v: isinstance(v, dict), "an object")
_LIST = (lambda v: isinstance(v, list), "a list")
_CODED = (lambda v: v is None or isinstance(v, dict), "a coded value")


def _identity(pattern: re.Pattern[str]) -> tuple[Callable[[Any], bool], str]:
    return (
        lambda v: isinstance(v, str) and pattern.fullmatch(v) is not None,
        "an id of hexadecimal digits (without it the run certifies nothing)",
    )


def _among(words: Any) -> tuple[Callable[[Any], bool], str]:
    return lambda v: isinstance(v, str) and v in words, f"one of {', '.join(words)}"


_DOCUMENT = {
    "schema_version": _COUNT, "kind": _among(("banach run",)), "method": _WORD,
    "family": _WORD, "status": _among(loop.STATUSES), "reason": _WORD, "hint": _WORD,
    "certificate": _TABLE, "dual_norm": _REAL, "tol": _POSITIVE,
    "tol_is_absolute": _TRUTH, "steps": _COUNT, "best_step": _COUNT, "calls": _TABLE,
    "sent": _TABLE, "seconds": _TABLE, "trace": _TABLE, "manifest": _TABLE,
    "problem_id": _identity(_ID), "problem": _TABLE, "check": _TABLE, "point": _LIST,
    "dual": _CODED, "key": _TABLE, "run_id": _identity(_SEALED),
}  # fmt: skip
_CERTIFICATE = {
    "quantity": _WORD, "value": _REAL, "slack": _REAL, "scale": _REAL,
    "ratio": _REAL, "grade": _among(GRADES), "rounding": _among(ROUNDINGS),
    "assumes": _LIST, "parts": _LIST, "delta": _REAL, "look": _COUNT,
    "witness": _WORD, "problem_id": _identity(_ID), "point_id": _identity(_ID),
}  # fmt: skip
# What older files may lack.
_LATER = {"scale_from": _among(SCALES_FROM)}
_PART = {"name": _WORD, "value": _REAL, "slack": _REAL, "scale": _REAL}


def _document(saved: dict[str, Any]) -> None:
    """Every field is there and of its type."""
    _fields(saved, _DOCUMENT, "the run", {"npz", "checkpoint", "peer", "report"})
    if saved.get("peer") is not None:
        words = {"status": _WORD, "message": _WORD}
        _fields(saved["peer"], words, "the peer's word", set())
    claim = saved["certificate"]
    _fields(claim, _CERTIFICATE | _said(claim), "the certificate", None)
    for part in claim["parts"]:
        _fields(part, _PART | _said(part), "a part of the certificate", None)
    for word in claim["assumes"]:
        _fields({"assumption": word}, {"assumption": _WORD}, "the certificate", None)
    clocks = dict.fromkeys(("compile", "run", "check"), _TIME)
    _fields(saved["seconds"], clocks, "seconds", None)
    for name in ("calls", "sent"):
        _fields(saved[name], dict.fromkeys(saved[name], _COUNT), name, None)
    if "checkpoint" in saved:
        data = saved["checkpoint"]
        rules = {"method": _TABLE, "settings": _LIST, "carry": _LIST}
        _fields(data, rules, "the checkpoint", {"schedule"})
        settings = data["settings"]
        limits = settings[:2] if len(settings) == 3 else [-1]
        good = all(type(v) is int and 0 <= v < 2**31 for v in limits)
        if not (good and isinstance(settings[2], bool) and settings[0] > 0):
            raise Misuse(f"the checkpoint has the settings {_short(settings)}")


def _report(said: Any) -> None:
    """What a report says beside its run is there and of its type."""
    sections = {"environment": _TABLE, "problem": _TABLE, "asked": _TABLE}
    _fields(said, sections | {"attach": _LIST, "again": _LIST}, "the report", set())
    if not all(isinstance(word, str) for word in said["attach"]):
        raise Misuse("the report: what to attach is said in words")
    asked = {
        "default": _TRUTH, "resumed": _TRUTH, "method": _CODED, "check": _CODED,
        "start": _CODED, "given_start": _TRUTH, "seed": _COUNT,
    }  # fmt: skip
    limits = {"max_steps", "time_limit", "rows", "tier"}
    _fields(said["asked"], asked, "what was asked", limits)


def _said(value: Any) -> dict[str, Any]:
    """The rules of what a later version added, where it is said."""
    return {k: v for k, v in _LATER.items() if isinstance(value, dict) and k in value}


def _fields(value: Any, rules: Any, what: str, more: set[str] | None) -> None:
    if not isinstance(value, dict):
        raise Misuse(f"{what} is {_short(value)}")
    _keys(value, set(rules), more, what)
    for name, (good, words) in rules.items():
        if not good(value[name]):
            raise Misuse(f"{what}: {name} must be {words}, got {_short(value[name])}")


def _keys(value: Any, need: set[str], more: set[str] | None, what: str) -> None:
    """`need` and nothing else but `more` (None: anything)."""
    missing = sorted(need - set(value))
    if missing:
        raise Misuse(f"{what} lacks {', '.join(missing)}")
    if more is not None:
        odd = sorted(set(value) - need - more)
        if odd:
            raise Misuse(f"{what} holds {', '.join(map(repr, odd))}, unknown here")


def _only(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or set(item) != {key}:
        raise Misuse(f"the file holds {_short(item)} in the place of an {key}")
    return item[key]


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise Misuse(f"the file holds {_short(value)} in the place of a word")
    return value


def _short(value: Any) -> str:
    """A value of a file in a message, cut short."""
    text = f"{value!r:.300}" if not isinstance(value, dict) else f"keys {list(value)}"
    return text if len(text) <= 60 else text[:57] + "..."


def _dtype(name: Any) -> np.dtype:
    if name == "bfloat16" or (isinstance(name, str) and _DTYPE.fullmatch(name)):
        return np.dtype(name)
    raise Misuse(f"an array has the dtype {_short(name)}")


def _shape(value: Any) -> tuple[int, ...]:
    good = isinstance(value, list) and len(value) <= 32
    good = good and all(type(n) is int and 0 <= n < 2**31 for n in value)
    if not good or math.prod(value) > _LARGEST:
        raise Misuse(f"an array has the shape {_short(value)}")
    return tuple(value)


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(_word(text), validate=True)
    except (binascii.Error, ValueError):
        raise Misuse(f"an array is coded by {_short(text)}") from None


def problem_of(
    saved: dict[str, Any], store: Store, load: Callable[..., Any] | None
) -> Any:
    """The problem that a run holds as data, or what `load` makes of its name."""
    stated = saved["problem"]
    if set(stated) == {"module"}:
        return decode(stated["module"], store, Problem)
    if load is None:
        raise Misuse(f"the run names its problem, {stated}, and does not hold it")
    return load(stated)


def check_of(saved: dict[str, Any], store: Store) -> Check:
    """The check of a saved run, as it is before it meets a problem."""
    check = decode(saved["check"], store, Check)
    for part in jax.tree.leaves(check, is_leaf=_screened):
        # A look that was allowed to leave its slack out certifies nothing.
        if _screened(part):
            raise Misuse("the file holds a check that is in the middle of a run")
    return check


def _screened(value: Any) -> bool:
    return isinstance(value, Check) and getattr(value, "screen", None) is not None


def point_of(saved: dict[str, Any], store: Store, space: Any) -> tuple[Any, Any]:
    """(x, dual) of a saved run; x has the leaves of the problem's variable."""
    leaves, structure = jax.tree.flatten(space)
    found = [store.get(v) for v in saved["point"]]
    if [v.shape for v in found] != [v.shape for v in leaves]:
        raise Misuse(
            f"the saved point has leaves of shapes {[v.shape for v in found]}, the "
            f"problem's variable {[v.shape for v in leaves]}"
        )
    if any(v.dtype not in (np.float32, np.float64) for v in found):
        raise Misuse("the saved point holds other numbers than float32 or float64")
    dual = decode(saved["dual"], store)
    for leaf in jax.tree.leaves(dual):
        if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "fiub":
            raise Misuse(f"the saved multipliers hold {_short(leaf)}")
    return jax.tree.unflatten(structure, found), dual


def key_of(saved: dict[str, Any], store: Store) -> np.ndarray:
    """The key data of a saved run."""
    key = store.get(saved["key"])
    if key.shape != (2,) or key.dtype != np.uint32:
        raise Misuse(f"the saved key has shape {key.shape} and dtype {key.dtype}")
    return key


def checkpoint_of(path: Any, problem: Problem, problem_id: str) -> dict[str, Any]:
    """Everything `solve(resume=...)` needs: method, settings and the carry's leaves."""
    saved, store = read(path)
    if "checkpoint" not in saved:
        raise Misuse(
            f"{path} holds an answer, not a checkpoint; solve with checkpoint=FILE "
            "to write one, or use start=bn.load(FILE)"
        )
    if saved["problem_id"] != problem_id:
        raise Misuse(
            f"{path} is a run of another problem (data or function differ); resume it "
            "with its own problem, or use start=bn.load(file)"
        )
    if not intact(saved):
        raise Misuse(
            f"{path} was edited after it was saved, so that it is no run's state any "
            "more; resume an unedited checkpoint, or use start=bn.load(file)"
        )
    data = saved["checkpoint"]
    every, rows, absolute = data["settings"]
    with clear(path):
        x, _ = point_of(saved, store, problem.space())
        return {
            "dtype": tree.dtype(x),
            "method": _method(data["method"], store),
            "settings": loop.Settings(every, rows, absolute),
            "carry": [store.get(v) for v in data["carry"]],
            "seconds": saved["seconds"]["run"],
            "schedule": _schedule(data, store),
            "check": check_of(saved, store),
            "key": key_of(saved, store),
        }


@dataclasses.dataclass(frozen=True)
class Known:
    """A method that holds functions, which no file does: what it is known again by."""

    name: str
    id: str


def _method(item: Any, store: Store) -> Method | Known:
    if set(item) != {"again"}:
        return decode(item, store, Method)
    known = item["again"]
    _fields(known, {"label": _WORD, "id": _identity(_SEALED)}, "the method", set())
    return Known(known["label"], known["id"])


def same_method(back: dict[str, Any], method: Any, problem: Problem) -> Method:
    """The method of a checkpoint, by its file or as it was handed over again.

    `method` is what the caller gave, decided for the problem, or None.
    """
    known = back["method"]
    if isinstance(known, Method):
        return known
    if method is None:
        raise Misuse(
            f"the checkpoint was made by {known.name}, which holds functions, and no "
            "file holds those: pass the same method again, bn.solve(problem, method, "
            "resume=...)"
        )
    if method.label() != known.name:
        raise Misuse(
            f"the checkpoint was made by {known.name}, not {method.label()}; pass the "
            "method that it was made by"
        )
    method = loop.leaves_in(back["dtype"], method)
    if saving.method_id(method, problem, back["dtype"]) != known.id:
        raise Misuse(
            f"the checkpoint was made by {known.name} with other functions or "
            "hyperparameters (or under another JAX); pass the method that it was made "
            "by, or begin anew with start=bn.load(file)"
        )
    return method


def _schedule(data: dict[str, Any], store: Store) -> dict[str, Any] | None:
    """By what the run was executed; None, the fused kernel, where it does not say."""
    if "schedule" not in data:
        return None
    said = decode(data["schedule"], store)
    legs: Any = said.get("legs") if isinstance(said, dict) else None
    good = isinstance(legs, list) and 0 < len(legs) <= len(loop.TIERS)
    for leg in legs if good else ():
        name, look = leg if isinstance(leg, list) and len(leg) == 2 else ("", -1)
        good = good and name in loop.TIERS and type(look) is int and look >= 0
    work = said.get("work") if good else None
    for flag in ("pinned", "compiled_looks") if good else ():
        good = good and isinstance(said.get(flag, False), bool)
    if not (good and isinstance(work, float) and 0 <= work < math.inf):
        raise Misuse(f"the checkpoint has the schedule {_short(said)}")
    return said


def carry_of(back: dict[str, Any], problem: Any, point: Point, limits: Limits) -> Any:
    """The carry to go on from; a finished run is looked at again first.

    A run that was cut off goes on. One that ended by itself (certified, refuted,
    unverifiable, stalled) stays as it is if what ended it holds still at the tolerance
    now asked for; where a new look passes at that tolerance, it is certified.
    """
    settings = back["settings"]
    absolute = limits.absolute
    if absolute != settings.absolute:
        was = "absolute" if settings.absolute else "relative"
        raise Misuse(
            f"the checkpoint's tolerance was {was}; ask for such a one, or use "
            "start=bn.load(file)"
        )
    method, check = loop.leaves_in(tree.dtype(point.x), (back["method"], back["check"]))
    struct = _carry_like(back, problem, method, check, point)
    leaves, treedef = jax.tree.flatten(struct)
    saved = back["carry"]
    if [(v.shape, v.dtype) for v in leaves] != [(v.shape, v.dtype) for v in saved]:
        raise Misuse("the checkpoint was written by another version of this method")
    carry = jax.tree.unflatten(treedef, saved)
    counts = (carry.step, carry.look, carry.strikes, carry.checks, carry.best.step)
    trace = carry.trace
    sound = all(int(v) >= 0 for v in counts) and int(carry.status) in range(
        len(loop.STATUSES)
    )
    filled = 0 <= int(trace.filled) <= trace.step.shape[0] and int(trace.stride) > 0
    if not (sound and filled):
        raise Misuse("the checkpoint holds counts that no run has")
    status = loop.STATUSES[int(carry.status)]
    if status in ("running", "nonfinite"):
        return carry
    if status in ("certified", "refuted", "unverifiable", "stalled"):
        best = carry.best
        at = int(best.certificate.look)
        certificate, kept = judged(problem, check, best.point, back["key"], at)
        certificate = certificate.absolute() if absolute else certificate
        fits = _shapes(kept) == _shapes(best.point)
        if fits and bool(certificate.within(limits.tol)):
            best = dataclasses.replace(best, point=kept, certificate=certificate)
            return dataclasses.replace(
                carry, best=best, last=certificate, look=np.int32(certificate.look),
                status=np.int32(loop.CODE["certified"]),
            )  # fmt: skip
        if _over(status, certificate, method, carry, limits):
            return carry
    return dataclasses.replace(carry, status=np.int32(0))


def _over(
    status: str, certificate: Any, method: Any, carry: Any, limits: Limits
) -> bool:
    """Whether what ended a run holds still, at the tolerance now asked for."""
    if status == "refuted":
        return bool(certificate.refuted())
    if status == "stalled":
        return bool(method.stuck(carry.state))
    least = 2 * float(np.finfo(np.asarray(certificate.value).dtype).eps)
    hopeless = not limits.absolute and limits.tol < least
    return status == "unverifiable" and (
        hopeless or bool(certificate.blurred(limits.tol))
    )


def _carry_like(
    back: dict[str, Any], problem: Any, method: Any, check: Any, point: Point
) -> Any:
    """Shapes and dtypes of the carry; by the programs that go on, if they are apart."""
    settings, schedule = back["settings"], back["schedule"]
    if schedule is not None and schedule["legs"][-1][0] != "fused":
        data = problem_cache.of(problem)
        ready = problem_cache.Ready(data, problem, method, check, point, settings.every)
        if tiers.apart(ready) is None:
            return tiers.build("numpy", ready, settings).struct
    key = jax.random.key(0)
    return loop.carry_like(problem, method, check, point, key, settings)


def _shapes(value: Any) -> Any:
    leaves, structure = jax.tree.flatten(value)
    return structure, [(v.shape, v.dtype) for v in leaves]


def same_run(
    back: dict[str, Any], method: Any, start: Any, check: Any, dtype: Any
) -> None:
    """Misuse where a resumed run is asked for another start, method or check."""
    if start is not None:
        raise Misuse("resume= continues from its own point; drop start=")
    name = back["method"].label()
    asked = method if isinstance(method, str) else getattr(method, "card", None)
    asked = asked.name if asked is not None and not isinstance(asked, str) else asked
    if asked is not None and asked not in (name, name.partition(":")[0]):
        raise Misuse(f"the checkpoint was made by {name}, not {asked}; drop method=")
    saved = back["method"].bare()
    whole = completed(method, saved)
    if isinstance(method, Method) and not _agree(whole.bare(), saved, dtype):
        raise Misuse(
            f"the checkpoint was made by {name} with other hyperparameters; drop "
            "method=, or begin anew with start=bn.load(file)"
        )
    if check is None:
        return
    if type(check) is not type(back["check"]):
        raise Misuse(
            f"the checkpoint was judged by {back['check'].name}, not {check.name}; "
            "drop check="
        )
    if not _agree(check, back["check"], dtype):
        raise Misuse(
            f"the checkpoint was judged by {check.name} with other values; drop "
            "check=, or begin anew with start=bn.load(file)"
        )


def _agree(asked: Any, saved: Any, dtype: Any) -> bool:
    return same(loop.leaves_in(dtype, asked), loop.leaves_in(dtype, saved))

"""Results on disk: JSON, with large arrays in an npz beside it.

A problem is saved as the name that loads it (zoo, or file:object with a hash), or
as a banach class with its leaves. A user's function cannot be saved: it is refused
with the cure. Of a method that holds one a checkpoint keeps what the method is known
again by. `restore` reads what is written here.

`run_id` is a hash over the whole document, arrays included: whatever is edited by
hand is seen. It is no signature (whoever writes a file can compute it), and needs to
be none: a saved verdict is never believed, `verify` looks again.
"""

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from banach import catalogue
from banach.core import atomic_files, compat, tree
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.result import point_id
from banach.core.traced_function import Program

SCHEMA = 2
_INLINE = 1 << 16
# Where the classes live that a saved run may name.
HOMES = ("kinds", "terms", "parts", "checks", "methods", "bridge")
_MODULE = re.compile(rf"banach\.(core\.view|({'|'.join(HOMES)})(\.[a-z_][a-z0-9_]*)+)")


class Unsavable(Misuse):
    """What lives only in this process, such as a function."""


class Store:
    """Arrays of one file: small ones inline, large ones in the npz."""

    def __init__(
        self, arrays: dict[str, np.ndarray] | None = None, inline: bool = False
    ):
        self.arrays = arrays or {}
        self.inline = inline

    def put(self, a: Any) -> dict[str, Any]:
        """A JSON stand-in for an array: its dtype with its byte order, its bits."""
        a = np.ascontiguousarray(a).reshape(np.shape(a))
        if a.dtype.kind not in "biuf" and a.dtype.name != "bfloat16":
            raise Misuse(f"cannot save an array of dtype {a.dtype}; pass numbers")
        dtype = a.dtype.name if a.dtype.name == "bfloat16" else a.dtype.str
        head = {"dtype": dtype, "shape": list(a.shape)}
        raw = a.tobytes()
        if self.inline or a.nbytes <= _INLINE:
            return {"array": head | {"base64": base64.b64encode(raw).decode()}}
        name = f"a{len(self.arrays)}"
        self.arrays[name] = np.frombuffer(raw, np.uint8)
        seen = hashlib.sha256(raw).hexdigest()
        return {"array": head | {"npz": name, "sha256": seen}}


def encode(value: Any, store: Store) -> Any:
    """Plain data for a tree of banach modules, containers, numbers and arrays."""
    if isinstance(value, Program):
        raise Unsavable(
            f"the function {value.name!r} lives only in this process and cannot be "
            "saved; put the problem into a file and solve 'file.py:object', or use a "
            "built-in problem (banach problems)"
        )
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return store.put(value)
    if isinstance(value, jax.ShapeDtypeStruct):
        return {"struct": [list(value.shape), str(value.dtype)]}
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [encode(v, store) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[k, encode(v, store)] for k, v in value.items()]}
    if isinstance(value, frozenset):
        return {"frozenset": sorted(value)}
    cls = type(value)
    module = cls.__module__
    if isinstance(value, eqx.Module) and (module.startswith("banach.") or home(module)):
        # Of a class that is not saved its fields may still say why, and what to do.
        fields = {
            f.name: encode(getattr(value, f.name), store)
            for f in dataclasses.fields(value)
        }
        if home(module) and top(cls.__qualname__):
            return {"class": f"{module}:{cls.__qualname__}", "fields": fields}
    what = f"a {cls.__module__}.{cls.__qualname__}"
    if callable(value) and hasattr(value, "__qualname__"):
        what = f"the function or class {value.__qualname__!r}"
    raise Unsavable(
        f"cannot save {what}; state the problem in a file and solve 'file.py:object'"
    )


def kept_method(method: Any, problem: Any, dtype: Any, store: Store) -> Any:
    """A method as data; where it holds functions, what it is known again by."""
    before = dict(store.arrays)
    try:
        return encode(method, store)
    except Unsavable:
        store.arrays = before
        known = {"label": method.label(), "id": method_id(method, problem, dtype)}
        return {"again": known}


def method_id(method: Any, problem: Any, dtype: Any) -> str:
    """sha256 of a method's hyperparameters and of the text of its programs."""

    def programs(method: Any, problem: Any, point: Any, key: Any) -> Any:
        state = method.init(problem, point, key)
        return state, method.step(problem, state, key)

    with compat.double():
        point = Point(tree.cast(problem.start().x, dtype))
        key = jax.random.key(0)
        text = jax.jit(programs).lower(method, problem, point, key).as_text()
    leaves = encode(jax.tree.leaves(method), Store(inline=True))
    return hashlib.sha256(f"{json.dumps(leaves)}\n{text}".encode()).hexdigest()


def home(module: str) -> bool:
    """Whether a saved run may name classes of this module."""
    return _MODULE.fullmatch(module) is not None or catalogue.registered(module)


def top(name: str) -> bool:
    """Whether a class of this name stands at the top of its module."""
    return name.isidentifier()


def document(result: Any, store: Store) -> dict[str, Any]:
    """The saved form of an answer: verdict, problem, check, point, key."""
    saved = result.to_dict() | {
        "schema_version": SCHEMA,
        "kind": "banach run",
        "problem_id": result.problem_id,
        "problem": result.source or {"module": encode(result.problem, store)},
        "check": encode(result.check, store),
        "point": [store.put(v) for v in jax.tree.leaves(result.point.x)],
        "dual": encode(result.point.dual, store),
        "key": store.put(result.key_data),
    }
    claim = saved["certificate"]
    claim["problem_id"] = claim["problem_id"] or saved["problem_id"]
    claim["point_id"] = claim["point_id"] or point_id(result.point.x)
    return saved


def seal(saved: dict[str, Any]) -> dict[str, Any]:
    """The document with its `run_id`; call it when nothing more is added."""
    saved["run_id"] = run_id(saved)
    return saved


def run_id(saved: dict[str, Any]) -> str:
    """sha256 of a document but for this id; spelling and order of JSON do not count."""
    rest = {k: v for k, v in saved.items() if k != "run_id"}
    text = json.dumps(_plain(rest), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """Numbers as text, so that 1, 1.0 and 1e0 are one number in every writer."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 2**53
        return ["number", str(int(value)) if whole else value.hex()]
    if isinstance(value, int):
        return ["number", str(value)]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return ["list", *map(_plain, value)]
    return value


def as_document(result: Any) -> dict[str, Any]:
    """The saved form in one piece, every array inline (what --json prints)."""
    return seal(document(result, Store(inline=True)))


def save_result(
    result: Any,
    path: Any,
    *,
    checkpoint: bool = False,
    lock: atomic_files.Lock | None = None,
) -> Path:
    """Write `path` (JSON) and, for large arrays, an npz beside it; atomically.

    `lock` is that of a writer who holds it already.
    """
    path = atomic_files.named(path)
    store = Store()
    saved = document(result, store)
    if checkpoint:
        if result.carry is None:
            raise Misuse(
                f"{result.label} runs on the host and cannot be resumed; "
                "save the answer with checkpoint=False and use start=result"
            )
        s = result.settings
        carry = jax.device_get(jax.tree.leaves(result.carry))
        saved["checkpoint"] = {
            "method": kept_method(
                result.method, result.problem, tree.dtype(result.x), store
            ),
            "settings": [s.every, s.rows, s.absolute],
            "schedule": encode(result.manifest["schedule"], store),
            "carry": [store.put(v) for v in carry],
        }
    with atomic_files.unwritable(path):
        if lock is not None:
            write(path, saved, store)
        else:
            with atomic_files.Lock(path):
                write(path, saved, store)
    return path


def write(path: Path, saved: dict[str, Any], store: Store) -> None:
    """Seal a document and write it with its arrays; call it as the one writer."""
    arrays = None
    if store.arrays:
        digest = hashlib.sha256()
        for a in store.arrays.values():
            digest.update(hashlib.sha256(a.tobytes()).digest())
        mark = digest.hexdigest()[:16]
        saved["npz"] = f"{atomic_files.real(path).stem}.{mark}.npz"
        kept: dict[str, Any] = store.arrays
        arrays = (mark, lambda f: np.savez(f, **kept))
    atomic_files.write(path, json.dumps(seal(saved), allow_nan=False), arrays)

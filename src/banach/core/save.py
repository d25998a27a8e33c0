"""Results on disk: JSON, with large arrays in an npz beside it.

A problem is saved as the name that loads it (zoo, or file:object with a hash), or
as a banach class with its leaves. A user's function cannot be saved: it is refused
with the cure. Only banach's own classes are ever built from a file.
"""

import base64
import dataclasses
import hashlib
import importlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from banach.core import run as loop
from banach.core.function import Program
from banach.core.problem import Misuse

SCHEMA = 1
_INLINE = 1 << 16


class Store:
    """Arrays of one file: small ones inline, large ones in the npz."""

    def __init__(self, arrays: dict[str, np.ndarray] | None = None, inline=False):
        self.arrays = arrays or {}
        self.inline = inline

    def put(self, a: Any) -> dict[str, Any]:
        """A JSON stand-in for an array."""
        a = np.asarray(a)
        head = {"dtype": str(a.dtype), "shape": list(a.shape)}
        if self.inline or a.nbytes <= _INLINE:
            return {"array": head | {"base64": base64.b64encode(a.tobytes()).decode()}}
        name = f"a{len(self.arrays)}"
        self.arrays[name] = a
        return {"array": head | {"npz": name}}

    def get(self, item: dict[str, Any]) -> np.ndarray:
        """The array of a stand-in, bit for bit."""
        head = item["array"]
        if "npz" in head:
            if head["npz"] not in self.arrays:
                raise Misuse(
                    "the saved run lacks its .npz file; keep both files together"
                )
            return self.arrays[head["npz"]]
        raw = base64.b64decode(head["base64"])
        return np.frombuffer(raw, dtype=head["dtype"]).reshape(head["shape"]).copy()


def encode(value: Any, store: Store) -> Any:
    """Plain data for a tree of banach modules, containers, numbers and arrays."""
    if isinstance(value, Program):
        raise Misuse(
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
    if isinstance(value, eqx.Module) and cls.__module__.startswith("banach."):
        fields = {
            f.name: encode(getattr(value, f.name), store)
            for f in dataclasses.fields(value)
        }
        return {"class": f"{cls.__module__}:{cls.__qualname__}", "fields": fields}
    raise Misuse(
        f"cannot save a {cls.__module__}.{cls.__qualname__}; state the problem in a "
        "file and solve 'file.py:object'"
    )


def decode(item: Any, store: Store) -> Any:
    """The inverse of encode."""
    if not isinstance(item, dict):
        return item
    if "array" in item:
        return store.get(item)
    if "float" in item:
        return float.fromhex(item["float"])
    if "struct" in item:
        shape, dtype = item["struct"]
        return jax.ShapeDtypeStruct(tuple(shape), np.dtype(dtype))
    if "tuple" in item:
        return tuple(decode(v, store) for v in item["tuple"])
    if "list" in item:
        return [decode(v, store) for v in item["list"]]
    if "dict" in item:
        return {k: decode(v, store) for k, v in item["dict"]}
    if "frozenset" in item:
        return frozenset(item["frozenset"])
    return _build(item, store)


def _build(item: dict[str, Any], store: Store) -> Any:
    module, _, name = item["class"].partition(":")
    if not module.startswith("banach.") or "." in name:
        raise Misuse(f"the file names the class {item['class']!r}, not one of banach's")
    cls = getattr(importlib.import_module(module), name)
    if not (isinstance(cls, type) and issubclass(cls, eqx.Module)):
        raise Misuse(f"the file names {item['class']!r}, which is no banach class")
    made = object.__new__(cls)
    known = {f.name for f in dataclasses.fields(cls)}
    if known != set(item["fields"]):
        raise Misuse(f"the file was written by another version of {item['class']}")
    for key, value in item["fields"].items():
        object.__setattr__(made, key, decode(value, store))
    return made


def document(result: Any, store: Store) -> dict[str, Any]:
    """The saved form of an answer: verdict, problem, check, point, key."""
    return result.to_dict() | {
        "kind": "banach run",
        "problem_id": result.problem_id,
        "problem": result.source or {"module": encode(result.problem, store)},
        "check": encode(result.check, store),
        "point": _leaves(result.point.x, store),
        "dual": _leaves(result.point.dual, store),
        "key": store.put(result.key_data),
    }


def as_document(result: Any) -> dict[str, Any]:
    """The saved form in one piece, every array inline (what --json prints)."""
    return document(result, Store(inline=True))


def save_result(result: Any, path: Any, *, checkpoint: bool = False) -> Path:
    """Write `path` (JSON) and, for large arrays, an npz beside it; atomically."""
    path = Path(path)
    if path.suffix != ".json":
        name = path.with_suffix(".json").name
        raise Misuse(f"a run is saved as JSON: name it {name}")
    store = Store()
    saved = document(result, store)
    if checkpoint:
        if result.carry is None:
            raise Misuse(
                f"{result.label} runs inside a peer library and cannot be resumed; "
                "save the answer with checkpoint=False and use start=result"
            )
        s = result.settings
        carry = jax.device_get(jax.tree.leaves(result.carry))
        saved["checkpoint"] = {
            "method": encode(result.method, store),
            "settings": [s.every, s.rows, s.absolute],
            "carry": [store.put(v) for v in carry],
        }
    write_atomically(path, saved, store)
    return path


def _leaves(x: Any, store: Store) -> list[Any]:
    return [store.put(v) for v in jax.tree.leaves(x)]


def write_atomically(path: Path, saved: dict[str, Any], store: Store) -> None:
    """New files first, then renames: a kill leaves the old run or the new one."""
    if store.arrays:
        digest = hashlib.sha256()
        for a in store.arrays.values():
            digest.update(np.ascontiguousarray(a).tobytes())
        name = f"{path.stem}.{digest.hexdigest()[:12]}.npz"
        saved["npz"] = name
        temporary = path.with_name(f".{name}.tmp.npz")
        np.savez(temporary, **store.arrays)  # type: ignore[arg-type]
        os.replace(temporary, path.with_name(name))
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "w") as f:
        json.dump(saved, f, allow_nan=False)
        f.flush()
        os.fsync(f.fileno())
    os.replace(temporary, path)
    for old in path.parent.glob(f"{path.stem}.????????????.npz"):
        if old.name != saved.get("npz"):
            old.unlink(missing_ok=True)


def read(path: Any) -> tuple[dict[str, Any], Store]:
    """The saved plain data and its arrays, with clear errors."""
    path = Path(path)
    try:
        saved = json.loads(path.read_text())
    except FileNotFoundError:
        raise Misuse(
            f"no file {path}; write one with result.save({path.name!r})"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise Misuse(f"{path} is not a banach run: {e}") from None
    if not isinstance(saved, dict) or "certificate" not in saved:
        raise Misuse(f"{path} is not a banach run (no certificate in it)")
    if saved.get("schema_version") != SCHEMA:
        raise Misuse(
            f"{path} has schema_version {saved.get('schema_version')!r}, this banach "
            f"reads {SCHEMA}"
        )
    arrays = {}
    if "npz" in saved:
        beside = path.with_name(Path(saved["npz"]).name)
        try:
            with open(beside, "rb") as f, np.load(f) as z:
                arrays = {k: z[k] for k in z.files}
        except (OSError, ValueError, zipfile.BadZipFile) as e:
            raise Misuse(
                f"the arrays of {path} cannot be read from {beside}: {e}; keep both "
                "files together"
            ) from None
    return saved, Store(arrays)


def restore_point(saved: dict[str, Any], store: Store, space: Any) -> tuple[Any, Any]:
    """(x, dual) of a saved run; dual is None unless it has the leaves of x."""
    structure = jax.tree.structure(space)
    leaves = [store.get(v) for v in saved["point"]]
    if len(leaves) != structure.num_leaves:
        raise Misuse("the saved point does not fit the problem's variable")
    x = jax.tree.unflatten(structure, leaves)
    return x, [store.get(v) for v in saved["dual"]]


def restore_carry(saved: dict[str, Any], store: Store, problem: Any) -> dict[str, Any]:
    """Everything `solve(resume=...)` needs: method, settings and the carry's leaves."""
    data = saved.get("checkpoint")
    if data is None:
        raise Misuse(
            "this file holds an answer, not a checkpoint; solve with checkpoint=FILE "
            "to write one, or use start=bn.load(FILE)"
        )
    every, rows, absolute = data["settings"]
    return {
        "method": decode(data["method"], store),
        "settings": loop.Settings(every, rows, absolute),
        "carry": [store.get(v) for v in data["carry"]],
        "seconds": saved["seconds"]["run"],
        "check": decode(saved["check"], store),
        "key": store.get(saved["key"]),
    }

"""What a user's function reaches, where that is enough to know that it is the same.

A function is traced always, so that a rebound name is seen; tracing is skipped only
where nothing that it reaches can have changed. That is decided by types that are known
not to change, and by comparing arrays bit for bit. Whatever is not on the list (lists,
objects, modules of the user's, randomness, files, writes to outer names) means: trace.
"""

import builtins
import dis
import functools
import types
from typing import Any

import jax
import numpy as np

from banach.core import compat

_LIBRARIES = frozenset({"jax", "numpy", "math", "operator", "functools", "optax"})
# Of exactly these types: a subclass may hold what changes.
_NUMBERS = frozenset({bool, int, float, complex, str, bytes, type(None)})
# What JAX makes of functions; each knows the one that it was made of.
_MADE = frozenset({"PjitFunction", "custom_jvp", "custom_vjp", "ufunc"})
_PURE = frozenset(
    "abs all any bool complex dict divmod enumerate filter float int isinstance "
    "issubclass len list map max min object pow range reversed round set slice sorted "
    "str sum super tuple type zip ValueError TypeError".split()
)
# Attributes of the libraries that read what may change.
_IMPURE = frozenset(
    "random load loadtxt genfromtxt fromfile fromstring memmap config devices environ "
    "getenv device_count local_devices process_index io_callback pure_callback "
    "callback print default_backend cache_info cache lru_cache setattr geterr seterr "
    "errstate get_printoptions".split()
)
_WRITES = frozenset(
    {"STORE_GLOBAL", "DELETE_GLOBAL", "IMPORT_NAME", "STORE_ATTR", "DELETE_ATTR",
     "YIELD_VALUE", "LOAD_BUILD_CLASS"}
)  # fmt: skip


class Reached:
    """The unchanging part as a key, and arrays in the order they were met."""

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.arrays: list[np.ndarray] = []
        self._seen: set[int] = set()

    @property
    def key(self) -> tuple[Any, ...]:
        """Hashable; equal where everything but the arrays is the same."""
        return tuple(self.parts)

    def holds(self, arrays: list[np.ndarray]) -> bool:
        """Whether these are the same bits."""
        return all(map(_same, self.arrays, arrays))

    def add(self, value: Any) -> bool:
        """Take a value up; False where it may change unseen."""
        kind = type(value)
        if kind in _NUMBERS or (
            isinstance(value, np.generic | np.dtype)
            and kind.__module__.startswith("numpy")
        ):
            # 1, 1.0 and True are equal, and trace to different programs; so are 0.0
            # and -0.0.
            self.parts.append((kind, repr(value)))
            return True
        if compat.is_tracer(value):
            return False
        if isinstance(value, jax.Array):
            self.parts.append(_Same(value))
            return True
        if kind is np.ndarray:
            self.parts.append((value.shape, value.dtype))
            self.arrays.append(value)
            return not value.dtype.hasobject
        if kind is tuple:
            self.parts.append(("tuple", len(value)))
            return all(map(self.add, value))
        if isinstance(value, types.ModuleType):
            self.parts.append(value.__name__)
            return value.__name__.partition(".")[0] in _LIBRARIES
        if kind is functools.partial:
            self.parts.append("partial")
            named = tuple(sorted(value.keywords.items()))
            return self.add(value.func) and self.add(value.args) and self.add(named)
        if kind is types.FunctionType:
            return self._function(value)
        if kind.__name__ in _MADE and kind.__module__.startswith(("jax", "builtins")):
            inner = getattr(value, "__wrapped__", None)
            self.parts.append(_Same(value))
            return _of_a_library(value) and (inner is None or self.add(inner))
        if _of_a_library(value):
            self.parts.append(_Same(value))
            return True
        return False

    def _function(self, fun: types.FunctionType) -> bool:
        if id(fun) in self._seen:  # it calls itself
            self.parts.append(("again", fun.__code__))
            return True
        self._seen.add(id(fun))
        # Its own module, not what a decorator has written over it.
        home = str(fun.__globals__.get("__name__", "")).partition(".")[0]
        if home in _LIBRARIES and not (fun.__closure__ or fun.__defaults__):
            self.parts.append(_Same(fun))
            return True
        read = _read(fun.__code__)
        if read is None:
            return False
        self.parts.append(fun.__code__)
        named = tuple(sorted((fun.__kwdefaults__ or {}).items()))
        if not (self.add(fun.__defaults__ or ()) and self.add(named)):
            return False
        try:
            cells = [cell.cell_contents for cell in fun.__closure__ or ()]
        except ValueError:  # an empty cell
            return False
        if not all(map(self.add, cells)):
            return False
        return all(self._named(name, fun.__globals__) for name in read)

    def _named(self, name: str, space: dict[str, Any]) -> bool:
        self.parts.append(name)
        if name in space:
            return self.add(space[name])
        # A builtin, or an attribute of what is reached already.
        return name in _PURE or not hasattr(builtins, name)


class _Same:
    """A value that is known by being the very one; it is kept alive."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def reached(fun: Any) -> Reached | None:
    """All that a function reaches, or None where some of it may change unseen."""
    if type(fun) not in (types.FunctionType, functools.partial):
        return None
    found = Reached()
    return found if found.add(fun) else None


def _of_a_library(value: Any) -> bool:
    """A function or class of a library that does not change under its user."""
    home = getattr(value, "__module__", None)
    known = isinstance(home, str) and home.partition(".")[0] in _LIBRARIES
    if isinstance(value, types.BuiltinFunctionType):
        own = getattr(value, "__self__", None)
        if isinstance(own, types.ModuleType):
            return own.__name__.partition(".")[0] in _LIBRARIES
        return own is None and known
    if isinstance(value, np.ufunc):
        return True
    return known and (isinstance(value, type) or type(value).__name__ in _MADE)


@functools.lru_cache(4096)
def _read(code: types.CodeType) -> tuple[str, ...] | None:
    """Names that code reads, those inside it included; None where it writes outside."""
    free = set(code.co_freevars)
    for op in dis.get_instructions(code):
        if op.opname in _WRITES:
            return None
        if op.opname in ("STORE_DEREF", "DELETE_DEREF") and op.argval in free:
            return None
    names = list(code.co_names)
    if not _IMPURE.isdisjoint(names):
        return None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            more = _read(inner)
            if more is None or _rebinds(inner, code):
                return None
            names.extend(more)
    return tuple(dict.fromkeys(names))


def _rebinds(inner: types.CodeType, outer: types.CodeType) -> bool:
    own = set(outer.co_freevars) & set(inner.co_freevars)
    return any(
        op.opname in ("STORE_DEREF", "DELETE_DEREF") and op.argval in own
        for op in dis.get_instructions(inner)
    )


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    same = a.shape == b.shape and a.dtype == b.dtype
    return (
        same and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
    )

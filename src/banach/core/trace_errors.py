"""What goes wrong when JAX traces a user's function, in two lines with the cure."""

import contextlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import compat, validation
from banach.core.problem import Misuse

_ERRORS = jax.errors
_BRANCH = (
    "asks whether a value of the variable is true (if, while, and, or, max, a "
    "comparison in Python)",
    "write jnp.where(condition, a, b), jnp.maximum, jax.lax.cond or jax.lax.while_loop",
)
_NUMPY = (
    "turns a value of the variable into a NumPy array (np.asarray, a NumPy or SciPy "
    "function)",
    "use jax.numpy functions, e.g. jnp.exp in place of np.exp, with no np.asarray; a "
    "SciPy matrix S comes in as data: lambda x, S: S @ x with args=(S,)",
)
_NUMBER = (
    "turns a value of the variable into a Python number (float, int, .item, math)",
    "leave it an array: x[0] in place of float(x[0]), jnp.exp in place of math.exp",
)
_INDEX = (
    "uses a value of the variable as a Python integer (range, an index, a shape)",
    "write a fixed length with jnp.where, jax.lax.fori_loop, or jnp.take for an index",
)
_MASK = (
    "selects entries by a condition on the variable, so that their number varies",
    "write jnp.where(condition, value, 0.0), summed over all entries",
)
_ASSIGN = ("assigns to entries of an array in place", "write x = x.at[i].set(value)")
_SPARSE = (
    "asks of a sparse matrix what it has not inside a function",
    "it has S @ x, x @ S, S.T @ y, c * S, S / c, -S, S.diagonal() and S.toarray(); "
    "make any other matrix before, with SciPy (S.T @ S, S + T, S[rows]), and pass it "
    "in args",
)
_SCIPY = (
    "hands a SciPy matrix to a function of JAX",
    "it comes in as data: lambda x, S: S @ x with args=(S,)",
)
_JAX_SPARSE = (
    "asks of a sparse array of JAX what its format has not",
    "pass it as a BCOO, which has most: args=(S.to_bcoo(),), or as SciPy's matrix",
)
_LEAK = (
    "uses a value that an earlier call left behind (a global, a list, an attribute)",
    "write a function of its arguments alone, which returns all that it computes",
)
_KINDS = (
    (_ERRORS.TracerBoolConversionError, _BRANCH),
    (_ERRORS.NonConcreteBooleanIndexError, _MASK),
    (_ERRORS.TracerIntegerConversionError, _INDEX),
    (_ERRORS.TracerArrayConversionError, _NUMPY),
    (_ERRORS.ConcretizationTypeError, _NUMBER),
    (_ERRORS.UnexpectedTracerError, _LEAK),
)
_WORDS = (
    ("immutable", _ASSIGN),
    ("concrete values of integer type", _INDEX),
    ("Only integer scalar arrays", _INDEX),
    ("setting an array element with a sequence", _NUMPY),
    ("Reverse-mode differentiation does not work", (
        "holds a loop whose number of turns is not fixed, which has no gradient",
        "write jax.lax.scan, or fori_loop with Python numbers for its bounds",
    )),
    ("callbacks do not support", (
        "calls back into Python (pure_callback, io_callback), which has no gradient",
        "write it in jax.numpy, or declare its derivative with jax.custom_jvp",
    )),
    ("SparseMatrix", _SPARSE),
    ("'Transposed'", _SPARSE),
    ("jax.experimental.sparse", _JAX_SPARSE),
    (" sparse matrix of dtype", _SCIPY),
    (" sparse array of dtype", _SCIPY),
    ("masked arrays are not supported", (
        "meets a masked NumPy array",
        "fill or drop the masked entries before, e.g. data.filled(0.0)",
    )),
)  # fmt: skip
# Frames in these folders are a library's, not the author's.
_LIBRARIES = (
    sysconfig.get_paths()["purelib"],
    sysconfig.get_paths()["stdlib"],
    str(Path(__file__).resolve().parents[1]),
)
_INNER = (*_LIBRARIES, "<frozen")


@contextlib.contextmanager
def translated(fun: Callable, args: tuple, name: str) -> Iterator[None]:
    """One Misuse for whatever a call of fun(*args) raises inside the block."""
    arity(fun, args, name)
    try:
        yield
    except Misuse:
        raise
    except Exception as error:
        raise Misuse(_sentence(error, name)) from None


def result(leaf: Any, name: str) -> Any:
    """One leaf of what a function returned, as an array, or Misuse."""
    if isinstance(leaf, jax.Array):
        return leaf
    if validation.masked(leaf):
        raise Misuse(f"{name} returns a masked array\n  fill it: value.filled(0.0)")
    a = np.asarray(leaf) if isinstance(leaf, int | float | complex) else leaf
    if not isinstance(a, np.ndarray | np.generic) or a.dtype.kind not in "biufc":
        raise Misuse(
            f"{name} returns {validation.shown(leaf)}\n"
            "  return an array of real numbers, e.g. jnp.sum(x**2)"
        )
    return jnp.asarray(leaf)


def alive(captured: Any, name: str) -> None:
    """Refuse values that an earlier trace of the function left behind."""
    if any(compat.is_dead(v) for v in captured):
        what, cure = _LEAK
        raise Misuse(f"{name} {what}\n  {cure}")


def arity(fun: Callable, args: tuple, name: str) -> None:
    """Refuse a function that cannot be called with that many arguments."""
    try:
        signature = inspect.signature(fun)
    except (TypeError, ValueError):
        return  # some callables in C have none
    try:
        signature.bind(*args)
    except TypeError as error:
        count = len(args)
        raise Misuse(
            f"{name} takes {signature} and is called with {count} argument"
            f"{'s' * (count != 1)} ({error})\n"
            "  write it for the variable and then what else was passed, e.g. "
            "lambda x, data: ... with args=(data,)"
        ) from None


def _sentence(error: Exception, name: str) -> str:
    where = _place(error)
    for kind, (what, cure) in _KINDS:
        if isinstance(error, kind):
            return f"{name} {what}{where}\n  {cure}"
    text = str(error).strip()
    for words, (what, cure) in _WORDS:
        if words in text:
            return f"{name} {what}{where}\n  {cure}"
    said = text.splitlines()[0][:300] if text else "no message"
    return (
        f"{name} raised {type(error).__name__}: {said}{where}\n"
        "  call it by hand with jnp arrays of the shapes of the variable, and mend it"
    )


def callers_level() -> int:
    """The stacklevel by which a warning of the caller names its user's line."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INNER):
        frame, level = frame.f_back, level + 1
    return level


def _place(error: BaseException) -> str:
    """The author's innermost line, "" where none is found."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_INNER):
            line = f": {frame.line}" if frame.line else ""
            return f", at {Path(frame.filename).name}:{frame.lineno}{line}"
    return ""

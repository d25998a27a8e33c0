"""A user's function, traced once: captured arrays become leaves.

The program is compared by its canonical text, so a fresh lambda with the same
mathematics is the same program and compiles once.
"""

import contextlib
import contextvars
import functools
import hashlib
import os
import re
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, function_identity, loop_rerolling, trace_errors
from banach.core.problem import Misuse

# Stops in banach's own files keep every derivative, as JAX's do.
_OURS = str(Path(__file__).resolve().parents[1]) + os.sep
_ADDRESS = re.compile(r"0x[0-9a-f]+")


class Program:
    """A closed-over jaxpr without its constants; equal when the text is equal.

    `stops_gradient`: whether its author wrote stop_gradient, so that what JAX calls
    its derivative is not that of the values. Whoever certifies by derivatives says so.
    """

    def __init__(
        self,
        jaxpr: Any,
        in_tree: Any,
        out_tree: Any,
        name: str,
        stops_gradient: bool = False,
    ):
        self.stops_gradient = stops_gradient
        self.jaxpr = jaxpr
        self.in_tree = in_tree
        self.out_tree = out_tree
        self.name = name
        functions: list[int] = []
        text = canonical(jaxpr, functions)
        self.text = f"{text}\n{in_tree}\n{out_tree}"
        # The text shows every stop, but not whose it is.
        self._key = (self.text, tuple(functions), stops_gradient)
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Program({self.name}, {self.digest()[:16]})"

    def digest(self) -> str:
        """Hash of the canonical text, for problem ids."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class TracedFunction(eqx.Module):
    """A callable pytree: the program is static, what it captured are leaves."""

    consts: tuple
    program: Program = eqx.field(static=True)

    def __call__(self, *args: PyTree) -> PyTree:
        """Evaluate on arguments of the structure that was traced."""
        leaves, tree = jax.tree.flatten(args)
        if tree != self.program.in_tree:
            raise Misuse(
                f"{self.program.name} was stated for arguments of structure "
                f"{self.program.in_tree}, got {tree}; pass the same structure"
            )
        wanted = (v.aval for v in self.program.jaxpr.invars)
        leaves = [_like(leaf, v) for leaf, v in zip(leaves, wanted, strict=True)]
        out = jax.core.eval_jaxpr(self.program.jaxpr, list(self.consts), *leaves)
        return jax.tree.unflatten(self.program.out_tree, out)


# Functions whose reach did not change, with copies of the arrays in it.
_KNOWN: dict[Any, tuple[list[np.ndarray], TracedFunction]] = {}
_MOST = 64
_LARGEST = 2**26  # bytes of arrays that are compared and kept, at most


# Traces of functions whose reach is not known, while one stack is stated.
_IN_STACK: contextvars.ContextVar[dict[Any, Any] | None] = contextvars.ContextVar(
    "traces", default=None
)


@contextlib.contextmanager
def one_trace_for_all() -> Iterator[None]:
    """Inside, a function meets each structure and shape of arguments once, as in jit.

    For the lanes of a stack: a thousand of them would trace it a thousand times where
    it reaches something of which nobody knows whether it changed.
    """
    token = _IN_STACK.set({})
    try:
        yield
    finally:
        _IN_STACK.reset(token)


def trace(fun: Callable, *args: PyTree, name: str = "the function") -> TracedFunction:
    """Trace `fun` at arguments (arrays or ShapeDtypeStructs), hoisting captures.

    A function that reaches only what is known not to have changed is not traced again
    (`core/function_identity.py`).
    """
    found = function_identity.reached(fun)
    if found is not None and sum(a.nbytes for a in found.arrays) > _LARGEST:
        found = None
    once = _IN_STACK.get()
    if found is None and once is None:
        return _traced(fun, args, name)
    leaves, in_tree = jax.tree.flatten(jax.tree.map(_struct, args))
    key = (
        found.key if found else id(fun), in_tree,
        tuple((v.shape, v.dtype) for v in leaves), name,
        bool(jax.config.jax_enable_x64), str(jax.config.jax_default_matmul_precision),
        str(jax.config.jax_numpy_dtype_promotion),
    )  # fmt: skip
    if found is None:
        assert once is not None
        # The function is kept too, so that no other one comes to its place in memory.
        if key not in once:
            once[key] = fun, _traced(fun, args, name)
        return once[key][1]
    known = _KNOWN.pop(key, None)
    if known is None or not found.holds(known[0]):
        copies = [np.array(a) for a in found.arrays]
        known = copies, _traced(fun, args, name)
    if not compat.any_tracer(known[1]):
        _KNOWN[key] = known
    while len(_KNOWN) > _MOST:
        _KNOWN.pop(next(iter(_KNOWN)), None)
    return known[1]


def _traced(fun: Callable, args: tuple, name: str) -> TracedFunction:
    if not callable(fun):
        raise Misuse(
            f"{name} must be a function of the variable, got {type(fun).__name__}; "
            "pass e.g. lambda x: jnp.sum(x**2)"
        )
    label = getattr(fun, "__name__", type(fun).__name__)
    shapes = jax.tree.map(_struct, args)
    leaves, in_tree = jax.tree.flatten(shapes)
    trees: list[Any] = []
    traces: list[Any] = []

    def flat(*flat_args):
        traces.append(compat.trace_of(flat_args[0]) if flat_args else None)
        out = fun(*jax.tree.unflatten(in_tree, flat_args))
        out_leaves, tree = jax.tree.flatten(out)
        trees.append(tree)
        if out is None:
            raise Misuse(f"{name} returns None\n  end it with: return value")
        return [trace_errors.result(leaf, name) for leaf in out_leaves]

    with trace_errors.translated(fun, args, name):
        closed = jax.make_jaxpr(flat)(*leaves)
        trace_errors.alive(closed.consts, name)
        compat.end_trace(traces[0])
    stops = compat.stops_gradient(closed.jaxpr, _OURS)
    short = loop_rerolling.rolled(closed, _contents)
    inlined = jax.make_jaxpr(lambda *a: _inline(short.jaxpr, short.consts, a))(*leaves)
    consts = tuple(_own(c) for c in inlined.consts)
    program = Program(inlined.jaxpr, in_tree, trees[0], label, stops)
    _warn_if_ever_new(fun, program)
    return TracedFunction(consts, program)


_SEEN: dict[Any, set[tuple[str, str]]] = {}


def _warn_if_ever_new(fun: Any, program: Program) -> None:
    """A third program from one piece of code: a Python value changes inside."""
    functions = _closed_over(fun)
    theirs = [f for f in functions if not _ours(f)]
    if not theirs:
        return
    code = tuple(f.__code__ for f in functions)
    seen = _SEEN.setdefault((code, str(program.in_tree)), set())
    shapes = str([v.aval for v in program.jaxpr.invars])
    fresh = (shapes, program.text) not in seen
    seen.add((shapes, program.text))
    if fresh and sum(s == shapes for s, _ in seen) == 3:
        # Of one of theirs, what it closes over has no need to be named.
        named = theirs[:1] if theirs[0] is functions[0] else theirs
        warnings.warn(
            f"{' and '.join(map(_named, named))} became a third different program: a "
            "Python number changes inside, and each value compiles anew. Pass it "
            "through args=(...), or hold it in an array of one entry, "
            "np.array([number]), so that it is data",
            stacklevel=trace_errors.callers_level(),
        )


def _closed_over(fun: Any) -> list[Any]:
    """A function and those that it was made of, as far as closures show them."""
    found: list[Any] = []
    left = [fun]
    while left:
        value = left.pop(0)
        if isinstance(value, functools.partial):
            value = value.func
        if isinstance(value, types.MethodType):
            value = value.__func__
        if type(value).__name__ in ("PjitFunction", "custom_jvp", "custom_vjp"):
            value = getattr(value, "__wrapped__", None)
        if isinstance(value, types.FunctionType) and value not in found:
            found.append(value)
            with contextlib.suppress(ValueError):  # an empty cell
                left += [c.cell_contents for c in value.__closure__ or ()]
    return found


def _ours(fun: Any) -> bool:
    return bool(fun.__code__.co_filename.startswith(_OURS))


def _named(fun: Any) -> str:
    where = f"{Path(fun.__code__.co_filename).name}:{fun.__code__.co_firstlineno}"
    lone = fun.__name__ == "<lambda>"
    return f"the lambda at {where}" if lone else f"{fun.__name__} ({where})"


def _inline(jaxpr: Any, consts: Any, args: Any) -> list[Any]:
    """Evaluate, opening nested jitted calls so that what they captured surfaces."""
    env: dict[Any, Any] = {}

    def read(v):
        return v.val if isinstance(v, compat.Literal) else env[v]

    env.update(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    for eqn in jaxpr.eqns:
        values = [read(v) for v in eqn.invars]
        inner = loop_rerolling.opened(eqn)
        if inner is not None:
            out = _inline(inner.jaxpr, inner.consts, values)
        else:
            out = compat.bind(eqn, values)
        env.update(zip(eqn.outvars, out, strict=True))
    return [read(v) for v in jaxpr.outvars]


def canonical(jaxpr: Any, functions: list[int]) -> str:
    """Text of a jaxpr that is the same for the same mathematics.

    Variable names in a printed jaxpr are already canonical; addresses are removed,
    and the identities of opaque Python functions are collected beside the text.
    Constants inside nested jaxprs enter by content.
    """
    for eqn in jaxpr.eqns:
        for value in eqn.params.values():
            for item in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(item, "jaxpr", None)
                if isinstance(item, compat.ClosedJaxpr):
                    canonical(item.jaxpr, functions)
                    functions.extend(_content(c) for c in item.consts)
                elif inner is not None and isinstance(inner, compat.Jaxpr):
                    canonical(inner, functions)
                elif isinstance(item, np.ndarray):
                    functions.append(_content(item))
                elif callable(item) and not isinstance(item, type):
                    functions.append(_identity(item))
    return _ADDRESS.sub("0x", jaxpr.pretty_print(use_color=False, source_info=False))


def _contents(jaxpr: Any) -> Any:
    functions: list[int] = []
    return canonical(jaxpr, functions), tuple(functions)


def _identity(fun: Any) -> int:
    inner = getattr(fun, "f", fun)
    code = getattr(getattr(inner, "__wrapped__", inner), "__code__", None)
    return hash((getattr(inner, "__qualname__", type(inner).__name__), code))


def _content(value: Any) -> int:
    if compat.is_tracer(value):
        return id(value)
    a = np.asarray(value)
    return hash((a.shape, str(a.dtype), a.tobytes()))


def _like(leaf: Any, wanted: Any) -> Any:
    """A number of less precision in that of the program; nothing is narrowed."""
    given = jnp.result_type(leaf)
    real = jnp.issubdtype(given, jnp.floating) or jnp.issubdtype(given, jnp.integer)
    if not (real and jnp.issubdtype(wanted.dtype, jnp.floating)):
        return leaf
    whole = jnp.issubdtype(given, jnp.integer)
    if not whole and jnp.promote_types(given, wanted.dtype) != wanted.dtype:
        return leaf
    if given == wanted.dtype:
        return leaf
    return jnp.asarray(leaf, jax.dtypes.canonicalize_dtype(wanted.dtype))


def _own(const: Any) -> Any:
    if compat.is_tracer(const) or isinstance(const, jax.Array):
        return const
    return np.array(const)


def _struct(leaf: Any) -> Any:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))

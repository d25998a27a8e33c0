"""What a user hands over: variables, data and functions, read once and checked."""

import contextlib
import numbers
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, tree
from banach.core.function import TracedFunction, trace
from banach.core.problem import Misuse


class Function(eqx.Module):
    """A user's function of (x, *args), traced in the dtype of its variable.

    A float32 function is traced a second time with float64 arguments, so that a
    check can judge a float32 point in float64: `tree.cast(problem, wide)` is all
    that it takes. `wide` is None where that is impossible.
    """

    narrow: TracedFunction
    wide: TracedFunction | None

    def __call__(self, x: PyTree, *args: PyTree) -> PyTree:
        """Evaluate; results take the dtype of x."""
        kind = tree.dtype(x)
        fun = self.narrow
        if self.wide is not None and kind == np.float64:
            fun = self.wide
        return tree.cast(fun(x, *args), kind)


def variable(x0: PyTree, name: str = "x0") -> PyTree:
    """A start as arrays: Python numbers and lists of numbers become float64 NumPy.

    Raises Misuse for integers, complex numbers, no entries, or NaN and infinity.
    """
    x0 = arrays(x0)
    leaves = jax.tree.leaves(x0)
    if sum(np.size(leaf) for leaf in leaves) == 0:
        raise Misuse(f"{name} has no entries; pass at least one number to solve for")
    for leaf in leaves:
        dtype = leaf.dtype
        if not jnp.issubdtype(dtype, jnp.floating):
            raise Misuse(
                f"{name} has dtype {dtype}, but the variable must be real floating; "
                f"pass {name}.astype(float), or [1.0, 2.0] instead of [1, 2]"
            )
        if not compat.is_tracer(leaf) and not np.isfinite(np.asarray(leaf)).all():
            raise Misuse(f"{name} contains NaN or infinity; start at a finite point")
    return x0


def read(x0: PyTree, args: Any) -> tuple[PyTree, tuple]:
    """A start and extra arguments, checked, in the dtypes that JAX will give them."""
    return canonical(variable(x0), arguments(args))


def arrays(data: PyTree) -> PyTree:
    """Python numbers and lists of numbers as NumPy arrays; arrays stay."""

    def one(leaf: Any) -> Any:
        if isinstance(leaf, (jax.Array, np.ndarray)):
            return leaf
        try:
            a = np.asarray(leaf)
        except (ValueError, TypeError):
            a = None
        if a is None or a.dtype == object or a.dtype.kind in "USMm":
            raise Misuse(
                f"cannot read {type(leaf).__name__} {leaf!r} as numbers; pass arrays, "
                "numbers, or dicts and tuples of them"
            )
        return a

    return jax.tree.map(one, data, is_leaf=_numbers)


def arguments(args: Any) -> tuple:
    """Extra arguments of a function as a tuple of pytrees of arrays."""
    if not isinstance(args, tuple):
        raise Misuse(
            f"args must be a tuple, got {type(args).__name__}; write args=(data,)"
        )
    return tuple(arrays(a) for a in args)


def constant(value: Any, name: str) -> Any:
    """A declared constant as a leaf: None, or a positive finite scalar."""
    if value is None:
        return None
    value = arrays(value)
    if np.ndim(value):
        raise Misuse(f"{name} must be one number, got shape {np.shape(value)}")
    if not compat.is_tracer(value) and not (np.isfinite(value) and value > 0):
        raise Misuse(f"{name} must be positive and finite, got {value}")
    return np.asarray(value, float) if isinstance(value, np.ndarray) else value


def function(fun: Callable, x0: PyTree, args: tuple, name: str) -> Function:
    """Trace fun(x, *args), in 64 bits where x0 is NumPy and nothing is traced."""
    everything = (x0, args)
    if isinstance(fun, Function):
        return fun
    with context(x0, args):
        narrow = trace(fun, x0, *args, name=name)
        wide = None
        if tree.dtype(x0) == jnp.float32 and not compat.any_tracer(everything):
            wide = _widened(fun, x0, args, name)
    return Function(narrow, wide)


def context(x0: PyTree, args: tuple) -> Any:
    """The 64-bit context for a NumPy start, nothing for JAX arrays and tracers."""
    ambient = any(isinstance(v, jax.Array) for v in jax.tree.leaves(x0))
    if ambient or compat.any_tracer(args):
        return contextlib.nullcontext()
    return compat.double()


def canonical(x0: PyTree, args: tuple) -> tuple[PyTree, tuple]:
    """NumPy leaves in the dtypes that JAX will give them when it runs."""

    def one(v: Any) -> Any:
        if not isinstance(v, np.ndarray):
            return v
        return v.astype(jax.dtypes.canonicalize_dtype(v.dtype), copy=False)

    with context(x0, args):
        return jax.tree.map(one, (x0, args))


def _widened(fun, x0, args, name) -> TracedFunction | None:
    def struct(leaf):
        dtype = jnp.result_type(leaf)
        wide = jnp.float64 if jnp.issubdtype(dtype, jnp.floating) else dtype
        return jax.ShapeDtypeStruct(np.shape(leaf), wide)

    with compat.double():
        try:
            return trace(fun, *jax.tree.map(struct, (x0, *args)), name=name)
        except (TypeError, ValueError):
            # A function written for float32 alone is judged in float32.
            return None


def _numbers(node: Any) -> bool:
    if not isinstance(node, list):
        return False
    return bool(node) and all(
        isinstance(v, numbers.Number) or _numbers(v) for v in node
    )

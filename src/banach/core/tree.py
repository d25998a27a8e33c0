"""Vector-space arithmetic on pytrees of arrays."""

import functools
import math
import operator
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

_map = jax.tree.map
PRECISION = jax.lax.Precision.HIGHEST


def add(x: PyTree, y: PyTree) -> PyTree:
    """Return x + y, leaf by leaf."""
    return _map(jnp.add, x, y)


def sub(x: PyTree, y: PyTree) -> PyTree:
    """Return x - y, leaf by leaf."""
    return _map(jnp.subtract, x, y)


def neg(x: PyTree) -> PyTree:
    """Return -x."""
    return _map(jnp.negative, x)


def scale(a: Any, x: PyTree) -> PyTree:
    """Return a * x for a scalar a, in the dtype of each leaf of x."""
    return _map(lambda leaf: _cast(a, leaf) * leaf, x)


def axpy(a: Any, x: PyTree, y: PyTree) -> PyTree:
    """Return a * x + y for a scalar a, in the dtype of each leaf of y."""
    return _map(lambda p, q: _cast(a, q) * p + q, x, y)


def lerp(a: Any, x: PyTree, y: PyTree) -> PyTree:
    """Return x + a * (y - x)."""
    return _map(lambda p, q: p + _cast(a, p) * (q - p), x, y)


def vdot(x: PyTree, y: PyTree) -> Array:
    """Inner product over all leaves, a scalar."""
    dots = _map(lambda p, q: jnp.vdot(p, q, precision=PRECISION), x, y)
    return functools.reduce(operator.add, jax.tree.leaves(dots))


def norm(x: PyTree) -> Array:
    """Euclidean norm over all leaves, without overflow for finite x.

    Its derivative at zero is zero (a subgradient), not NaN. Entries are scaled only
    where their squares would overflow or vanish: XLA may evaluate x twice with other
    roundings, and the largest of mere rounding noise is 0 in one and not in the other.
    """
    leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(x)]
    # A method asks for many norms of the same shape: inside a trace it is traced once.
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    return _known_norm(leaves) if traced else _norm(leaves)


def _norm(leaves: list[Array]) -> Array:
    factor, back = square_scale(max_abs(leaves))
    square = functools.reduce(
        operator.add, [jnp.sum(jnp.square(leaf * factor)) for leaf in leaves]
    )
    safe = jnp.where(square > 0, square, 1)
    return jnp.where(square > 0, jnp.sqrt(safe), square) * back


_known_norm = jax.jit(_norm, inline=True)


def square_scale(big: Array) -> tuple[Array, Array]:
    """A power of two by which entries of at most `big` may be squared and summed.

    And its inverse. Both are 1 in the middle of the range. It is never `1 / big`: that
    is subnormal where big is near the end of the range, XLA flushes it, and everything
    would be 0. Multiply by the inverse: XLA turns `v / factor / mu` into
    `v / (factor * mu)`, and that product overflows where the quotients do not.
    """
    info = jnp.finfo(big.dtype)
    low, high = math.sqrt(info.tiny) / info.eps, math.sqrt(info.max) * info.eps
    # Up, squares of all normal numbers are normal, and so is the square of the factor:
    # XLA turns (c f) (c f) into (c c) (f f) where c is a constant. Down, sums of
    # squares stay inside.
    up, down = (2.0**511, 2.0**-600) if info.bits == 64 else (2.0**63, 2.0**-80)
    # Asked in every trace: a function of jnp takes five times as long to trace as one
    # of lax. What is chosen from is constant, and so is the result to derivatives.
    value = functools.partial(jax.lax.full_like, big)
    known = (big > value(0)) & jax.lax.is_finite(big)
    small, large = known & (big < value(low)), known & (big > value(high))

    def chosen(of_small: float, of_large: float) -> Array:
        ordinary = jax.lax.select(large, value(of_large), value(1))
        return jax.lax.select(small, value(of_small), ordinary)

    return chosen(up, down), chosen(1 / up, 1 / down)


def max_abs(x: PyTree) -> Array:
    """Largest absolute entry over all leaves."""
    return functools.reduce(
        jnp.maximum,
        [jnp.max(jnp.abs(leaf), initial=0.0) for leaf in jax.tree.leaves(x)],
    )


def total(x: PyTree) -> Array:
    """Sum of all entries of all leaves."""
    return functools.reduce(operator.add, [jnp.sum(v) for v in jax.tree.leaves(x)])


def zeros_like(x: PyTree) -> PyTree:
    """Zeros of the structure, shapes and dtypes of x."""
    return _map(jnp.zeros_like, x)


def where(condition: Any, x: PyTree, y: PyTree) -> PyTree:
    """Select x where the scalar condition holds, else y."""
    return _map(lambda p, q: jnp.where(condition, p, q), x, y)


def all_finite(x: PyTree) -> Array:
    """Whether every floating entry is finite, a boolean scalar."""
    flags = [jnp.all(jnp.isfinite(v)) for v in jax.tree.leaves(x) if _inexact(v)]
    return functools.reduce(operator.and_, flags, jnp.asarray(True))


def size(x: PyTree) -> int:
    """Total number of entries, a Python int."""
    return sum(int(jnp.size(leaf)) for leaf in jax.tree.leaves(x))


def dtype(x: PyTree) -> Any:
    """The floating dtype that the leaves of x promote to, with 64 bits on or off.

    jnp.result_type would call NumPy's float64 a float32 outside a 64-bit context.
    """
    return functools.reduce(jnp.promote_types, [v.dtype for v in jax.tree.leaves(x)])


def word(x: PyTree) -> int:
    """Bytes of an entry, of concrete or traced arrays alike."""
    return max(np.dtype(v.dtype).itemsize for v in jax.tree.leaves(x))


def ravel(x: PyTree) -> tuple[Array, Any]:
    """Flatten x into one vector, with the function that unflattens."""
    return jax.flatten_util.ravel_pytree(x)


def cast(x: PyTree, to: Any) -> PyTree:
    """Cast floating leaves to a dtype; others stay."""
    return _map(lambda v: jnp.asarray(v, to) if _inexact(v) else v, x)


def _cast(a: Any, leaf: Any) -> Any:
    return jnp.asarray(a).astype(jnp.asarray(leaf).dtype)


def _inexact(v: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(v), jnp.inexact)

"""Running error analysis: a value together with a bound on its rounding error.

`with_error(fun)` interprets the jaxpr of fun, carrying with each array x an array e
that bounds |computed - exact| (Wilkinson's running error analysis, as in Higham,
Accuracy and Stability of Numerical Algorithms, section 3.3). With u the unit roundoff
of the dtype and gam(k) = k u / (1 - k u):

    a + b        e_a + e_b + u |a + b|
    a b          |a| e_b + |b| e_a + e_a e_b + u |a b|
    f(a)         |f'| e_a, widened over the interval a +- e_a, + 8 u |f(a)| (4 ulp)
    sum of m     sum e + gam(m) sum |t|
    A x          |A| e_x + e_A (|x| + e_x) + gam(n + 1) |A| |x|

beside a few times the smallest normal number each, because XLA writes 0 below it and
reads 0 there too: with a subnormal number in the data or the point no bound is known.
and the final bound is multiplied by 1.01, which covers the rounding of the bound
itself. Comparisons whose outcome the errors could change are remembered, and a choice
made by one is charged with the distance to the other choice. The bound is *modelled*:
it presumes that the compiler evaluates each operation to the stated accuracy.

Everything is traced JAX: it works under jit and vmap, in any floating dtype.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr
from jaxtyping import Key, PyTree

from banach.checks.rounding import elementwise as elementwise
from banach.checks.rounding import interpreter as rules
from banach.checks.rounding import moves as moves
from banach.checks.rounding import sums as sums
from banach.core.rounding import subnormal

SPREAD_FACTOR = 20
"""The estimated error is this many times the largest spread seen."""


def with_error(fun: Callable[..., PyTree]) -> Callable[..., tuple[PyTree, PyTree]]:
    """Return a function giving fun's value and a bound on its rounding error.

    The result is called as `run(*args, errors=None)`. Inputs are taken as exact, or
    to lie within `errors`, a pytree of nonnegative arrays with the structure of
    `args`. It returns (value, error), two pytrees of fun's structure: for floating
    leaves, error bounds |value - exact| entry by entry, infinite where no bound is
    known; for the others it is True where the value itself may be wrong.

    Raises `NotImplementedError` for operations without a rule; ask `supported`
    first, and use `perturbed` instead.
    """

    def run(*args: PyTree, errors: PyTree | None = None) -> tuple[PyTree, PyTree]:
        closed, shape = jax.make_jaxpr(fun, return_shape=True)(*args)
        return traced_with_error(closed, shape, args, errors)

    return run


def traced_with_error(
    closed: ClosedJaxpr, shape: PyTree, args: tuple, errors: PyTree | None = None
) -> tuple[PyTree, PyTree]:
    """What `with_error` returns at `args`, where its function was traced already."""
    values = [jnp.asarray(v) for v in jax.tree.leaves(args)]
    given = [None] * len(values) if errors is None else jax.tree.leaves(errors)
    if len(given) != len(values):
        raise ValueError(
            f"errors has {len(given)} leaves and the arguments {len(values)}; "
            "give one nonnegative array per argument leaf"
        )
    pairs = [
        rules.Pair(v, None if e is None else jnp.broadcast_to(e, v.shape))
        for v, e in zip(values, given, strict=True)
    ]
    results = [rules.solid(p) for p in rules.evaluate(closed, pairs)]
    structure = jax.tree.structure(shape)
    value = jax.tree.unflatten(structure, [p.value for p in results])
    # Data and points that are read as 0 may stand beside any large factor.
    lost = subnormal([*values, *closed.consts])
    error = jax.tree.unflatten(structure, [_final(p, lost) for p in results])
    return value, error


def _final(pair, lost):
    if not rules.floating(pair.value):
        return pair.error | lost
    # NaN comes from products like 0 * inf, where no bound is known.
    return jnp.where(jnp.isnan(pair.error) | lost, jnp.inf, 1.01 * pair.error)


def _floating(leaf: Any) -> bool:
    """Floating numbers and arrays, traced ones too."""
    numbers = isinstance(leaf, float | complex | np.ndarray | np.generic | jax.Array)
    return numbers and jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)


def supported(closed: ClosedJaxpr) -> bool:
    """Whether every operation of a closed jaxpr has a rounding rule."""
    return rules.supported(closed.jaxpr)


def perturbed(
    fun: Callable[..., PyTree], key: Key, *args: PyTree
) -> tuple[PyTree, PyTree]:
    """Estimate the rounding error by moving every float input by one ulp.

    Returns fun(*args) and 20 times the largest change over three evaluations with
    each floating entry of the arguments, data included, moved to a random neighbour.
    It is an estimate, not a bound: use it where `supported` is false. Exact zeros
    stay, so that sparsity does.
    """
    floats, rest = eqx.partition(args, _floating)
    floats = jax.tree.map(jnp.asarray, floats)
    base = fun(*args)
    spread = jax.tree.map(lambda v: jnp.zeros(jnp.shape(v), _real(v)), base)
    for trial in jax.random.split(key, 3):
        other = fun(*eqx.combine(_nudged(floats, trial), rest))
        spread = jax.tree.map(
            lambda s, a, b: jnp.maximum(s, jnp.abs(_float(a) - _float(b))),
            spread,
            other,
            base,
        )
    # What is read as 0 moves nothing.
    lost = subnormal(floats)
    return base, jax.tree.map(
        lambda s: jnp.where(lost, jnp.inf, SPREAD_FACTOR * s), spread
    )


def _real(v):
    dtype = jnp.result_type(v)
    if jnp.issubdtype(dtype, jnp.floating):
        return dtype
    return jnp.result_type(float)


def _float(v):
    return jnp.asarray(v).astype(_real(v))


def _nudged(tree, key):
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, max(len(leaves), 1))
    moved = [_moved(v, k) for v, k in zip(leaves, keys[: len(leaves)], strict=True)]
    return jax.tree.unflatten(structure, moved)


def _moved(v, key):
    if jnp.iscomplexobj(v):
        real, imag = jax.random.split(key)
        return jax.lax.complex(_moved(v.real, real), _moved(v.imag, imag))
    up = jax.random.bernoulli(key, 0.5, v.shape)
    towards = jnp.where(up, jnp.inf, -jnp.inf).astype(v.dtype)
    return jnp.where(v == 0, v, jnp.nextafter(v, towards))

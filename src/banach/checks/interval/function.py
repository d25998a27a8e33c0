"""From a JAX function to a function of boxes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from banach.checks.interval.arithmetic import Interval
from banach.checks.interval.derivative_rewriting import prepared
from banach.checks.interval.evaluate import eval_jaxpr_interval


def _is_box(v: Any) -> bool:
    return isinstance(v, Interval)


def float64(v: Any) -> Any:
    """Widen a floating leaf to float64; leave others alone."""
    a = np.asarray(v)
    return a.astype(np.float64) if a.dtype.kind in "fV" else a


def interval_function(fun: Callable, *, rigor: str = "libm") -> Callable[..., PyTree]:
    """Return the function of boxes that encloses a JAX function.

    The result takes pytrees whose leaves are `Interval`s or arrays (points), traces
    `fun` in float64, and returns a pytree of the structure of `fun`'s result whose
    floating leaves are `Interval`s: for every point of the boxes, the value of `fun`
    in real arithmetic (floating literals taken exactly) lies inside.

    `rigor="libm"` trusts elementary functions to 4 ulp; `rigor="arb"` proves them
    with python-flint. Raises `NoEnclosure` where nothing rigorous can be said.
    """

    def enclosed(*args: PyTree) -> PyTree:
        leaves, structure = jax.tree.flatten(args, is_leaf=_is_box)
        leaves = [v if _is_box(v) else float64(v) for v in leaves]
        examples = [np.zeros(v.shape) if _is_box(v) else v for v in leaves]

        def flat(*values):
            return fun(*jax.tree.unflatten(structure, values))

        with jax.enable_x64(True):
            closed, out = prepared(flat, *examples)
        values = eval_jaxpr_interval(closed, *leaves, rigor=rigor, shift=True)
        return jax.tree.unflatten(out, values)

    return enclosed

"""What a Bilevel problem is handed: rows, blocks, functions and constants."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from banach.core import validation
from banach.core.problem import Misuse
from banach.kinds import inputs
from banach.kinds.bases import check_bare, check_floating

SMOOTHNESS = ("upper_x", "upper_y", "cross", "hess")


def rows(given: PyTree, name: str, y0: PyTree, blocks: bool) -> PyTree:
    """Rows as arrays with agreeing leading axes, or None."""
    if blocks:
        heads = {np.shape(v)[:1] for v in jax.tree.leaves(y0)}
        if len(heads) != 1 or () in heads or (0,) in heads:
            raise Misuse(
                "blocks=True needs a leading axis of blocks, the same in every leaf of "
                f"y0; got {sorted(heads)}. Stack the lower variables, (m, ...)"
            )
    if given is None:
        return None
    given = inputs.data(given, name)
    depth = 2 if blocks else 1
    heads = {np.shape(v)[:depth] for v in jax.tree.leaves(given)}
    if len(heads) != 1 or any(len(h) < depth or 0 in h for h in heads):
        want = "(m, n, ...)" if blocks else "(n, ...)"
        raise Misuse(
            f"every leaf of {name} must have the same leading axes {want} with at "
            f"least one row; got {sorted(heads)}"
        )
    if blocks:
        m = jax.tree.leaves(y0)[0].shape[0]
        if next(iter(heads))[0] != m:
            raise Misuse(
                f"{name} has {next(iter(heads))[0]} blocks and y0 has {m}; give one "
                "set of rows to each block"
            )
    return given


def first(value: PyTree, axes: int) -> PyTree:
    """The first entry of that many leading axes."""
    return jax.tree.map(lambda v: v[(0,) * axes], value)


def function(
    fun: Callable, x0: PyTree, y: PyTree, data: PyTree, blocks: bool, args: tuple,
    name: str,
) -> inputs.Function:  # fmt: skip
    """Trace one level at one row of one block; it must return a real scalar."""
    row = () if data is None else (first(data, 2 if blocks else 1),)
    traced = inputs.function(fun, x0, (y, *row, *args), name)
    shapes = [v.aval.shape for v in traced.narrow.program.jaxpr.outvars]
    if shapes != [()]:
        what = "a row" if row else "all of its data"
        raise Misuse(
            f"{name} must return one scalar for {what}, got shapes {shapes}; reduce "
            "it, e.g. with jnp.sum"
        )
    check_bare(traced.narrow, name)
    check_floating(traced.narrow, name)
    inputs.differentiable(traced, x0, (y, *row, *args), name)
    return traced


def smoothness(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The four declared Lipschitz constants, zero allowed."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or set(given) != set(SMOOTHNESS):
        raise Misuse(
            "smoothness must be a dict of the Lipschitz constants in y of F_x, F_y, "
            f"G_xy and G_yy by the names {', '.join(SMOOTHNESS)}; got "
            f"{validation.shown(given)}"
        )
    out = {}
    for name in SMOOTHNESS:
        title = f"smoothness[{name!r}]"
        value = validation.number(given[name], title, low="nonnegative")
        out[name] = value.astype(float) if isinstance(value, np.ndarray) else value
    return out

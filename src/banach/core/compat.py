"""The only file that touches private or moving parts of JAX."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

__all__ = ["ClosedJaxpr", "Jaxpr", "Literal", "double", "is_tracer", "jaxpr_as_fun"]


@contextlib.contextmanager
def double() -> Iterator[None]:
    """Work in 64 bits inside the block; the global flag is never touched."""
    with jax.enable_x64(True):
        yield


def is_tracer(value: Any) -> bool:
    """Whether a leaf is being traced (so its entries cannot be looked at)."""
    return isinstance(value, jax.core.Tracer)


def any_tracer(tree: Any) -> bool:
    """Whether any leaf of a pytree is being traced."""
    return any(is_tracer(leaf) for leaf in jax.tree.leaves(tree))


def bind(eqn: Any, values: list[Any]) -> list[Any]:
    """Apply one jaxpr equation to values; always a list of results."""
    params = eqn.primitive.get_bind_params(eqn.params)
    if isinstance(params, tuple):
        subfuns, params = params
        out = eqn.primitive.bind(*subfuns, *values, **params)
    else:
        out = eqn.primitive.bind(*values, **params)
    return list(out) if eqn.primitive.multiple_results else [out]

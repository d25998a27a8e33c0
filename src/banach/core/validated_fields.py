"""Hyperparameters of parts, read where they enter: the fields of terms and recipes."""

import functools
from typing import Any

import equinox as eqx
import jax
import numpy as np

from banach.core import compat, validation
from banach.core.problem import Misuse


def keep(
    x: Any,
    name: str,
    low: str | None = None,
    *,
    scalar: bool = False,
    infinite: bool = False,
) -> Any:
    """A hyperparameter, read: JAX arrays and tracers stay, all else becomes NumPy.

    One number, an array, a list of numbers (a vector), or a dict or tuple of arrays
    (a pytree, read leaf by leaf). `low` is "positive", "nonnegative" or None;
    `scalar` demands one number; `infinite` allows +-inf.
    """
    if scalar:
        return validation.number(x, name, low=low, infinite=infinite)

    def one(path: Any, leaf: Any) -> Any:
        where = name + jax.tree_util.keystr(path)
        if isinstance(leaf, list) or np.ndim(leaf):
            return validation.array(leaf, where, low=low, infinite=infinite)
        return validation.number(leaf, where, low=low, infinite=infinite)

    if isinstance(x, list):
        return one((), x)
    # None is no leaf of a pytree, and would pass unseen.
    out = jax.tree_util.tree_map_with_path(one, x, is_leaf=lambda v: v is None)
    if not jax.tree.leaves(out):
        raise Misuse(f"{name} holds no number, got {validation.shown(x)}")
    return out


def hyper(
    name: str, low: str | None = None, *, scalar: bool = False, **default: Any
) -> Any:
    """A field whose value `keep` reads; `default=` as in eqx.field."""
    read = functools.partial(keep, name=name, low=low, scalar=scalar)
    return eqx.field(converter=read, **default)


def number(name: str, low: str | None = None, **default: Any) -> Any:
    """A field that holds one number of a recipe, which takes the dtype of a run.

    A Python number says that no dtype was chosen.
    """

    def read(value: Any) -> Any:
        chosen = isinstance(value, np.ndarray | jax.Array)
        out = validation.number(value, name, low=low)
        return out if chosen else float(out)

    return eqx.field(converter=read, **default)


def count(name: str, low: int = 1, *, static: bool = True, **default: Any) -> Any:
    """A field that holds an integer of at least `low`; traced only if not static."""

    def read(value: Any) -> Any:
        if not static and compat.is_tracer(value):
            return value
        return validation.integer(value, name, low=low)

    return eqx.field(converter=read, static=static, **default)


def switch(name: str, **default: Any) -> Any:
    """A static field that holds True or False."""
    read = functools.partial(validation.flag, name=name)
    return eqx.field(converter=read, static=True, **default)

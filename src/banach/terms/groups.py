"""The group norm: sums of 2-norms over groups of coordinates."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from banach.core import validation
from banach.core.problem import Misuse
from banach.core.validated_fields import keep
from banach.terms.term import (
    Norm,
    Partition,
    Scalar,
    angle,
    arrays,
    charge,
    concrete,
    positive,
    rebuild,
    safe_factor,
    shrink,
    single,
    spread,
)


class GroupL2(Norm):
    """g(x) = sum over groups of lam_g ||x_g||, on one array.

    `groups` holds a label in 0 .. count - 1 for each coordinate (-1: unpenalised),
    or is a tuple of tuples of indices of a 1-D array, which must cover 0 .. n - 1
    once. lam is a number or one weight for each group. `count` is needed only
    where labels are traced.

    Args:
        lam: a number >= 0, or one weight a group.
        groups: a label for each coordinate, or tuples of indices.
        count: the number of groups, where labels are traced.

    Source: Yuan and Lin, J. Royal Statistical Society B 68 (2006); Parikh and Boyd,
    Proximal Algorithms (2014), section 6.5.

    Example:
        >>> bn.GroupL2(1.0, [0, 0, 1]).prox(np.array([3.0, 4.0, 0.5]), 1.0)
        Array([2.4, 3.2, 0. ], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    lam: Any
    groups: Any
    count: int = eqx.field(static=True)

    def __init__(self, lam: Any, groups: Any, count: int | None = None):
        if count is not None:
            count = validation.integer(count, "GroupL2 count", low=1)
        groups = read_groups(groups, "GroupL2")
        if concrete(groups):
            if groups.size == 0 or np.min(groups) < -1:
                raise Misuse("GroupL2 needs one label >= -1 for each coordinate")
            top = int(np.max(groups)) + 1
            count = top if count is None else count
            if count < max(top, 1):
                raise Misuse(f"GroupL2 count must be at least {max(top, 1)}")
        if count is None:
            raise Misuse("GroupL2 needs count=... where the labels are traced")
        self.lam = keep(lam, "GroupL2 lam", "nonnegative")
        self.groups, self.count = groups, count
        if np.shape(self.lam) not in ((), (count,)):
            raise Misuse(
                f"GroupL2 lam has shape {np.shape(self.lam)}: give one number, or "
                f"one weight for each of the {count} groups"
            )

    def value(self, x: PyTree) -> Scalar:
        """Sum of lam_g ||x_g||."""
        x, part, lam = self._setup(x)
        return jnp.sum(lam * part.norm(x))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """(1 - t lam_g / ||v_g||)_+ v_g."""
        w, part, lam = self._setup(v)
        factor = shrink(part.norm(w), jnp.asarray(t, w.dtype) * lam)
        return rebuild(v, w * part.gather(factor, 1))

    @property
    def unpenalised(self) -> Any:
        """Coordinates of groups of weight 0, and those labelled -1."""
        lam = jnp.broadcast_to(jnp.asarray(self.lam), (self.count,))
        skip = jnp.asarray(self.groups) < 0
        return skip | (jnp.asarray(lam == 0)[jnp.maximum(self.groups, 0)])

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Sum of (lam - ||v||) ||x|| + ||v|| ||x|| ||v/||v|| - x/||x|| ||^2 / 2."""
        (e,) = spread(arrays(v), e)
        x, part, lam = self._setup(x)
        v, e = single(self, v), single(self, e)
        nv, nx, turn, slack = angle(v, x, e, part)
        live = lam > 0
        value = jnp.sum(jnp.where(live, jnp.maximum(lam - nv, 0) * nx + turn, 0))
        return value, charge(value, jnp.sum(jnp.where(live, slack, 0)), x.size + 8)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """min(1, lam_g / || |v_g| + e_g ||), rounded down."""
        (e,) = spread(arrays(v), e)
        v, part, lam = self._setup(v)
        norms = part.norm(jnp.abs(v) + single(self, e))
        ratio = jnp.where(lam > 0, norms / positive(lam), 0)
        return safe_factor(jnp.max(ratio), v.size + 8)

    def _setup(self, x: PyTree) -> tuple[Array, "Partition", Array]:
        x = single(self, x)
        if self.groups.shape != x.shape:
            raise Misuse(
                f"GroupL2 has labels of shape {self.groups.shape}, the variable has "
                f"shape {x.shape}: give one label for each coordinate"
            )
        lam = jnp.broadcast_to(jnp.asarray(self.lam, x.dtype), (self.count,))
        return x, Partition(jnp.asarray(self.groups), self.count), lam


def read_groups(groups: Any, name: str) -> Any:
    """Labels as an array of integers; a tracer stays one."""
    if isinstance(groups, tuple | list) and any(
        isinstance(g, tuple | list | range | np.ndarray | jax.Array) for g in groups
    ):
        parts = [list(g) if isinstance(g, range) else g for g in groups]
        return _labels([_whole(g, name) for g in parts], name)
    return _whole(groups, name)


def _whole(values: Any, name: str) -> Any:
    if not isinstance(values, jax.Array):
        values = values if validation.masked(values) else _array(values)
    kind = np.dtype(getattr(values, "dtype", object))
    if validation.masked(values) or not np.issubdtype(kind, np.integer):
        held = "a masked array" if validation.masked(values) else str(kind)
        raise Misuse(
            f"{name} groups must be one integer label for each coordinate, or a tuple "
            f"of tuples of indices, got {held}"
        )
    # JAX reads the machine's byte order only.
    return values if isinstance(values, jax.Array) else values.astype(int)


def _array(values: Any) -> Any:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        return None


def _labels(groups: list[Any], name: str) -> np.ndarray:
    flat = np.concatenate([np.asarray(g, int).ravel() for g in groups])
    if not np.array_equal(np.sort(flat), np.arange(flat.size)):
        raise Misuse(
            f"{name} groups must cover the coordinates 0 .. n - 1, each once: "
            "overlapping groups have no closed-form prox (duplicate the columns), "
            "and an unpenalised coordinate is a label -1"
        )
    labels = np.empty(flat.size, int)
    for k, g in enumerate(groups):
        labels[np.asarray(g, int)] = k
    return labels

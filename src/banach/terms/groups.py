"""Group norms: sums of 2-norms over groups of coordinates, and an l1 norm beside."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from banach.core import validation
from banach.core.problem import Misuse
from banach.core.rounding import gam, least
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
    soft,
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
        self.lam, self.groups, self.count = _fields("GroupL2", lam, groups, count)

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
        return _free(self.lam, self.groups, self.count)

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
        return _parts(self, x)


class SparseGroupL2(Norm):
    """g(x) = sum l1 |x| + sum over groups of lam_g ||x_g||, on one array.

    Whole groups become 0, and entries within those that are left. The prox is that of
    the l1 norm, then that of the groups. The dual ball is {v: ||soft(v_g, l1)|| <=
    lam_g for all g}; its gauge is the largest root nu of ||soft(v_g, nu l1)|| = nu
    lam_g.

    Args:
        l1: a number >= 0, or weights like x.
        lam: a number >= 0, or one weight a group.
        groups: a label for each coordinate (-1: in no group), or tuples of indices.
        count: the number of groups, where labels are traced.

    Source: Simon, Friedman, Hastie and Tibshirani, "A sparse-group lasso", J. of
    Computational and Graphical Statistics 22 (2013); the prox: Jenatton, Mairal,
    Obozinski and Bach, JMLR 12 (2011); the dual norm: Ndiaye, Fercoq, Gramfort and
    Salmon, "GAP safe screening rules for sparse-group lasso" (2016).

    Example:
        >>> bn.SparseGroupL2(1.0, 1.0, [0, 0, 1]).prox(np.array([4.0, 5.0, 1.5]), 1.0)
        Array([2.4, 3.2, 0. ], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    l1: Any
    lam: Any
    groups: Any
    count: int = eqx.field(static=True)

    def __init__(self, l1: Any, lam: Any, groups: Any, count: int | None = None):
        self.l1 = keep(l1, "SparseGroupL2 l1", "nonnegative")
        kept = _fields("SparseGroupL2", lam, groups, count)
        self.lam, self.groups, self.count = kept

    def value(self, x: PyTree) -> Scalar:
        """Sum of l1 |x| and of lam_g ||x_g||."""
        x, part, lam, l1 = self._setup(x)
        return jnp.sum(l1 * jnp.abs(x)) + jnp.sum(lam * part.norm(x))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """s = soft(v, t l1), then (1 - t lam_g / ||s_g||)_+ s_g."""
        w, part, lam, l1 = self._setup(v)
        t = jnp.asarray(t, w.dtype)
        s = soft(w, t * l1)
        return rebuild(v, s * part.gather(shrink(part.norm(s), t * lam), 1))

    @property
    def unpenalised(self) -> Any:
        """Coordinates without either penalty."""
        return _free(self.lam, self.groups, self.count) & (jnp.asarray(self.l1) == 0)

    def floor(self, size: int, dtype: Any) -> Scalar:
        """A number c with g(x) >= c ||x||: a 2-norm is at most the 1-norm."""
        lam = jnp.min(jnp.asarray(self.lam, dtype))
        lam = jnp.where(jnp.min(jnp.asarray(self.groups)) < 0, 0, lam)
        least_l1 = jnp.min(jnp.asarray(self.l1, dtype))
        return (least_l1 + lam) * (1 - gam(8, dtype))

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """l1 |x| - c x with c = clip(v, -l1, l1), and the groups' bracket at v - c."""
        (e,) = spread(arrays(v), e)
        x, part, lam, l1 = self._setup(x)
        v, e = single(self, v), single(self, e)
        c = jnp.clip(v, -l1, l1)
        s = v - c
        u, tiny = gam(2, x.dtype), least(x.dtype)
        # Written as a product: a difference would leave a rounding error of its 0.
        against = jnp.where((c > 0) == (x > 0), 0, 2 * jnp.abs(c * x))
        flat = jnp.maximum(l1 - jnp.abs(c), 0) * jnp.abs(x) + against
        ns, nx, turn, slack = angle(s, x, e + u * jnp.abs(s), part)
        live = lam > 0
        grouped = part.gather(live.astype(x.dtype), 0) > 0
        value = jnp.sum(jnp.where(grouped | (l1 > 0), flat, 0))
        value = value + jnp.sum(
            jnp.where(live, jnp.maximum(lam - ns, 0) * nx + turn, 0)
        )
        # A feasible v is within l1 where there is no group, and clipping moves it by
        # at most e.
        lost = 4 * tiny * (1 + l1 + jnp.abs(x)) + u * l1 * jnp.abs(x)
        alone = jnp.where(~grouped & (l1 > 0), e * jnp.abs(x), 0)
        moved = jnp.sum(jnp.where(grouped | (l1 > 0), lost + alone, 0))
        moved = moved + jnp.sum(jnp.where(live, slack, 0))
        return value, charge(value, moved, x.size + 12)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """1 / max(1, nu), nu the gauge of |v| + e, rounded up."""
        (e,) = spread(arrays(v), e)
        v, part, lam, l1 = self._setup(v)
        # Rounding of differences is charged before: as if of a larger v, a smaller l1.
        a = (jnp.abs(v) + single(self, e)) * (1 + gam(6, v.dtype))
        l1 = l1 * (1 - gam(6, v.dtype))
        live = lam > 0
        grouped = part.gather(live.astype(v.dtype), 0) > 0
        alone = jnp.where(~grouped & (l1 > 0), a / positive(l1), 0)

        def excess(nu):
            s = jnp.maximum(a - part.gather(nu, 1) * l1, 0)
            return s, part.norm(s)

        def newton(state):
            nu, _, count = state
            s, n = excess(nu)
            # ||s(nu)|| - nu lam is convex and falls: from the left Newton stays there.
            slope = part.sum(s * l1) / positive(n) + lam
            more = nu + jnp.maximum(n - nu * lam, 0) / positive(slope)
            more = jnp.where(live, more, nu)
            moving = jnp.any(more > nu * (1 + 4 * float(jnp.finfo(nu.dtype).eps)))
            return more, moving, count + 1

        start = jnp.ones(self.count, v.dtype)
        begun = (start, jnp.asarray(True), jnp.zeros((), jnp.int32))
        nu = jax.lax.while_loop(lambda s: s[1] & (s[2] < 50), newton, begun)[0]
        # Whatever nu is: soft(a / q, l1) <= soft(a, l1) / q for q >= 1, so that nu
        # times the ratio that is left is enough.
        left = jnp.where(live, excess(nu)[1] / positive(nu * lam), 0)
        k = v.size + 12
        up = 1 + 2.1 * gam(k, v.dtype)
        over = jnp.where(live, nu * jnp.maximum(left * up, 1), 0)
        over = jnp.where(live & (nu == 1) & (left * up <= 1), left, over)
        return safe_factor(jnp.maximum(jnp.max(over), jnp.max(alone)), k)

    def _setup(self, x: PyTree) -> tuple[Array, "Partition", Array, Array]:
        x, part, lam = _parts(self, x)
        (l1,) = spread(x, self.l1)
        return x, part, lam, l1


def _fields(name: str, lam: Any, groups: Any, count: int | None) -> tuple:
    """Weights, labels and their number, read."""
    if count is not None:
        count = validation.integer(count, f"{name} count", low=1)
    groups = read_groups(name, groups)
    if concrete(groups):
        if groups.size == 0 or np.min(groups) < -1:
            raise Misuse(f"{name} needs one label >= -1 for each coordinate")
        top = int(np.max(groups)) + 1
        count = top if count is None else count
        if count < max(top, 1):
            raise Misuse(f"{name} count must be at least {max(top, 1)}")
    if count is None:
        raise Misuse(f"{name} needs count=... where the labels are traced")
    lam = keep(lam, f"{name} lam", "nonnegative")
    if np.shape(lam) not in ((), (count,)):
        raise Misuse(
            f"{name} lam has shape {np.shape(lam)}: give one number, or "
            f"one weight for each of the {count} groups"
        )
    return lam, groups, count


def _parts(term: Any, x: PyTree) -> tuple[Array, Partition, Array]:
    """The array, its groups, and a weight for each."""
    x = single(term, x)
    if term.groups.shape != x.shape:
        raise Misuse(
            f"{type(term).__name__} has labels of shape {term.groups.shape}, the "
            f"variable has shape {x.shape}: give one label for each coordinate"
        )
    lam = jnp.broadcast_to(jnp.asarray(term.lam, x.dtype), (term.count,))
    return x, Partition(jnp.asarray(term.groups), term.count), lam


def _free(lam: Any, groups: Any, count: int) -> Array:
    """Coordinates of no group, or of one of weight 0."""
    lam = jnp.broadcast_to(jnp.asarray(lam), (count,))
    groups = jnp.asarray(groups)
    return (groups < 0) | (lam == 0)[jnp.maximum(groups, 0)]


def read_groups(name: str, groups: Any) -> Any:
    """Labels as an array of integers; a tracer stays one."""
    if isinstance(groups, tuple | list) and any(
        isinstance(g, tuple | list | range | np.ndarray | jax.Array) for g in groups
    ):
        parts = [list(g) if isinstance(g, range) else g for g in groups]
        return _labels(name, [_whole(name, g) for g in parts])
    return _whole(name, groups)


def _whole(name: str, values: Any) -> Any:
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


def _labels(name: str, groups: list[Any]) -> np.ndarray:
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

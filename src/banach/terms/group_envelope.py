"""The weighted group sparse envelope: few groups, by a convex penalty."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import stop_gradient as fixed
from jaxtyping import Array, PyTree

from banach.core import validation
from banach.core.problem import Misuse
from banach.core.rounding import gam
from banach.core.validated_fields import keep
from banach.terms.groups import read_groups
from banach.terms.term import (
    Norm,
    Partition,
    Scalar,
    arrays,
    charge,
    concrete,
    positive,
    rebuild,
    single,
    spread,
)


class GroupSparseEnvelope(Norm):
    """g(x) = lam/2 min {sum_g d_g ||x_g||^2 / u_g : 0 <= u <= 1, sum u <= k}.

    The largest convex function below lam/2 sum_g d_g ||x_g||^2 plus the indicator of
    at most k nonzero groups; with d = 1 and groups of one, the square of the
    k-support norm. Where at most k groups are nonzero it is ridge regression: it sets
    groups to zero and barely shrinks the others. Its conjugate adds up the k largest
    ||v_g||^2 / (2 lam d_g). The prox sorts 2 G breakpoints of one multiplier.

    Args:
        lam: a number > 0.
        k: how many groups may be nonzero for free, from 1 to the number of groups.
        groups: a label >= 0 for each coordinate, or tuples of indices.
        weights: d, a positive number, or one a group.
        count: the number of groups, where labels are traced.

    Source: Refael, Arbel and Huleihel, Learning k-Level Structured Sparse Neural
    Networks Using Group Envelope Regularization (2022). The prox and the certificate
    are derived here from the conjugate.

    Example:
        >>> term = bn.GroupSparseEnvelope(1.0, 1, [0, 0, 1])
        >>> term.prox(np.array([3.0, 4.0, 0.5]), 1.0)
        Array([1.5, 2. , 0. ], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    lam: Any
    k: int = eqx.field(static=True)
    groups: Any
    weights: Any
    count: int = eqx.field(static=True)

    def __init__(
        self, lam: Any, k: int, groups: Any, weights: Any = 1.0,
        count: int | None = None,
    ):  # fmt: skip
        name = "GroupSparseEnvelope"
        groups = read_groups(name, groups)
        if concrete(groups):
            if groups.size == 0 or np.min(groups) < 0:
                raise Misuse(f"{name} needs one label >= 0 for each coordinate")
            low = int(np.max(groups)) + 1
            count = low if count is None else count
        else:
            low = 1
        if count is None:
            raise Misuse(f"{name} needs count=... where the labels are traced")
        self.count = validation.integer(count, f"{name} count", low=low)
        self.k = validation.integer(k, f"{name} k", low=1)
        if self.k > self.count:
            raise Misuse(f"{name} k must be at most {self.count}, the groups there are")
        self.lam = keep(lam, f"{name} lam", "positive", scalar=True)
        self.weights = keep(weights, f"{name} weights", "positive")
        self.groups = groups
        if np.shape(self.weights) not in ((), (self.count,)):
            raise Misuse(
                f"{name} weights has shape {np.shape(self.weights)}: give one number, "
                f"or one for each of the {self.count} groups"
            )

    def value(self, x: PyTree) -> Scalar:
        """(sum of the r largest a_g^2 + (sum of the others)^2 / (k - r)) / 2.

        With a_g = sqrt(lam d_g) ||x_g|| and the least r whose rest is spread evenly.
        """
        x, part, d = self._setup(x)
        a = jnp.sqrt(d) * part.norm(x)
        full, s = self._level(a)
        top = jnp.sum(jnp.where(full, jnp.square(a), 0))
        return (top + jnp.sum(jnp.where(full, 0, a)) * s) / 2

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """v_g u_g / (u_g + t lam d_g), u = clip(c ||v_g|| sqrt(t lam d) - t lam d).

        c makes sum u = k, or all of u 0 or 1 where no more than k groups are not 0.
        """
        w, part, d = self._setup(v)
        d = jnp.asarray(t, w.dtype) * d
        p = part.norm(w) * jnp.sqrt(d)
        live, safe = p > 0, positive(p)
        low, high = fixed(d / safe), fixed((1 + d) / safe)
        ends = jnp.sort(jnp.where(live, jnp.stack([low, high]), 0).ravel())

        def narrow(_, bracket):
            left, right = bracket
            mid = (left + right) // 2
            u = jnp.where(live, jnp.clip(ends[mid] * fixed(p) - fixed(d), 0, 1), 0)
            fits = jnp.sum(u) <= self.k
            return jnp.where(fits, mid, left), jnp.where(fits, right, mid)

        # Among the breakpoints, the last that uses no more than k.
        steps = int(np.ceil(np.log2(2 * self.count))) + 1
        bracket = jnp.zeros((), jnp.int32), jnp.full((), 2 * self.count, jnp.int32)
        last = ends[jax.lax.fori_loop(0, steps, narrow, bracket)[0]]
        full = live & (high <= last)
        between = live & (low <= last) & ~full
        c = self.k - jnp.sum(full) + jnp.sum(jnp.where(between, d, 0))
        c = c / positive(jnp.sum(jnp.where(between, p, 0)))
        u = jnp.where(full, 1, jnp.where(between, c * p - d, 0))
        return rebuild(v, w * part.gather(u / (u + d), 1))

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Sum of d/(2u) ||x - u v/d||^2, and what u spends beside the k largest.

        With s_g = ||v_g||^2 / (2 d_g) and their k-th largest h that is
        h (k - sum u) + sum (1 - u) (s - h)_+ + u (h - s)_+, nothing negative. Every
        u and h give an upper bound; those that attain the minimum, the bracket.
        """
        (e,) = spread(arrays(v), e)
        x, part, d = self._setup(x)
        v, e, n, dtype = single(self, v), single(self, e), x.size + 20, x.dtype
        nx, nv, ne = part.norm(x), part.norm(v), part.norm(e)
        a = jnp.sqrt(d) * nx
        full, level = self._level(a)
        u = jnp.where(full, 1, jnp.minimum(a / positive(level), 1))
        some = u > 0
        each = part.gather(jnp.where(some, u / d, 0), 1)
        apart, pull = part.norm(x - each * v), jnp.where(some, d / positive(u), 0)
        s = jnp.square(nv) / (2 * d)
        h = jnp.sort(s)[self.count - self.k]
        over, under = jnp.maximum(s - h, 0), jnp.maximum(h - s, 0)
        spent = h * jnp.maximum(self.k - jnp.sum(u), 0)
        value = spent + jnp.sum(pull * apart**2 / 2 + (1 - u) * over + u * under)
        # What rounding moves: x - u v/d, s, and sum u <= k itself.
        g = gam(n, dtype)
        r = 3 * g * (nx + u * nv / d) + jnp.where(some, u * ne / d, 0)
        moved = jnp.sum(pull * (apart * r + r**2 / 2)) + g * jnp.sum(pull * nx**2)
        ds = (2 * nv * ne + ne**2) / (2 * d)
        moved += jnp.sum(jnp.sort(ds)[self.count - self.k :]) + jnp.sum(u * ds)
        keen = jnp.where(s > h, (1 - u) * (s + h), u * (s + h))
        moved += 4 * g * (jnp.sum(keen) + h * (self.k + jnp.sum(u)))
        return value, charge(value, moved, n)

    def _level(self, a: Array) -> tuple[Array, Scalar]:
        """Which groups have u = 1, and the a_g / u_g of the others."""
        down = jnp.flip(jnp.sort(fixed(a)))
        rest = jnp.flip(jnp.cumsum(jnp.flip(down)))[: self.k]
        left = jnp.arange(self.k, 0, -1, dtype=a.dtype)
        # The least r with a_{r+1} <= sum_{i > r} a_i / (k - r); k - 1 is one.
        even = (down[: self.k] * left <= rest).at[-1].set(True)
        r = jnp.argmax(even)
        rank = jnp.zeros(a.size, jnp.int32).at[jnp.argsort(-fixed(a))].set(
            jnp.arange(a.size, dtype=jnp.int32)
        )  # fmt: skip
        full = rank < r
        return full, jnp.sum(jnp.where(full, 0, a)) / left[r]

    def _setup(self, x: PyTree) -> tuple[Array, Partition, Array]:
        """The array, its groups, and lam d for each."""
        x = single(self, x)
        if self.groups.shape != x.shape:
            raise Misuse(
                f"GroupSparseEnvelope has labels of shape {self.groups.shape}, the "
                f"variable has shape {x.shape}: give one label for each coordinate"
            )
        d = jnp.asarray(self.weights, x.dtype) * jnp.asarray(self.lam, x.dtype)
        d = jnp.broadcast_to(d, (self.count,))
        return x, Partition(jnp.asarray(self.groups), self.count), d

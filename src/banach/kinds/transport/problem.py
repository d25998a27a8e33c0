"""Entropic optimal transport, on a stored cost or on two point clouds."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from banach.core import tree
from banach.core.annotations import Column, Real
from banach.core.facts import CONSTRUCTION, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Problem, in_own_precision
from banach.core.view import Way
from banach.kinds.transport import inputs
from banach.parts.transport_cost import Cost, both_sums

Scalar = Float[Array, ""]
Pair = tuple[Float[Array, " m"], Float[Array, " n"]]


class Block(eqx.Module):
    """Some rows of the cost; `live` is False for the padding of the last block."""

    C: Float[Array, "k n"]
    i: Any
    live: Any

    def pick(self, v: Float[Array, " m"]) -> Float[Array, "k 1"]:
        """The entries of v at these rows, as a column."""
        v = jnp.asarray(v)
        return v[:, None] if self.i is None else v[self.i][:, None]

    def mask(self, P: Array, off: Any = 0) -> Array:
        """P without the rows that are padding."""
        return P if self.i is None else jnp.where(self.live[:, None], P, off)


@kind(
    name="Transport",
    oracles="value grad hvp hess plan transform",
    checks="transport",
    views="""sinkhorn_map without_term root_of_gradient inclusion_of_gradient
    forward_backward""",
    prefers={"": "sinkhorn_newton_sparse sinkhorn"},
    zoo="transport",
)
class Transport(Problem):
    """Entropic optimal transport, stated by its dual, over potentials x = (f, g).

    minimise over P >= 0 with P 1 = a, P' 1 = b:  <C, P> + eps KL(P || a b'),
    KL(P || Q) = sum P log(P / Q) - P + Q. The plan of potentials is
    P(f, g)_ij = a_i b_j exp((f_i + g_j - C_ij) / eps), and what is minimised is

    F(f, g) = eps (sum P - sum a sum b) - a.f - b.g + gauge / 2 (sum f - sum g)^2.

    The last term vanishes at the solution that it selects (the dual is constant
    along f + t, g - t), so that min F = -(the optimal value above). `eps` has the
    units of the cost. Peers have the same plans: POT's `ot.sinkhorn(a, b, C, reg)`
    with reg = eps, OTT's `PointCloud(x, y, epsilon=eps)`. Values of POT (0.9.7): that
    of `ot.solve(C, a, b, reg=eps)` is <C, P> + eps sum P log(P / (a b')), ours for
    masses 1 (masses of sum m: ours is eps (m^2 - m) more). Only reg_type="entropy"
    gives <C, P> + eps sum P log P, for masses 1 ours plus eps (a.log a + b.log b).

    `cost` is an array (m, n), or an operator of banach.parts.transport_cost. The
    marginals are positive and sum alike. Bad data raise Misuse.

    Args:
        cost: (m, n), in any unit.
        a: (m,), positive.
        b: (n,), positive, of the same sum.
        eps: a number > 0, in the unit of the cost.

    Raises:
        Misuse: shapes that do not fit, masses that are not positive or differ in sum.

    Example:
        >>> cost, a = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.5, 0.5])
        >>> f, g = bn.solve(bn.Transport(cost, a, a, eps=0.5)).x
        >>> np.round(np.outer(a, a) * np.exp((f[:, None] + g - cost) / 0.5), 3)
        array([[0.44, 0.06],
               [0.06, 0.44]])
    """

    cost: Cost
    a: Any
    b: Any
    eps: Any

    def __init__(self, cost: ArrayLike | eqx.Module, a: Column, b: Column, eps: Real):
        self.cost, self.a, self.b, self.eps = inputs.read(cost, a, b, eps)

    def restated(self) -> "Transport":
        """Through the constructor."""
        return self.through_constructor()

    @classmethod
    def points(
        cls,
        x: Any,
        y: Any,
        a: Any = None,
        b: Any = None,
        *,
        eps: Any,
        cost: str = "sqeuclidean",
    ) -> "Transport":
        """Clouds x (m, d) and y (n, d); the cost is recomputed, never stored.

        Without a or b each point weighs the same. `cost` is sqeuclidean or
        euclidean.
        """
        operator = inputs.clouds(x, y, cost)
        m, n = operator.shape
        a = np.full(m, 1 / m, operator.dtype) if a is None else a
        b = np.full(n, 1 / n, operator.dtype) if b is None else b
        return cls(operator, a, b, eps)

    def oracles(self) -> frozenset[str]:
        """Derivatives of F, the plan and the transforms; hess of a stored cost."""
        own = {"value", "grad", "hvp", "plan", "transform"}
        return frozenset(own | {"hess"} if self.cost.stored else own)

    def space(self) -> Any:
        """(f, g), of shapes (m,) and (n,)."""
        dtype = jax.dtypes.canonicalize_dtype(self.a.dtype)
        return tuple(jax.ShapeDtypeStruct((k,), dtype) for k in self.cost.shape)

    def start(self) -> Point:
        """Constant potentials, whose plan of a constant cost 0 has the right mass.

        Zero where the masses sum to 1.
        """
        xp = np if inputs.known((self.a, self.eps)) else jnp
        level = -xp.asarray(self.eps) * xp.log(xp.sum(xp.asarray(self.a))) / 2
        return Point(tuple(xp.full(v.shape, level, v.dtype) for v in self.space()))

    def reference_point(self) -> Point:
        """Zero potentials."""
        return Point(tuple(jnp.zeros(v.shape, v.dtype) for v in self.space()))

    def facts(self) -> Facts:
        """A convex dual, differentiable everywhere."""
        return Facts({"convex": CONSTRUCTION, "smooth": CONSTRUCTION})

    def with_eps(self, eps: Any) -> "Transport":
        """The same cost and marginals at another eps."""
        eps = inputs.positive(eps, self.a.dtype)
        return eqx.tree_at(lambda p: p.eps, self, eps)

    def value(self, x: Pair) -> Scalar:
        """F."""
        return self.value_and_grad(x)[0]

    def grad(self, x: Pair) -> Pair:
        """(P 1 - a, P' 1 - b), plus the gauge's."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x: Pair) -> tuple[Scalar, Pair]:
        """Both in one pass over the cost."""
        (f, g), a, b = x, self.wide(self.a, x), self.wide(self.b, x)
        r, c = self.sums(x)
        gauge, off = self._gauge(x), jnp.sum(f) - jnp.sum(g)
        rest = jnp.vdot(a, f) + jnp.vdot(b, g)
        excess = jnp.sum(r) - jnp.sum(a) * jnp.sum(b)
        value = self.wide(self.eps, x) * excess - rest + gauge * off**2 / 2
        return value, (r - a + gauge * off, c - b - gauge * off)

    def hvp(self, x: Pair, v: Pair) -> Pair:
        """[[diag P1, P], [P', diag P'1]] v / eps, plus the gauge's."""
        vf, vg = v
        eps = self.wide(self.eps, x)

        def part(block):
            P = self.part(block, x)
            return both_sums(P * (block.pick(vf) + vg))

        rows, columns = self.fold(part)
        off = self._gauge(x) * (jnp.sum(vf) - jnp.sum(vg))
        return rows / eps + off, columns / eps - off

    def hess(self, x: Pair) -> Float[Array, "m+n m+n"]:
        """The dense Hessian, f before g."""
        P = self.plan(x)
        r, c = jnp.sum(P, axis=1), jnp.sum(P, axis=0)
        H = jnp.block([[jnp.diag(r), P], [P.T, jnp.diag(c)]])
        u = jnp.concatenate([jnp.ones_like(r), -jnp.ones_like(c)])
        return H / self.wide(self.eps, x) + self._gauge(x) * jnp.outer(u, u)

    @in_own_precision
    def plan(self, x: Pair) -> Float[Array, "m n"]:
        """P(f, g), stored."""
        whole = Block(self.wide(self.cost, x).rows(None), None, None)
        return self.part(whole, x)

    @in_own_precision
    def sums(self, x: Pair) -> Pair:
        """(P 1, P' 1) in one pass."""

        return self.fold(lambda block: both_sums(self.part(block, x)))

    @in_own_precision
    def transform(self, h: Array, side: int) -> Array:
        """The soft c-transform: the best f for h = g (side 0), or g for h = f.

        f_i = -eps log sum_j b_j exp((g_j - C_ij) / eps); a half step of Sinkhorn.
        """
        eps = self.wide(self.eps, h)
        a, b = self.wide(self.a, h), self.wide(self.b, h)
        zero = jnp.zeros((), h.dtype)

        def rows(block):
            return jax.nn.logsumexp((h - block.C) / eps + jnp.log(b), axis=1), zero

        def columns(block):
            s = (block.pick(h) - block.C) / eps + jnp.log(block.pick(a))
            return zero, jax.nn.logsumexp(block.mask(s, -jnp.inf), axis=0)

        if side == 0:
            return -eps * self.fold(rows)[0]
        return -eps * self.fold(columns, jnp.logaddexp, -jnp.inf)[1]

    def strongest(
        self, x: Pair, k: int
    ) -> tuple[Int[Array, " k"], Int[Array, " k"], Float[Array, " k"], Pair]:
        """The k largest entries of the plan: rows, columns, values; and its `sums`.

        Exact, but for ties, up to 128 rows. Of more rows 128 say which size is large,
        and down to 40 % of the places may stay empty: they hold zeros.
        """
        n, cut = self.cost.shape[1], self._cut(x, k)

        def put(found, block):
            s = block.mask(self.log_part(block, x), -jnp.inf)

            def row(i, found):
                at = jnp.int32(i) if block.i is None else block.i[i]

                def one(j, found):
                    # Written whether large or not: the next one overwrites it.
                    rows, columns, logs, used = found
                    rows = rows.at[used].set(at)
                    columns = columns.at[used].set(jnp.int32(j))
                    logs = logs.at[used].set(s[i, j])
                    return rows, columns, logs, jnp.minimum(used + (s[i, j] > cut), k)

                return jax.lax.fori_loop(0, n, one, found)

            return jax.lax.fori_loop(0, s.shape[0], row, found)

        none = jnp.zeros(k + 1, jnp.int32)
        first = (none, none, jnp.zeros(k + 1, x[0].dtype), jnp.int32(0))
        *found, used = self.carried(put, first)
        i, j, logs = (v[:k] for v in found)
        there = jnp.arange(k) < used
        values = jnp.where(there, jnp.exp(jnp.where(there, logs, 0)), 0)
        return i, j, values, self.sums(x)

    def _cut(self, x: Pair, k: int) -> Scalar:
        """A value that at most k entries of log P exceed, and hardly fewer."""
        m = self.cost.shape[0]
        seen = np.unique(np.linspace(0, m - 1, min(m, 128)).astype(np.int32))
        at = jnp.asarray(seen)
        s = self.log_part(Block(self.cost.rows(at), at, True), x)
        high = jnp.max(s)
        # Entries that vanish beside the largest are never wanted.
        low = jnp.maximum(jnp.min(s), high - 800) - 1

        def most(wanted):
            def halve(_, ends):
                low, high = ends
                middle = (low + high) / 2
                many = jnp.sum(s > middle, dtype=jnp.int32) > wanted
                return jnp.where(many, middle, low), jnp.where(many, high, middle)

            return jax.lax.fori_loop(0, 40, halve, (low, high))[1]

        if seen.size == m:
            return most(k)
        cuts = [most(int(share * k * seen.size / m)) for share in (1.0, 0.9, 0.7, 0.4)]

        def count(block):
            s = block.mask(self.log_part(block, x), -jnp.inf)
            over = [jnp.sum(s > cut, dtype=jnp.int32) for cut in cuts]
            return jnp.zeros((), s.dtype), jnp.stack(over)

        fits = self.fold(count, jnp.add, 0)[1] <= k
        # Where even the fewest are too many the first k places are filled.
        return jnp.stack(cuts)[jnp.where(jnp.any(fits), jnp.argmax(fits), 3)]

    def log_part(self, block: Block, x: Pair) -> Float[Array, "k n"]:
        """log P at some rows."""
        f, g = x
        s = (block.pick(f) + g - block.C) / self.wide(self.eps, x)
        logs = jnp.log(self.wide(self.a, x)), jnp.log(self.wide(self.b, x))
        return s + block.pick(logs[0]) + logs[1]

    def part(self, block: Block, x: Pair) -> Float[Array, "k n"]:
        """P at some rows, zero in the padding."""
        f, g = x
        s = (block.pick(f) + g - block.C) / self.wide(self.eps, x)
        P = block.pick(self.wide(self.a, x)) * self.wide(self.b, x) * jnp.exp(s)
        return block.mask(P)

    def fold(
        self,
        part: Callable[[Block], tuple[Any, Any]],
        join: Callable[[Any, Any], Any] = jnp.add,
        first: Any = 0,
        cells: int | None = None,
    ) -> tuple[Any, Any]:
        """Rows put together, and columns joined, over the blocks of the cost.

        `part(block)` gives a pair; its first is an array of one number a row (or a
        scalar, then of no meaning), its second is joined by `join` from `first`.
        A block has about `cells` entries; None: as many as the cost chooses.
        """
        m, n = self.cost.shape
        k = self.cost.block() if cells is None else max(1, cells // n)
        if k >= m:
            return part(Block(self.cost.rows(None), None, None))

        def one(total, start):
            rows, columns = part(self._block(start, k))
            return jax.tree.map(join, total, columns), rows

        shapes = jax.eval_shape(lambda: part(self._block(jnp.int32(0), k))[1])
        empty = jax.tree.map(lambda s: jnp.full(s.shape, first, s.dtype), shapes)
        total, rows = jax.lax.scan(one, empty, jnp.arange(0, m, k, dtype=jnp.int32))
        flat = jax.tree.map(lambda v: v.reshape(-1, *v.shape[2:])[:m], rows)
        return flat, total

    def carried(self, step: Callable[[Any, Block], Any], first: Any) -> Any:
        """step(carry, block) over the blocks in turn."""
        m, k = self.cost.shape[0], self.cost.block()
        if k >= m:
            return step(first, Block(self.cost.rows(None), None, None))
        starts = jnp.arange(0, m, k, dtype=jnp.int32)
        return jax.lax.scan(
            lambda c, start: (step(c, self._block(start, k)), None), first, starts
        )[0]

    def average_cost(self) -> Scalar:
        """<|C|, a b'> / (sum a sum b), in the dtype of the data."""
        a, b = jnp.asarray(self.a), jnp.asarray(self.b)

        def part(block):
            return block.pick(a)[:, 0] * (jnp.abs(block.C) @ b), jnp.zeros((), b.dtype)

        return jnp.sum(self.fold(part)[0]) / (jnp.sum(a) * jnp.sum(b))

    def objective(self, x: Pair) -> Scalar:
        """F."""
        return self.value(x)

    def optimality(self, point: Point) -> Point:
        """The marginal errors, zero at the solution with sum f = sum g."""
        return Point(self.grad(point.x))

    def formula(self) -> str:
        """The objective as text."""
        m, n = self.cost.shape
        return (
            "eps (sum a_i b_j exp((f_i + g_j - C_ij) / eps) - sum a sum b) - a.f - b.g"
            f", cost {m} x {n} ({type(self.cost).__name__})"
        )

    def views(self) -> tuple[Way, ...]:
        """As the fixed point of a sweep, and as its smooth dual is seen."""
        from banach.kinds.transport import views

        return views.of(self)

    def wide(self, data: Any, x: Any) -> Any:
        """Data in the dtype of the potentials."""
        return tree.cast(data, tree.dtype(x))

    def _block(self, start: Array, k: int) -> Block:
        i = start + jnp.arange(k, dtype=jnp.int32)
        m = self.cost.shape[0]
        live = i < m
        i = jnp.minimum(i, m - 1)
        return Block(self.cost.rows(i), i, live)

    def _gauge(self, x: Pair) -> Scalar:
        # Gives the null direction the curvature of an average potential.
        mass = jnp.sum(self.wide(self.a, x))
        return mass / (self.wide(self.eps, x) * self.size() ** 2)

"""What second-order methods of entropic transport share: Newton steps on the dual.

A plan P of potentials (f, g) has the Hessian [[diag P1, P], [P', diag P'1]] / eps,
singular along (1, -1). It is diagonally dominant, and approximately sparse for
small eps.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core import tree
from banach.parts.cg import cg
from banach.parts.transport_cost import both_sums

Scalar = Float[Array, ""]
Pair = tuple[Float[Array, " m"], Float[Array, " n"]]


class Dense(eqx.Module):
    """A plan with all entries, diag(u) K diag(v), and its marginals r and c.

    K is the plan at some potentials, u and v say how much further these are: sweeps
    and searches cost products. Entries that underflow in K are lost: none may grow
    by more than exp(`_limit`), the fourth root of the range, so that they stay
    negligible.
    """

    K: Float[Array, "m n"]
    u: Float[Array, " m"]
    v: Float[Array, " n"]
    eps: Scalar
    r: Float[Array, " m"]
    c: Float[Array, " n"]

    @classmethod
    def at(cls, problem: Any, x: Pair, keep: int) -> "Dense":
        """One pass over the cost."""
        K, (u, v) = problem.plan(x), jax.tree.map(jnp.ones_like, x)
        return cls(K, u, v, jnp.asarray(problem.eps, K.dtype), *both_sums(K))

    def times(self, w: Float[Array, " n"]) -> Float[Array, " m"]:
        """P w."""
        return self.u * jnp.matmul(self.K, self.v * w, precision=tree.PRECISION)

    def transposed(self, w: Float[Array, " m"]) -> Float[Array, " n"]:
        """P' w."""
        return self.v * jnp.matmul(self.u * w, self.K, precision=tree.PRECISION)

    def squares(self, w: Float[Array, " m"]) -> Float[Array, " n"]:
        """sum_i w_i P_ij^2."""
        w = jnp.square(self.u) * w
        return jnp.square(self.v) * jnp.matmul(
            w, jnp.square(self.K), precision=tree.PRECISION
        )

    def swept(self, marginals: Pair, sweeps: Int[Array, ""]) -> "Dense":
        """After `sweeps` of Sinkhorn's scaling, f before g."""
        a, b = marginals

        def sweep(_, uv):
            u = a / jnp.matmul(self.K, uv[1], precision=tree.PRECISION)
            return u, b / jnp.matmul(u, self.K, precision=tree.PRECISION)

        u, v = jax.lax.fori_loop(0, sweeps, sweep, (self.u, self.v))
        near = eqx.tree_at(lambda s: (s.u, s.v), self, (u, v))
        r, c = near.times(jnp.ones_like(v)), near.transposed(jnp.ones_like(u))
        return eqx.tree_at(lambda s: (s.r, s.c), near, (r, c))

    def potentials(self, x: Pair) -> Pair:
        """Where x, the potentials of K, have come to."""
        f, g = x
        return f + self.eps * jnp.log(self.u), g + self.eps * jnp.log(self.v)

    def moved(self, d: Pair) -> Pair:
        """The marginals of the plan whose potentials are d further."""
        u, v = jnp.exp(d[0] / self.eps), jnp.exp(d[1] / self.eps)
        return u * self.times(v), v * self.transposed(u)

    def shifted(self, d: Pair, r: Array, c: Array) -> "Dense":
        """The plan whose potentials are d further, its marginals being known."""
        u, v = (w * jnp.exp(z / self.eps) for w, z in ((self.u, d[0]), (self.v, d[1])))
        return Dense(self.K, u, v, self.eps, r, c)

    def reach(self) -> Scalar:
        """The longest step |d_f| + |d_g| that `moved` may be asked for."""
        return self.eps * (_limit(self.K.dtype) - self._grown())

    def roomy(self) -> Bool[Array, ""]:
        """Whether at least half of the reach is left."""
        return self._grown() <= _limit(self.K.dtype) / 2

    def passes(self, trials: Int[Array, ""]) -> Int[Array, ""]:
        """Passes over the cost, `trials` calls of `moved` included."""
        return jnp.ones_like(trials)

    def _grown(self) -> Scalar:
        return sum(jnp.max(jnp.abs(jnp.log(w))) for w in (self.u, self.v))


def _limit(dtype: Any) -> float:
    return -math.log(float(jnp.finfo(dtype).tiny)) / 4


class Sparse(eqx.Module):
    """Some entries of a plan, as rows, columns and values; the marginals of all."""

    i: Int[Array, " k"]
    j: Int[Array, " k"]
    w: Float[Array, " k"]
    problem: Any
    x: Pair
    eps: Scalar
    r: Float[Array, " m"]
    c: Float[Array, " n"]

    @classmethod
    def at(cls, problem: Any, x: Pair, keep: int) -> "Sparse":
        """The `keep` largest entries."""
        i, j, w, (r, c) = problem.strongest(x, keep)
        return cls(i, j, w, problem, x, jnp.asarray(problem.eps, w.dtype), r, c)

    def times(self, v: Float[Array, " n"]) -> Float[Array, " m"]:
        """P v."""
        return jnp.zeros_like(self.r).at[self.i].add(self.w * v[self.j])

    def transposed(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """P' v."""
        return jnp.zeros_like(self.c).at[self.j].add(self.w * v[self.i])

    def squares(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """sum_i v_i P_ij^2."""
        square = jnp.square(self.w) * v[self.i]
        return jnp.zeros_like(self.c).at[self.j].add(square)

    def moved(self, d: Pair) -> Pair:
        """The marginals of the plan whose potentials are d further: a pass."""
        return self.problem.sums(tree.add(self.x, d))

    def shifted(self, d: Pair, r: Array, c: Array) -> "Sparse":
        """The same entries of the plan whose potentials are d further."""
        w = self.w * jnp.exp((d[0][self.i] + d[1][self.j]) / self.eps)
        x = tree.add(self.x, d)
        return Sparse(self.i, self.j, w, self.problem, x, self.eps, r, c)

    def reach(self) -> Scalar:
        """Beyond it an entry may overflow: no trial there can be judged."""
        return 4 * self.eps * _limit(self.w.dtype)

    def roomy(self) -> Bool[Array, ""]:
        """Always."""
        return jnp.asarray(True)

    def passes(self, trials: Int[Array, ""]) -> Int[Array, ""]:
        """Passes over the cost, `trials` calls of `moved` included."""
        return 1 + trials


def swept(
    problem: Any, x: Pair, keep: int, marginals: Pair, sweeps: Int[Array, ""]
) -> tuple[Pair, Dense | Sparse, Int[Array, ""]]:
    """Potentials and plan after `sweeps` of Sinkhorn; the transforms that these took.

    A dense plan is scaled. Where that would leave the range of the numbers the
    sweeps are made by transforms, and the plan that is returned, of no use, is not
    `roomy`.
    """

    def exactly(x):
        def sweep(_, x):
            f = problem.transform(x[1], 0)
            return centred((f, problem.transform(f, 1)))

        return jax.lax.fori_loop(0, sweeps, sweep, x)

    if keep < x[0].size * x[1].size:
        x = exactly(x)
        return x, Sparse.at(problem, x, keep), 2 * sweeps
    S = Dense.at(problem, x, keep).swept(marginals, sweeps)
    scaled = centred(S.potentials(x))
    x = jax.lax.cond(S.roomy(), lambda _: scaled, exactly, x)
    return x, S, jnp.where(S.roomy(), 0, 2 * sweeps)


def first_eps(problem: Any, x: Pair, decay: Scalar, first: Scalar) -> Scalar:
    """Where eps begins: at `first` times the average cost if `decay` < 1 scales it."""
    eps = jnp.asarray(problem.eps, tree.dtype(x))
    above = jnp.maximum(eps, first * problem.average_cost())
    return jnp.where(decay < 1, above, eps)


def affordable(problem: Any) -> int:
    """Entries to keep: all where their products are fast and the memory is 32 MB.

    Otherwise one in twenty, but at least 32 a point and at most 64 MB. A scattered
    entry costs about twenty times one of a dense product.
    """
    m, n = problem.cost.shape
    if m * n <= 2**22:
        return m * n
    return min(m * n, max(min(m * n // 20, 2**22), 32 * (m + n)))


def error(r: Array, c: Array, marginals: Pair) -> Scalar:
    """||r - a||_1 + ||c - b||_1, relative to the mass."""
    a, b = marginals
    return (jnp.sum(jnp.abs(r - a)) + jnp.sum(jnp.abs(c - b))) / jnp.sum(a)


def centred(x: Pair) -> Pair:
    """The same plan from potentials with sum f = sum g."""
    f, g = x
    t = (jnp.sum(f) - jnp.sum(g)) / (f.size + g.size)
    return f - t, g + t


def still(x: Pair, old: Pair) -> Bool[Array, ""]:
    """Whether no potential moved by more than roundings of the largest."""
    size = tree.max_abs(x)
    moved = tree.max_abs(tree.sub(x, old))
    return moved <= 2 * float(jnp.finfo(size.dtype).eps) * size


def remaining(S: Dense | Sparse) -> Float[Array, " n"]:
    """The diagonal of diag c - S' diag(1/r) S, relative to c."""
    # A row and column that hold nothing but each other leave zero.
    return jnp.maximum(1 - S.squares(1 / S.r) / S.c, 1e-6)


def direction(
    S: Dense | Sparse,
    marginals: Pair,
    share: Float[Array, " n"],
    tol: Scalar,
    max_steps: Int[Array, ""] | int,
) -> tuple[Pair, Int[Array, ""]]:
    """Solve [[diag r, S], [S', diag c]] d = -eps (r - a, c - b), the Newton step.

    Elimination of the rows leaves (diag c - S' diag(1/r) S) d_g = ..., solved by
    conjugate gradients among vectors of sum zero, preconditioned by the diagonal,
    that is c times about `share`. Also returns the products.
    """
    a, b = marginals
    inverse = 1 / S.r
    rows, columns = S.r - a, S.c - b
    diagonal = S.c * share

    def flat(v):
        return v - jnp.mean(v)

    def product(v):
        v = flat(v)
        return flat(S.c * v - S.transposed(S.times(v) * inverse))

    right = S.eps * flat(S.transposed(rows * inverse) - columns)
    out = cg(
        product,
        right,
        tol=tol,
        max_steps=max_steps,
        precondition=lambda v: flat(flat(v) / diagonal),
    )
    dg = flat(out.x)
    return (-(S.eps * rows + S.times(dg)) * inverse, dg), out.calls


class Trial(eqx.Module):
    """Where a backtracking search ended: step and marginals, 0 and the old without
    success."""

    step: Scalar
    r: Float[Array, " m"]
    c: Float[Array, " n"]
    calls: Int[Array, ""]
    success: Bool[Array, ""]


def backtrack(S: Dense | Sparse, d: Pair, marginals: Pair) -> Trial:
    """Halve the step until F falls by 1e-4 of its slope; at most 30 trials.

    F(x + t d) - F(x) = eps (sum P(t) - sum P(0)) - t (a.d_f + b.d_g). Where that is
    lost in rounding the slope at the trial decides: F is convex, so that it lies
    between.
    """
    (a, b), eps = marginals, S.eps
    dtype = eps.dtype
    slope = jnp.vdot(S.r - a, d[0]) + jnp.vdot(S.c - b, d[1])
    gain = jnp.vdot(a, d[0]) + jnp.vdot(b, d[1])
    size = jnp.vdot(a, jnp.abs(d[0])) + jnp.vdot(b, jnp.abs(d[1]))
    noise = 64 * float(jnp.finfo(dtype).eps) * (eps * jnp.sum(a) + size)
    longest = S.reach() / (jnp.max(jnp.abs(d[0])) + jnp.max(jnp.abs(d[1])))
    longest = jnp.where(longest < 1, longest, 1)

    def active(s):
        return ~s.success & (s.calls < 30) & (slope < 0)

    def body(s):
        step = longest * jnp.asarray(0.5, dtype) ** s.calls
        r, c = S.moved(tree.scale(step, d))
        change = eps * (jnp.sum(r) - jnp.sum(S.r)) - step * gain
        steep = jnp.vdot(r - a, d[0]) + jnp.vdot(c - b, d[1])
        good = change <= 1e-4 * step * slope
        good |= (change <= noise) & (jnp.abs(steep) <= 0.9 * jnp.abs(slope))
        good &= jnp.isfinite(change) & tree.all_finite(d)
        return Trial(
            jnp.where(good, step, 0),
            jnp.where(good, r, S.r),
            jnp.where(good, c, S.c),
            s.calls + 1,
            good,
        )

    zero = jnp.zeros((), jnp.int32)
    first = Trial(jnp.zeros((), dtype), S.r, S.c, zero, jnp.asarray(False))
    return jax.lax.while_loop(active, body, first)


class Walk(eqx.Module):
    """Newton steps with one plan: where they ended, how many, how many trials."""

    x: Pair
    S: Dense | Sparse
    error: Scalar
    steps: Int[Array, ""]
    trials: Int[Array, ""]
    success: Bool[Array, ""]


def newton(
    x: Pair,
    S: Dense | Sparse,
    marginals: Pair,
    *,
    target: Scalar,
    first: Bool[Array, ""],
    most: Int[Array, ""],
    accuracy: Scalar,
    inner_steps: Int[Array, ""],
) -> Walk:
    """Newton steps until the marginal error is at most `target`, or a search fails.

    At most `most`, none once the plan is no longer `roomy`, the first in any case
    where `first` says so. A step is solved for to the relative residual
    min(accuracy, error).
    """

    def active(w):
        due = (w.error > target) | (first & (w.steps == 0))
        return due & (w.steps < most) & w.success & w.S.roomy()

    def body(w):
        tol = jnp.minimum(accuracy, w.error)
        d, _ = direction(w.S, marginals, share, tol, inner_steps)
        t = backtrack(w.S, d, marginals)
        d = tree.scale(t.step, d)
        return Walk(
            tree.where(t.success, centred(tree.add(w.x, d)), w.x),
            w.S.shifted(d, t.r, t.c),
            error(t.r, t.c, marginals),
            w.steps + 1,
            w.trials + t.calls,
            t.success,
        )

    zero = jnp.zeros((), jnp.int32)
    at = error(S.r, S.c, marginals)
    begin = Walk(x, S, at, zero, zero, jnp.asarray(True))
    # The preconditioner of the first step serves the others.
    share = jax.lax.cond(active(begin), remaining, lambda S: jnp.ones_like(S.c), S)
    return jax.lax.while_loop(active, body, begin)

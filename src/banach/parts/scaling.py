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

Scalar = Float[Array, ""]
Pair = tuple[Float[Array, " m"], Float[Array, " n"]]


class Dense(eqx.Module):
    """A plan with all entries, and its marginals r and c, at one pair of potentials.

    Scaling its rows and columns gives the plan nearby, so that a search costs
    products. Entries that underflow are lost: no entry may grow by more than
    exp(`reach`), the fourth root of the range, so that they stay negligible.
    """

    P: Float[Array, "m n"]
    eps: Scalar
    r: Float[Array, " m"]
    c: Float[Array, " n"]

    @classmethod
    def at(cls, problem: Any, x: Pair, keep: int) -> "Dense":
        """One pass over the cost."""
        P, (f, g) = problem.plan(x), x
        # Products read P once; sums would be fused with exp and repeat it.
        r = jnp.matmul(P, jnp.ones_like(g), precision=tree.PRECISION)
        c = jnp.matmul(jnp.ones_like(f), P, precision=tree.PRECISION)
        return cls(P, jnp.asarray(problem.eps, f.dtype), r, c)

    def times(self, v: Float[Array, " n"]) -> Float[Array, " m"]:
        """P v."""
        return jnp.matmul(self.P, v, precision=tree.PRECISION)

    def transposed(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """P' v."""
        return jnp.matmul(v, self.P, precision=tree.PRECISION)

    def squares(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """sum_i v_i P_ij^2."""
        return jnp.matmul(v, jnp.square(self.P), precision=tree.PRECISION)

    def moved(self, d: Pair) -> Pair:
        """The marginals of the plan whose potentials are d further."""
        u, v = jnp.exp(d[0] / self.eps), jnp.exp(d[1] / self.eps)
        return u * self.times(v), v * self.transposed(u)

    def reach(self) -> Scalar:
        """The longest step |d_f| + |d_g| that `moved` may be asked for."""
        return self.eps * (-math.log(float(jnp.finfo(self.P.dtype).tiny)) / 4)

    def passes(self, trials: Int[Array, ""]) -> Int[Array, ""]:
        """Passes over the cost, `trials` calls of `moved` included."""
        return jnp.ones_like(trials)


class Sparse(eqx.Module):
    """Some entries of a plan, as rows, columns and values; the marginals of all."""

    i: Int[Array, " k"]
    j: Int[Array, " k"]
    w: Float[Array, " k"]
    problem: Any
    x: Pair
    r: Float[Array, " m"]
    c: Float[Array, " n"]

    @classmethod
    def at(cls, problem: Any, x: Pair, keep: int) -> "Sparse":
        """The `keep` largest entries."""
        i, j, w, (r, c) = problem.strongest(x, keep)
        return cls(i, j, w, problem, x, r, c)

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

    def reach(self) -> Scalar:
        """No limit."""
        return jnp.asarray(jnp.inf, self.w.dtype)

    def passes(self, trials: Int[Array, ""]) -> Int[Array, ""]:
        """Passes over the cost, `trials` calls of `moved` included."""
        return 1 + trials


def plan_at(problem: Any, x: Pair, keep: int) -> Dense | Sparse:
    """The `keep` largest entries of the plan at x; all of them stored densely."""
    dense = keep >= x[0].size * x[1].size
    return Dense.at(problem, x, keep) if dense else Sparse.at(problem, x, keep)


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


def direction(
    S: Dense | Sparse,
    marginals: Pair,
    eps: Scalar,
    tol: Scalar,
    max_steps: Int[Array, ""] | int,
) -> tuple[Pair, Int[Array, ""]]:
    """Solve [[diag r, S], [S', diag c]] d = -eps (r - a, c - b), the Newton step.

    Elimination of the rows leaves (diag c - S' diag(1/r) S) d_g = ..., solved by
    conjugate gradients among vectors of sum zero. Also returns the products.
    """
    a, b = marginals
    inverse = 1 / S.r
    rows, columns = S.r - a, S.c - b
    diagonal = S.c - S.squares(inverse)
    # A row and column that hold nothing but each other leave zero.
    diagonal = jnp.maximum(diagonal, 1e-6 * S.c)

    def flat(v):
        return v - jnp.mean(v)

    def product(v):
        v = flat(v)
        return flat(S.c * v - S.transposed(S.times(v) * inverse))

    right = eps * flat(S.transposed(rows * inverse) - columns)
    out = cg(
        product,
        right,
        tol=tol,
        max_steps=max_steps,
        precondition=lambda v: flat(flat(v) / diagonal),
    )
    dg = flat(out.x)
    return (-(eps * rows + S.times(dg)) * inverse, dg), out.calls


class Trial(eqx.Module):
    """Where a backtracking search ended; the start itself without success."""

    x: Pair
    error: Scalar
    calls: Int[Array, ""]
    success: Bool[Array, ""]


def backtrack(
    S: Dense | Sparse, x: Pair, d: Pair, marginals: Pair, eps: Scalar
) -> Trial:
    """Halve the step until F falls by 1e-4 of its slope; at most 30 trials.

    F(x + t d) - F(x) = eps (sum P(t) - sum P(0)) - t (a.d_f + b.d_g). Where that is
    lost in rounding the slope at the trial decides: F is convex, so that it lies
    between.
    """
    (a, b), dtype = marginals, eps.dtype
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
        move = tree.scale(step, d)
        r, c = S.moved(move)
        change = eps * (jnp.sum(r) - jnp.sum(S.r)) - step * gain
        steep = jnp.vdot(r - a, d[0]) + jnp.vdot(c - b, d[1])
        good = change <= 1e-4 * step * slope
        good |= (change <= noise) & (jnp.abs(steep) <= 0.9 * jnp.abs(slope))
        trial = centred(tree.add(x, move))
        good &= jnp.isfinite(change) & tree.all_finite(trial)
        return Trial(
            tree.where(good, trial, x),
            jnp.where(good, error(r, c, marginals), s.error),
            s.calls + 1,
            good,
        )

    zero = jnp.zeros((), jnp.int32)
    first = Trial(x, error(S.r, S.c, marginals), zero, jnp.asarray(False))
    return jax.lax.while_loop(active, body, first)

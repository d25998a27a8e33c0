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
    """A plan with all entries."""

    P: Float[Array, "m n"]

    def times(self, v: Float[Array, " n"]) -> Float[Array, " m"]:
        """P v."""
        return jnp.matmul(self.P, v, precision=tree.PRECISION)

    def transposed(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """P' v."""
        return jnp.matmul(v, self.P, precision=tree.PRECISION)

    def squares(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """sum_i v_i P_ij^2."""
        return jnp.matmul(v, jnp.square(self.P), precision=tree.PRECISION)


class Sparse(eqx.Module):
    """Some entries of a plan, as rows, columns and values."""

    i: Int[Array, " k"]
    j: Int[Array, " k"]
    w: Float[Array, " k"]
    shape: tuple[int, int] = eqx.field(static=True)

    def times(self, v: Float[Array, " n"]) -> Float[Array, " m"]:
        """P v."""
        return jnp.zeros(self.shape[0], v.dtype).at[self.i].add(self.w * v[self.j])

    def transposed(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """P' v."""
        return jnp.zeros(self.shape[1], v.dtype).at[self.j].add(self.w * v[self.i])

    def squares(self, v: Float[Array, " m"]) -> Float[Array, " n"]:
        """sum_i v_i P_ij^2."""
        square = jnp.square(self.w) * v[self.i]
        return jnp.zeros(self.shape[1], v.dtype).at[self.j].add(square)


def sparse(problem: Any, x: Pair, keep: int) -> Dense | Sparse:
    """The `keep` largest entries of the plan at x; all of them stored densely."""
    m, n = x[0].size, x[1].size
    if keep >= m * n:
        return Dense(problem.plan(x))
    return Sparse(*problem.strongest(x, keep), (m, n))


def affordable(problem: Any) -> int:
    """Entries to keep: all that a stored cost has where products with it are fast.

    Otherwise one in twenty, and at least 32 a point. A scattered entry costs about
    twenty times one of a dense product.
    """
    m, n = problem.cost.shape
    if problem.cost.stored and m * n <= 4_000_000:
        return m * n
    return min(m * n, max(math.ceil(m * n / 20), 32 * (m + n)))


def error(g: Pair) -> Scalar:
    """||P 1 - a||_1 + ||P' 1 - b||_1 of a gradient."""
    return jnp.sum(jnp.abs(g[0])) + jnp.sum(jnp.abs(g[1]))


def centred(x: Pair) -> Pair:
    """The same plan from potentials with sum f = sum g."""
    f, g = x
    t = (jnp.sum(f) - jnp.sum(g)) / (f.size + g.size)
    return f - t, g + t


def direction(
    S: Dense | Sparse,
    g: Pair,
    marginals: Pair,
    eps: Scalar,
    tol: Scalar,
    max_steps: Int[Array, ""] | int,
) -> tuple[Pair, Int[Array, ""]]:
    """Solve [[diag P1, S], [S', diag P'1]] d = -eps g at a centred point.

    Elimination of the rows leaves (diag P'1 - S' (P1)^-1 S) d_g = ..., solved by
    conjugate gradients among vectors of sum zero. Also returns the products.
    """
    r, c = g[0] + marginals[0], g[1] + marginals[1]
    inverse = 1 / r
    diagonal = c - S.squares(inverse)
    # A row and column that hold nothing but each other leave zero.
    diagonal = jnp.maximum(diagonal, 1e-6 * c)

    def flat(v):
        return v - jnp.mean(v)

    def product(v):
        v = flat(v)
        return flat(c * v - S.transposed(S.times(v) * inverse))

    right = eps * flat(S.transposed(g[0] * inverse) - g[1])
    out = cg(
        product,
        right,
        tol=tol,
        max_steps=max_steps,
        precondition=lambda v: flat(flat(v) / diagonal),
    )
    dg = flat(out.x)
    return (-(eps * g[0] + S.times(dg)) * inverse, dg), out.calls


class Trial(eqx.Module):
    """Where a backtracking search ended; the start itself without success."""

    x: Pair
    f: Scalar
    g: Pair
    step: Scalar
    calls: Int[Array, ""]
    success: Bool[Array, ""]


def backtrack(
    problem: Any,
    x: Pair,
    f: Scalar,
    g: Pair,
    d: Pair,
    marginals: Pair,
    take: Bool[Array, ""] | bool,
    max_steps: int = 30,
) -> Trial:
    """Halve the step until F falls by 1e-4 of its slope; `take`: any finite one.

    Where a decrease is lost in the rounding of F, the slope at the trial decides: F
    is convex, so that it lies between.
    """
    dtype = f.dtype
    slope = tree.vdot(g, d)
    size = sum(jnp.vdot(w, jnp.abs(v)) for w, v in zip(marginals, x, strict=True))
    noise = 64 * float(jnp.finfo(dtype).eps) * size

    def active(s):
        return ~s.success & (s.calls < max_steps) & (take | (slope < 0))

    def body(s):
        step = jnp.asarray(0.5, dtype) ** s.calls
        trial = centred(tree.axpy(step, d, x))
        f_trial, g_trial = problem.value_and_grad(trial)
        steep = tree.vdot(g_trial, d)
        good = f_trial <= f + 1e-4 * step * slope
        good |= (f_trial <= f + noise) & (jnp.abs(steep) <= 0.9 * jnp.abs(slope))
        good = (good | take) & jnp.isfinite(f_trial) & tree.all_finite((trial, g_trial))
        return Trial(
            tree.where(good, trial, x),
            jnp.where(good, f_trial, f),
            tree.where(good, g_trial, g),
            jnp.where(good, step, 0),
            s.calls + 1,
            good,
        )

    zero = jnp.zeros((), jnp.int32)
    first = Trial(x, f, g, jnp.zeros((), dtype), zero, jnp.asarray(False))
    return jax.lax.while_loop(active, body, first)

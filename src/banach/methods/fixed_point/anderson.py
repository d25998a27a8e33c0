"""Anderson acceleration of a fixed-point iteration."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method


class AndersonState(eqx.Module):
    """Iterate, T(x) and residual of the last point; differences of both."""

    x: PyTree
    g: Float[Array, " n"]
    f: Float[Array, " n"]
    dg: Float[Array, "n m"]
    df: Float[Array, "n m"]
    count: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="FixedPoint", needs={"map"}, paper="walker2011anderson", cost={"map": 1}
)
class Anderson(Method):
    """Picard steps corrected by the last `memory` differences.

    f = T(x) - x,  c = argmin ||f - dF c||_2,  x+ = T(x) - dG c

    where the columns of dF and dG are the last differences of f and of T(x); singular
    values of dF below `cutoff` times the largest are dropped. On linear problems it is
    GMRES with a short memory; near a solution of a contraction it is not slower than
    Picard's q^k. Fails on maps with kinks and far from the solution, where picard is
    the safe one if T contracts.
    """

    memory: int = count(5, static=True)
    cutoff: Any = real(1e-10, low="nonnegative", below=1)

    def init(self, problem, start, key):
        flat, _ = tree.ravel(start.x)
        empty = jnp.zeros((flat.size, self.memory), flat.dtype)
        zero, k = jnp.zeros_like(flat), jnp.zeros((), jnp.int32)
        return AndersonState(start.x, zero, zero, empty, empty, k, jnp.asarray(False))

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        g, _ = tree.ravel(problem.map(state.x))
        f = g - x
        # A ring of columns; the first step has no difference to keep.
        at = (state.count - 1) % self.memory
        dg = state.dg.at[:, at].set(g - state.g)
        df = state.df.at[:, at].set(f - state.f)
        fresh = state.count == 0
        dg, df = jnp.where(fresh, 0, dg), jnp.where(fresh, 0, df)
        c, _, _, _ = jnp.linalg.lstsq(df, f, rcond=jnp.asarray(self.cutoff, x.dtype))
        after = g - jnp.matmul(dg, c, precision=tree.PRECISION)
        stuck = jnp.all(after == x)
        return AndersonState(back(after), g, f, dg, df, state.count + 1, stuck)

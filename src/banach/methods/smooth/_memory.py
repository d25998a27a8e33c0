"""Limited-memory BFGS: the last m pairs (s, y) on a pytree, and their inner products.

With the inner products the two-loop recursion works by products with the stacked
pairs rather than by 4 m vector operations in sequence: the same matrix, with 7 to
34 % less time for a push and an apply when measured (m = 10, 30 to 100,000 variables,
CPU).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.problem import Misuse

_map = jax.tree.map


class Memory(eqx.Module):
    """A circular buffer of curvature pairs, sy[i, j] = s_i.y_j and yy[i, j] = y_i.y_j.

    Leaves of s and y carry a leading axis m. An empty slot has rho = 0, which
    makes it act as the identity. `count` is the number of pairs ever stored.
    """

    s: PyTree
    y: PyTree
    rho: Float[Array, " m"]
    gamma: Float[Array, ""]
    count: Int[Array, ""]
    sy: Float[Array, "m m"]
    yy: Float[Array, "m m"]


def empty(x: PyTree, memory: int) -> Memory:
    """A memory of static size memory >= 1 for variables like x; acts as identity."""
    if memory < 1:
        raise Misuse(f"memory is {memory}; it must be a positive int")
    stack = _map(lambda v: jnp.zeros((memory, *v.shape), v.dtype), x)
    dtype = tree.dtype(x)
    table = jnp.zeros((memory, memory), dtype)
    return Memory(
        stack,
        stack,
        jnp.zeros((memory,), dtype),
        jnp.ones((), dtype),
        jnp.zeros((), jnp.int32),
        table,
        table,
    )


def push(memory: Memory, s: PyTree, y: PyTree) -> Memory:
    """Store a step s and gradient change y over the oldest pair.

    The pair is skipped unless s.y > u ||s|| ||y||, u the unit roundoff, which keeps
    the matrix positive definite; a pair that is not finite is skipped too. The scaling
    becomes gamma = s.y / y.y. 3 m n multiplications for the tables.
    """
    dtype = memory.rho.dtype
    size = memory.rho.shape[0]
    sy = jnp.asarray(tree.vdot(s, y), dtype)
    yy = jnp.asarray(tree.vdot(y, y), dtype)
    keep = sy > jnp.finfo(dtype).eps * tree.norm(s) * tree.norm(y)
    keep = keep & (yy > 0) & jnp.isfinite(yy) & jnp.isfinite(1 / sy)
    slot = memory.count % size

    # Selecting one row, not the whole buffer, lets XLA write in place.
    def put(stack, row):
        return stack.at[slot].set(jnp.where(keep, row, stack[slot]))

    safe = jnp.where(keep, sy, 1)
    all_s, all_y = _map(put, memory.s, s), _map(put, memory.y, y)
    rho = put(memory.rho, 1 / safe)
    gamma = jnp.where(keep, safe / jnp.where(keep, yy, 1), memory.gamma)
    # What the slot holds now, so that a skipped pair changes nothing.
    s, y = _row(all_s, slot), _row(all_y, slot)
    cross = memory.sy.at[slot].set(_dots(all_y, s)).at[:, slot].set(_dots(all_s, y))
    column = _dots(all_y, y)
    square = memory.yy.at[slot].set(column).at[:, slot].set(column)
    count = memory.count + keep.astype(jnp.int32)
    return Memory(all_s, all_y, rho, gamma, count, cross, square)


def apply(memory: Memory, g: PyTree) -> PyTree:
    """Multiply g by the inverse-Hessian approximation; a direction is minus this.

    The two-loop recursion (Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4) on
    coefficients: q = g - sum alpha_i y_i and r = gamma q + sum beta_i s_i, whose inner
    products with the pairs follow from the tables.

    Source: Chen, Wang and Zhou (2014), "Large-scale L-BFGS using MapReduce".
    """
    size = memory.rho.shape[0]
    slots = (memory.count - 1 - jnp.arange(size)) % size
    sg, yg = _dots(memory.s, g), _dots(memory.y, g)
    none = jnp.zeros_like(sg)

    def backward(alpha, k):
        value = memory.rho[k] * (sg[k] - jnp.vdot(memory.sy[k], alpha))
        return alpha.at[k].set(value), None

    alpha, _ = jax.lax.scan(backward, none, slots)
    yq = memory.gamma * (yg - jnp.matmul(memory.yy, alpha, precision=tree.PRECISION))

    def forward(beta, k):
        value = memory.rho[k] * (yq[k] + jnp.vdot(memory.sy[:, k], beta))
        return beta.at[k].set(alpha[k] - value), None

    beta, _ = jax.lax.scan(forward, none, slots, reverse=True)
    q = tree.sub(g, _combine(alpha, memory.y))
    return tree.axpy(memory.gamma, q, _combine(beta, memory.s))


def rescaled(memory: Memory, gamma: Float[Array, ""]) -> Memory:
    """The same pairs on top of gamma I."""
    return eqx.tree_at(lambda m: m.gamma, memory, gamma)


def forgotten(memory: Memory) -> Memory:
    """No pairs: gamma I alone."""
    return eqx.tree_at(lambda m: (m.rho, m.count), memory, replace_fn=jnp.zeros_like)


def _row(stack: PyTree, k: Array) -> PyTree:
    return _map(lambda v: v[k], stack)


def _dots(stack: PyTree, g: PyTree) -> Array:
    """Inner products of g with every row."""

    def one(v, leaf):
        flat = v.reshape(v.shape[0], -1)
        return jnp.matmul(flat, jnp.ravel(leaf), precision=tree.PRECISION)

    return sum(jax.tree.leaves(_map(one, stack, g)))


def _combine(weights: Array, stack: PyTree) -> PyTree:
    """The linear combination of the rows."""

    def one(v):
        return jnp.tensordot(weights.astype(v.dtype), v, 1, precision=tree.PRECISION)

    return _map(one, stack)

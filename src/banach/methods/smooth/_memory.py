"""Limited-memory BFGS: the last m pairs (s, y) on a pytree.

`Memory` applies the two-loop recursion. `GramMemory` also keeps the inner products
of the pairs, so that it works by products with the stacked pairs rather than by
4 m vector operations in sequence: the same matrix, with 7 to 34 % less time for a
push and an apply when measured (m = 10, 30 to 100,000 variables, CPU).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.problem import Misuse

_map = jax.tree.map


class Memory(eqx.Module):
    """A circular buffer of curvature pairs.

    Leaves of s and y carry a leading axis m. An empty slot has rho = 0, which
    makes it act as the identity. `count` is the number of pairs ever stored.
    """

    s: PyTree
    y: PyTree
    rho: Float[Array, " m"]
    gamma: Float[Array, ""]
    count: Int[Array, ""]


def empty(x: PyTree, memory: int) -> Memory:
    """A memory of static size memory >= 1 for variables like x; acts as identity."""
    if memory < 1:
        raise Misuse(f"memory is {memory}; it must be a positive int")
    stack = _map(lambda v: jnp.zeros((memory, *v.shape), v.dtype), x)
    dtype = tree.dtype(x)
    return Memory(
        stack,
        stack,
        jnp.zeros((memory,), dtype),
        jnp.ones((), dtype),
        jnp.zeros((), jnp.int32),
    )


def push(
    memory: Memory,
    s: PyTree,
    y: PyTree,
    *,
    guard: Float[Array, ""] | float | None = None,
) -> Memory:
    """Store a step s and gradient change y over the oldest pair.

    The pair is skipped unless s.y > guard ||s|| ||y|| (guard: unit roundoff by
    default), which keeps the matrix positive definite; a pair that is not finite
    is skipped too. The scaling becomes gamma = s.y / y.y.
    """
    dtype = memory.rho.dtype
    size = memory.rho.shape[0]
    guard = jnp.finfo(dtype).eps if guard is None else guard
    sy = jnp.asarray(tree.vdot(s, y), dtype)
    yy = jnp.asarray(tree.vdot(y, y), dtype)
    keep = sy > guard * tree.norm(s) * tree.norm(y)
    keep = keep & (yy > 0) & jnp.isfinite(yy) & jnp.isfinite(1 / sy)
    slot = memory.count % size

    # Selecting one row, not the whole buffer, lets XLA write in place.
    def put(stack, row):
        return stack.at[slot].set(jnp.where(keep, row, stack[slot]))

    safe = jnp.where(keep, sy, 1)
    return Memory(
        _map(put, memory.s, s),
        _map(put, memory.y, y),
        put(memory.rho, 1 / safe),
        jnp.where(keep, safe / jnp.where(keep, yy, 1), memory.gamma),
        memory.count + keep.astype(jnp.int32),
    )


def apply(memory: Memory, g: PyTree) -> PyTree:
    """Multiply g by the inverse-Hessian approximation; a direction is minus this.

    The two-loop recursion, 4 m n multiplications, newest pair first.

    Source: Nocedal (1980); Nocedal and Wright (2006), algorithm 7.4.
    """
    size = memory.rho.shape[0]
    slots = (memory.count - 1 - jnp.arange(size)) % size

    def backward(q, k):
        alpha = memory.rho[k] * tree.vdot(_row(memory.s, k), q)
        return tree.axpy(-alpha, _row(memory.y, k), q), alpha

    def forward(r, pair):
        k, alpha = pair
        beta = memory.rho[k] * tree.vdot(_row(memory.y, k), r)
        return tree.axpy(alpha - beta, _row(memory.s, k), r), None

    q, alphas = jax.lax.scan(backward, g, slots)
    r = tree.scale(memory.gamma, q)
    r, _ = jax.lax.scan(forward, r, (slots, alphas), reverse=True)
    return r


class GramMemory(eqx.Module):
    """A Memory with the inner products sy[i, j] = s_i.y_j and yy[i, j] = y_i.y_j."""

    pairs: Memory
    sy: Float[Array, "m m"]
    yy: Float[Array, "m m"]


def empty_gram(x: PyTree, memory: int) -> GramMemory:
    """A GramMemory of static size memory >= 1 that acts as identity."""
    pairs = empty(x, memory)
    table = jnp.zeros((memory, memory), pairs.rho.dtype)
    return GramMemory(pairs, table, table)


def push_gram(
    memory: GramMemory,
    s: PyTree,
    y: PyTree,
    *,
    guard: Float[Array, ""] | float | None = None,
) -> GramMemory:
    """Store a pair under the rule of `push`; 3 m n multiplications more."""
    slot = memory.pairs.count % memory.pairs.rho.shape[0]
    pairs = push(memory.pairs, s, y, guard=guard)
    # What the slot holds now, so that a skipped pair changes nothing.
    s, y = _row(pairs.s, slot), _row(pairs.y, slot)
    sy = memory.sy.at[slot].set(_dots(pairs.y, s)).at[:, slot].set(_dots(pairs.s, y))
    column = _dots(pairs.y, y)
    yy = memory.yy.at[slot].set(column).at[:, slot].set(column)
    return GramMemory(pairs, sy, yy)


def apply_gram(memory: GramMemory, g: PyTree) -> PyTree:
    """Multiply g by the matrix of `apply`, up to rounding.

    The two-loop recursion on coefficients: q = g - sum alpha_i y_i and
    r = gamma q + sum beta_i s_i, whose inner products with the pairs follow from
    the tables.

    Source: Chen, Wang and Zhou (2014), "Large-scale L-BFGS using MapReduce".
    """
    pairs = memory.pairs
    size = pairs.rho.shape[0]
    slots = (pairs.count - 1 - jnp.arange(size)) % size
    sg, yg = _dots(pairs.s, g), _dots(pairs.y, g)
    none = jnp.zeros_like(sg)

    def backward(alpha, k):
        value = pairs.rho[k] * (sg[k] - jnp.vdot(memory.sy[k], alpha))
        return alpha.at[k].set(value), None

    alpha, _ = jax.lax.scan(backward, none, slots)
    yq = pairs.gamma * (yg - jnp.matmul(memory.yy, alpha, precision=tree.PRECISION))

    def forward(beta, k):
        value = pairs.rho[k] * (yq[k] + jnp.vdot(memory.sy[:, k], beta))
        return beta.at[k].set(alpha[k] - value), None

    beta, _ = jax.lax.scan(forward, none, slots, reverse=True)
    q = tree.sub(g, _combine(alpha, pairs.y))
    return tree.axpy(pairs.gamma, q, _combine(beta, pairs.s))


def rescaled(memory: GramMemory, gamma: Float[Array, ""]) -> GramMemory:
    """The same pairs on top of gamma I."""
    return eqx.tree_at(lambda m: m.pairs.gamma, memory, gamma)


def forgotten(memory: GramMemory, drop: Bool[Array, ""]) -> GramMemory:
    """No pairs where `drop` holds: gamma I alone."""

    def parts(m):
        return m.pairs.rho, m.pairs.count

    return eqx.tree_at(parts, memory, [jnp.where(drop, 0, v) for v in parts(memory)])


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

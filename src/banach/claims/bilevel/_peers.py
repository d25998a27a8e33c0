"""What the claims of this family share: un-normalised baselines, exact gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from banach.core import tree
from banach.methods.bilevel._block_estimators import draw_blocks, draw_rows

Step = Callable[[Any, Array], Any]


def soba(problem: Any, hyper: Any, batch: int, sampled: int = 1) -> Step:
    """One step of SOBA (Dagreou et al. 2022) on `sampled` blocks of the problem.

    From one iterate (x, y, v) and one sample, y -= t grad_y g, v -= t (G_yy v - F_y),
    x -= e (F_x - G_xy v), no step in x longer than `longest`; hyper = (e, t, longest).
    Blocks that are not drawn stay.
    """
    m, up, low = problem.counts()
    upper_step, lower_step, longest = hyper

    def step(state, key):
        x, y, v = state
        k = jax.random.split(key, 3)
        some = draw_blocks(k[0], sampled, m)
        rows = draw_rows(k[1], sampled, batch, low)
        z, w = (x, problem.unstack(y)), v[some]
        fx, fy = problem.sample_upper_grad(z, some, draw_rows(k[2], sampled, batch, up))
        own, across = problem.sample_lower_products(z, w, some, rows)
        g = problem.sample_lower_grad(z, some, rows)
        y = y.at[some].add(-lower_step * g)
        v = v.at[some].add(-lower_step * (own - fy))
        p = upper_step * tree.sub(fx, across)
        size = tree.norm(p)
        return x - p * jnp.minimum(1, longest / jnp.maximum(size, 1e-300)), y, v

    return step


def stocbio(problem: Any, hyper: Any, batch: int, inner: int, terms: int) -> Step:
    """One step of stocBiO (Ji et al. 2021) on a problem without blocks.

    `inner` SGD steps on y, v = t sum_q (I - t G_yy)^q F_y up to `terms` products with
    fresh samples, one step in x; hyper = (e, t). The third of the state is not used.
    """
    _, up, low = problem.counts()
    upper_step, t, _ = hyper
    one = jnp.zeros(1, jnp.int32)

    def step(state, key):
        x, y, v = state
        k = jax.random.split(key, 4)

        def descend(j, y):
            rows = draw_rows(jax.random.fold_in(k[0], j), 1, batch, low)
            z = (x, problem.unstack(y))
            return y - t * problem.sample_lower_grad(z, one, rows)

        y = jax.lax.fori_loop(0, inner, descend, y)
        z = (x, problem.unstack(y))
        fx, fy = problem.sample_upper_grad(z, one, draw_rows(k[1], 1, batch, up))

        def series(j, pair):
            r, total = pair
            rows = draw_rows(jax.random.fold_in(k[2], j), 1, batch, low)
            r = r - t * problem.sample_lower_hvp(z, r, one, rows)
            return r, total + r

        _, total = jax.lax.fori_loop(0, terms, series, (fy, fy))
        rows = draw_rows(k[3], 1, batch, low)
        across = problem.sample_cross(z, t * total, one, rows)
        return x - upper_step * tree.sub(fx, across), y, v

    return step


def begin(problem: Any) -> Any:
    """The state of a baseline at the start."""
    x, y = jax.tree.map(jnp.asarray, problem.start().x)
    y = problem.in_blocks(y)
    return x, y, tree.zeros_like(y)


def key(seed: int) -> Array:
    """Of a generator that is fast on a CPU; experiments draw millions of rows."""
    return jax.random.key(seed, impl="unsafe_rbg")


def driven(
    step: Step, look: Any, state: Any, key: Array, steps: int, every: int
) -> Any:
    """look(state) after every `every` steps, and the last state."""

    def block(state, j):
        def one(i, s):
            return step(s, jax.random.fold_in(key, j * every + i))

        state = jax.lax.fori_loop(0, every, one, state)
        return state, look(state)

    return jax.lax.scan(
        block, jax.tree.map(jnp.asarray, state), jnp.arange(steps // every)
    )


def arrival(
    step: Step, size: Any, state: Any, key: Array, goal: Any, cap: int
) -> Array:
    """Steps until the running mean of size(state) is at most goal, or infinity.

    Looked at every twenty steps; the mean forgets a fifth a look.
    """

    def go(s):
        return (s[2] > goal) & jnp.isfinite(s[2]) & (s[1] < cap)

    def block(s):
        state, k, mean = s

        def one(i, state):
            return step(state, jax.random.fold_in(key, k + i))

        state = jax.lax.fori_loop(0, 20, one, state)
        return state, k + 20, 0.8 * mean + 0.2 * size(state)

    state = jax.tree.map(jnp.asarray, state)
    first = (state, jnp.zeros((), jnp.int32), size(state))
    _, k, mean = jax.lax.while_loop(go, block, first)
    return jnp.where(mean <= goal, k, jnp.inf)

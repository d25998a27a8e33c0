"""Optimisers side by side: every learning rate and seed of a transformation at once."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import tuned
from banach.claims.training._instances import sums

RATES = [1e-4 * 4.0**k for k in range(10)]
NAMES = ("breast_cancer", "digits", "wine", "fresh", "network")


def rows(n: int, steps: int, batch: int, seed: int) -> np.ndarray:
    """Terms of every step: passes in random order, the rest of each thrown away."""
    rng = np.random.default_rng(seed)
    per = n // batch
    passes = [rng.permutation(n)[: per * batch] for _ in range(-(-steps // per))]
    return np.concatenate(passes).reshape(-1, batch)[:steps]


def losses(
    problem: Any,
    make: Callable[[Any], Any],
    steps: int,
    batch: int = 32,
    seeds: int = 3,
    rates: Any = RATES,
    extra: Callable[..., dict[str, Any]] | None = None,
    point: Callable[[Any, Any], Any] | None = None,
    change: Callable[..., Any] | None = None,
) -> np.ndarray:
    """F at the end: (rates, seeds).

    `make(rate)` is an optax transformation; `extra(problem, x, rows, key, t)` what it
    takes beside gradients; `point(state, x)` the weights that it means;
    `change(g, key, t)` what becomes of a gradient on its way.
    """
    problem = jax.tree.map(jnp.asarray, problem)

    def run(rate, order, key):
        tx = optax.with_extra_args_support(make(rate))
        x = problem.start().x

        def step(carry, now):
            x, state = carry
            rows, t = now
            k = jax.random.fold_in(key, t)
            g = problem.stochastic_grad(x, rows, None, k)
            g = g if change is None else change(g, k, t)
            more = {} if extra is None else extra(problem, x, rows, k, t)
            u, state = tx.update(g, state, x, **more)
            return (optax.apply_updates(x, u), state), None

        now = order, jnp.arange(1, steps + 1)
        (x, state), _ = jax.lax.scan(step, (x, tx.init(x)), now)
        return problem.value(x if point is None else point(state, x))

    order = jnp.stack([rows(problem.n, steps, batch, s) for s in range(seeds)])
    keys = jax.random.split(jax.random.key(0), seeds)
    lanes = jax.jit(jax.vmap(jax.vmap(run, (None, 0, 0)), (0, None, None)))
    return np.asarray(lanes(jnp.asarray(rates), order, keys))


def best(
    problem: Any, make: Any, steps: int, rates: Any = RATES, **given: Any
) -> float:
    """Mean of the seeds at the best rate, which is no end of the grid."""
    rates = list(rates)
    found = losses(problem, make, steps, rates=rates, **given).mean(axis=1)
    return float(tuned(rates, lambda rate: found[rates.index(rate)])[1])


@functools.cache
def problem(name: str) -> Any:
    """One of `NAMES`: a logistic regression, or the network on digits."""
    return sums()[name]

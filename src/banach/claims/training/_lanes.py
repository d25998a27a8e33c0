"""Optimisers side by side: every learning rate and seed of a transformation at once."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import fresh, tuned
from banach.claims.training._instances import sums
from banach.kinds.finite_sum.problem import FiniteSum
from banach.kinds.training import zoo
from banach.parts.curvature_estimates import sampled

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
    looks: int = 1,
) -> np.ndarray:
    """F after each of `looks` equal parts of the steps: (rates, seeds, looks).

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

        def part(carry, now):
            x, state = carry = jax.lax.scan(step, carry, now)[0]
            return carry, problem.value(x if point is None else point(state, x))

        now = order, jnp.arange(1, steps + 1)
        now = jax.tree.map(lambda v: v.reshape(looks, -1, *v.shape[1:]), now)
        return jax.lax.scan(part, (x, tx.init(x)), now)[1]

    order = jnp.stack([rows(problem.n, steps, batch, s) for s in range(seeds)])
    keys = jax.random.split(jax.random.key(0), seeds)
    lanes = jax.jit(jax.vmap(jax.vmap(run, (None, 0, 0)), (0, None, None)))
    return np.asarray(lanes(jnp.asarray(rates), order, keys))


def best(
    problem: Any, make: Any, steps: int, rates: Any = RATES, **given: Any
) -> float:
    """Mean of the seeds at the best rate, which is no end of the grid."""
    rates = list(rates)
    found = losses(problem, make, steps, rates=rates, **given)[:, :, -1].mean(axis=1)
    return float(tuned(rates, lambda rate: found[rates.index(rate)])[1])


@functools.cache
def problem(name: str) -> Any:
    """One of `NAMES`: a logistic regression, or the network on digits."""
    return sums()[name]


def least(costs: Any) -> int:
    """The index of the least cost, which is no end of the grid."""
    grid = [float(i) for i in range(len(costs))]
    return int(tuned(grid, lambda i: costs[int(i)])[0])


def first(curves: Any, target: float, every: int = 1) -> float:
    """Steps until the first of the curves (.., looks) is at most the target; or inf."""
    met = np.nan_to_num(curves, nan=np.inf) <= target
    hit = np.flatnonzero(met.reshape(-1, met.shape[-1]).any(axis=0))
    return float(every * (hit[0] + 1)) if hit.size else np.inf


def curvature(every: int = 1, normal: bool = False) -> Callable[..., dict[str, Any]]:
    """`extra` for `losses`: Hutchinson's estimate on the batch, every so many steps."""

    def extra(problem, x, rows, key, t):
        def grad(x):
            return problem.stochastic_grad(x, rows, None, None)

        def fresh():
            product = lambda z: jax.jvp(grad, (x,), (z,))[1]  # noqa: E731
            return sampled(product, x, key, normal)

        zero = jax.tree.map(jnp.zeros_like, x)
        return {"curvature": jax.lax.cond((t - 1) % every == 0, fresh, lambda: zero)}

    return extra


def bent(kappa: float, n: int = 20) -> FiniteSum:
    """sum_i h_i log cosh(x_i) from x = 1, h from 1 to kappa; one term alone."""
    h = np.geomspace(1.0, kappa, n)[None]
    loss = lambda x, h: jnp.sum(h * (jnp.logaddexp(x, -x) - np.log(2)))  # noqa: E731
    return FiniteSum(loss, np.ones(n), h, convex=True)


@functools.cache
def network(width: int | None, bits: int | None = None) -> Any:
    """64-width-10 on digits, tanh, weights of seed 0; None: 32 wide, fresh ones.

    `bits` rounds every matrix to so many, straight through for derivatives.
    """
    whole = zoo.load("training:digits").sum
    rng = np.random.default_rng(fresh() if width is None else 0)

    def layer(m, k):
        return {"W": rng.normal(size=(m, k)) / np.sqrt(m), "b": np.zeros(k)}

    def rounded(W):
        if bits is None:
            return W
        unit = jnp.max(jnp.abs(W)) / (2 ** (bits - 1) - 1)
        return W + jax.lax.stop_gradient(unit * jnp.round(W / unit) - W)

    def loss(params, d):
        first, second = params
        z = jnp.tanh(d[0] @ rounded(first["W"]) + first["b"])
        z = z @ rounded(second["W"]) + second["b"]
        return jax.nn.logsumexp(z) - z[d[1]]

    start = [layer(64, width or 32), layer(width or 32, 10)]
    return FiniteSum(loss, start, whole.data, l2=1e-3)

"""Adam does not converge on a convex example of one unknown; AMSGrad does.

Reduced: logistic regressions of four tables and a 64-32-10 network on digits, the
training loss after 400 steps of batches of 32 (theirs: MNIST, CIFAR-10); rates tuned
on both sides. Adam of the examples is the paper's: no bias is corrected.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import Seen, at_least, at_most, fresh, ours, proved, reported
from banach.claims.runs import slope
from banach.claims.training import _lanes
from banach.methods.training.amsgrad import Amsgrad

SOURCE = "Reddi, Kale and Kumar 2018, "
SLOPES = [3.0, 4.0, 6.0, 10.0, 30.0]
SEEDS = {"seed 0": 0, "seed 1": 1, "seed 2": 2, "seed 3": 3, "fresh": fresh()}
RATE, T, LONG, STEPS = 0.5, 30_000, 2_000_000, 400


@functools.partial(jax.jit, static_argnames="adam")
def points(s, rate, b1, b2, adam):
    """x_t on the losses s_t x over [-1, 1], from 1, steps of rate / sqrt(t)."""
    tx = Amsgrad(rate, b1, b2, 0.0, decreasing=True).transformation()

    def step(carry, now):
        (x, state), (s, t) = carry, now
        if adam:
            m, v = state
            state = m, v = b1 * m + (1 - b1) * s, b2 * v + (1 - b2) * s**2
            u = -rate / jnp.sqrt(t) * m / jnp.sqrt(v)
        else:
            u, state = tx.update(s, state, x)
        return (jnp.clip(x + u, -1, 1), state), x

    one = jnp.ones(())
    start = one, (0 * one, 0 * one) if adam else tx.init(one)
    return jax.lax.scan(step, start, (s, jnp.arange(1.0, len(s) + 1)))[1]


@functools.cache
def cycle(C, adam):
    """(slopes C, -1, -1 over and over, regrets against -1), b2 = 1 / (1 + C^2)."""
    s = np.where(np.arange(T) % 3, -1.0, C)
    x = np.asarray(points(s, RATE, 0.0, 1 / (1 + C**2), adam))
    return s, np.cumsum(s * (x + 1))


@functools.cache
def chances(adam):
    """The least late mean of x: 1010 x with chance 0.01, else -10 x, b2 = 0.99."""
    draws = [np.random.default_rng(i).random(LONG) < 0.01 for i in SEEDS.values()]
    s = np.where(np.stack(draws), 1010.0, -10.0)

    @jax.jit
    def late(rate):
        x = jax.vmap(lambda s: points(s, rate, 0.9, 0.99, adam))(s)
        return x[:, -LONG // 10 :].mean(axis=1)

    x = np.min([late(rate) for rate in (0.5, 2.0, 8.0)], axis=0)
    return dict(zip(SEEDS, x, strict=True))


@proved(SOURCE + "theorem 1", at_least(1 - 1e-9))
def adam_never():
    """Mean regret of Adam at T = 30,000 over (2 C - 4) / 3, which no time lessens."""
    return {f"C = {C:g}": cycle(C, True)[1][-1] * 3 / T / (2 * C - 4) for C in SLOPES}


@proved(SOURCE + "theorem 4", at_most(1.0))
def bound():
    """Regret of AMSGrad there over the theorem's bound (b1 = 0), the largest of t."""
    found, curves = {}, {}
    for C in SLOPES:
        (s, regret), b2, v, most = cycle(C, False), 1 / (1 + C**2), 0.0, 0.0
        t, root, norm = np.arange(1, T + 1), np.zeros(T), np.sqrt(np.cumsum(s**2))
        for i, g in enumerate(s):
            v = b2 * v + (1 - b2) * g * g
            root[i] = most = max(most, np.sqrt(v))
        limit = 4 * np.sqrt(t) * root / RATE
        limit += RATE * np.sqrt((1 + np.log(t)) / (1 - b2)) * norm
        found[f"C = {C:g}"] = np.max(regret / limit)
        curves[f"C = {C:g}"] = regret[::100]
    return Seen(found, {"regret": curves}, ("steps / 100", ""))


@ours("the regret grows no faster than sqrt(T)", at_most(0.6))
def growth():
    """Slope in T of the regret of AMSGrad there, from T = 300 to 30,000."""
    at = 3 * np.unique(np.geomspace(100, T // 3, 40).astype(int))
    return {f"C = {C:g}": slope(at, cycle(C, False)[1][at - 1]) for C in SLOPES}


@reported(SOURCE + "figure 1, stochastic example", at_least(0.9))
def adam_ends():
    """Mean x of Adam in the last tenth of 2 million steps, the least of three rates."""
    return chances(True)


@reported(SOURCE + "figure 1, stochastic example", at_most(-0.9))
def amsgrad_ends():
    """Mean x of AMSGrad there, the least of three rates; the best fixed x is -1."""
    return chances(False)


@reported(SOURCE + "figure 2, better than Adam", at_most(1.0, "mean"))
def against_adam():
    """The loss at the end over that of Adam, b2 = 0.99, steps as 1 / sqrt(t)."""
    found = {}
    for name in _lanes.NAMES:

        def ours(rate):
            return Amsgrad(rate, b2=0.99, decreasing=True).transformation()

        def adam(rate):
            return optax.adam(lambda t: rate / jnp.sqrt(t + 1), b2=0.99)

        p = _lanes.problem(name)
        found[name] = _lanes.best(p, ours, STEPS) / _lanes.best(p, adam, STEPS)
    return found

"""Full-rank training from a low-rank state: better than GaLore, near to Adam.

Reduced: 64-h-10 networks on digits of five widths h, training loss after 400 steps of
batches of 32, rank 16 renewed every 50 steps (theirs: LLaMA of 60M to 7B parameters,
perplexity); rates tuned on both sides. GaLore is the same without S.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims import instances
from banach.claims.course import at_least, at_most, ours, reported
from banach.claims.training import _lanes
from banach.methods.training.fira import Fira
from banach.parts import low_rank_rules as low

SOURCE = "Chen et al. 2024, "
T, RATES = 400, _lanes.RATES
WIDTHS = {"48 wide": 48, "64 wide": 64, "96 wide": 96, "128 wide": 128, "fresh": None}


def rule(rate, **given):
    """Rank 16, renewed every 50 steps."""
    return Fira(rate, **{"rank": 16, "every": 50} | given).transformation()


def galore(rate):
    """Without S: a limit on its growth that leaves nothing of it."""
    return rule(rate, growth=1e-12)


@functools.cache
def raced(name, makes=(rule, galore, optax.adam)):
    """The last losses at the best rates: Fira, GaLore, Adam."""
    problem = _lanes.network(WIDTHS[name])
    return [_lanes.best(problem, make, T, RATES) for make in makes]


@reported(SOURCE + "better than GaLore", at_most(1.0, "mean"))
def against_galore():
    """The loss of Fira over that of GaLore at the same rank."""
    return {n: raced(n)[0] / raced(n)[1] for n in WIDTHS}


@reported(SOURCE + "comparable to Adam or better", at_most(1.05))
def against_adam():
    """The loss of Fira over that of Adam in full."""
    return {n: raced(n)[0] / raced(n)[2] for n in WIDTHS}


@ours("scales at low rank are similar to those at full rank", at_least(0.7))
def scales():
    """Correlation over columns of log s_j with Adam's in full, rank 4 of 32."""

    def correlation(rng):
        size, noise = np.exp(rng.standard_normal(80)), rng.uniform(0.1, 3, 80)
        mean = rng.standard_normal((32, 80))
        P = np.asarray(low.leading(size * mean, 4))
        full, small = [np.zeros((2, 32, 80)), np.zeros((2, 4, 80))]
        for _ in range(50):
            G = size * (mean + noise * rng.standard_normal((32, 80)))
            logs = []
            for kept, R in ((full, G), (small, P.T @ G)):
                d, *kept[:] = map(np.asarray, low.moments(R, *kept, 0.9, 0.999, 1e-12))
                logs.append(
                    np.log(np.linalg.norm(d, axis=0) / np.linalg.norm(R, axis=0))
                )
        return np.corrcoef(*logs)[0, 1]

    return instances.drawn(correlation)


@ours("the limiter takes spikes away", at_most(1.01 + 1e-9))
def spike():
    """||S|| after a gradient 50 times as large over that of the step before."""

    def growth(rng):
        G = rng.standard_normal((30, 8, 12))
        G[20] *= 50
        tx, norms = rule(0.1), []
        update = jax.jit(tx.update)
        x = jnp.zeros((8, 12))
        state = tx.init(x)
        for g in G:
            _, state = update(jnp.asarray(g), state, x)
            norms.append(float(jax.tree.leaves(state.kept)[-1]))
        return norms[20] / norms[19]

    return instances.drawn(growth)

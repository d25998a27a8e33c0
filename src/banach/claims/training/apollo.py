"""AdamW's results with the memory of SGD.

Reduced: 64-h-10 networks on digits of five widths h, training loss after 400 steps of
batches of 32, rank 16 of at most 64 (theirs: LLaMA of 60M to 7B parameters, a quarter
of the width, perplexity); rates tuned on both sides.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims import instances
from banach.claims.course import at_least, at_most, ours, proved, reported
from banach.claims.training import _lanes
from banach.methods.training.apollo import Apollo
from banach.parts import low_rank_rules as low

SOURCE = "Zhu et al. 2025, "
T, RANK = 400, 16
WIDTHS = {"48 wide": 48, "64 wide": 64, "96 wide": 96, "128 wide": 128, "fresh": None}


def rule(rate, **given):
    """APOLLO of rank 16."""
    return Apollo(rate, **{"rank": RANK} | given).transformation()


def mini(rate):
    """APOLLO-Mini."""
    return rule(rate, rank=1, mini=True, scale=np.sqrt(128.0))


@functools.cache
def raced(name):
    """The last losses at the best rates: APOLLO, APOLLO-Mini, Adam, SGD."""
    problem, makes = _lanes.network(WIDTHS[name]), (rule, mini, optax.adam, optax.sgd)
    return [_lanes.best(problem, make, T) for make in makes]


@reported(SOURCE + "on par with AdamW or better", at_most(1.0, "mean"))
def against_adam():
    """The loss of APOLLO over that of Adam."""
    return {n: raced(n)[0] / raced(n)[2] for n in WIDTHS}


@reported(SOURCE + "APOLLO-Mini too", at_most(1.0, "mean"))
def mini_against_adam():
    """The loss of APOLLO-Mini over that of Adam."""
    return {n: raced(n)[1] / raced(n)[2] for n in WIDTHS}


@ours("better than SGD, whose memory it has", at_most(1.0, "mean"))
def against_sgd():
    """The loss of APOLLO-Mini over that of SGD without momentum."""
    return {n: raced(n)[1] / raced(n)[3] for n in WIDTHS}


@ours("the scales are those of Adam's own columns", at_least(0.9))
def scales():
    """Correlation over columns of log s_j with that of Adam in full, rank 16 of 32."""
    found = {}
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        size, noise = np.exp(rng.standard_normal(80)), rng.uniform(0.1, 3, 80)
        mean = rng.standard_normal((32, 80))
        P = np.asarray(low.gaussian(jax.random.key(seed), 16, 32, float))
        full, small = [np.zeros((2, 32, 80)), np.zeros((2, 16, 80))]
        for _ in range(50):
            G = size * (mean + noise * rng.standard_normal((32, 80)))
            logs = []
            for kept, R in ((full, G), (small, P @ G)):
                d, *kept[:] = map(np.asarray, low.moments(R, *kept, 0.9, 0.999, 1e-12))
                logs.append(
                    np.log(np.linalg.norm(d, axis=0) / np.linalg.norm(R, axis=0))
                )
        found[name] = np.corrcoef(*logs)[0, 1]
    return found


@proved(SOURCE + "memory of 2 n r + 2", at_most(1.0))
def memory():
    """Numbers kept for an m x n matrix, m <= n, over 2 n r + 2."""
    found = {}
    for m, n, r in ((64, 128, 4), (500, 300, 8), (32, 10, 1)):
        shape = jax.ShapeDtypeStruct((m, n), jnp.float32)
        kept = jax.eval_shape(rule(0.1, rank=r).init, shape).kept
        count = sum(v.size for v in jax.tree.leaves(kept))
        found[f"{m} x {n}, rank {r}"] = count / (2 * max(m, n) * r + 2)
    return found

"""The best step on quadratics in closed form, and larger steps than momentum's.

Reduced: logistic regressions of four tables and a 64-32-10 network on digits, training
loss after 400 steps of batches of 32 (theirs: VGG-11, ResNet-20, RoBERTa, ViT). Rates
are tuned on both sides, mu = 1 and gamma = 1.5 as in the authors' code.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import at_least, at_most, fresh, ours, proved, reported
from banach.claims.training import _lanes
from banach.methods.training.nag_gs import NagGs, best_step

SOURCE = "Leplat et al. 2022, "
T, KAPPAS = 400, [1e1, 1e2, 1e3, 1e4, 3e4]
RATES = [1e-3 * 4.0**k for k in range(10)]


@functools.partial(jax.jit, static_argnames="steps")
def _norms(curvature, alpha, x, steps):
    tx = NagGs(alpha, 1.0, 1.0, fixed=True).transformation()

    def step(carry, _):
        x, state = carry
        u, state = tx.update(curvature * x, state, x)
        return (x + u, state), jnp.linalg.norm(x)

    return jax.lax.scan(step, (x, tx.init(x)), None, steps)[1]


def contraction(kappa, alpha):
    """Per step, over the later half of a run on a quadratic of 50 unknowns."""
    steps = int(20 * np.sqrt(kappa)) + 100
    x = np.random.default_rng(fresh()).standard_normal(50)
    norms = np.asarray(_norms(np.geomspace(1, kappa, 50), alpha, x, steps))
    return (norms[-1] / norms[steps // 2]) ** (1 / (steps - 1 - steps // 2))


@proved(SOURCE + "optimal step on quadratics", at_least(0.9))
def rate():
    """log of the contraction a step over log (sqrt(k) - 1) / (sqrt(k) + 1)."""
    return {
        f"kappa = {k:g}": np.log(contraction(k, best_step(1.0, k)))
        / np.log((np.sqrt(k) - 1) / (np.sqrt(k) + 1))
        for k in KAPPAS
    }


@ours(
    "it diverges just above 2 (1 + sqrt(k - 1)) / (k - 2), derived here", at_least(0.0)
)
def limit():
    """The less of -log and log of the contraction at 0.98 and 1.02 times that step."""
    found = {}
    for k in KAPPAS:
        most = 2 * (1 + np.sqrt(k - 1)) / (k - 2)
        low, high = (np.log(contraction(k, f * most)) for f in (0.98, 1.02))
        found[f"kappa = {k:g}"] = min(-low, high)
    return found


@functools.cache
def raced(name):
    """Mean losses by rate: ours, those of SGD with momentum, and Adam's."""

    def mine(rate):
        return NagGs(rate).transformation()

    def momentum(rate):
        return optax.sgd(rate, momentum=0.9)

    p = _lanes.problem(name)
    makes = (mine, momentum, optax.adam)
    return [_lanes.losses(p, m, T, rates=RATES).mean(axis=(1, 2)) for m in makes]


@reported(SOURCE + "competitive with momentum SGD", at_most(1.02))
def against_momentum():
    """The loss after 400 steps over that of SGD with momentum 0.9."""
    return {n: np.nanmin(raced(n)[0]) / np.nanmin(raced(n)[1]) for n in _lanes.NAMES}


@reported(SOURCE + "competitive with AdamW", at_most(1.02))
def against_adam():
    """The loss after 400 steps over that of Adam."""
    return {n: np.nanmin(raced(n)[0]) / np.nanmin(raced(n)[2]) for n in _lanes.NAMES}


@reported(SOURCE + "larger learning rates than momentum SGD", at_least(5.0))
def largest_step():
    """The largest rate that ends within twice its best loss, over momentum's."""
    found = {}
    for name in _lanes.NAMES:
        ends = [
            max(
                r
                for r, v in zip(RATES, losses, strict=True)
                if v < 2 * np.nanmin(losses)
            )
            for losses in raced(name)[:2]
        ]
        found[name] = ends[0] / ends[1]
    return found

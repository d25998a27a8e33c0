"""AdaHessian beats Adam in steps, and forgives its hyperparameters.

Reduced: logistic regressions of four tables and a 64-32-10 network on digits, training
loss after 400 steps of batches of 32 (theirs: ResNets, transformers, a recommender;
test scores). Rates are tuned on both sides.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims import instances
from banach.claims.course import at_least, at_most, ours, proved, reported
from banach.claims.training import _lanes
from banach.methods.training.adahessian import Adahessian
from banach.parts.curvature_estimates import sampled

SOURCE = "Yao et al. 2021, "
T = 400
KAPPAS = [1e1, 1e2, 1e3, 1e4, 1e6]


def rule(rate):
    """As the paper has it, no blocks."""
    return Adahessian(rate).transformation()


@functools.cache
def raced(name):
    """Mean losses by rate: ours and Adam's."""
    problem, extra = _lanes.problem(name), _lanes.curvature()
    mine = _lanes.losses(problem, rule, T, extra=extra).mean(axis=(1, 2))
    return mine, _lanes.losses(problem, optax.adam, T).mean(axis=(1, 2))


@functools.cache
def bent(kappa):
    """Steps to F <= 1e-3 on sum h_i log cosh(x_i) at the best rates: ours, Adam's."""
    problem = _lanes.bent(kappa)
    given = {"batch": 1, "seeds": 1, "looks": 600}
    mine = _lanes.losses(problem, rule, 600, extra=_lanes.curvature(), **given)
    adam = _lanes.losses(problem, optax.adam, 600, **given)
    return _lanes.first(mine, 1e-3), _lanes.first(adam, 1e-3)


@proved(SOURCE + "the diagonal in expectation", at_most(4.5))
def unbiased():
    """The estimate's error of 4,000 draws in standard errors, the largest entry."""

    def drawn(rng):
        M = rng.standard_normal((12, 12))
        H = M + M.T
        draw = lambda key: sampled(lambda z: H @ z, jnp.zeros(12), key)  # noqa: E731
        rows = jax.vmap(draw)(
            jax.random.split(jax.random.key(rng.integers(2**31)), 4000)
        )
        error = np.std(rows, axis=0) / np.sqrt(4000)
        return np.max(np.abs(np.mean(rows, axis=0) - np.diag(H)) / error)

    return instances.drawn(drawn)


@reported(SOURCE + "better than Adam", at_most(1.0, "mean"))
def against_adam():
    """The loss after 400 steps over that of Adam."""
    found = {n: raced(n) for n in _lanes.NAMES}
    return {n: a[_lanes.least(a)] / b[_lanes.least(b)] for n, (a, b) in found.items()}


@reported(SOURCE + "robust to the learning rate", at_most(1.0, "mean"))
def robust():
    """Worst loss within four times the best rate, ours over Adam's, own best each."""
    found = {}
    for name in _lanes.NAMES:
        spread = []
        for losses in raced(name):
            i = _lanes.least(losses)
            spread.append(
                np.nan_to_num(losses[i - 1 : i + 2], nan=np.inf).max() / losses[i]
            )
        found[name] = spread[0] / spread[1]
    return found


@ours("curvatures of very different sizes", at_least(5.0))
def over_adam():
    """Steps of Adam over those of ours to F <= 1e-3 on sum h_i log cosh(x_i)."""
    return {f"kappa = {k:g}": bent(k)[1] / bent(k)[0] for k in KAPPAS}

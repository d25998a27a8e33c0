"""Muon, signs and normalised steps are one trust-region method; its order matters.

Reduced: networks of 32 units on five tables, 200 batches of 32, the loss at the end
(the paper has theorems and cites experiments); rates are tuned on both sides.
The theory is tried on softmax regressions, without noise and with the exact polar
factor, where a step is no longer than the theorem's.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from banach.claims.course import Seen, at_most, ours, proved, reported
from banach.claims.training import _lanes
from banach.claims.training._matrix_instances import network, softmax, tables
from banach.methods.training.non_euclidean_trust_region import NonEuclideanTrustRegion
from banach.parts.orthogonalisation import newton_schulz

SOURCE = "Kovalev 2025, "
STEPS, CAP, ETA, DECAY = 200, 200, 0.05, 0.1


def _whole(problem, method, steps):
    """x_k and gradients of the whole sum, k = 0 .. steps."""
    problem, tx = jax.tree.map(jnp.asarray, problem), method.transformation()

    @jax.jit
    def run(x):
        def step(carry, _):
            x, state = carry
            g = problem.grad(x)
            u, state = tx.update(g, state, x)
            return (x + u, state), (x, g, problem.value(x), method.dual_norm(g))

        return jax.lax.scan(step, (x, tx.init(x)), None, steps + 1)[1]

    return map(np.asarray, run(problem.start().x))


@proved(SOURCE + "theorem 1, no noise and a = 1", at_most(1.0))
def rate():
    """Least ||grad||_* of 200 steps over (F_0 - F_200) / (200 eta) + L eta / 2."""
    found = {}
    for name, (A, _) in tables().items():
        problem = softmax(name)
        # ||H|| from the spectral to the nuclear norm: entropies have Hessians <= 1/2.
        top = np.linalg.eigvalsh(A.T @ A / len(A))[::-1]
        k = min(problem.x0.shape)
        L = (top[:k].sum()) / 2 + 1e-3 * k
        eta = 1 / L
        method = NonEuclideanTrustRegion(eta, momentum=0.0, exact=True)
        _, _, F, dual = _whole(problem, method, CAP)
        found[name] = dual[:-1].min() / ((F[0] - F[-1]) / (CAP * eta) + L * eta / 2)
    return found


@functools.cache
def _decayed(name):
    """F and Frank-Wolfe gaps with weight decay, whose ball has the radius 10."""
    method = NonEuclideanTrustRegion(ETA, momentum=0.0, weight_decay=DECAY, exact=True)
    x, g, F, dual = _whole(softmax(name), method, CAP)
    return F, np.sum(g * x, axis=(1, 2)) + dual / DECAY


@proved(SOURCE + "weight decay as Frank-Wolfe", at_most(1.0))
def gap():
    """F(x_k) less the least F over the Frank-Wolfe gap at x_k, the largest of k."""
    found, curves = {}, {}
    for name in tables():
        F, curves[name] = _decayed(name)
        found[name] = np.max((F - F.min()) / curves[name])
    return Seen(found, {"Frank-Wolfe gap": curves})


@ours("the gap falls", at_most(0.5))
def falls():
    """The least gap of 200 steps with weight decay over the first."""
    return {k: _decayed(k)[1].min() / _decayed(k)[1][0] for k in tables()}


def _orthogonal_sgdm(rate):
    """Orthogonalised gradients, then momentum: the other order."""
    return optax.chain(
        optax.stateless(lambda g, p: jax.tree.map(newton_schulz, g)),
        optax.ema(0.95, debias=False),
        optax.scale(-rate),
    )


@functools.cache
def _spectral(name):
    def make(rate):
        return NonEuclideanTrustRegion(rate).transformation()

    return _lanes.best(network(name), make, STEPS)


def _against(peer):
    return {k: _spectral(k) / _lanes.best(network(k), peer, STEPS) for k in tables()}


@reported(SOURCE + "better than Orthogonal-SGDM", at_most(1.0, "mean"))
def order():
    """The loss of momentum, then the polar factor, over that of the other order."""
    return _against(_orthogonal_sgdm)


@ours("no worse than Adam", at_most(1.0, "mean"))
def adam():
    """The loss of the spectral norm over that of Adam."""
    return _against(optax.adam)

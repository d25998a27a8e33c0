"""Estimates of a Hessian diagonal have the mean that they should have."""

import jax
import jax.numpy as jnp
import numpy as np

from banach.parts import curvature_estimates as curvature

X = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")
W = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3)), "float32")


def logits(w):
    return X @ w


def cross_entropy(w):
    z = logits(w)
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - z[:, 0])


def test_all_estimators_have_the_diagonal_as_their_mean():
    """Of a linear model's cross entropy, whose Hessian is its Gauss-Newton matrix."""

    @jax.jit
    def drawn(keys):
        h = jax.hessian(cross_entropy)(W)
        signs, normal = (
            jax.vmap(lambda k, n=n: curvature.hutchinson(cross_entropy, W, k, n))(keys)
            for n in (False, True)
        )
        gnb = jax.vmap(lambda k: curvature.gauss_newton_bartlett(logits, W, k))(keys)
        return jnp.einsum("ijij->ij", h), (signs, normal, gnb)

    exact, samples = drawn(jax.random.split(jax.random.key(0), 4000))
    for rows in samples:
        rows = np.asarray(rows)
        error = rows.std(axis=0) / np.sqrt(len(rows))
        assert (np.abs(rows.mean(axis=0) - exact) < 4.5 * error + 1e-6).all()
        assert (error > 0).all()
    assert (np.asarray(samples[2]) >= 0).all()

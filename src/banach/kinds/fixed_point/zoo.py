"""Ready fixed-point problems by name; listing them imports no jax."""

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("FixedPoint")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named("fixed_point:deq", "a deep-equilibrium layer on 50 digits, width 32, q = 0.95")
def _deq():
    """z = tanh(W z + U a + b) for 50 images a at once; the 2-norm of W is 0.95."""
    import jax.numpy as jnp

    from banach.kinds.fixed_point.problem import FixedPoint

    rng = np.random.default_rng(5)
    images = datasets.digits().A[:50] / 16
    W = rng.standard_normal((32, 32))
    # Declared a rounding above what the singular values say.
    W *= 0.95 / np.linalg.svd(W, compute_uv=False)[0]
    U = rng.standard_normal((32, 64)) / 8
    b = 0.1 * rng.standard_normal(32)
    zero = np.zeros((50, 32))

    def layer(z, W, inputs):
        return jnp.tanh(z @ W.T + inputs)

    inputs = images @ U.T + b
    return FixedPoint(
        layer, zero, (W, inputs), contraction=0.95 * (1 + 1e-12), reference=zero
    )


@_named("fixed_point:cosine", "x = cos(x), nonexpansive only, 10 starts")
def _cosine():
    """The slope of cos reaches 1: no factor q < 1 holds, so nothing is bounded."""
    import jax.numpy as jnp

    from banach.kinds.fixed_point.problem import FixedPoint

    start = np.linspace(-2.0, 2.0, 10)
    return FixedPoint(jnp.cos, start, nonexpansive=True, reference=np.zeros(10))


@_named("fixed_point:kepler", "Kepler's equation E = M + e sin E, e = 0.9, 100 times")
def _kepler():
    """Eccentricity e is the contraction factor, in the maximum norm."""
    import jax.numpy as jnp

    from banach.kinds.fixed_point.problem import FixedPoint

    mean = np.linspace(0.0, 2 * np.pi, 100)

    def anomaly(E, M):
        return M + 0.9 * jnp.sin(E)

    return FixedPoint(anomaly, mean, (mean,), contraction=0.9 * (1 + 1e-12), norm="inf")

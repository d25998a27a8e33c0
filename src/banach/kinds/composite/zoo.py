"""Ready composite problems by name; listing them imports no jax."""

import numpy as np

from banach.zoo.registry import Shelf

_shelf = Shelf("Composite")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named("composite:steps", "a blurred step signal of 200 values, total variation")
def _steps():
    """A moving average of five is undone; its norm is 1, so that L = 1."""
    import jax.numpy as jnp

    from banach.kinds.composite.problem import Composite
    from banach.kinds.smooth.problem import Smooth
    from banach.terms.total_variation import TotalVariation1D

    rng = np.random.default_rng(0)
    steps = np.repeat([0.0, 2.0, -1.0, 1.0, 0.5], 40)
    weights = np.full(5, 0.2)
    seen = np.convolve(steps, weights, "same") + 0.05 * rng.standard_normal(200)

    def misfit(x, seen, weights):
        return 0.5 * jnp.sum((jnp.convolve(x, weights, "same") - seen) ** 2)

    zero = np.zeros(200)
    smooth = Smooth(
        misfit, zero, (seen, weights), convex=True, L=1 + 1e-12, reference=zero
    )
    return Composite(smooth, TotalVariation1D(0.1))

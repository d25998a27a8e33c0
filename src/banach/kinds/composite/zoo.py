"""Ready composite problems by name; listing them imports no jax."""

import numpy as np

from banach.zoo import datasets
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


@_named(
    "composite:sigmoid_breast_cancer",
    "mean of 569 sigmoids of a margin, 30 features, an l1 norm; not convex",
)
def _sigmoid():
    """1/n sum_i 1 / (1 + exp(y_i <a_i, x>)) + lam ||x||_1, a sum with its terms."""
    import jax

    from banach.kinds.composite.problem import Composite
    from banach.kinds.finite_sum.problem import FiniteSum
    from banach.terms.norms import L1

    data = datasets.breast_cancer()
    A, zero = datasets.standardised(data.A), np.zeros(30)
    # The second derivative of a sigmoid is at most 1 / (6 sqrt 3) < 0.0963.
    L = 0.0963 * np.linalg.norm(A, 2) ** 2 / len(A)

    def loss(x, d):
        return jax.nn.sigmoid(-d[1] * (d[0] @ x))

    rows = (A, np.where(data.y > 0, 1.0, -1.0))
    return Composite(FiniteSum(loss, zero, rows, L=L, reference=zero), L1(1e-2))


@_named("composite:nmf_digits", "100 handwritten digits as products of 6 parts >= 0")
def _nmf():
    """1/2 ||W H - X||^2 over W, H >= 0, X the pixels by digits, from a drawn start."""
    X = datasets.digits().A[:100].T / 16
    rng = np.random.default_rng(0)
    return _factors((rng.random((64, 6)), rng.random((6, 100))), X)


@_named("composite:cp_tensor", "a noisy tensor of 12 x 12 x 12 as 4 products >= 0")
def _cp():
    """1/2 ||sum_r a_r o b_r o c_r - X||^2 over factors >= 0, from a drawn start."""
    rng = np.random.default_rng(0)
    true = rng.random((3, 12, 4)) * (rng.random((3, 12, 4)) < 0.7)
    X = np.einsum("ir,jr,kr->ijk", *true) + 0.01 * rng.standard_normal((12, 12, 12))
    return _factors(tuple(rng.random((3, 12, 4))), X)


def _factors(start, X):
    """The sum of squares of a matrix or tensor less the product of its factors."""
    import jax.numpy as jnp

    from banach.kinds.composite.problem import Composite
    from banach.terms.sets import Nonnegative

    indices = "ir,rj->ij" if len(start) == 2 else "ir,jr,kr->ijk"

    def misfit(x, X):
        return jnp.sum((jnp.einsum(indices, *x, precision="highest") - X) ** 2) / 2

    return Composite(misfit, Nonnegative(), start, (X,), reference=start)

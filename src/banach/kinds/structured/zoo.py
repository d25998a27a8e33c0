"""Ready structured problems by name; listing them imports no jax."""

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Structured")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named("structured:inpainting", "a digit with half its pixels missing, 2-D TV")
def _inpainting():
    """A 3 of scikit-learn's digits, seen through a mask; anisotropic TV, in [0, 1]."""
    import jax.numpy as jnp

    from banach.kinds.structured.models import differences
    from banach.kinds.structured.problem import Structured
    from banach.terms.norms import L1
    from banach.terms.sets import Box

    image = datasets.digits().A[3].reshape(8, 8) / 16
    rng = np.random.default_rng(0)
    mask = (rng.random(image.shape) < 0.5).astype(float)
    seen = mask * (image + 0.05 * rng.standard_normal(image.shape))

    def misfit(x, mask, seen):
        return jnp.sum((mask * x - seen) ** 2) / 2

    zero = np.zeros(image.shape)
    return Structured(
        misfit, Box(0.0, 1.0), L1(0.05), differences(*image.shape), zero, (mask, seen),
        convex=True, quadratic=True, L=1.0, reference=zero,
    )  # fmt: skip


@_named("structured:fused_lasso", "least squares on diabetes, fused lasso")
def _fused():
    """Least squares on 10 standardised columns, sparse and of few distinct values."""
    import jax.numpy as jnp

    from banach.kinds.structured.problem import Structured
    from banach.terms.norms import L1

    A, y = datasets.diabetes()
    y = (y - y.mean()) / y.std()

    def misfit(x, A, y):
        r = jnp.matmul(A, x, precision="highest") - y
        return jnp.vdot(r, r, precision="highest") / 2

    zero = np.zeros(A.shape[1])
    L = float(np.linalg.norm(A, 2) ** 2) * (1 + 1e-9)
    return Structured(
        misfit, L1(0.5), L1(0.5), np.diff(np.eye(10), axis=0), zero, (A, y),
        convex=True, quadratic=True, L=L, reference=zero,
    )  # fmt: skip


@_named("structured:basis_pursuit", "the sparsest weights that fit 6 rows of diabetes")
def _pursuit():
    """minimise ||x||_1 subject to A x = y, by the indicator of one point."""

    from banach.kinds.structured.problem import Structured
    from banach.terms.norms import L1
    from banach.terms.sets import Box

    A, y = datasets.diabetes()
    A, y = A[:6] / 0.05, (y[:6] - y.mean()) / y.std()
    zero = np.zeros(A.shape[1])
    return Structured(None, L1(1.0), Box(y, y), A, zero, reference=zero)

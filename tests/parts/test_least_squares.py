"""What rounding hides of a sum of squares."""

import jax.numpy as jnp
import numpy as np
import pytest

from banach.parts import least_squares as ls

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_what_rounding_may_hide_covers_what_it_hides(size):
    """Residuals A x - b of the same point, summed in other orders."""
    rng = np.random.default_rng(3)
    A, x = rng.normal(size=(40, 6)), rng.normal(size=6)
    r = size * rng.normal(size=40)
    b = A @ x - r
    f = np.linalg.norm(A @ x - b)
    hidden = float(ls.drowned(jnp.asarray(f), jnp.asarray(np.linalg.norm(A @ x))))
    for _ in range(50):
        order = rng.permutation(6)
        again = np.linalg.norm(np.add.reduce((A * x)[:, order], axis=1) - b)
        assert abs((again / f) ** 2 - 1) <= hidden
    # At least as much as a rounding of f itself, and of J x beside it; no more than
    # a few.
    moved = np.linalg.norm(A @ x) / f
    assert 2 * EPS * (1 + moved) <= hidden <= 32 * EPS * (1 + moved)

"""The first step of inclusions without constants."""

import jax.numpy as jnp
import numpy as np
import pytest

from banach.parts import quotient

M = np.array([[1.0, 3.0], [-3.0, 2.0]])


@pytest.mark.parametrize("far", [0.0, 1.0, 1e8])
def test_it_is_exact_for_a_linear_operator(far):
    z = far * jnp.array([1.0, -1.0])
    F = M @ z + 1
    got = quotient.along_itself(lambda z: M @ z + 1, z, F)
    want = np.linalg.norm(F) / np.linalg.norm(M @ F)
    assert float(got) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize(
    "F", [lambda z: 0 * z + 2, lambda z: 0 * z, lambda z: 1 + jnp.sqrt(z)]
)
def test_it_is_one_where_nothing_is_told(F):
    """Constant, zero, and without a value a little away from z."""
    z = jnp.zeros(2)
    assert float(quotient.along_itself(F, z, F(z))) == 1.0

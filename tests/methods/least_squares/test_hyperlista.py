"""HyperLISTA: an exact recovery is certified, and what is not linear is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.methods.least_squares._hyperlista_tuning import losses, tuned
from banach.methods.least_squares.hyperlista import Hyperlista


def drawn(m, n, share, count):
    rng = np.random.default_rng(3)
    A = rng.standard_normal((m, n))
    X = rng.standard_normal((count, n)) * (rng.random((count, n)) < share)
    return A / np.linalg.norm(A, axis=0), X


def test_as_tuned_it_recovers_a_signal_and_its_equations_are_certified():
    A, X = drawn(40, 80, 0.06, 17)
    found = tuned(A, X[1:], layers=16)
    own, plain = (
        float(losses(A, X[1:], 16, (m.c1, m.c2, m.c3))[-1])
        for m in (found, Hyperlista())
    )
    assert own <= plain < 1
    b = A @ X[0]
    with jax.enable_x64(True):
        problem = bn.least_squares(lambda x: A @ x - b, np.zeros(80), data=b)
        result = bn.solve(problem, found, tol=1e-6, max_steps=200)
    assert result.certified
    np.testing.assert_allclose(result.x, X[0], atol=1e-8)
    # The least-norm solution of the same equations is another one.
    assert np.linalg.norm(np.linalg.pinv(A) @ b - X[0]) > 0.3 * np.linalg.norm(X[0])


def test_a_curved_residual_is_refused():
    problem = bn.least_squares(lambda x: jnp.exp(x) - 2.0, np.zeros(3))
    with pytest.raises(bn.Misuse, match="A @ x - b"):
        bn.solve(problem, "hyperlista")


def test_curved_residuals_are_refused_wherever_they_start():
    for x0 in (-np.ones(3), np.zeros(3), np.full(3, 0.5)):
        curved = bn.least_squares(lambda x: (3 - 2 * x) * x - 1, x0)
        with pytest.raises(bn.Misuse, match="linear residual|A x = b"):
            bn.solve(curved, "hyperlista")

"""The group sparse envelope: its prox by bisection, its level, its certificate."""

import numpy as np
import pytest
from scipy.optimize import brentq

import banach as bn
from banach.terms.group_envelope import GroupSparseEnvelope

LABELS = np.repeat(np.arange(8), 3)


def bisected(v, lam, k, d):
    """The prox by a root finder on the multiplier of sum u = k."""
    n, d = np.linalg.norm(v.reshape(8, 3), axis=1), lam * d

    def used(c):
        return np.clip(c * n * np.sqrt(d) - d, 0, 1)

    c = brentq(lambda c: used(c).sum() - k, 0, 1e6, xtol=1e-15, rtol=1e-15)
    return (v.reshape(8, 3) * (used(c) / (used(c) + d))[:, None]).ravel()


@pytest.mark.parametrize("k", [1, 3, 7])
def test_prox_is_the_root_of_its_multiplier(k):
    rng = np.random.default_rng(k)
    d, v = rng.uniform(0.5, 2, 8), rng.standard_normal(24)
    got = GroupSparseEnvelope(0.4, k, LABELS, d).prox(v, 2.0)
    np.testing.assert_allclose(got, bisected(v, 0.8, k, d), atol=1e-12)


def test_with_all_groups_allowed_it_is_a_ridge_and_below_k_too():
    v = np.random.default_rng(0).standard_normal(24)
    every = GroupSparseEnvelope(0.5, 8, LABELS)
    np.testing.assert_allclose(every.prox(v, 1.0), v / 1.5, rtol=1e-14)
    np.testing.assert_allclose(every.value(v), v @ v / 4, rtol=1e-14)
    few = np.where(LABELS < 2, v, 0)
    three = GroupSparseEnvelope(0.5, 3, LABELS)
    np.testing.assert_allclose(three.prox(few, 1.0), few / 1.5, rtol=1e-14)
    np.testing.assert_allclose(three.value(few), few @ few / 4, rtol=1e-14)


def test_a_regression_on_k_groups_is_certified_and_finds_them():
    rng = np.random.default_rng(3)
    A, truth = rng.standard_normal((60, 24)), np.where(LABELS < 3, 2.0, 0)
    y = A @ truth + 0.1 * rng.standard_normal(60)
    model = bn.GLM(A, y, bn.SquaredLoss(), GroupSparseEnvelope(8.0, 3, LABELS))
    result = bn.solve(model, bn.Fista(), tol=1e-12)
    assert result.certified and result.certificate.parts[0].name == "f(x)-f*"
    sizes = np.linalg.norm(np.asarray(result.x).reshape(8, 3), axis=1)
    assert np.flatnonzero(sizes > 1e-6).tolist() == [0, 1, 2]
    # Ridge regression on the three groups alone.
    B = A[:, :9]
    alone = np.linalg.solve(B.T @ B + 8 * np.eye(9), B.T @ y)
    np.testing.assert_allclose(result.x[:9], alone, atol=1e-4)

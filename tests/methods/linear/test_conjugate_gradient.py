"""Conjugate gradients: what ends them, and what they refuse."""

import jax
import numpy as np
import pytest
from reference.conjugate_gradient import A, B, Q

import banach as bn
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.parts.preconditioners import Plain


def test_it_ends_at_negative_curvature():
    indefinite = np.diag([1.0, -3.0, 2.0])
    problem, method = bn.Linear(indefinite, np.ones(3)), ConjugateGradient(Plain())
    assert not problem.facts().has("positive_definite")
    key = jax.random.key(0)
    state = method.init(problem, problem.start(), key)
    state = method.step(problem, state, key)
    after = method.step(problem, state, key)
    assert not bool(after.stuck) or np.array_equal(after.x, state.x)
    for _ in range(3):
        state, after = after, method.step(problem, after, key)
    assert bool(after.stuck) and np.isfinite(after.x).all()
    np.testing.assert_array_equal(after.x, state.x)


def test_a_matrix_that_is_not_symmetric_is_refused_with_the_cure():
    skewed = A + np.triu(Q, 1)
    for method in ("conjugate_gradient", ConjugateGradient(Plain())):
        with pytest.raises(bn.Misuse, match="normal_equations"):
            bn.solve(bn.Linear(skewed, B), method)
    r = bn.solve(bn.normal_equations(skewed, B), tol=1e-10)
    np.testing.assert_allclose(r.require().x, np.linalg.solve(skewed, B), rtol=1e-8)

"""Conjugate directions end at a curvature that is not positive."""

import numpy as np
import pytest
from reference._linear import INDEFINITE

from banach.claims import runs
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.methods.linear.deep_conjugate_direction import DeepConjugateDirection
from banach.parts.preconditioners import Plain

METHODS = [ConjugateGradient(Plain()), DeepConjugateDirection(lambda r, apart: r)]


@pytest.mark.parametrize("method", METHODS, ids=["residuals", "network"])
def test_they_stand_still_at_negative_curvature(method):
    problem, _ = INDEFINITE
    assert not problem.facts().has("positive_definite")
    end = runs.until(problem, method, runs.residual_norm, 0.0, 50)
    assert end.steps < 10 and np.isfinite(end.x).all()
    xs = runs.trace(problem, method, 10, x=runs.where)["x"]
    np.testing.assert_array_equal(xs[end.steps :], xs[end.steps - 1 : -1])

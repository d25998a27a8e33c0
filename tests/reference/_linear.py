"""Small linear systems for the references of this family."""

from types import SimpleNamespace

import numpy as np

from banach.kinds.linear.problem import Linear


def system(A, b):
    """A x = b: (problem, oracles)."""
    return Linear(A, b), SimpleNamespace(A=A, b=b)


rng = np.random.default_rng(2)
Q = rng.standard_normal((12, 12))
A, B = Q @ Q.T + np.diag(np.arange(1.0, 13)), rng.standard_normal(12)
DENSE = system(A, B)
INDEFINITE = system(np.diag([1.0, -3.0, 2.0]), np.ones(3))

"""Anderson: it ends on linear maps as GMRES does."""

import numpy as np
from reference import anderson as reference


def test_a_linear_map_of_three_dimensions_ends_in_four_steps():
    """Walker and Ni, theorem 2.2: like GMRES, one step later."""
    M, b = 0.9 * np.diag([1.0, -0.5, 0.3]), np.array([1.0, 2.0, 3.0])
    truth = np.linalg.solve(np.eye(3) - M, b)
    xs = reference.iterates(lambda x: M @ x + b, np.zeros(3), 4, memory=5, cutoff=1e-10)
    away = np.linalg.norm(np.array(xs) - truth, axis=1)
    assert away[3] < 1e-10 and away[2] > 1e-4

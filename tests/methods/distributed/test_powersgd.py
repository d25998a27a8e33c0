"""PowerSGD: heterogeneous workers end at the solution, and messages are thin."""

import numpy as np
from reference import powersgd as case

import banach as bn
from banach.methods.distributed.powersgd import Powersgd


def test_it_ends_at_the_solution_of_heterogeneous_workers():
    r = bn.solve(
        case.problem(), Powersgd(0.1 / case.L, 0.0, rank=1), max_steps=6000, tol=1e-13
    )
    A = np.c_[case.A.reshape(-1, case.ROWS), np.ones(case.WORKERS * case.EACH)]
    best = np.linalg.lstsq(A, case.Y.reshape(-1, case.COLUMNS), rcond=None)[0]
    np.testing.assert_allclose(r.x["matrix"], best[:-1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(r.x["vector"], best[-1], rtol=1e-8, atol=1e-9)


def test_a_matrix_weighs_its_factors_and_a_vector_itself():
    r = bn.solve(case.problem(), Powersgd(0.01, rank=1), max_steps=10, tol=1e-12)
    one_way = 3 * 10 * ((4 + 3) + 3) * 8
    assert r.sent == {"up": one_way, "down": one_way}

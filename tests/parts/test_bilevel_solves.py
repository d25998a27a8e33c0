"""Lower solves, and curvatures at the start, against closed forms."""

import numpy as np
import pytest
from reference import _bilevel as case

from banach.parts import bilevel_solves


def test_the_lower_solver_counts_and_converges_from_afar():
    p = case.single()
    out = bilevel_solves.solve_lower(p, case.X0, np.full(case.P, 1e3), 1e-9)
    exact = case.phi_grad(case.X0, [0])[1][0]
    np.testing.assert_allclose(out.y, exact, atol=1e-9)
    assert float(out.norm) <= 1e-9
    assert 2 <= int(out.grads) <= 20 and int(out.products) > int(out.grads) - 2


def test_curvatures_at_the_start():
    p = case.problem()
    H = [case.A[i].T @ case.A[i] / case.N + np.diag(np.exp(case.X0)) for i in range(4)]
    top = max(np.linalg.eigvalsh(h)[-1] for h in H)
    assert float(bilevel_solves.lower_curvature(p)) == pytest.approx(top, rel=1e-2)
    g = case.phi_grad(case.X0)[0]
    d, h = g / np.linalg.norm(g), 1e-5
    bent = (case.phi_grad(case.X0 + h * d)[0] - case.phi_grad(case.X0 - h * d)[0]) / h
    want = max(np.linalg.norm(bent) / 2, np.linalg.norm(g) / 3**0.5)
    assert float(bilevel_solves.upper_curvature(p)) == pytest.approx(want, rel=1e-2)

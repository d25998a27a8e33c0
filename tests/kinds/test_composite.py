"""Composite: oracles, facts, the step of its residual, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.composite.problem import Composite
from banach.kinds.finite_sum.problem import FiniteSum
from banach.kinds.glm.models import Lasso
from banach.kinds.smooth.problem import Smooth
from banach.terms.norms import L1
from banach.terms.sets import Box, Nonnegative, Simplex

C = np.array([1.0, -0.3, 0.05])


def square(x):
    return 0.5 * jnp.sum((x - C) ** 2)


def test_lasso_in_closed_form():
    p = Composite(square, L1(0.1), np.zeros(3), L=1.0, convex=True)
    x = np.array([0.9, -0.2, 0.0])
    np.testing.assert_allclose(p.optimality(Point(x)).x, 0, atol=1e-16)
    # The smooth part alone is what value and grad mean; objective is the whole.
    assert float(p.objective(x) - p.value(x)) == pytest.approx(0.11)
    np.testing.assert_allclose(p.grad(x), x - C)
    assert p.default_check() == "step"
    assert p.essential() == {"prox"}
    assert float(p.residual_step()) == 1.0


@pytest.mark.parametrize(
    ("kw", "t"),
    [
        ({}, 1.0),
        ({"L": 4.0}, 0.25),
        ({"L": 3.0, "rho": 1.0}, 0.25),
        ({"step": 0.5}, 0.5),
        ({"L": 4.0, "step": 0.5}, 0.5),
    ],
)
def test_the_step_is_a_field_of_the_problem(kw, t):
    assert float(Composite(square, L1(0.1), np.zeros(3), **kw).residual_step()) == t


def test_a_compact_set_with_convex_f_defaults_to_the_gap():
    p = Composite(square, Simplex(), np.ones(3), convex=True)
    assert p.default_check() == "frank_wolfe"
    assert p.essential() == {"prox", "project", "lmo"}
    # An infeasible x0 is projected for the start.
    np.testing.assert_allclose(p.start().x, np.full(3, 1 / 3), rtol=1e-15)
    assert p.facts().has("compact")
    assert p.facts().radius >= np.sqrt(2)
    q = Composite(square, Simplex(), np.ones(3))
    assert q.default_check() == "step" and not q.facts().has("convex")
    assert Composite(
        square, Nonnegative(), np.ones(3), convex=True
    ).facts().table() == {
        "smooth": (True, "by construction"),
        "convex": (True, "declared"),
    }


def test_a_feasible_start_keeps_its_bits():
    x0 = np.array([0.1, 0.2, 0.3])
    p = Composite(square, Box(0.0, 1.0), x0)
    assert np.asarray(p.start().x).tobytes() == x0.tobytes()


def test_weak_convexity_takes_back_convexity():
    f = Smooth(square, np.zeros(3), mu=1.0, L=1.0)
    assert Composite(f, L1(0.1)).facts().mu == 1.0
    weak = Composite(f, L1(0.1), rho=0.5).facts()
    assert not weak.has("convex") and not weak.has("strongly_convex")
    assert weak.mu is None and weak.L == 1.0


def test_refusals_name_the_cure():
    f = Smooth(square, np.zeros(3))
    with pytest.raises(Misuse, match="declare them on the Smooth"):
        Composite(f, L1(0.1), L=1.0)
    with pytest.raises(Misuse, match="needs x0"):
        Composite(square, L1(0.1))
    with pytest.raises(Misuse, match=r"banach\.terms"):
        Composite(square, 0.1, np.zeros(3))
    with pytest.raises(Misuse, match="structure and shapes"):
        Composite(f, L1(0.1), np.zeros(2))
    with pytest.raises(Misuse, match="rho"):
        Composite(f, L1(0.1), rho=-1.0)


def test_a_sum_with_a_term_offers_its_terms_gradients():
    rows = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]])
    total = FiniteSum(lambda x, d: jnp.sum((x - d) ** 2) / 2, np.zeros(2), rows)
    p, x = Composite(total, L1(0.1)), np.array([1.0, 1.0])
    assert {"stochastic_grad", "sample", "prox"} <= p.oracles() and p.n == 3
    np.testing.assert_allclose(p.stochastic_grad(x, np.array([1])), x - rows[1])
    assert p.prices()["stochastic_grad"] == pytest.approx(2 / 3)
    assert "stochastic_grad" not in Composite(square, L1(0.1), np.zeros(3)).oracles()


def test_the_rows_of_a_lasso_add_up_to_its_gradient():
    A, b, x = np.arange(6.0).reshape(3, 2), np.array([1.0, 0.0, 2.0]), np.ones(2)
    p = Lasso(A, b, 1.0)
    assert "stochastic_grad" in p.oracles()
    each = [p.stochastic_grad(x, np.array([i])) for i in range(3)]
    np.testing.assert_allclose(each, 3 * A * (A @ x - b)[:, None])
    np.testing.assert_allclose(p.stochastic_grad(x, np.arange(3)), p.grad(x))

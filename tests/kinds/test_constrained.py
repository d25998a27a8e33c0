"""Constrained: oracles against NumPy, bad input, proofs of infeasibility."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.point import Point
from banach.kinds.constrained import rational_systems as exact
from banach.kinds.constrained.problem import Constrained

X0 = {"a": np.array([0.5, -1.0]), "b": np.array(2.0)}
A = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]])


def f(x, k):
    return k * jnp.sum(x["a"] ** 3) + jnp.sin(x["b"]) * x["a"][0]


def eq(x, k):
    return {"one": x["a"][0] * x["b"] - k, "two": x["a"] ** 2}


def problem(**more):
    stated = dict(
        eq=eq, ineq=lambda x, k: x["b"] ** 2 - k, linear=(A, np.ones(2)), lower=-2.0
    )
    return Constrained(f, X0, (np.array(1.5),), **(stated | more))


def flat_rows(v):
    a, b = v[:2], v[2]
    return np.concatenate([[a[0] * b - 1.5], a**2, A @ v - 1, [b**2 - 1.5]])


def test_oracles_equal_numpy():
    p, v, h = problem(), np.array([0.3, -0.7, 1.1]), 1e-6
    x = {"a": v[:2], "b": v[2]}
    assert (p.equations(), p.inequalities(), p.rows()) == (5, 1, 6)
    np.testing.assert_allclose(p.constraints(x), flat_rows(v), rtol=1e-14)
    J = np.stack([(flat_rows(v + h * e) - flat_rows(v - h * e)) / (2 * h)
                  for e in np.eye(3)], axis=1)  # fmt: skip
    np.testing.assert_allclose(p.jacobian(x), J, atol=1e-8)
    y = np.arange(6.0)
    back = p.jacobian_transpose_product(x, y)
    np.testing.assert_allclose([*back["a"], back["b"]], J.T @ y, atol=1e-7)
    g = np.array([1.5 * 3 * v[0] ** 2 + np.sin(v[2]), 4.5 * v[1] ** 2,
                  np.cos(v[2]) * v[0]])  # fmt: skip
    e = p.evaluate(x)
    np.testing.assert_allclose(e.g, g, rtol=1e-12)
    np.testing.assert_allclose(e.J, J, atol=1e-8)
    lagrangian = p.lagrangian_grad(x, y)
    np.testing.assert_allclose(
        [*lagrangian["a"], lagrangian["b"]], g + J.T @ y, atol=1e-7
    )
    H = p.lagrangian_hess(x, y)
    np.testing.assert_allclose(H, p.hess(x) + p.constraint_hess(x, y), atol=1e-12)
    # Second derivatives of the rows: a0 b, a^2 and b^2.
    C = np.zeros((3, 3))
    C[0, 2] = C[2, 0] = y[0]
    C[0, 0], C[1, 1], C[2, 2] = 2 * y[1], 2 * y[2], 2 * y[5]
    np.testing.assert_allclose(p.constraint_hess(x, y), C, atol=1e-12)


def test_start_and_bounds():
    p = problem(lower={"a": np.array([0.0, -np.inf]), "b": np.array(3.0)}, upper=5)
    start = p.start().x
    np.testing.assert_array_equal(start["a"], [0.5, -1.0])
    assert float(start["b"]) == 3.0
    low, high = p.bounds()
    np.testing.assert_array_equal(low, [0.0, -np.inf, 3.0])
    np.testing.assert_array_equal(high, [5.0] * 3)
    assert "5 equations = 0" in p.formula() and "lower" in p.formula()


def test_optimality_vanishes_at_solutions_only():
    p = Constrained(
        lambda x: jnp.sum((x - 2) ** 2), np.zeros(3), eq=lambda x: jnp.sum(x) - 1,
        ineq=lambda x: x[0] - 0.1, upper=0.6,
    )  # fmt: skip
    best = np.array([0.1, 0.45, 0.45])
    assert np.abs(p.optimality(Point(best)).x).max() < 1e-12
    for step in np.eye(3):
        for t in (1e-3, -1e-3):
            assert np.abs(p.optimality(Point(best + t * step)).x).max() > 1e-4


def test_sensitivity_is_the_derivative_of_the_solution():
    def stated(radius):
        return Constrained(
            lambda x, r: x[0] + 2 * x[1], np.array([-1.0, -1.0]), (radius,),
            eq=lambda x, r: x @ x - r**2,
        )  # fmt: skip

    # x = -r (1, 2) / sqrt(5): dx/dr = -(1, 2) / sqrt(5).
    r = bn.solve(stated(np.array(2.0)), tol=1e-9)
    found = bn.sensitivity(r, np.array([1.0, 1.0]))
    slope = jax.tree.leaves(found.gradient.args)[0]
    assert float(slope) == pytest.approx(-3 / np.sqrt(5), rel=1e-6)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (dict(eq=None, ineq=None, linear=None, lower=None), "no constraint"),
        (dict(linear=(A[:, :2], np.ones(2))), "A of shape"),
        (dict(linear=A), "pair"),
        (dict(linear=(A * np.nan, np.ones(2))), "NaN"),
        (dict(lower=1.0, upper=0.0), "exceeds"),
        (dict(lower=np.inf), "exceeds"),
        (dict(lower={"z": np.zeros(2)}), "structure|has z"),
        (dict(lower=np.nan), "NaN"),
        (dict(eq=lambda x, k: jnp.zeros(0)), "no numbers"),
        (dict(eq=lambda x, k: jnp.arange(2)), "int32|int64"),
        (dict(eq=3), "must be a function"),
    ],
)
def test_bad_input_is_refused_with_the_cure(more, message):
    with pytest.raises(bn.Misuse, match=message):
        problem(**more)


def test_bad_objectives_and_starts():
    with pytest.raises(bn.Misuse, match="one scalar"):
        Constrained(lambda x: x, np.ones(2), eq=lambda x: x)
    with pytest.raises(bn.Misuse, match="NaN or infinity"):
        Constrained(lambda x: x @ x, np.array([np.nan]), eq=lambda x: x)


def test_methods_that_ignore_constraints_are_refused():
    with pytest.raises(bn.Misuse, match="ignore the constraints"):
        bn.solve(problem(), "lbfgs")


def test_inconsistent_equations_are_proved_exactly():
    b = np.array([0.1, 0.7, 2.0])
    # 3 * 0.1 is not 0.3: in these numbers the rows are independent after all.
    tripled = np.array([[0.1, 0.2], [0.3, 0.6 - 1e-9]])
    assert exact.inconsistent(tripled, b[:2]) is None
    doubled = np.array([[0.1, 0.2], [0.2, 0.4], [1.0, 0.0]])
    y = exact.inconsistent(doubled, b)
    assert y is not None
    for j in range(2):
        assert sum(v * Fraction(doubled[i, j]) for i, v in enumerate(y)) == 0
    assert sum(v * Fraction(b[i]) for i, v in enumerate(y)) == 1
    assert exact.inconsistent(doubled, np.array([0.1, 0.2, 5.0])) is None
    assert exact.inconsistent(doubled * np.nan, b) is None
    assert exact.inconsistent(np.zeros((1, 2)), np.ones(1)) is not None


@pytest.mark.parametrize(
    ("name", "best", "x"),
    [
        ("hs6", 0, [1, 1]),
        ("hs7", -(3**0.5), [0, 3**0.5]),
        ("hs27", 0.04, [-1, 1, 0]),
        ("hs39", -1, [1, 1, 0, 0]),
        ("hs40", -0.25, [2 ** (-1 / 3), 2**-0.5, 2 ** (-11 / 12), 2**-0.25]),
        ("hs71", 17.0140173, [1, 4.7429994, 3.8211503, 1.3794082]),
        ("hs78", -2.91970041, [-1.717142, 1.595708, 1.827248, -0.763643, -0.763643]),
        ("hs79", 0.0787768209, [1.191127, 1.362603, 1.472818, 1.635017, 1.679081]),
    ],
)
def test_ready_problems_are_the_published_ones(name, best, x):
    """Value, feasibility and stationarity at the solutions of Hock and Schittkowski."""
    from banach import zoo

    p, x = zoo.load(f"constrained:{name}"), np.array(x, float)
    assert float(p.value(x)) == pytest.approx(best, rel=1e-5, abs=1e-12)
    rows, J = np.asarray(p.constraints(x)), np.asarray(p.jacobian(x))
    even = rows[: p.equations()]
    assert np.all(np.abs(even) < 1e-5) and np.all(rows[p.equations() :] < 1e-5)
    if name != "hs71":  # its first bound is active
        left = np.linalg.lstsq(J.T, np.asarray(p.grad(x)), rcond=None)[0]
        np.testing.assert_allclose(J.T @ left, p.grad(x), atol=1e-5)


def _named(**options):
    return bn.Constrained(
        lambda x: jnp.sum(x**2),
        np.ones(2),
        eq={"budget": lambda x: x[0] + x[1] - 1},
        ineq=lambda x: {"cap": x - 0.2, "also": {"floor": 0.1 - x[1]}},
        **options,
    )


def test_constraints_of_a_dict_are_called_by_its_names():
    problem = _named(linear=(np.ones((1, 2)), [1.0]))
    rows = ["budget", "linear[0]", "also.floor", "cap[0]", "cap[1]"]
    assert problem.row_names() == rows
    np.testing.assert_allclose(problem.constraints(np.ones(2)), [1, 1, -0.9, 0.8, 0.8])
    plain = bn.Constrained(
        lambda x: jnp.sum(x**2), np.ones(2), ineq=lambda x: (x[0], x - 2.0)
    )
    assert plain.row_names() == ["ineq[0]", "ineq[1]", "ineq[2]"]
    with pytest.raises(bn.Misuse, match=r"dict of such by name, got .* as 'cap'"):
        bn.Constrained(lambda x: jnp.sum(x**2), np.ones(2), ineq={"cap": 3.0})


def test_what_is_violated_is_printed_by_name():
    r = bn.solve(_named(), "scipy:trust-constr")
    assert r.status == "infeasible"
    assert "constraints budget, cap[0], cap[1] contradict each other" in r.reason
    said = "violated    budget by 1, cap[0] by 0.8, cap[1] by 0.8\n"
    assert said in str(r) and "cap[0] by 0.8" in r._repr_html_()
    many = bn.Constrained(
        lambda x: jnp.sum(x**2), np.ones(9), ineq=lambda x: {"low": 2 - x}
    )
    (word, text), *rest = many.told_at(np.arange(9.0) / 9)
    assert word == "violated" and text.endswith("low[4] by 1.56, 4 more") and not rest
    assert many.told_at(np.full(9, 2.0)) == []


@pytest.mark.parametrize("width", [1e-12, 1e-6, 1.0])
def test_a_narrow_box_certifies_nothing_by_itself(width):
    """Its width bounds every projected step, whatever the gradient."""

    def f(x, width):
        return jnp.sum((x / width - jnp.array([2.0, 0.5, -1.0])) ** 2)

    problem = bn.Constrained(
        f, np.full(3, width / 3), (width,), lower=np.zeros(3), upper=np.full(3, width)
    )
    middle = bn.verify(problem, np.full(3, width / 3))
    assert not middle.certified and float(middle.certificate.value) > 0.5 / width
    answer = np.array([1.0, 0.5, 0.0]) * width
    assert float(bn.verify(problem, answer).certificate.value) <= 1e-6 / width
    # Of the narrowest the slack is above any tolerance: what is tried next has no end.
    result = bn.solve(problem, max_steps=100)
    np.testing.assert_allclose(result.x, answer, atol=1e-6 * width)

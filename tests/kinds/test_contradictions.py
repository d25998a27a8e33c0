"""Contradictory affine rows and bounds: proved exactly, or said to be unproved."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.kinds import affine_detection
from banach.kinds.constrained import contradictions


def square(x):
    return jnp.sum(x**2)


def stated(n, **constraints):
    return bn.Constrained(square, np.ones(n), **constraints)


def exact_rows(problem):
    """{(row, column): coefficient} of the affine rows, as fractions."""
    system = problem._affine()
    out = {}
    if system is None:
        return out
    r = system.rows
    for i, j, v in zip(
        r.row.tolist(), r.column.tolist(), r.value.tolist(), strict=True
    ):
        key = system.names[i], j
        out[key] = out.get(key, 0) + Fraction(v)
    return out


def test_coefficients_are_those_of_the_floats_exactly():
    M = np.array([[0.1, 0.0, 3.0], [1.0, 0.2, -7.0]])

    def eq(x):
        z = 0.3 * x[0] + 0.1 * x[1]  # the products of literals are not rounded
        return jnp.concatenate([jnp.stack([z + z - 0.7, x[2] - x[2] + x[1]]), M @ x])

    found = exact_rows(stated(3, eq=eq))
    F = Fraction
    assert found == {
        ("eq[0]", 0): 2 * F(0.3),
        ("eq[0]", 1): 2 * F(0.1),
        ("eq[0]", 3): -F(0.7),
        ("eq[1]", 1): 1,
        ("eq[2]", 0): F(0.1),
        ("eq[2]", 2): 3,
        ("eq[3]", 0): 1,
        ("eq[3]", 1): F(0.2),
        ("eq[3]", 2): -7,
    }


def test_quotients_keep_a_denominator():
    def ineq(x):
        return jnp.stack([jnp.mean(x) - 1, x[0] / 7 + x[1] / 5 - 0.5, x[2] / -4])

    found = exact_rows(stated(3, ineq=ineq))
    # Each row is its entry times a positive number: 3, 35 and 4.
    assert found["ineq[0]", 0] == found["ineq[0]", 2] == 1 and found["ineq[0]", 3] == -3
    assert found["ineq[1]", 0] == 5 and found["ineq[1]", 1] == 7
    assert found["ineq[1]", 3] == Fraction(-35, 2)
    assert found["ineq[2]", 2] == -1


def test_what_is_not_affine_has_no_row():
    def eq(x):
        bent = jnp.array([x[0] * x[1], jnp.sin(x[0]), jnp.maximum(x[1], 0), 1 / x[0]])
        cast = x[:1].astype(jnp.float32).astype(jnp.float64)
        free = jnp.where(x[0] > 0, x[1], 2 * x[1])
        return jnp.concatenate([bent, x[1:], cast, free[None], x[:1] * jnp.exp(1.0)])

    assert {name for name, _ in exact_rows(stated(2, eq=eq))} == {"eq[4]"}


def test_gathered_and_placed_entries_are_followed():
    places = np.array([2, 0, 0])

    def eq(x):
        y = x[places].reshape(3, 1)[::-1].T
        return jnp.zeros(4).at[1:].set(2 * y[0]).at[0].set(x[1]) - jnp.arange(4.0)

    found = exact_rows(stated(3, eq=eq))
    assert found == {
        ("eq[0]", 1): 1,
        ("eq[1]", 0): 2,
        ("eq[1]", 3): -1,
        ("eq[2]", 0): 2,
        ("eq[2]", 3): -2,
        ("eq[3]", 2): 2,
        ("eq[3]", 3): -3,
    }


CONTRADICTIONS = {
    "row and bounds": (2, dict(eq=lambda x: x[:1] + 3 * x[1:] + 1, lower=0.0)),
    "rows alone": (
        3,
        dict(eq=lambda x: jnp.append(x[:2] - x[1:], 2 * x[2] - 2 * x[0] + 1)),
    ),
    "decimals": (
        2,
        dict(ineq=lambda x: jnp.stack([0.1 * x[0] - x[1], x[1] - 0.1 * x[0] + 1e-4])),
    ),
    "matrix and function": (
        3,
        dict(
            linear=(np.ones((1, 3)), np.array([4.0])),
            ineq=lambda x: jnp.mean(x)[None] - 1,
        ),
    ),
    "beside a curved row": (
        2,
        dict(
            eq=lambda x: jnp.stack([x[0] * x[1] - 1, x[0] - x[1] - 9]),
            lower=-4.0, upper=np.array([4.0, 5.0]),
        ),
    ),
    "a constant row": (2, dict(ineq=lambda x: x[:1] - x[:1] + 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_proved(name):
    n, constraints = CONTRADICTIONS[name]
    status, proof = stated(n, **constraints).unsolvable()
    assert status == "infeasible" and "contradict each other" in proof


def test_a_proved_contradiction_ends_the_run_before_it_begins():
    n, constraints = CONTRADICTIONS["row and bounds"]
    result = bn.solve(stated(n, **constraints))
    assert (result.status, result.steps) == ("infeasible", 0)
    assert "eq[0] and the bounds" in result.reason and not result.certified


NO_PROOF = {
    # Feasible, far away: x1 = -1e9.
    "a far solution": (
        2, dict(eq=lambda x: x[:1] - 1e-9 * x[1:] - 1, ineq=lambda x: x[:1]),
    ),
    # Feasible on a line alone, where a tolerance could say anything.
    "one line": (2, dict(ineq=lambda x: jnp.append(x - x[::-1], x[0] - 2))),
    "touching the bounds": (2, dict(eq=lambda x: x[:1] + x[1:] - 8, upper=4.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_PROOF)
def test_what_has_a_solution_is_never_proved_infeasible(name):
    n, constraints = NO_PROOF[name]
    assert stated(n, **constraints).unsolvable() is None


def test_a_near_ray_is_words_with_a_radius():
    n, constraints = NO_PROOF["a far solution"]
    said = stated(n, **constraints).diagnosis(np.ones(2))
    assert "no solution of max-norm below 1e+09" in said


def random_system(seed, m, n, gap):
    """Integer rows whose sum with weights y is the constant `gap` exactly."""
    g = np.random.default_rng(seed)
    A = g.integers(-5, 6, (m, n)).astype(float)
    c = g.integers(-5, 6, m).astype(float)
    y = g.integers(1, 5, m - 1).astype(float)
    A[-1], c[-1] = -y @ A[:-1], gap - y @ c[:-1]
    return A, c


@pytest.mark.parametrize("seed", range(8))
def test_random_free_systems_by_the_sign_of_their_gap(seed):
    A, c = random_system(seed, 12, 20, 1.0)
    assert stated(20, ineq=lambda x: A @ x + c).unsolvable() is not None
    A, c = random_system(seed, 12, 20, 0.0)
    assert stated(20, ineq=lambda x: A @ x + c).unsolvable() is None


@pytest.mark.parametrize("seed", range(4))
def test_a_weight_without_small_denominators_is_solved_for(seed):
    # Nine equations in eight unknowns: y is a vector of 8 x 8 determinants.
    g = np.random.default_rng(seed)
    A, c = g.integers(-99, 100, (9, 8)) / 8.0, g.normal(size=9)
    assert stated(8, eq=lambda x: A @ x + c).unsolvable() is not None
    assert stated(8, eq=lambda x: (A @ x + c)[1:]).unsolvable() is None


def test_intervals_prove_what_is_too_long_for_fractions():
    n = 1500
    steps = dict(ineq=lambda x: x[:-1] - x[1:] + 1, lower=0.0)
    assert stated(n, **steps, upper=n - 2.0).unsolvable()[0] == "infeasible"
    assert stated(n, **steps, upper=n - 1.0).unsolvable() is None


def test_the_radius_is_one_that_no_solution_lies_in():
    # x >= 1 and x <= 1e-6 y: the nearest solution has y = 1e6.
    rows = affine_detection.of_matrix(
        np.array([[-1.0, 0.0], [1.0, -1e-6]]), [-1.0, 0.0]
    )
    far = np.full(2, np.inf)
    system = contradictions.joined([(rows, ["low", "high"], False)], -far, far)
    radius = contradictions._radius(system, np.ones(2))
    assert 0.99e6 < radius <= 1e6


def test_single_precision_is_judged_as_the_check_reads_it():
    problem = bn.Constrained(
        square, np.ones(2, np.float32), eq=lambda x: x[:1] + x[1:] - 1, lower=0.75
    )
    assert problem.unsolvable()[0] == "infeasible"


def test_rows_are_read_without_the_compiler(monkeypatch):
    """Each equation that moves entries would be a program of XLA's."""

    def eq(x):
        c = jnp.zeros(3).at[0].set(x[1] - 2.5).at[2].set(x[0])
        picked = jnp.take(x, jnp.array([2, 0]))
        return jnp.concatenate([c, picked[::-1], jnp.where(jnp.arange(2) > 0, x[1], 4)])

    problem = stated(3, eq=eq)

    bind = affine_detection.compat.bind

    def traced(eqn, values):
        assert all(map(affine_detection.compat.is_tracer, values)), "handed to XLA"
        return bind(eqn, values)

    monkeypatch.setattr(affine_detection.compat, "bind", traced)
    assert exact_rows(problem) == {
        ("eq[0]", 1): 1,
        ("eq[0]", 3): Fraction(-2.5),
        ("eq[2]", 0): 1,
        ("eq[3]", 0): 1,
        ("eq[4]", 2): 1,
        ("eq[5]", 3): 4,
        ("eq[6]", 1): 1,
    }


def test_rows_that_numpy_cannot_read_are_read_all_the_same(monkeypatch):
    problem = stated(3, eq=lambda x: x[::-1] - 1)
    monkeypatch.setattr(
        affine_detection.interpret, "refusal", lambda closed: "not today"
    )
    monkeypatch.setattr(affine_detection.interpret, "compile", None)
    assert exact_rows(problem) == {
        (f"eq[{i}]", j): v for i in range(3) for j, v in ((2 - i, 1), (3, -1))
    }

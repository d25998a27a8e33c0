"""What a run that gets no further says of the problem."""

import jax.numpy as jnp
import numpy as np

import banach as bn


def square(x):
    return jnp.sum(x**2)


def test_a_stationary_violation_is_named_with_its_size():
    # Curved, so that no proof is at hand: |x| = 1 and |x| = 3 leave 4 / sqrt(2) each.
    def eq(x):
        return jnp.array([square(x) - 1, square(x) - 9])

    result = bn.solve(bn.Constrained(square, np.ones(2), eq=eq), max_steps=200)
    assert not result.certified and result.status != "infeasible"
    assert "stationary" in result.hint and "||c||_2 = 5.7 is" in result.hint
    assert "max_steps" not in result.hint


def test_inequalities_and_bounds_are_part_of_the_violation():
    problem = bn.Constrained(
        square, np.zeros(2), ineq=lambda x: 3 - x[:1], lower=-1.0, upper=1.0
    )
    # Affine, so it is known everywhere, wherever the run stands.
    assert "ineq[0]" in problem.diagnosis(np.array([0.5, 0.0]))
    curved = bn.Constrained(
        square, np.zeros(2), ineq=lambda x: 3 - x[:1] * abs(x[:1]), lower=-1.0, upper=1
    )
    assert "||c||_2 = 2 of" in curved.diagnosis(np.array([1.0, 0.3]))
    # Within the bounds x can still move to less violation, which leads to the corner.
    said = curved.diagnosis(np.array([0.5, 0.0]))
    assert "lead from x" in said and "||c||_2 = 2 is" in said


def test_what_can_be_mended_or_holds_is_not_called_contradictory():
    problem = bn.Constrained(square, np.ones(2), eq=lambda x: x[:1] - 3)
    assert problem.diagnosis(np.ones(2)) is None
    assert problem.diagnosis(np.array([3.0, 1.0])) is None


def test_a_system_without_a_solution_is_named():
    ones = np.ones((5, 5))
    problem = bn.Linear(ones, np.arange(5.0), positive_definite=True)
    result = bn.solve(problem, "conjugate_gradient")
    assert not result.certified
    assert "rank 1 of 5" in result.hint and "normal_equations" in result.hint


def test_a_singular_system_with_a_solution_is_not():
    problem = bn.Linear(np.ones((5, 5)), np.ones(5), positive_definite=True)
    assert problem.diagnosis(np.zeros(5)) is None
    assert bn.solve(problem, "conjugate_gradient").certified


def test_a_row_of_zeros_is_a_proof_whatever_the_matrix():
    A = np.eye(3)
    A[1] = 0
    result = bn.solve(bn.Linear(A, np.ones(3)))
    assert result.status == "infeasible" and "row 1" in result.reason

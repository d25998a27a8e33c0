"""What a run that gets no further says of the problem."""

import jax.numpy as jnp
import numpy as np

import banach as bn


def square(x):
    return jnp.sum(x**2)


def test_equations_that_contradict_each_other_are_named():
    def eq(x):
        return jnp.array([x[0] + x[1] - 1, x[0] + x[1] + 1])

    result = bn.solve(bn.Constrained(square, np.ones(2), eq=eq), max_steps=100)
    assert not result.certified
    assert "contradict each other" in result.hint and "1.4" in result.hint


def test_inequalities_and_bounds_are_part_of_the_violation():
    problem = bn.Constrained(
        square, np.zeros(2), ineq=lambda x: 3 - x[:1], lower=-1.0, upper=1.0
    )
    assert "violated by 2 " in problem.diagnosis(np.array([1.0, 0.3]))
    # Within the bounds x can still move to less violation, here and at the middle.
    assert problem.diagnosis(np.array([0.5, 0.0])) is None


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

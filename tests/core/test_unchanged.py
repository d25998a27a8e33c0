"""What was found of the same arrays stands inside a stretch, and only there."""

import numpy as np

import banach as bn
from banach.core import unchanged


def test_found_once_inside_and_anew_outside():
    a, b, calls = np.ones(3), np.ones(3), []

    def make():
        calls.append(None)
        return len(calls)

    assert [unchanged.found("x", (a,), make) for _ in range(2)] == [1, 2]
    with unchanged.known({}):  # what is not said to last is found anew
        assert unchanged.found("z", (a,), make) == 3
        assert [unchanged.found("z", (a,), make, True) for _ in range(2)] == [4, 4]
        assert unchanged.found("z", (a,), make) == 5
    calls.clear()
    calls.extend([None] * 2)
    with unchanged.arrays():
        assert [unchanged.found("x", (a,), make) for _ in range(2)] == [3, 3]
        # Equal contents are not the same object; another name is another question.
        assert unchanged.found("x", (b,), make) == 4
        assert unchanged.found("y", (a,), make) == 5
        with unchanged.arrays():
            assert unchanged.found("x", (a,), make) == 3
        assert unchanged.found("x", (a,), make) == 3
    assert unchanged.found("x", (a,), make) == 6


def test_old_findings_give_way():
    arrays = [np.ones(1) for _ in range(20)]
    with unchanged.arrays():
        for a in arrays:
            unchanged.found("x", (a,), object)
        last = unchanged.found("x", (arrays[-1],), lambda: None)
        assert last is not None
        assert unchanged.found("x", (arrays[0],), lambda: None) is None


def test_a_path_sees_data_that_changed_since_the_last_one():
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(20, 6)), rng.normal(size=20)
    problem = bn.Lasso(A, b, lam=1.0)
    first = bn.path(problem, points=4, tol=1e-10)
    A *= 2.0
    second = bn.path(problem, multiples=2 * first.multiples, tol=1e-10)
    assert second.certified.all()
    np.testing.assert_allclose(second.x, first.x / 2, atol=1e-8)


def test_a_solve_inside_another_run_sees_its_data_change():
    """A user's function may solve problems of its own, of arrays that it edits."""
    rng = np.random.default_rng(1)
    A, b, answers = rng.normal(size=(9000, 8)), rng.normal(size=9000), []
    inner, outer = bn.Lasso(A, b, lam=1e-3), bn.Lasso(A.copy(), b, lam=1e-3)

    class Nested(bn.WorkingSetNewton):
        def stream(self, problem, start, key):
            for scale in (1.0, 0.5, 4.0):
                A[:] = scale * outer.A
                answers.append(bn.solve(inner, tol=1e-10).x * scale)
            return (yield from super().stream(problem, start, key))

    method = Nested()
    for _ in range(2):  # what the first run has found stands in the second
        assert bn.solve(outer, method, tol=1e-10).certified
    for x in answers[1:]:
        np.testing.assert_allclose(x, answers[0], rtol=1e-3)

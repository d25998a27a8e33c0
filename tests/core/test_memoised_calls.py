"""What a plan asks is answered once, for one object, and only while it is asked."""

import abc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import memoised_calls
from banach.core.facts import Facts
from banach.core.point import Point
from banach.core.problem import Problem

COUNT = {"facts": 0, "size": 0}


class Line(Problem):
    """minimise (a x)^2 over one number."""

    kind = "Line"
    a: object

    def oracles(self):
        return frozenset({"value"})

    def space(self):
        return jax.ShapeDtypeStruct((1,), np.float64)

    def start(self):
        return Point(np.zeros(1))

    def facts(self):
        COUNT["facts"] += 1
        return Facts({"convex": "declared"} if float(self.a) > 0 else {})

    def optimality(self, point):
        return point

    def objective(self, x):
        return jnp.sum((self.a * x) ** 2)

    def formula(self):
        return "(a x)^2"

    def default_check(self):
        return "stationarity"


class Longer(Line):
    """One that asks the question that it overrides."""

    def facts(self):
        return Facts({**Line.facts(self).properties, "smooth": "declared"})


def asked(problem):
    before = COUNT["facts"]
    found = [problem.facts() for _ in range(3)]
    return COUNT["facts"] - before, found


def test_outside_of_a_plan_every_question_is_asked():
    assert asked(Line(1.0))[0] == 3


def test_inside_it_is_asked_once_and_of_that_object_alone():
    one, other = Line(np.float64(1)), Line(np.float64(-1))
    with memoised_calls.once(one):
        count, found = asked(one)
        assert count == 1 and found[0] is found[2] and found[0].has("convex")
        count, found = asked(other)
        assert count == 3 and not found[0].has("convex")
        with memoised_calls.once(other):
            assert asked(other)[0] == 1
            assert asked(one)[0] == 3
    assert asked(one)[0] == 3


def test_the_question_that_is_overridden_is_another():
    problem = Longer(np.float64(1))
    with memoised_calls.once(problem):
        count, found = asked(problem)
        assert count == 1
        assert set(found[0].properties) == {"convex", "smooth"}


def test_an_answer_given_within_a_trace_is_not_kept():
    class Traced(Line):
        def default_check(self):
            return jnp.ones(()) * self.a  # a tracer, where it is asked in a trace

    problem = Traced(np.float64(3))
    with memoised_calls.once(problem):
        jax.jit(lambda x: x + problem.default_check())(1.0)
        assert float(problem.default_check()) == 3


def test_questions_stay_methods_of_their_class():
    assert Line.size is Problem.size
    assert Line.facts is not Problem.facts
    assert "unknowns" in Problem.size.__doc__

    class Unfinished(Problem):
        kind = "Unfinished"

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()
    assert "facts" in Problem.__abstractmethods__
    assert isinstance(Problem, abc.ABCMeta)


def test_a_number_of_arrays_lives_as_long_as_what_stands_for_them():
    made = []

    def number(array):
        def compute():
            made.append(1)
            return float(array.sum())

        return memoised_calls.of_arrays("sum", (array, None), compute)

    A = np.arange(3.0)
    problem, stands = bn.Ridge(np.eye(3), A, 1.0), jnp.arange(3.0)
    assert number(A) == number(A) == 3 and len(made) == 2  # nothing stands for A
    with memoised_calls.once(problem, {id(A): stands}):
        assert number(A) == number(A) == 3 and len(made) == 3
        other = np.ones(3)
        assert number(other) == 3 and len(made) == 4
    A[0] = 5
    later = jnp.asarray(A)
    with memoised_calls.once(problem, {id(A): later}):
        assert number(A) == 8 and len(made) == 5
    with memoised_calls.once(problem, {id(A): stands}):
        assert number(A) == 3 and len(made) == 5
    del stands
    with memoised_calls.once(problem, {id(A): jnp.asarray(A)}):
        assert number(A) == 8


def test_an_array_that_died_is_not_the_absence_of_one():
    """A number of (A, w) is not that of A alone, once what stood for w is gone."""

    class Bits:
        """Stands for the bits of an array."""

    A, w, of_A, of_w = np.ones(2), np.ones(3), Bits(), Bits()
    problem = Line(1.0)
    with memoised_calls.once(problem, {id(A): of_A, id(w): of_w}):
        assert memoised_calls.of_arrays("n", (A, w), lambda: "both") == "both"
    del of_w
    with memoised_calls.once(problem, {id(A): of_A}):
        assert memoised_calls.of_arrays("n", (A, None), lambda: "one") == "one"
        assert memoised_calls.of_arrays("n", (A, None), lambda: "anew") == "one"

"""Problems of sif2jax: values, signs and solutions."""

import importlib.util
import itertools
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

import banach as bn

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("sif2jax") is None, reason="sif2jax is not installed"
    ),
]


@pytest.fixture(scope="module")
def bridge():
    """The bridge, after a quick import of sif2jax.

    Most of a minute goes into one matrix of CLEUVEN7, which sif2jax adds up entry by
    entry: of this problem, which nothing here asks for, no entry is read.
    """
    load = np.load

    def lighter(file, *args, **options):
        data = load(file, *args, **options)
        if Path(file).name != "cleuven7.npz":
            return data
        return {**data, "ineq_rows": data["ineq_rows"][:0]}

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(np, "load", lighter)
        import sif2jax  # noqa: F401

    from banach.bridge import sif2jax as bridge

    return bridge


def test_the_functions_are_those_of_the_instance(bridge):
    instance = bridge.by_name("HS40")
    problem = bridge.constrained(instance)
    x = np.array([0.7, 0.9, 0.4, 1.1])
    assert (problem.equations(), problem.inequalities()) == (3, 0)
    assert float(problem.value(x)) == pytest.approx(-np.prod(x))
    np.testing.assert_allclose(problem.constraints(x), instance.constraint(x)[0])
    np.testing.assert_array_equal(problem.x0, instance.y0)
    r = bn.solve(problem)
    assert r.certified and "HS40" in problem.formula()
    assert float(problem.value(r.x)) == pytest.approx(-0.25, rel=1e-4)


def test_inequalities_change_their_sign_and_bounds_are_kept(bridge):
    instance = bridge.by_name("HS71")
    problem = bridge.constrained("HS71")
    eq, ineq = instance.constraint(np.array([2.0, 2, 2, 3]))
    out = problem.constraints(np.array([2.0, 2, 2, 3]))
    np.testing.assert_allclose(out, np.append(*map(np.ravel, (eq, -ineq))))
    np.testing.assert_allclose(problem.bounds(), [[1.0] * 4, [5.0] * 4])
    r = bn.solve(problem, "scipy:SLSQP")
    assert r.certified
    assert float(problem.value(r.x)) == pytest.approx(17.0140173, rel=1e-6)


def test_problems_with_equations_only_are_found(bridge):
    found = list(itertools.islice(bridge.equality_constrained(100), 5))
    assert len(found) == 5
    for instance in found:
        assert jax.tree.leaves(instance.constraint(instance.y0)[0])
        assert jax.tree.leaves(instance.constraint(instance.y0)[1]) == []


def test_unknown_names_and_unconstrained_problems_are_refused(bridge):
    with pytest.raises(bn.Misuse, match="no problem 'NONE'"):
        bridge.by_name("NONE")
    with pytest.raises(bn.Misuse, match=r"bn.Smooth"):
        bridge.constrained("ROSENBR")

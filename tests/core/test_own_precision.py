"""Oracles called by hand, outside a run, keep the precision of the problem."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach import zoo
from banach.core import tree


@pytest.fixture(autouse=True)
def bits_off():
    with jax.enable_x64(False):
        yield


def test_the_objective_at_the_answer_is_that_of_the_run():
    problem = bn.Smooth(lambda x: jnp.sum((x - 1 / 3) ** 4), np.zeros(3))
    result = bn.solve(problem)
    for oracle in (problem.value, problem.objective):
        value = oracle(result.x)
        assert value.dtype == np.float64
        assert np.isclose(value, np.sum((result.x - 1 / 3) ** 4), rtol=1e-12, atol=0)
    grad = problem.grad(result.x)
    assert grad.dtype == np.float64
    np.testing.assert_allclose(grad, 4 * (result.x - 1 / 3) ** 3, rtol=1e-10)


def test_any_point_is_taken_and_a_narrow_problem_stays_narrow():
    wide = bn.Smooth(lambda x: jnp.sum((x - 0.1) ** 2), np.zeros(3))
    assert abs(float(wide.value(np.full(3, 0.7, np.float32))) - 3 * 0.6**2) < 1e-6
    assert abs(float(wide.value(np.array([1, 0, 2]))) - (0.81 + 0.01 + 3.61)) < 1e-14
    narrow = bn.Smooth(lambda x: jnp.sum((x - 0.1) ** 2), np.zeros(3, np.float32))
    assert narrow.value(np.full(3, 0.7, np.float32)).dtype == np.float32


def test_data_in_float64_are_not_narrowed():
    A = np.eye(3) / 3
    problem = bn.Ridge(A, np.ones(3), 0.1)
    x = np.full(3, 0.3)
    want = 0.5 * np.sum((A @ x - 1) ** 2) + 0.05 * np.sum(x**2)
    assert abs(float(problem.value(x)) - want) < 1e-15
    np.testing.assert_allclose(problem.grad(x), A.T @ (A @ x - 1) + 0.1 * x, rtol=1e-14)
    lasso = bn.Lasso(A, np.ones(3), 0.25)
    np.testing.assert_array_equal(lasso.prox(np.array([1.0, -0.1, 0.3]), 1.0),
                                  np.array([0.75, 0.0, 0.3 - 0.25]))  # fmt: skip


def test_traced_values_keep_the_callers_precision():
    A = jnp.eye(3)
    slope = jax.grad(lambda l2: bn.Ridge(A, jnp.ones(3), l2).value(jnp.ones(3)))(0.5)
    assert slope.dtype == jnp.float32 and float(slope) == 1.5


def test_what_a_kind_offers_beside_its_oracles_keeps_it_too():
    rng = np.random.default_rng(4)
    moved = bn.Transport(rng.random((4, 3)), np.full(4, 0.25), np.full(3, 1 / 3), 0.1)
    answer = bn.solve(moved, tol=1e-12).require().x
    P = moved.plan(answer)
    assert P.dtype == np.float64
    np.testing.assert_allclose(P.sum(1), 0.25, atol=1e-10)
    net = bn.ConvexRelu(rng.normal(size=(9, 2)), rng.normal(size=9), 0.3, patterns=5)
    x = np.zeros(net.space().shape) + 0.1
    assert net.to_network(x).hidden.dtype == np.float64
    pde = zoo.load("pde:nonlinear_poisson")
    assert pde.h1(pde.start().x).dtype == np.float64


def test_a_file_that_is_named_is_executed_as_the_script_that_it_is(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import banach as bn, jax.numpy as jnp, numpy as np\n"
        "A = jnp.asarray(np.eye(3) / 3)\n"
        "narrow = bn.Ridge(A, A @ jnp.ones(3), 0.5)\n"
    )
    A = jnp.asarray(np.eye(3) / 3)
    mine = bn.Ridge(A, A @ jnp.ones(3), 0.5)
    here, named = bn.solve(mine), bn.solve(f"{file}:narrow")
    assert here.x.dtype == named.x.dtype == np.float32
    assert here.problem_id == named.problem_id
    with jax.enable_x64(True):
        # Within a run's own 64 bits, as the doors are.
        assert tree.dtype(zoo.load(f"{file}:narrow").start().x) == np.float32
        assert jnp.ones(1).dtype == np.float64
        assert tree.dtype(zoo.load("lasso:diabetes").start().x) == np.float64
    named.save(tmp_path / "run.json")
    verdict = bn.verify(tmp_path / "run.json", trust=True)
    assert verdict.certified and verdict.problem_matches

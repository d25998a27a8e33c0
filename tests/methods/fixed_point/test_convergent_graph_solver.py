"""Convergent graph solver: both modes, their rate, and gradients through the answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixed_point_drive import iterates
from reference import convergent_graph_solver as reference

import banach as bn
from banach.methods.fixed_point.convergent_graph_solver import ConvergentGraphSolver

rng = np.random.default_rng(2)
NODES, EDGES, GAMMA = 9, 25, 0.8
SENDERS, RECEIVERS = rng.integers(0, NODES, (2, EDGES))
RECEIVERS[RECEIVERS == 4] = 5  # node 4 listens to nobody
SCORES = rng.standard_normal((3, EDGES))
BIAS = rng.standard_normal((3, NODES, 2))


def problem(scores=SCORES, bias=BIAS, gamma=GAMMA):
    return bn.GraphFixedPoint(scores, bias, SENDERS, RECEIVERS, gamma)


def dense():
    return reference.weights(SCORES, SENDERS, RECEIVERS, NODES)


@pytest.mark.parametrize("direct", [True, False])
def test_iterates_equal_the_reference(direct):
    ours, state = iterates(problem(), ConvergentGraphSolver(direct), 10)
    theirs = reference.iterates(
        dense(), BIAS, GAMMA, np.zeros_like(BIAS), 10, direct=direct
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    assert int(state.products) == 10 + direct


def test_direct_is_done_in_one_step_and_certified():
    r = bn.solve(problem(), "convergent_graph_solver", tol=1e-10)
    assert r.certified and r.steps == 1
    assert r.certificate.grade == "bound"
    assert r.certificate.quantity == "||x-x*||_inf"
    truth = np.linalg.solve(np.eye(NODES) - GAMMA * dense(), BIAS)
    error = np.abs(r.x - truth).max()
    assert error <= r.certificate.value + r.certificate.slack + 1e-14


def test_the_gradient_through_a_run_is_the_papers_and_the_finite_difference():
    method = ConvergentGraphSolver(False)
    check = bn.Contraction()
    weights = rng.standard_normal(BIAS.shape)

    def loss(scores, bias):
        out = bn.run(problem(scores, bias), method, check=check, tol=1e-12)
        return jnp.sum(weights * out.x)

    dS, dB = jax.jit(jax.grad(loss, (0, 1)))(jnp.asarray(SCORES), jnp.asarray(BIAS))
    # U = (I - gamma A')^-1 dL/dH is the gradient in B.
    U = np.linalg.solve(np.eye(NODES) - GAMMA * dense().transpose(0, 2, 1), weights)
    np.testing.assert_allclose(dB, U, rtol=1e-9)

    def exact(scores):
        A = reference.weights(scores, SENDERS, RECEIVERS, NODES)
        return np.sum(weights * np.linalg.solve(np.eye(NODES) - GAMMA * A, BIAS))

    for h, e in ((0, 3), (2, 17)):
        step = np.zeros_like(SCORES)
        step[h, e] = 1e-5
        want = (exact(SCORES + step) - exact(SCORES - step)) / 2e-5
        assert float(dS[h, e]) == pytest.approx(want, rel=1e-6, abs=1e-9)


def test_a_plain_fixed_point_is_refused_with_the_cure():
    plain = bn.FixedPoint(lambda x: x / 2, np.ones(2), contraction=0.5)
    with pytest.raises(bn.Misuse, match="linear_part"):
        bn.solve(plain, "convergent_graph_solver")

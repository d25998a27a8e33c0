"""Convergent graph solver: one direct step, and gradients through the answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import convergent_graph_solver as reference
from reference.convergent_graph_solver import (
    BIAS,
    GAMMA,
    NODES,
    RECEIVERS,
    SCORES,
    SENDERS,
)

import banach as bn
from banach.methods.fixed_point.convergent_graph_solver import ConvergentGraphSolver

SYSTEM = np.eye(NODES) - GAMMA * reference.weights(SCORES, SENDERS, RECEIVERS, NODES)


def problem(scores=SCORES, bias=BIAS):
    return bn.GraphFixedPoint(scores, bias, SENDERS, RECEIVERS, GAMMA)


def test_direct_is_done_in_one_step_and_certified():
    r = bn.solve(problem(), "convergent_graph_solver", tol=1e-10)
    assert r.certified and r.steps == 1
    assert r.certificate.grade == "bound"
    assert r.certificate.quantity == "||x-x*||_inf"
    error = np.abs(r.x - np.linalg.solve(SYSTEM, BIAS)).max()
    assert error <= r.certificate.value + r.certificate.slack + 1e-14


def test_the_gradient_through_a_run_is_the_papers_and_the_finite_difference():
    method, check = ConvergentGraphSolver(False), bn.Contraction()
    given = np.random.default_rng(3).standard_normal(BIAS.shape)

    def loss(scores, bias):
        out = bn.run(problem(scores, bias), method, check=check, tol=1e-12)
        return jnp.sum(given * out.x)

    dS, dB = jax.jit(jax.grad(loss, (0, 1)))(jnp.asarray(SCORES), jnp.asarray(BIAS))
    # U = (I - gamma A')^-1 dL/dH is the gradient in B.
    U = np.linalg.solve(SYSTEM.transpose(0, 2, 1), given)
    np.testing.assert_allclose(dB, U, rtol=1e-9)

    def exact(scores):
        A = reference.weights(scores, SENDERS, RECEIVERS, NODES)
        return np.sum(given * np.linalg.solve(np.eye(NODES) - GAMMA * A, BIAS))

    for h, e in ((0, 3), (2, 17)):
        step = np.zeros_like(SCORES)
        step[h, e] = 1e-5
        want = (exact(SCORES + step) - exact(SCORES - step)) / 2e-5
        assert float(dS[h, e]) == pytest.approx(want, rel=1e-6, abs=1e-9)

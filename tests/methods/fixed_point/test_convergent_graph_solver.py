"""Convergent graph solver: gradients through the answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import convergent_graph_solver as reference

import banach as bn
from banach.methods.fixed_point.convergent_graph_solver import ConvergentGraphSolver


def test_the_gradient_in_the_scores_is_the_finite_difference():
    """What the paper trains its networks through; that in the bias is a bed's."""
    given = np.random.default_rng(3).standard_normal(reference.BIAS.shape)
    graph, method = reference.graph()[0], ConvergentGraphSolver(False)

    def loss(scores):
        rest = graph.bias, graph.senders, graph.receivers, reference.GAMMA
        problem = bn.GraphFixedPoint(scores, *rest)
        out = bn.run(problem, method, check=bn.Contraction(), tol=1e-12)
        return jnp.sum(given * out.x)

    def exact(scores):
        system = np.eye(reference.NODES) - reference.GAMMA * reference.weights(scores)
        return np.sum(given * np.linalg.solve(system, reference.BIAS))

    got = jax.jit(jax.grad(loss))(jnp.asarray(reference.SCORES))
    for at in ((0, 3), (2, 17)):
        step = np.zeros((3, 25))
        step[at] = 1e-5
        want = exact(reference.SCORES + step) - exact(reference.SCORES - step)
        assert float(got[at]) == pytest.approx(want / 2e-5, rel=1e-6, abs=1e-9)

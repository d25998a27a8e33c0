"""ADMM for convex ReLU networks: few inner steps, and losses that are split off."""

import numpy as np
import pytest
from reference import _relu as case

import banach as bn
from banach.kinds.glm.losses import HuberLoss, LogisticLoss, SquaredHingeLoss


def test_a_few_conjugate_gradients_give_the_same_answer():
    method = bn.ConvexReluAdmm(0.7, inner=3)
    r = bn.solve(case.problem(), method, tol=1e-8, max_steps=5000)
    assert r.certified and r.calls["normal"] > r.steps


@pytest.mark.parametrize("loss", [LogisticLoss(), SquaredHingeLoss(), HuberLoss(0.5)])
@pytest.mark.parametrize("gated", [False, True])
def test_other_losses_are_split_off(loss, gated):
    y = case.Y if isinstance(loss, HuberLoss) else np.where(case.Y > 0, 1.0, -1.0)
    problem = bn.ConvexRelu(case.X, y, 0.3, 5, loss=loss, gated=gated)
    r = bn.solve(problem, tol=1e-8, max_steps=8000)
    assert r.certified and r.method.card.name == "convex_relu_admm"
    assert r.certificate.grade == "bound"

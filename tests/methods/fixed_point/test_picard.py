"""Picard: its reference, its rate, and the average for nonexpansive maps."""

import jax.numpy as jnp
import numpy as np
import pytest
from fixed_point_drive import iterates
from reference import picard as reference

import banach as bn
from banach.methods.fixed_point.picard import Picard

rng = np.random.default_rng(0)
W = rng.standard_normal((6, 6))
W *= 0.8 / np.linalg.svd(W, compute_uv=False)[0]
B = rng.standard_normal(6)


def problem(**facts):
    def T(x, W, b):
        return jnp.sin(W @ x + b)

    return bn.FixedPoint(T, np.ones(6), (W, B), **facts)


@pytest.mark.parametrize("relaxation", [1.0, 0.5])
def test_iterates_equal_the_reference(relaxation):
    ours, _ = iterates(problem(), Picard(relaxation), 12)
    theirs = reference.iterates(
        lambda x: np.sin(W @ x + B), np.ones(6), 12, relaxation=relaxation
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def test_the_rate_holds_with_the_norm_of_q():
    xs, _ = iterates(problem(), Picard(1.0), 400)
    away = np.linalg.norm(xs - xs[-1], axis=1)
    first = np.linalg.norm(np.ones(6) - xs[-1])
    assert np.all(away[:60] <= 0.8 ** np.arange(1, 61) * first * (1 + 1e-12) + 1e-14)


def test_a_rotation_is_circled_by_picard_and_solved_by_averaging():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    spin = bn.FixedPoint(lambda x, R: R @ x, np.ones(2), (turn,), nonexpansive=True)
    xs, _ = iterates(spin, Picard(1.0), 41)
    assert np.linalg.norm(xs[-1]) == pytest.approx(np.sqrt(2), rel=1e-12)
    built = Picard.suggest(spin, spin.facts())
    xs, _ = iterates(spin, built, 60)
    assert built.relaxation == 0.5 and np.linalg.norm(xs[-1]) < 1e-8


def test_it_is_stuck_where_nothing_moves():
    flat = bn.FixedPoint(lambda x: 0 * x + 0.1, np.ones(2), contraction=0.5)
    assert not bool(iterates(flat, Picard(1.0), 1)[1].stuck)
    assert bool(iterates(flat, Picard(1.0), 2)[1].stuck)

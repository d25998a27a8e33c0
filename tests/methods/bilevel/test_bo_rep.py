"""BO-REP: its reference on the same draws, the ball, and steps of fixed length."""

from reference import _bilevel as case
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import bo_rep as reference

from banach.methods.bilevel._blocks import draw_rows
from banach.methods.bilevel.bo_rep import BoRep

BATCH, STEPS = 4, 9
SHAPE = dict(batch=BATCH, period=2, updates=3, epochs=2, first_epoch=2)
HYPER = dict(eta=0.05, lower_step=0.1, nu=0.2, beta=0.8)


def drawn(method, keys):
    """The rows that init and each step draw from their keys."""

    def rows(key):
        return np.asarray(draw_rows(key, case.M, BATCH, case.N))

    def run(key, count):
        return [rows(jax.random.fold_in(key, j)) for j in range(count)]

    refining = [
        run(jax.random.fold_in(keys[0], e), method.first_epoch * 2**e)
        for e in range(method.epochs)
    ]
    split = [jax.random.split(k, 4) for k in keys[1:]]
    updating = [run(k[0], method.updates) for k in split]
    return refining, updating, [[rows(k) for k in ks[1:]] for ks in split]


@pytest.mark.parametrize("radius", [0.05, 1e3])
def test_iterates_equal_the_reference(radius):
    method = BoRep(**HYPER, radius=radius, **SHAPE)
    keys = jax.random.split(jax.random.key(3), STEPS + 1)
    ours, states = case.iterates(case.problem(), method, keys)
    hyper = HYPER | {"radius": radius, "period": method.period}
    theirs = reference.iterates(
        case.ORACLES, case.X0, case.Y0, hyper, *drawn(method, keys)
    )
    np.testing.assert_allclose(ours[1:], theirs, rtol=1e-10, atol=1e-12)
    assert int(states[-1].lower) == 2 + 4 + 3 * 4


def test_every_step_has_the_stated_length():
    method = BoRep(**HYPER, half_life=4.0, batch=5)
    xs, _ = case.iterates(case.problem(), method, jax.random.split(jax.random.key(0)))
    assert np.linalg.norm(xs[1] - xs[0]) == pytest.approx(0.05, rel=1e-12)
    xs, _ = case.iterates(
        case.problem(), method, jax.random.split(jax.random.key(0), 10)
    )
    lengths = np.linalg.norm(np.diff(xs, axis=0), axis=1)
    np.testing.assert_allclose(lengths, 0.05 * 0.5 ** (np.arange(9) / 4), rtol=1e-10)


def test_the_refinement_brings_y_to_the_minimiser():
    method = BoRep(**HYPER | {"lower_step": 0.4}, batch=case.N, epochs=6)
    _, (state,) = case.iterates(case.problem(), method, [jax.random.key(0)])
    exact = case.phi_grad(case.X0)[1]
    before = np.linalg.norm(case.Y0 - exact)
    assert np.linalg.norm(state.y - exact) < 0.02 * before


def test_full_batches_and_shrinking_steps_reach_a_stationary_point():
    p = case.problem()
    method = BoRep(eta=0.2, lower_step=0.3, nu=0.3, half_life=80.0, batch=case.N)
    xs, _ = case.iterates(p, method, jax.random.split(jax.random.key(1), 900))
    slopes = [np.linalg.norm(case.phi_grad(x)[0]) for x in (xs[0], xs[-1])]
    assert slopes[1] < 1e-3 * slopes[0]


def test_a_steep_upper_objective_does_not_throw_it_off():
    """exp-growth in x: a gradient step at the start that is not tiny overflows."""
    from banach.kinds.bilevel.problem import Bilevel

    p = Bilevel(
        lambda x, y: jnp.cosh(x[0]) + (y[0] - 1) ** 2,
        lambda x, y: (y[0] - x[0]) ** 2 / 2,
        np.array([12.0]),
        np.array([0.0]),
        lower_mu=1.0,
    )
    method = BoRep(eta=0.05, lower_step=0.5, nu=0.5, half_life=250.0)
    xs, _ = case.iterates(p, method, jax.random.split(jax.random.key(1), 2001))
    # sinh(x) + 2 (x - 1) = 0
    assert abs(np.sinh(xs[-1][0]) + 2 * (xs[-1][0] - 1)) < 0.05

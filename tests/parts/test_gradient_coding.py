"""Gradient codes decode what they promise, on every pattern that they promise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.methods.distributed import _coding_schemes as coding_schemes
from banach.methods.distributed import _gradient_coding as coding


@pytest.mark.parametrize("n, s", [(4, 0), (4, 1), (5, 2), (6, 1), (7, 3), (5, 4)])
def test_a_code_decodes_from_any_survivors(n, s):
    B = coding.code(n, s)
    assert np.all((B != 0).sum(axis=1) == s + 1)
    some = [itertools.combinations(range(n), k) for k in range(s + 1)]
    dead = itertools.chain.from_iterable(some)
    patterns = [np.isin(np.arange(n), d, invert=True) for d in dead]
    a, error = jax.vmap(lambda alive: coding.decoder(jnp.asarray(B), alive))(
        np.array(patterns)
    )
    assert np.max(error) < 1e-10
    assert not np.any(np.asarray(a)[~np.array(patterns)])
    g = np.random.default_rng(0).standard_normal((n, 3))
    sent = B @ g
    np.testing.assert_allclose(
        np.asarray(a) @ sent, np.tile(g.sum(axis=0), (len(patterns), 1)), atol=1e-9
    )


def test_too_few_survivors_are_told():
    B = jnp.asarray(coding.code(5, 2))
    _, error = coding.decoder(B, jnp.array([True, True, False, False, False]))
    assert error > 1e-3


def test_a_code_out_of_range_is_refused():
    for s in (-1, 4):
        with pytest.raises(bn.Misuse, match="survives 0 to 3"):
            coding.code(4, s)


def bursty(history, B, W, lam):
    """The model in plain Python."""
    rounds = len(history)
    for first in range(max(1, rounds - W + 1)):
        window = np.array(history[first : first + W])
        if window.any(axis=0).sum() > lam:
            return False
        for column in window.T:
            at = np.flatnonzero(column)
            if len(at) and at[-1] - at[0] + 1 > B:
                return False
    return True


def test_the_model_is_recognised():
    rng = np.random.default_rng(1)
    said = []
    for _ in range(300):
        history = rng.random((4, 3)) < 0.25
        B, W, lam = rng.integers(1, 3), rng.integers(2, 4), rng.integers(1, 3)
        want = bursty(history, B, W, lam)
        assert bool(coding.conforms(history, int(B), int(W), int(lam))) == want
        said.append(want)
    assert 30 < sum(said) < 270


def patterns(n, rounds, B, W, lam):
    """Every sequence of straggler sets that obeys the model."""
    some = [itertools.combinations(range(n), k) for k in range(lam + 1)]
    sets = [np.isin(np.arange(n), c) for c in itertools.chain.from_iterable(some)]
    found = [[]]
    for _ in range(rounds):
        found = [[*h, s] for h in found for s in sets if bursty([*h, s], B, W, lam)]
    return np.array(found)


SCHEMES = {
    "m 3 1 2 1": (coding_schemes.m_sgc(3, 1, 2, 1), 5),
    "m 3 2 3 1": (coding_schemes.m_sgc(3, 2, 3, 1), 6),
    "m 3 1 2 2": (coding_schemes.m_sgc(3, 1, 2, 2), 4),
    "sr 3 1 2 1": (coding_schemes.sr_sgc(3, 1, 2, 1), 5),
    "sr 4 1 2 2": (coding_schemes.sr_sgc(4, 1, 2, 2), 4),
    "sr 3 1 3 2": (coding_schemes.sr_sgc(3, 1, 3, 2), 5),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_every_job_is_exact_on_every_pattern_of_the_model(name):
    """Gradients of made-up pieces, decoded in time, for all admissible stragglers."""
    scheme, rounds = SCHEMES[name]
    rng = np.random.default_rng(2)
    g = jnp.asarray(rng.standard_normal((rounds, scheme.pieces, 2)))
    lanes = scheme.lanes

    def play(history):
        results, worst = scheme.empty(2, g.dtype), 0.0
        for t in range(rounds):
            now = jnp.int32(t)
            tasks = scheme.tasks(results, now)
            # The job of a lane began when its turn last came.
            job = jnp.maximum(t - (t - tasks.lane) % lanes, 0)
            pieces = g[job[..., None], tasks.pieces]
            sent = jnp.sum(tasks.weights[..., None] * pieces, axis=2)
            results = scheme.receive(results, now, tasks, sent, ~history[t])
            lane = (t + 1) % lanes
            if t + 1 >= lanes:
                got, error = scheme.gradient(results, jnp.int32(lane))
                want = jnp.sum(g[t + 1 - lanes], axis=0)
                worst = jnp.maximum(worst, jnp.max(jnp.abs(got - want)))
                worst = jnp.maximum(worst, error)
                results = scheme.clear(results, jnp.int32(lane))
        return worst

    model = (scheme.burst, scheme.window, scheme.stragglers)
    all_of_them = patterns(scheme.n, rounds, *model)
    assert len(all_of_them) > 20
    worst = jax.jit(jax.vmap(play))(all_of_them)
    assert np.max(worst) < 1e-10


def test_a_pattern_outside_the_model_is_not_allowed():
    scheme = coding_schemes.m_sgc(4, 1, 2, 1)
    calm = np.zeros((2, 4), bool)
    two = calm.copy()
    two[1, :2] = True
    long = calm.copy()
    long[:, 0] = True
    assert scheme.allows(calm) and not scheme.allows(two) and not scheme.allows(long)


def test_loads_are_those_of_the_paper():
    for n, B, W, lam in [(16, 1, 2, 4), (256, 1, 2, 27), (20, 2, 3, 4)]:
        scheme = coding_schemes.m_sgc(n, B, W, lam)
        assert scheme.load == pytest.approx(
            (lam + 1) * (W - 1 + B) / (n * (B + (W - 1) * (lam + 1)))
        )
        # What a worker really passes over: its tasks' pieces of all pieces.
        tasks = scheme.tasks(scheme.empty(1, np.float64), jnp.int32(99))
        worked = tasks.pieces.shape[1] * tasks.pieces.shape[2] / scheme.pieces
        assert worked == pytest.approx(scheme.load)
        assert scheme.load < coding_schemes.gc(n, lam).load
    repeated = coding_schemes.sr_sgc(20, 2, 3, 4)
    assert repeated.s == 2 and repeated.load == pytest.approx(3 / 20)


def test_models_out_of_range_are_refused():
    with pytest.raises(bn.Misuse, match="burst < window"):
        coding_schemes.m_sgc(4, 2, 2, 1)
    with pytest.raises(bn.Misuse, match="divides window - 1"):
        coding_schemes.sr_sgc(4, 2, 4, 1)
    with pytest.raises(bn.Misuse, match="1 <= burst <= window"):
        coding_schemes.m_sgc(4, 0, 2, 1)

"""A repaired point is judged in the bits that come back (CERTIFICATES 3.7).

XLA may copy what makes a point into everything that reads it, and round each copy
otherwise: of 2,048 float32 transports judged at once, 204 had a certificate of other
bits than those returned before `evaluation.fixed`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.checks import by_name
from banach.core import compat
from banach.engine.executors import FAST
from banach.parts import transport_newton

AS_SHIPPED = True
LANES = 1024


def _judged(problems, points, name):
    """Certificates of all lanes in one program, and of what it returned, once more."""
    check = by_name(name)

    def one(problem, x):
        ready = check.prepared(problem)
        cert, kept = ready(problem, bn.Point(x), jax.random.key(0), 0)
        return cert, kept.x

    with compat.double():
        x = jax.tree.map(jnp.asarray, points)
        many = jax.jit(jax.vmap(one)).lower(problems, x)
        many = many.compile(compiler_options=FAST)
        cert, kept = many(problems, x)
        again, same = many(problems, kept)
        return jax.device_get((cert, kept, again, same))


def _stacked(problems):
    return jax.tree.map(lambda *v: np.stack([np.asarray(a) for a in v]), *problems)


def _transports(g):
    problems = []
    for _ in range(LANES):
        C = g.uniform(0, 2, (3, 3)).astype(np.float32)
        a = g.uniform(0.2, 1, 3).astype(np.float32)
        problems.append(bn.Transport(C, a, a[::-1].copy(), np.float32(0.07)))
    sizes = 10.0 ** g.integers(-1, 2, (2, LANES, 1))
    points = tuple((g.normal(size=(2, LANES, 3)) * sizes).astype(np.float32))
    return _stacked(problems), points


def _games(g):
    third = np.full(3, np.float32(1 / 3))
    term = bn.Product(bn.Simplex(1.0), bn.Simplex(1.0))
    games = g.normal(size=(LANES, 1, 3, 3)).astype(np.float32)
    one = bn.saddle(
        lambda x, y, A: x @ (A @ y), third, third, games[0], term=term, monotone=True
    )
    # Stated once: all else is the same in all games.
    leaves, treedef = jax.tree.flatten(one)
    (of,) = (i for i, v in enumerate(leaves) if np.shape(v) == (1, 3, 3))
    leaves = [np.broadcast_to(v, (LANES, *np.shape(v))) for v in leaves]
    leaves[of] = games
    problems = jax.tree.unflatten(treedef, leaves)
    return problems, tuple(g.normal(size=(2, LANES, 3)).astype(np.float32))


def _boxes(g):
    problems = []
    for _ in range(LANES):
        A = g.normal(size=(4, 3)).astype(np.float32)
        low = -g.uniform(0.1, 1, 3).astype(np.float32)
        y = g.normal(size=4).astype(np.float32)
        problems.append(bn.BoxLeastSquares(A, y, low, (low + 1).astype(np.float32)))
    return _stacked(problems), 3 * g.normal(size=(LANES, 3)).astype(np.float32)


@functools.cache
def _made(make):
    return make(np.random.default_rng(8))


@pytest.mark.parametrize(
    ("make", "check"),
    [(_games, "variational_gap"), (_boxes, "gap"), (_boxes, "frank_wolfe")],
)
def test_a_second_look_at_what_came_back_says_the_same(make, check):
    cert, kept, again, same = _judged(*_made(make), check)
    for one, two in zip(jax.tree.leaves(kept), jax.tree.leaves(same), strict=True):
        assert np.all(np.isfinite(one))
        np.testing.assert_array_equal(one, two)
    for one, two in zip(cert.parts, again.parts, strict=True):
        np.testing.assert_array_equal(one.value, two.value)


@pytest.mark.parametrize("check", ["transport", "transport_exact"])
def test_plans_are_those_of_the_potentials_that_came_back(check, monkeypatch):
    problems, points = _made(_transports)
    cert, kept, _, _ = _judged(problems, points, check)
    # As they came back: without the shift, which would move them by another rounding.
    monkeypatch.setattr(transport_newton, "centred", lambda x: x)
    still, same, _, _ = _judged(problems, kept, check)
    for one, two in zip(jax.tree.leaves(kept), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(cert.parts, still.parts, strict=True):
        known = np.isfinite(one.value) & np.isfinite(one.slack)
        assert known.mean() > 0.8
        off = np.abs(one.value - two.value)[known]
        assert np.all(off <= one.slack[known])

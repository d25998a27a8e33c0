"""Newton steps of entropic transport: dense against sparse, sweeps, the search."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference._transport import M, N, transport

from banach.kinds.transport.problem import Transport
from banach.parts import transport_newton
from banach.parts.transport_newton import Dense, Sparse, backtrack, centred, swept

ALL = M * N


def _marginals(problem):
    return jnp.asarray(problem.a), jnp.asarray(problem.b)


def test_all_is_kept_only_where_it_fits():
    assert transport_newton.affordable(transport()[0]) == ALL
    wide = Transport.points(np.zeros((5000, 1)), np.zeros((1000, 1)) + 1, eps=1.0)
    assert transport_newton.affordable(wide) == 5000 * 1000 // 20


def test_the_sparse_program_meets_the_dense_one():
    problem, _ = transport()
    x = tuple(jnp.asarray(0.1 * np.arange(k)) for k in (M, N))
    dense, sparse = Dense.at(problem, x, ALL), Sparse.at(problem, x, ALL - 1)
    v, w = jnp.arange(1.0, N + 1), jnp.arange(1.0, M + 1)
    least = float(dense.K.min())
    for a, b in (
        (dense.times(v), sparse.times(v)),
        (dense.transposed(w), sparse.transposed(w)),
        (dense.squares(w), sparse.squares(w)),
    ):
        np.testing.assert_allclose(a, b, atol=7 * least)
    d = (0.01 * w, -0.02 * v)
    for a, b in zip(dense.moved(d), sparse.moved(d), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_allclose(dense.r, sparse.r, rtol=1e-14)
    np.testing.assert_allclose(dense.c, sparse.c, rtol=1e-14)
    # And so they do further on, the entries kept being the same.
    rc = dense.moved(d)
    dense, sparse = dense.shifted(d, *rc), sparse.shifted(d, *rc)
    np.testing.assert_allclose(dense.times(v), sparse.times(v), atol=7 * least)
    for a, b in zip(dense.moved(d), sparse.moved(d), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("eps", [1.0, 0.05, 1e-4])
def test_sweeps_are_the_transforms_however_small_eps_is(eps):
    """At 1e-4 the plan of the start underflows, and scaling it cannot be right."""
    problem, _ = transport(eps)
    want = x = problem.reference_point().x
    for _ in range(3):
        f = problem.transform(want[1], 0)
        want = centred((f, problem.transform(f, 1)))
    for keep in (ALL, ALL - 1):
        got, S, calls = swept(problem, x, keep, _marginals(problem), jnp.int32(3))
        np.testing.assert_allclose(
            np.concatenate(got), np.concatenate(want), rtol=1e-11, atol=1e-13
        )
        scaled = keep == ALL and eps > 1e-4
        assert bool(S.roomy()) == (keep < ALL or scaled)
        assert int(calls) == (0 if scaled else 6)
        if bool(S.roomy()):
            r, c = problem.sums(want)
            np.testing.assert_allclose(S.r, r, rtol=1e-10)
            np.testing.assert_allclose(S.c, c, rtol=1e-10)


@pytest.mark.parametrize("keep", [ALL, ALL - 1])
def test_a_search_ends_where_it_began_when_the_direction_is_no_descent(keep):
    problem, _ = transport()
    kind = Dense if keep == ALL else Sparse
    S = kind.at(problem, problem.reference_point().x, keep)
    marginals = _marginals(problem)
    up = (S.r - problem.a, S.c - problem.b)
    out = backtrack(S, up, marginals)
    assert not bool(out.success) and int(out.calls) == 0
    assert float(out.step) == 0 and np.array_equal(out.r, S.r)
    # However long it is: a plan overflows at once, and thirty halvings are few.
    out = backtrack(S, jax.tree.map(lambda v: -1e15 * v, up), marginals)
    assert bool(out.success) and int(out.calls) > 1 and 0 < float(out.step) < 1
    assert transport_newton.error(out.r, out.c, marginals) < transport_newton.error(
        S.r, S.c, marginals
    )


def test_a_search_takes_the_first_halving_that_falls_enough():
    """By NumPy: F falls by 1e-4 of its slope's, or the slope by a tenth and F too."""
    problem, o = transport(0.5)
    x = problem.reference_point().x
    S, marginals = Dense.at(problem, x, ALL), _marginals(problem)
    down = (np.asarray(o.a - S.r), np.asarray(o.b - S.c))
    search = jax.jit(
        lambda k: backtrack(S, jax.tree.map(lambda v: k * v, down), marginals)
    )

    def falls(t):
        """F(x + t down) - F(x), and its slope."""
        f, g = (np.asarray(v) + t * e for v, e in zip(x, down, strict=True))
        plan = np.outer(o.a, o.b) * np.exp((f[:, None] + g - o.C) / o.eps)
        slope = (plan.sum(1) - o.a) @ down[0] + (plan.sum(0) - o.b) @ down[1]
        return o.eps * plan.sum() - o.a @ f - o.b @ g, slope

    first, slope = falls(0.0)
    apart = 0
    for k in np.logspace(0, 4, 60):
        t = k * min(1.0, float(S.reach()) / (k * sum(np.abs(v).max() for v in down)))
        while True:
            change, steep = falls(t)[0] - first, falls(t)[1]
            enough = change <= 1e-4 * t * slope
            if enough or (change < 0 and abs(steep) <= 0.9 * abs(slope)):
                break
            t /= 2
        apart += bool(enough and abs(steep) > 0.9 * abs(slope))
        assert float(search(k).step) * k == pytest.approx(t, rel=1e-12)
    assert apart > 5  # where the first rule alone decides

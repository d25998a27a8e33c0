"""Sinkhorn-Newton: its reference, sparsity, speed of convergence, eps-scaling."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import transport_case as case
from reference import sinkhorn_newton_sparse as reference

import banach as bn
from banach.kinds.transport.problem import Transport
from banach.methods.transport.sinkhorn import Sinkhorn
from banach.methods.transport.sinkhorn_newton_sparse import SinkhornNewtonSparse
from banach.parts import transport_newton

ALL = case.M * case.N
EXACT = {"accuracy": 1e-14, "inner_steps": 200}


def method(sweeps=3, keep=ALL, **more):
    return SinkhornNewtonSparse(sweeps=sweeps, keep=keep, **more)


@pytest.mark.parametrize("keep", [ALL, ALL - 1, 20])
def test_iterates_equal_the_reference(keep):
    """All entries, all but one (another program), and about half of them."""
    ours, _ = case.iterates(case.problem(), method(keep=keep, **EXACT), 8)
    theirs = reference.iterates(case.ORACLES, case.X0, 8, sweeps=3, keep=keep)
    theirs = [np.concatenate(x) for x in theirs]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_convergence_is_quadratic_with_all_entries():
    xs, _ = case.iterates(case.problem(), method(**EXACT), 8)
    errors = np.array([case.error(x) for x in xs])
    near = (errors < 0.1) & (errors > 1e-7)
    assert near.sum() >= 2
    after = errors[1:][near[:-1]]
    assert np.all(after <= 20 * errors[:-1][near[:-1]] ** 2 + 1e-14)
    assert errors[-1] < 1e-14


def test_dropping_entries_slows_it_to_a_linear_rate():
    kept, _ = case.iterates(case.problem(), method(keep=20), 30)
    few, _ = case.iterates(case.problem(), method(keep=8), 30)
    steps = [int(np.argmax([case.error(x) < 1e-10 for x in xs])) for xs in (kept, few)]
    assert 0 < steps[0] < steps[1] or case.error(few[-1]) > 1e-10


def test_the_dual_rises_at_every_step():
    values = []
    for x in case.iterates(case.problem(0.005), method(1, **EXACT), 20)[0]:
        f, g = x[: case.M], x[case.M :]
        P = case.plan(x, 0.005)
        values.append(case.A @ f + case.B @ g - 0.005 * (P.sum() - 1))
    assert np.all(np.diff(values) >= -1e-15)


def test_few_steps_where_sinkhorn_needs_hundreds():
    eps = 0.002
    xs, _ = case.iterates(case.problem(eps), method(1, decay=0.25), 15)
    ys, _ = case.iterates(case.problem(eps), Sinkhorn(), 150)
    assert case.error(xs[-1], eps) < 1e-12
    assert case.error(ys[-1], eps) > 1e-4


def test_eps_falls_by_decay_when_the_marginals_are_loose_enough():
    eps, average = 0.002, case.A @ case.C @ case.B
    rows = case.iterates(case.problem(eps), method(1, decay=0.25), 15)
    seen = sorted({float(s.eps) for s in rows[1]}, reverse=True)
    want = [average * 0.25**k for k in range(10) if average * 0.25**k > eps]
    np.testing.assert_allclose(seen, [*want[1:], eps], rtol=1e-12)
    before = average
    for x, state in zip(*rows, strict=True):
        assert (float(state.eps) < before) == (
            before > eps and case.error(x, before) <= float(method().loose)
        )
        before = float(state.eps)


def test_the_sparse_program_meets_the_dense_one():
    problem = case.problem()
    x = tuple(jnp.asarray(0.1 * np.arange(k)) for k in (case.M, case.N))
    dense = transport_newton.Dense.at(problem, x, ALL)
    sparse = transport_newton.Sparse.at(problem, x, ALL - 1)
    assert isinstance(dense, transport_newton.Dense) and isinstance(
        sparse, transport_newton.Sparse
    )
    v, w = jnp.arange(1.0, case.N + 1), jnp.arange(1.0, case.M + 1)
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


def _marginals(problem):
    return jnp.asarray(problem.a), jnp.asarray(problem.b)


@pytest.mark.parametrize("eps", [1.0, 0.05, 1e-4])
def test_sweeps_are_the_transforms_however_small_eps_is(eps):
    """At 1e-4 the plan of the start underflows, and scaling it cannot be right."""
    problem, x = case.problem(eps), case.problem().reference_point().x
    want = x
    for _ in range(3):
        f = problem.transform(want[1], 0)
        want = transport_newton.centred((f, problem.transform(f, 1)))
    for keep in (ALL, ALL - 1):
        sweeps = jnp.int32(3)
        got, S, calls = transport_newton.swept(
            problem, x, keep, _marginals(problem), sweeps
        )
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


@pytest.mark.parametrize("decay", [0.25, 1.0])
def test_a_start_whose_plan_underflows_is_solved(decay):
    x, states = case.iterates(case.problem(1e-4), method(1, decay=decay), 60)
    assert int(states[-1].transforms) == (2 if decay == 1 else 0)
    # Far from the solution, at another eps, this one's plan overflows.
    assert min(case.error(v, 1e-4) for v in x[20:]) < 1e-11


@pytest.mark.parametrize("keep", [ALL, 30])
def test_newton_steps_that_share_a_plan_save_plans(keep):
    eps = 0.005
    runs = {}
    for steps in (1, 8):
        m = method(1, keep=keep, decay=0.25, newton_steps=steps)
        xs, states = case.iterates(case.problem(eps), m, 40)
        k = int(np.argmax([case.error(x, eps) < 1e-10 for x in xs]))
        assert k > 0
        runs[steps] = k, int(states[k].plans), int(states[k].iterations)
    assert runs[8][0] < runs[1][0]
    # A sparse plan's trials are passes too.
    assert runs[8][1] < runs[1][1] or keep < ALL
    assert runs[8][2] <= 1.5 * runs[1][2]


def test_a_search_ends_where_it_began_when_the_direction_is_no_descent():
    problem = case.problem()
    S = transport_newton.Dense.at(problem, problem.reference_point().x, ALL)
    marginals = _marginals(problem)
    up = (S.r - problem.a, S.c - problem.b)
    out = transport_newton.backtrack(S, up, marginals)
    assert not bool(out.success) and int(out.calls) == 0
    assert float(out.step) == 0 and np.array_equal(out.r, S.r)
    down = jax.tree.map(lambda v: -1e9 * v, up)
    out = transport_newton.backtrack(S, down, marginals)
    assert bool(out.success) and int(out.calls) > 1 and 0 < float(out.step) < 1
    assert transport_newton.error(out.r, out.c, marginals) < transport_newton.error(
        S.r, S.c, marginals
    )


def test_where_nothing_is_left_to_gain_it_says_so():
    _, states = case.iterates(case.problem(), method(**EXACT), 25)
    flags = [bool(s.stuck) for s in states]
    assert not flags[3] and any(flags)


def test_the_solution_does_not_depend_on_how_the_data_are_stored():
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(9, 2)), draw.normal(size=(7, 2))
    C = ((x[:, None] - y[None]) ** 2).sum(-1)
    a, b = np.full(9, 1 / 9), np.full(7, 1 / 7)
    stored = bn.solve(Transport(C, a, b, 0.05), tol=1e-10)
    clouds = bn.solve(Transport.points(x, y, eps=0.05), tol=1e-10)
    assert stored.certified and clouds.certified
    for p, q in zip(stored.x, clouds.x, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-9)


def test_float32_stays_float32_and_certifies_what_it_can():
    small = np.float32
    problem = Transport(case.C.astype(small), case.A.astype(small),
                        case.B.astype(small), small(0.05))  # fmt: skip
    r = bn.solve(problem, tol=1e-4)
    assert r.certified and all(v.dtype == small for v in r.x)
    # Judged in float64: the marginals of exactly these bits.
    wide = np.concatenate(r.x).astype(float)
    assert case.error(wide, float(small(0.05))) < 1e-3


def test_suggest_keeps_everything_only_where_it_fits():
    small = case.problem()
    assert SinkhornNewtonSparse.suggest(small, small.facts()).keep == ALL
    wide = Transport.points(np.zeros((5000, 1)), np.zeros((1000, 1)) + 1, eps=1.0)
    keep = SinkhornNewtonSparse.suggest(wide, wide.facts()).keep
    assert keep == 5000 * 1000 // 20
    assert eqx.tree_equal(wide.start(), wide.start())

"""Transport: oracles against NumPy, clouds without a stored cost, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.transport import zoo
from banach.kinds.transport.problem import Transport
from banach.parts import transport_cost

RNG = np.random.default_rng(0)
M, N, EPS = 6, 5, 0.3
X, Y = RNG.normal(size=(M, 3)), RNG.normal(size=(N, 3))
C = ((X[:, None] - Y[None]) ** 2).sum(-1)
A, B = (v / v.sum() for v in (RNG.random(M) + 0.2, RNG.random(N) + 0.2))
F, G = RNG.normal(size=M), RNG.normal(size=N)
AT = (F, G)


@pytest.fixture(params=["stored", "computed", "blocks"])
def problem(request, monkeypatch):
    """The same problem with its cost stored, computed at once, or by two rows."""
    if request.param == "stored":
        return Transport(C, A, B, EPS)
    if request.param == "blocks":
        monkeypatch.setattr(transport_cost, "_CELLS", 4 * N)
    return Transport.points(X, Y, A, B, eps=EPS)


def plan():
    return np.outer(A, B) * np.exp((F[:, None] + G - C) / EPS)


def dual():
    gauge = (F.sum() - G.sum()) ** 2 / (EPS * (M + N) ** 2) / 2
    return EPS * (plan().sum() - 1) - A @ F - B @ G + gauge


def test_value_plan_and_sums_are_the_formula_s(problem):
    np.testing.assert_allclose(problem.plan(AT), plan(), rtol=1e-12)
    assert float(problem.value(AT)) == pytest.approx(dual(), rel=1e-12)
    assert float(problem.objective(AT)) == float(problem.value(AT))
    for ours, theirs in zip(problem.sums(AT), (1, 0), strict=True):
        np.testing.assert_allclose(ours, plan().sum(theirs), rtol=1e-12)
    assert float(problem.average_cost()) == pytest.approx(A @ C @ B, rel=1e-12)


def test_derivatives_are_those_of_the_value(problem):
    g = jax.grad(problem.value)(AT)
    v = (jnp.asarray(RNG.normal(size=M)), jnp.asarray(RNG.normal(size=N)))
    Hv = jax.jvp(jax.grad(problem.value), (AT,), (v,))[1]
    for ours, theirs in ((problem.grad(AT), g), (problem.hvp(AT, v), Hv)):
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-10, atol=1e-11)
    dense = problem.hess(AT) @ jnp.concatenate(v)
    np.testing.assert_allclose(dense, jnp.concatenate(Hv), rtol=1e-10, atol=1e-11)


def test_transforms_match_a_marginal(problem):
    f = problem.transform(AT[1], 0)
    np.testing.assert_allclose(problem.sums((f, AT[1]))[0], A, rtol=1e-12)
    g = problem.transform(AT[0], 1)
    np.testing.assert_allclose(problem.sums((AT[0], g))[1], B, rtol=1e-12)
    # No exponent is too large: at any distance from the solution.
    wild = problem.transform(1e4 * AT[1], 0)
    assert np.isfinite(wild).all()


@pytest.mark.parametrize("k", [1, 7, 29])
def test_the_strongest_entries_are_the_largest(problem, k):
    i, j, w, (r, c) = problem.strongest(AT, k)
    P = plan()
    np.testing.assert_allclose(np.sort(w)[::-1], np.sort(P.ravel())[::-1][:k])
    np.testing.assert_allclose(P[i, j], w, rtol=1e-12)
    assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == k
    np.testing.assert_allclose(r, P.sum(1), rtol=1e-12)
    np.testing.assert_allclose(c, P.sum(0), rtol=1e-12)


def test_ties_are_left_out_rather_than_cut():
    p = Transport(np.zeros((3, 3)), np.full(3, 1 / 3), np.full(3, 1 / 3), 1.0)
    w = p.strongest(tuple(map(jnp.asarray, (np.zeros(3), np.zeros(3)))), 4)[2]
    assert not np.any(w)


def test_the_value_at_the_solution_is_minus_the_primal_s():
    r = bn.solve(Transport(C, A, B, EPS), tol=1e-12)
    P = np.asarray(Transport(C, A, B, EPS).plan(tuple(map(jnp.asarray, r.x))))
    Q = np.outer(A, B)
    primal = np.sum(P * C) + EPS * np.sum(P * np.log(P / Q) - P + Q)
    value = float(Transport(C, A, B, EPS).value(tuple(map(jnp.asarray, r.x))))
    assert -value == pytest.approx(primal, rel=1e-10)
    assert r.x[0].sum() == pytest.approx(r.x[1].sum(), abs=1e-12)


def test_the_plan_is_that_of_the_peers():
    ot = pytest.importorskip("ot")
    r = bn.solve(Transport(C, A, B, EPS), tol=1e-12)
    P = np.asarray(Transport(C, A, B, EPS).plan(tuple(map(jnp.asarray, r.x))))
    theirs = ot.sinkhorn(A, B, C, EPS, stopThr=1e-13)
    np.testing.assert_allclose(P, theirs, atol=1e-12)
    # POT's entropy is relative to 1, ours to a b'.
    value = np.sum(P * C) + EPS * np.sum(P * np.log(P))
    ours = -float(Transport(C, A, B, EPS).value(tuple(map(jnp.asarray, r.x))))
    assert value == pytest.approx(ours + EPS * (A @ np.log(A) + B @ np.log(B)))


def test_masses_need_not_sum_to_one():
    r = bn.solve(Transport(C, 7 * A, 7 * B, EPS), tol=1e-11)
    P = Transport(C, 7 * A, 7 * B, EPS).plan(tuple(map(jnp.asarray, r.x)))
    assert r.certified
    np.testing.assert_allclose(P.sum(1), 7 * A, rtol=1e-9)
    one = bn.solve(Transport(C, A, B, EPS), tol=1e-11)
    Q = Transport(C, A, B, EPS).plan(tuple(map(jnp.asarray, one.x)))
    np.testing.assert_allclose(P, 7 * np.asarray(Q), rtol=1e-8)


def test_optimality_is_zero_at_the_solution_alone():
    p = Transport(C, A, B, EPS)
    r = bn.solve(p, tol=1e-13)
    x = tuple(map(jnp.asarray, r.x))
    at = p.optimality(Point(x)).x
    assert max(float(jnp.max(jnp.abs(v))) for v in at) < 1e-12
    # The same plan with the null vector added is another point, by the gauge.
    shifted = p.optimality(Point((x[0] + 1, x[1] - 1))).x
    assert max(float(jnp.max(jnp.abs(v))) for v in shifted) > 1e-3


def test_a_derivative_of_the_answer_follows_the_data():
    """Through `sensitivity`: d sum(w P C) against finite differences."""
    p = Transport(C, A, B, EPS)
    w = (RNG.normal(size=M), RNG.normal(size=N))
    r = bn.solve(p, tol=1e-11)
    slope = bn.sensitivity(r, w).gradient.cost.C
    h, E = 1e-5, RNG.normal(size=C.shape)

    def moved(t):
        x = bn.solve(Transport(C + t * E, A, B, EPS), tol=1e-13).x
        return sum(np.vdot(u, v) for u, v in zip(w, x, strict=True))

    want = (moved(h) - moved(-h)) / (2 * h)
    assert np.vdot(slope, E) == pytest.approx(want, rel=1e-5)


def test_euclidean_costs_have_a_derivative_where_points_coincide():
    x = np.array([[0.0, 0.0], [1.0, 0.0]])

    def total(x):
        return jnp.sum(transport_cost.Euclidean(x, x).rows(None))

    assert np.isfinite(jax.grad(total)(jnp.asarray(x))).all()
    rows = transport_cost.Euclidean(X, Y).rows(None)
    np.testing.assert_allclose(rows, np.sqrt(C), rtol=1e-13)


def test_clouds_need_memory_for_blocks_and_not_for_the_cost():
    """20,000 to 20,000 points: the cost alone would be 3.2 GB."""
    n = 20_000
    p = Transport.points(np.zeros((n, 2)), np.ones((n, 2)), eps=1.0)
    p = jax.tree.map(jnp.asarray, p)
    shapes = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype), p.space())
    for pass_ in (p.sums, p.value_and_grad, lambda x: p.transform(x[0], 1)):
        used = (
            jax.jit(lambda x, f=pass_: f(x)).lower(shapes).compile().memory_analysis()
        )
        assert used.temp_size_in_bytes < 0.05 * 8 * n * n


def bad(**more):
    data = {"cost": C, "a": A, "b": B, "eps": EPS} | more
    return Transport(**data)


@pytest.mark.parametrize(
    "more, says",
    [
        ({"a": 1.1 * A}, "do not sum alike"),
        ({"b": np.append(B[:-1], B[-1] + 1e-9)}, "do not sum alike"),
        ({"a": np.append(0.0, A[1:] / A[1:].sum())}, "keep = a > 0"),
        ({"b": np.append(B[:3], [B[3] + 2 * B[4], -B[4]])}, "negative mass"),
        ({"a": A[:-1]}, "one mass a row"),
        ({"b": B[None]}, "one mass a column"),
        ({"a": np.append(A[:-1], np.nan)}, "NaN or infinity"),
        ({"a": A.astype(complex)}, "real"),
        ({"eps": 0.0}, "eps must be positive"),
        ({"eps": -1.0}, "np.median"),
        ({"eps": np.nan}, "eps must be positive"),
        ({"eps": np.inf}, "eps must be positive"),
        ({"eps": 1j}, "eps must hold real numbers"),
        ({"eps": np.ones(2)}, "eps must be one number"),
        ({"eps": "small"}, "eps must hold real numbers"),
        ({"cost": C[0]}, "cost"),
        ({"cost": np.where(C > 1, np.inf, C)}, "NaN or infinity"),
        ({"cost": np.zeros((0, N))}, "empty"),
    ],
)
def test_bad_input_is_refused_with_the_cure(more, says):
    with pytest.raises(Misuse) as error:
        bad(**more)
    assert says in str(error.value)


def test_an_eps_that_float32_cannot_hold_is_refused():
    small = (v.astype(np.float32) for v in (C, A, B))
    with pytest.raises(Misuse, match="eps must be positive"):
        Transport(*small, 1e-60)


@pytest.mark.parametrize(
    "more, says",
    [
        ({"y": Y[:, :2]}, "coordinates"),
        ({"x": X[0]}, "x must be 2-D"),
        ({"cost": "cosine"}, "sqeuclidean, euclidean"),
        ({"a": np.ones(M)}, "do not sum alike"),
    ],
)
def test_bad_clouds_are_refused_with_the_cure(more, says):
    data = {"x": X, "y": Y, "eps": EPS} | more
    with pytest.raises(Misuse) as error:
        Transport.points(**data)
    assert says in str(error.value)


def test_integers_and_lists_are_read_as_numbers():
    p = Transport([[0, 1], [1, 0]], [1, 1], [1, 1], 1)
    assert p.a.dtype == p.cost.C.dtype == np.float64
    r = bn.solve(p, tol=1e-10)
    P = p.plan(tuple(map(jnp.asarray, r.x)))
    e = np.exp(-1.0)
    np.testing.assert_allclose(P, np.array([[1, e], [e, 1]]) / (1 + e), rtol=1e-8)


@pytest.mark.parametrize("name", [row["name"] for row in zoo.names()])
def test_every_ready_problem_is_whole(name):
    p = zoo.load(name)
    assert p.kind == "Transport" and p.formula() and p.facts().has("convex")
    assert np.asarray(p.a).min() > 0
    with pytest.raises(Misuse, match="transport:digits"):
        zoo.load("transport:nothing")

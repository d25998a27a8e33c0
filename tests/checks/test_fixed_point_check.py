"""Banach's bound: true in the norm of q, and every lie about q or T is caught."""

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.checks.fixed_point import NAME, Contraction, FixedPointResidual
from banach.core.point import Point

rng = np.random.default_rng(4)


def problem(M, b, **facts):
    return bn.FixedPoint(lambda x, M, b: M @ x + b, np.zeros(len(b)), (M, b), **facts)


def look(p, x, check=None, dual=None):
    check = Contraction() if check is None else check
    return judged(check, p, Point(x, dual))[0]


def norms(norm, w):
    if norm == "2":
        return lambda v: np.linalg.norm(w * v)
    return lambda v: np.abs(w * v).max()


@pytest.mark.parametrize("norm", ["2", "inf"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bound_holds_in_the_norm_of_q(norm, weighted):
    for size in (1e-9, 1.0, 1e9):
        for _ in range(5):
            n = 6
            w = 10.0 ** rng.uniform(-2, 2, n) if weighted else np.ones(n)
            M = rng.standard_normal((n, n))
            D = w[:, None] * M / w
            top = np.linalg.svd(D)[1][0] if norm == "2" else np.abs(D).sum(1).max()
            M *= 0.9 / top
            b = size * rng.standard_normal(n) + 1e3 * size
            q = 0.9 * (1 + 1e-12)
            p = problem(M, b, contraction=q, norm=norm, weights=w)
            long = np.longdouble
            truth = np.linalg.solve(np.eye(n) - M, b)
            for _ in range(3):  # refined in extended precision
                r = (b.astype(long) + M.astype(long) @ truth - truth).astype(float)
                truth = truth + np.linalg.solve(np.eye(n) - M, r)
            for away in (0.0, 1e-12, 1e-6, 1.0):
                x = truth + away * size * rng.standard_normal(n)
                c = look(p, x)
                part = c.parts[0]
                assert not bool(c.refuted())
                far = norms(norm, w)(x - truth)
                assert far <= float(part.value + part.slack) * (1 + 1e-9)
                assert c.grade == "bound" and c.assumes == ("q: declared",)


def test_q_of_another_norm_is_refuted():
    # Spectral radius 1/2, but the 2-norm is 100: residual 5e-4, truth 1 and more.
    M = np.array([[0.5, 100.0], [0.0, 0.5]])
    p = problem(M, np.zeros(2), contraction=0.5)
    c = look(p, np.array([0.1, 5e-6]))
    assert bool(c.refuted()) and not bool(c.within(1e3))
    # With the weights in which it contracts it is right, and stays unrefuted.
    w = np.array([1.0, 1e4])
    q = np.linalg.svd(w[:, None] * M / w)[1][0] * (1 + 1e-12)
    p = problem(M, np.zeros(2), contraction=q, weights=w)
    assert not bool(look(p, np.array([0.1, 5e-6])).refuted())


def test_one_bad_direction_among_many_is_found():
    for norm in ("2", "inf"):
        n = 40
        Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
        d = np.full(n, 0.2)
        d[0] = 1.3
        M = Q @ np.diag(d) @ Q.T if norm == "2" else 0.2 * np.eye(n)
        if norm == "inf":
            M[7] = rng.choice([-1.0, 1.0], n) * 1.3 / n
        p = problem(M, np.zeros(n), contraction=0.9, norm=norm)
        c = look(p, np.zeros(n))
        assert bool(c.refuted()), norm
        assert c.parts[1].name == NAME


def test_a_factor_read_off_the_iterates_is_refuted():
    """From this start every observed ratio is 0.2; the slow mode is not excited."""
    M = np.diag([0.9, 0.2])
    xs = [np.array([0.0, 1.0])]
    for _ in range(5):
        xs.append(M @ xs[-1])
    seen = [np.linalg.norm(b) / np.linalg.norm(a) for a, b in itertools.pairwise(xs)]
    c = look(problem(M, np.zeros(2), contraction=max(seen)), xs[-1])
    assert bool(c.refuted())


def test_an_expansive_map_declared_contractive_never_certifies():
    p = bn.FixedPoint(lambda x: 1.1 * x, np.ones(3), contraction=0.5)
    for name in ("picard", "anderson"):
        r = bn.solve(p, name, max_steps=50)
        assert r.status != "certified" and r.status in ("refuted", "budget")
    assert bn.solve(p, "anderson").status == "refuted"


def test_cosine_declared_0_8_is_refuted():
    p = bn.FixedPoint(jnp.cos, np.full(2, 0.7), contraction=0.7)
    r = bn.solve(p)
    assert r.status == "refuted" and "q: declared" in str(r.certificate.assumes)


def test_a_map_without_a_factor_is_never_given_a_bound():
    p = bn.FixedPoint(jnp.cos, np.ones(2), nonexpansive=True)
    r = bn.solve(p, "anderson", tol=1e-9)
    assert r.certified and r.certificate.grade == "residual"
    assert r.certificate.quantity == "||x-T(x)||_2"
    with pytest.raises(bn.Misuse, match="contraction=q"):
        bn.solve(p, check="contraction")
    assert "x = T(x)" in Contraction().refuses(bn.Smooth(jnp.sum, np.ones(2)))


def test_a_damped_map_of_a_method_has_no_say():
    """x+ = x + 1e-8 (T x - x) hardly moves; the check asks T itself."""
    M, b = 0.5 * np.eye(3), np.ones(3)
    p = problem(M, b, contraction=0.5)
    r = bn.solve(p, bn.Picard(relaxation=1e-8), max_steps=20)
    assert not r.certified
    assert float(r.certificate.value) == pytest.approx(2 * np.sqrt(3), rel=1e-5)


def test_q_near_1_gives_no_bound_rather_than_a_negative_one():
    p = problem(0.1 * np.eye(2), np.ones(2), contraction=0.5)
    for q in (1.0, 1 - 1e-16, 1.5):
        forged = eqx.tree_at(lambda p: p.q, p, np.asarray(q))
        c = look(forged, np.ones(2) / 0.9)
        assert not bool(c.within(1e6))


@pytest.mark.parametrize("check", [Contraction(), FixedPointResidual()])
def test_generic_lies(check):
    M, b = 0.5 * np.eye(3), np.arange(1.0, 4.0)
    p = problem(M, b, contraction=0.5)
    x = 2 * b
    assert bool(look(p, x, check).within(1e-9))
    # Perturbed x, swapped data, NaN, infinity.
    assert not bool(look(p, x + 1e-3, check).within(1e-6))
    assert not bool(look(problem(M, b[::-1], contraction=0.5), x, check).within(1e-6))
    for bad in (np.nan, np.inf):
        assert not bool(look(p, x + np.array([bad, 0, 0]), check).within(1e6))
    # A dual is no part of this kind: garbage equals None.
    plain, offered = look(p, x, check), look(p, x, check, np.full(3, np.nan))
    for u, v in zip(plain.parts, offered.parts, strict=True):
        assert float(u.value) == float(v.value) and float(u.slack) == float(v.slack)
    # Data and point rescaled: the same ratio, where the reference is in the data.
    at = [
        eqx.tree_at(
            lambda q: q.reference, problem(M, c * b, contraction=0.5), np.zeros(3),
            is_leaf=lambda v: v is None,
        )
        for c in (1e-9, 1.0, 1e9)
    ]  # fmt: skip
    ratios = [
        float(look(q, c * (x + 1e-4), check).ratio)
        for q, c in zip(at, (1e-9, 1.0, 1e9), strict=True)
    ]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)


def test_the_graph_bound_is_by_construction_and_holds():
    r = bn.solve("fixed_point:graph", "picard", tol=1e-3)
    assert r.certified and r.certificate.assumes == ("q: by construction",)
    exact = bn.solve("fixed_point:graph", tol=1e-10)
    far = np.abs(r.x - exact.x).max()
    assert far <= float(r.certificate.value + r.certificate.slack)


def test_float32_is_judged_in_float64():
    p = bn.FixedPoint(
        lambda x: 0.5 * jnp.cos(x), np.zeros(2, np.float32), contraction=0.5
    )
    r = bn.solve(p, tol=1e-5)
    assert r.certified and r.x.dtype == np.float32
    assert r.certificate.parts[0].value.dtype == np.float64


@pytest.mark.parametrize("norm", ["2", "inf"])
def test_the_slack_has_room_for_the_rounding_of_the_step(norm):
    """x and T(x) cancel: what is left is wrong by a unit of T(x), over 1 - q."""
    M, b = 0.5 * np.eye(3), np.array([500.0, 501.0, 502.0])
    p = problem(M, b, contraction=0.5, norm=norm)
    x = 2 * b * (1 + 1e-15)
    part = look(p, x).parts[0]
    unit = np.finfo(float).eps / 2
    least = unit * norms(norm, np.ones(3))(M @ x + b) / (1 - 0.5)
    assert least <= float(part.slack) <= 100 * least

"""F - F* of f + g + h(K .) is bounded from above, and tightly at the answer."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged
from scipy.sparse import csr_array

import banach as bn
from banach.core import compat
from banach.core.point import Point
from banach.kinds.structured.gap_check import _bound, _inside

LD = np.longdouble
RNG = np.random.default_rng(5)
N, M = 5, 6
A = RNG.normal(size=(8, N))
B = A @ [2.0, 2, 0, 0, -1] + 0.1 * RNG.normal(size=8)
K = np.vstack([np.diff(np.eye(N), axis=0), RNG.normal(size=(2, N))])
MU = float(np.linalg.eigvalsh(A.T @ A)[0]) * (1 - 1e-12)


def misfit(x, b):
    r = jnp.matmul(A, x, precision="highest") - b
    return jnp.vdot(r, r, precision="highest") / 2


INNER = {
    "none": (None, lambda x: LD(0)),
    "l1": (bn.L1(0.4), lambda x: LD(0.4) * abs(x).sum()),
    "ridge": (bn.SquaredL2(0.7), lambda x: LD(0.7) * (x @ x) / 2),
    "net": (
        bn.ElasticNet(0.4, 0.2),
        lambda x: LD(0.4) * abs(x).sum() + LD(0.2) * (x @ x) / 2,
    ),
    "box": (bn.Box(-0.5, 1.5), lambda x: LD(0)),
}
PAIRS = np.array([0, 0, 1, 1, 2, 2])
WEIGHTS = np.array([0.5, 0.0, 1.0, 0.3, 0.0, 2.0])
OUTER = {
    "l1": (bn.L1(0.6), lambda w: LD(0.6) * abs(w).sum()),
    "weights": (bn.L1(WEIGHTS), lambda w: (WEIGHTS.astype(LD) * abs(w)).sum()),
    "groups": (
        bn.GroupL2(0.5, PAIRS),
        lambda w: LD(0.5) * sum(np.sqrt((w[PAIRS == k] ** 2).sum()) for k in range(3)),
    ),
    "l2": (bn.L2Norm(0.8), lambda w: LD(0.8) * np.sqrt(w @ w)),
    "linf": (bn.LInf(0.9), lambda w: LD(0.9) * abs(w).max()),
}


def problem(inner, outer, K=K, **more):
    zero = np.zeros(N)
    more = {"reference": zero, "L": 40.0, "mu": MU} | more
    return bn.Structured(misfit, INNER[inner][0], OUTER[outer][0], K, zero, (B,),
                         **more)  # fmt: skip


def objective(inner, outer, x):
    x = np.asarray(x, LD)
    r = A.astype(LD) @ x - B
    return r @ r / 2 + INNER[inner][1](x) + OUTER[outer][1](K.astype(LD) @ x)


def certify(p, x, y):
    return judged(bn.PrimalDualGap(), p, Point(x, y))


@pytest.mark.parametrize(
    ("inner", "outer"),
    [(list(INNER)[i], list(OUTER)[(i + k) % 5]) for k in (0, 2) for i in range(5)],
)
def test_bounds_the_distance_to_the_least_value(inner, outer):
    p = problem(inner, outer)
    best = bn.solve(p, tol=1e-11, check=bn.PrimalDual())
    assert best.certified
    low, draw = objective(inner, outer, best.x), np.random.default_rng(1)
    size = np.concatenate([[0.0], 10.0 ** draw.uniform(-9, 2, 30)])[:, None]
    xs = best.x + size * draw.normal(size=(31, N))
    ys = best.point.dual + size * draw.normal(size=(31, M))
    with compat.double():
        run = jax.jit(jax.vmap(lambda x, y: certify(p, x, y)))
        found, at = run(xs, ys)
    claims = np.asarray(found.parts[0].value + found.parts[0].slack, LD)
    for i, claim in enumerate(claims):
        assert claim >= objective(inner, outer, at.x[i]) - low
    # Tight at the answer, and no certificate far from it.
    assert claims[0] <= 1e-9 * float(found.parts[0].scale[0])
    far = size[:, 0] > 1
    assert not np.asarray(found.within(1e-9))[far].any()
    assert float(found.parts[0].scale[0]) >= objective(inner, outer, 0 * best.x) - low


def test_float32_answers_are_judged_as_they_are():
    """A cast moves x+ off what its subgradient is of; all data are float32 here."""
    A32, B32, K32 = (v.astype(np.float32) for v in (A, B, K))
    low_mu = float(np.linalg.eigvalsh(A32.T.astype(float) @ A32)[0]) * 0.999

    def f(x, b):
        r = jnp.matmul(A32.astype(x.dtype), x, precision="highest") - b
        return jnp.vdot(r, r, precision="highest") / 2

    def stated(kind):
        zero = np.zeros(N, kind)
        return bn.Structured(
            f, bn.L1(kind(0.5)), bn.L1(kind(0.75)), K32.astype(kind), zero,
            (B32.astype(kind),), mu=kind(low_mu), L=kind(40.0), reference=zero,
        )  # fmt: skip

    def value(x):
        x = np.asarray(x, LD)
        r = A32.astype(LD) @ x - B32
        return r @ r / 2 + abs(x).sum() / 2 + 3 * abs(K32.astype(LD) @ x).sum() / 4

    with compat.double():
        best = bn.solve(stated(np.float64), tol=1e-12, check=bn.PrimalDual())
    draw, narrow = np.random.default_rng(2), stated(np.float32)
    xs = best.x + 10.0 ** draw.uniform(-9, -1, (40, 1)) * draw.normal(size=(40, N))
    with compat.double():
        run = jax.jit(jax.vmap(lambda x, y: certify(narrow, x, y)))
        ys = np.tile(best.point.dual, (40, 1)).astype(np.float32)
        found, at = run(xs.astype(np.float32), ys)
    assert at.x.dtype == np.float32
    claims = np.asarray(found.parts[0].value + found.parts[0].slack, LD)
    for i, claim in enumerate(claims):
        assert claim >= value(at.x[i]) - value(best.x)


def test_a_sparse_map_and_a_garbage_dual():
    p, q = problem("l1", "groups"), problem("l1", "groups", K=csr_array(K))
    x, y = np.ones(N), RNG.normal(size=M)
    with compat.double():
        one, two = (certify(v, x, y)[0].parts[0] for v in (p, q))
        assert abs(float(one.value - two.value)) <= float(one.slack + two.slack)
        none = certify(p, x, None)[0].parts[0].value
        assert certify(p, x, np.full(M, np.nan))[0].parts[0].value == none


def test_what_it_needs_is_said():
    p = problem("l1", "l1", mu=None, convex=True)
    with pytest.raises(bn.Misuse, match="declare mu"):
        bn.verify(p, np.zeros(N), check="primal_dual_gap")
    set_ = bn.Structured(misfit, None, bn.Box(0.0, 1.0), None, np.zeros(N), (B,), mu=MU)
    with pytest.raises(bn.Misuse, match="no bracket of Box as h"):
        bn.verify(set_, np.zeros(N), check="primal_dual_gap")
    half = problem("l1", "l1")
    half = bn.Structured(misfit, bn.Nonnegative(), bn.L1(1.0), K, np.zeros(N), (B,),
                         mu=MU)  # fmt: skip
    with pytest.raises(bn.Misuse, match="no bracket of Nonnegative as g"):
        bn.verify(half, np.zeros(N), check="primal_dual_gap")


def test_a_wrong_mu_is_refuted():
    p = problem("l1", "l1", mu=39.0)
    verdict = bn.verify(p, np.zeros(N), check="primal_dual_gap")
    assert verdict.status == "refuted"


def test_the_bound_is_that_of_rational_arithmetic():
    """Brackets and remainder, where products with K cancel to their roundings."""
    draw, half = np.random.default_rng(4), Fraction(1, 2)
    for trial in range(40):
        x = np.round(draw.normal(size=N), 3)
        x[1:3] = x[0] + 1e-13 * draw.normal(size=2)
        rows = 1e6 * np.array([[1.0, -1, 0, 0, 0], [0, 1, -1, 0, 0], [0, 0, 1, 0.3, 1]])
        p = bn.Structured(misfit, bn.L1(0.4), bn.L1(0.6), rows, np.zeros(N), (B,),
                          mu=MU, L=40.0)  # fmt: skip
        y = 0.6 * draw.choice([-1.0, -0.3, 1.0], 3) * (1 - 2e-16)
        v, g = 0.4 * draw.uniform(-1, 1, N), 1e3 * draw.normal(size=N)
        with compat.double():
            value, slack = _bound(p, *map(jnp.asarray, (x, y, v, g)), 0.0, MU)
        X, Y, V, G = ([Fraction(float(t)) for t in a] for a in (x, y, v, g))
        R = [[Fraction(float(t)) for t in row] for row in rows]
        image = [sum(a * b for a, b in zip(row, X, strict=True)) for row in R]
        back = [sum(R[i][j] * Y[i] for i in range(3)) for j in range(N)]
        lam, own = Fraction(0.6), Fraction(0.4)
        true = sum(lam * abs(w) - w * t for w, t in zip(image, Y, strict=True))
        true += sum(own * abs(a) - a * b for a, b in zip(X, V, strict=True))
        left = [a + b + c for a, b, c in zip(G, back, V, strict=True)]
        true += half * sum(a * a for a in left) / Fraction(MU)
        assert Fraction(float(value)) + Fraction(float(slack)) >= true, trial
        assert float(slack) <= 1e-6 * float(value)


def test_what_roundings_of_k_x_hide_is_charged():
    """At y on its border the bracket is 0 or twice a product, by the sign of K x."""
    rows, lam = np.array([[1e8, -1e8, 0, 0, 0.1]]), 0.6
    p = bn.Structured(misfit, None, bn.L1(lam), rows, np.zeros(N), (B,), mu=MU, L=40.0)
    zero, seen = np.zeros(N), 0
    for k in range(200):
        x = np.array([0.1 + k * 1e-17, 0.1, 0, 0, 1e-9 * (k - 100)])
        x[0] = np.nextafter(0.1, 1) if k % 2 else 0.1
        for y in (np.array([lam]), np.array([-lam])):
            g = -np.asarray(rows.T @ y)
            with compat.double():
                value, slack = _bound(p, *map(jnp.asarray, (x, y, zero, g)), 0.0, MU)
            image = sum(Fraction(float(a)) * Fraction(float(b))
                        for a, b in zip(rows[0], x, strict=True))  # fmt: skip
            Y = Fraction(float(y[0]))
            true = abs(Y) * abs(image) - Y * image
            seen += Fraction(float(value)) < true
            assert Fraction(float(value)) + Fraction(float(slack)) >= true
    assert seen  # without its slack it would have been too small


def test_a_dual_point_is_brought_into_the_domain():
    with compat.double():
        got = np.asarray(_inside(bn.L1(1.0), jnp.array([2.0, -0.5])))
        assert (abs(got) <= 1).all() and got == pytest.approx([1, -0.25], rel=1e-14)
        free = _inside(bn.L1(np.array([1.0, 0.0])), jnp.array([0.5, 3.0]))
        np.testing.assert_array_equal(free, [0.5, 0.0])

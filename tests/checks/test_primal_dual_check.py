"""Both inclusions of f(x) + g(x) + h(K x): bounded from above, with the y returned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged
from scipy.sparse import csr_array

import banach as bn
from banach.core import compat
from banach.core.point import Point
from banach.kinds.structured.check import PrimalDual
from banach.kinds.structured.problem import Structured

LD = np.longdouble
RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(4, 3)), RNG.normal(size=4)
K = np.array([[1.0, -1.0, 0.0], [0.3, 1.0, -1.0]])
MU, LAM = 0.4, 0.7


def misfit(x, b):
    r = jnp.matmul(A, x, precision="highest") - b
    return jnp.vdot(r, r, precision="highest") / 2


def problem(b=B, K=K, **more):
    zero = np.zeros(3)
    return Structured(misfit, bn.L1(MU), bn.L1(LAM), K, zero, (b,), convex=True,
                      L=20.0, reference=zero, **more)  # fmt: skip


def truth(b, x, y):
    """Both distances in longdouble; a y on its border may be off by roundings."""
    # y+ = s (w - z): it is off by roundings of w, which the first part carries.
    size = 1 + np.abs(np.asarray(x)).max() + np.abs(np.asarray(y)).max()
    near = LAM - 50 * np.finfo(np.asarray(y).dtype).eps * size
    x, y, b, M, R = (np.asarray(v, LD) for v in (x, y, b, A, K))
    slope = M.T @ (M @ x - b) + R.T @ y
    at_zero = np.maximum(abs(slope) - LD(MU), 0)
    first = np.where(x == 0, at_zero, abs(slope + LD(MU) * np.sign(x)))
    image = R @ x
    border = abs(y) >= near
    second = np.where(border, np.maximum(-np.sign(y) * image, 0), abs(image))
    return [float(np.sqrt(np.sum(v**2))) for v in (first, second)]


def certify(p, x, y):
    if isinstance(y, str):  # which no program takes
        return PrimalDual()(p, Point(x, y), jax.random.key(0), 0)
    return judged(PrimalDual(), p, Point(x, y))


@pytest.fixture(scope="module")
def solved():
    return bn.solve(problem(), tol=1e-12)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_bounds_both_distances_at_what_it_returns(kind, solved):
    count, draw = 60, np.random.default_rng(1)
    size = 10.0 ** draw.integers(-9, 4, (count, 1))
    bs = B * 10.0 ** draw.integers(-4, 5, (count, 1))
    bs[::2] = B
    xs = solved.x * (draw.random((count, 1)) < 0.5) + size * draw.normal(
        size=(count, 3)
    )
    ys = solved.point.dual + size * draw.normal(size=(count, 2))
    with compat.double():
        run = jax.jit(jax.vmap(lambda b, x, y: certify(problem(b), x, y)))
        found, at = run(bs.astype(kind), xs.astype(kind), ys.astype(kind))
    for i in range(count):
        told = truth(bs.astype(kind)[i], at.x[i], at.dual[i])
        for part, true in zip(found.parts, told, strict=True):
            claim = float(part.value[i] + part.slack[i])
            assert claim >= true
            # And no looser than one step of the check makes it.
            assert float(part.slack[i]) <= 1e-4 * (1 + claim) * max(1, size[i, 0])


def test_a_certified_point_is_the_solution(solved):
    assert solved.certified and bn.verify(solved).certified
    assert max(truth(B, solved.x, solved.point.dual)) < 1e-10
    cert = solved.certificate
    assert cert.grade == "residual" and [p.name for p in cert.parts] == [
        "dist(0,grad f+dg+K'y)",
        "dist(Kx,dh*(y))",
    ]


def test_without_the_right_dual_nothing_is_certified(solved):
    """A garbage dual is the same as none; x alone shows no optimality here."""
    p = problem()
    with compat.double():
        none = certify(p, solved.x, None)
        for bad in (np.full(2, np.nan), np.zeros(5), "y"):
            got = certify(p, solved.x, bad)
            np.testing.assert_array_equal(got[1].x, none[1].x)
    assert not bool(none[0].within(1e-6))


@pytest.mark.parametrize("step", [1e-9, 1e-3, 1e3, 1e9])
def test_no_step_certifies_what_is_not_stationary(step):
    x, y = np.array([0.5, -1.0, 0.2]), np.array([0.7, -0.1])
    with compat.double():
        found, at = certify(problem(step=step), x, y)
    for part, true in zip(found.parts, truth(B, at.x, at.dual), strict=True):
        assert float(part.value + part.slack) >= true


def test_what_overflows_is_no_answer():
    """K x beyond the range, before a projection that would bring it back."""
    box = bn.Box(np.full(2, 1.0), np.full(2, 2.0))
    p = Structured(None, bn.Box(0.0, 0.0), box, 1e300 * K, np.zeros(3))
    with compat.double():
        cert, at = certify(p, np.full(3, 1e300), None)
    # z is finite, but y+ = s (w - z) is not, and nothing is known of the y kept.
    assert all(np.isnan(float(part.value)) for part in cert.parts)
    assert np.isfinite(at.x).all() and np.isfinite(at.dual).all()


def test_sparse_and_dense_maps_are_judged_alike(solved):
    with compat.double():
        one = certify(problem(), solved.x, solved.point.dual)[0]
        two = certify(problem(K=csr_array(K)), solved.x, solved.point.dual)[0]
    for p, q in zip(one.parts, two.parts, strict=True):
        assert abs(float(p.value - q.value)) <= float(p.slack + q.slack)
        assert float(p.scale) == pytest.approx(float(q.scale), rel=1e-12)


def test_units_change_no_verdict():
    """x, K and the penalties in other units: the same ratio."""
    with compat.double():
        x, y = np.array([0.5, -1.0, 0.2]), np.array([0.3, -0.1])
        first = certify(problem(), x, y)[0]
        for c in (1e-6, 1e6):
            p = Structured(
                lambda x, b, c=c: misfit(x / c, b), bn.L1(MU / c), bn.L1(LAM), K / c,
                np.zeros(3), (B,), convex=True, L=20.0 / c**2, reference=np.zeros(3),
            )  # fmt: skip
            got = certify(p, c * x, y)[0]
            np.testing.assert_allclose(got.ratios(), first.ratios(), rtol=1e-8)

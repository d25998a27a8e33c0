"""Goals and roots' residuals."""

from fractions import Fraction

import exact_quadratic as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.checks.objective_target import Goal
from banach.checks.residual import Residual
from banach.core.point import Point
from banach.kinds.composite.problem import Composite
from banach.kinds.root.problem import Root
from banach.terms.affine import HalfSpace
from banach.terms.norms import L1
from banach.terms.product import Product
from banach.terms.sets import Box, L2Ball, Simplex

KEY = 0


def certify(check, problem, x):
    return judged(check, problem, Point(x), KEY)[0]


def test_a_goal_is_reached_only_when_the_exact_value_is_below():
    H, b, c, x = (v[1] for v in exact.instances())
    p = exact.problem(H, b, c)
    (xs,), (bs,), Hs = exact.frac(x), exact.frac(b), exact.frac(H)
    Hx = [sum(h * v for h, v in zip(row, xs, strict=True)) for row in Hs]
    truth = sum(v * w for v, w in zip(xs, Hx, strict=True)) / 2
    truth += Fraction(float(c)) - sum(v * w for v, w in zip(xs, bs, strict=True))
    edge = float(truth)
    size = abs(edge) + 1e6
    for target, reached in (
        (edge + 1e-9 * size, True),
        (edge - 1e-9 * size, False),
        # One ulp above the truth is within rounding: the check must not claim it.
        (np.nextafter(edge, -np.inf), False),
    ):
        cert = certify(Goal(target), p, x)
        for tol in (1e-12, 1e-6, 0.1):
            assert bool(cert.within(tol)) == reached
    assert cert.quantity == "f(x) (goal)" and cert.signed


def test_an_infeasible_point_reaches_no_goal():
    p = Composite(lambda x: jnp.sum(x), Simplex(), np.ones(3), convex=True)
    assert not bool(certify(Goal(0.5), p, np.zeros(3)).within(0.1))
    assert bool(certify(Goal(1.5), p, np.full(3, 1 / 3)).within(0.1))


STEEP = np.array([3.0, -200.0, 1e4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [0.0, 1e-9, 1e-5, 3.0])
@pytest.mark.parametrize("name", ["box", "simplex", "ball", "half", "product"])
def test_the_value_is_that_of_a_feasible_point(name, far, dtype):
    """The least value over the set, exactly: no target below it is reached."""
    steep = STEEP.astype(dtype)
    f = lambda x, c: jnp.sum(c * x)  # noqa: E731
    term, x, least = {
        "box": lambda: (Box(-0.7, 0.3), np.where(STEEP > 0, -0.7, 0.3),
                        -0.7 * 3.0 - 200 * 0.3 - 7e3),
        "simplex": lambda: (Simplex(), np.array([0.0, 1.0, 0.0]), -200.0),
        "ball": lambda: (L2Ball(2.0), -2 * STEEP / np.linalg.norm(STEEP),
                         -2 * np.linalg.norm(STEEP)),
        "half": lambda: (HalfSpace(-STEEP, 5.0), -5 * STEEP / (STEEP @ STEEP), -5.0),
        "product": lambda: (Product(Box(-0.7, 0.3), L1(2.0)),
                            (np.where(STEEP > 0, -0.7, 0.3), np.zeros(3)),
                            -0.7 * 3.0 - 200 * 0.3 - 7e3),
    }[name]()  # fmt: skip
    if name == "product":
        f = lambda x, c: jnp.sum(c * x[0])  # noqa: E731
    # Out of the set, where f is lower.
    out = -far * STEEP / np.linalg.norm(STEEP)
    at = (x[0] + out, x[1]) if name == "product" else x + out
    at = jax.tree.map(lambda v: np.asarray(v, dtype), at)
    p = Composite(f, term, at, (steep,), convex=True)
    # Data are rounded in float32: the set and the slope are those of the problem.
    loose = (1e-6 if dtype == np.float32 else 1e-13) * abs(least)
    check = Goal(least - loose)
    cert, after = judged(check, p, Point(at), KEY)
    assert not bool(cert.within(0.1))
    assert float(cert.value + cert.slack) >= least - loose
    easy = Goal(least + 1e-3 * abs(least))
    cert, after = judged(easy, p, Point(at), KEY)
    assert bool(cert.within(1e-6))
    leaf = jax.tree.leaves(after.x)[0]
    assert leaf.dtype == dtype
    set_ = term.terms[0] if name == "product" else term
    assert float(set_.violation(leaf)) <= 1e-6 * (1 + np.max(np.abs(leaf)))
    # What is certified is what is returned.
    assert float(p.objective(after.x)) == pytest.approx(float(cert.value), rel=1e-6)


def test_an_intercept_is_not_projected():
    A = np.arange(12.0).reshape(6, 2) / 10
    p = bn.BoxLeastSquares(A, np.arange(6.0), 0.0, 1.0, intercept=True)
    x = np.array([0.5, -3.0, 7.0])
    cert, after = judged(Goal(1e6), p, Point(x), KEY)
    np.testing.assert_array_equal(after.x, [0.5, 0.0, 7.0])
    told = float(p.objective(np.array([0.5, 0.0, 7.0])))
    assert float(cert.value) == pytest.approx(told, rel=1e-12)


def test_problems_without_an_objective_of_x_are_refused():
    pair = bn.Bilevel(
        lambda x, y: (x - y) ** 2, lambda x, y: (y - x) ** 2, 1.0, 1.0, lower_mu=2.0
    )
    assert "lower problem" in Goal(1.0).refuses(pair)
    held = bn.Constrained(lambda x: x @ x, np.ones(2), eq=lambda x: x[0] - 1)
    assert "bn.Composite" in Goal(1.0).refuses(held)
    root = Root(lambda x: x - 1, np.ones(2))
    assert "lacks" in Goal(1.0).refuses(root)
    inclusion = bn.Inclusion(lambda z: z, np.ones(2), term=Box(0.0, 1.0))
    assert "lacks" in Goal(1.0).refuses(inclusion)
    fixed = bn.FixedPoint(lambda x: 0.5 * x, np.ones(2))
    assert "lacks" in Goal(1.0).refuses(fixed)
    for p in (pair, held, root, inclusion, fixed):
        with pytest.raises(bn.Misuse):
            bn.verify(p, p.start().x, check=Goal(1.0))


@pytest.mark.parametrize("target", [0.0, 5.0])
def test_nan_reaches_no_goal(target):
    p = exact.problem(np.eye(3), np.ones(3))
    assert not bool(certify(Goal(target), p, np.full(3, np.nan)).within(1.0))


def test_residual_is_of_the_worst_equation_in_its_unit():
    units = np.array([1e3, 1e-3])
    F = lambda x: x**2 - jnp.asarray([4.0, 9.0])  # noqa: E731
    p = Root(F, np.ones(2), scale=units)
    x = np.array([2.5, 3.0])
    cert = certify(Residual(), p, x)
    assert float(cert.value) == pytest.approx(2.25, rel=1e-12)
    assert float(cert.ratio) == pytest.approx(2.25e-3, rel=1e-12)
    # 1e-5 off is little of 1e3 and much of 1e-3.
    near = certify(Residual(), p, np.array([2.0, 3.0 + 1e-5]))
    assert float(near.ratio) == pytest.approx(6.00001e-2, rel=1e-9)
    # Absolutely: the norm of F in the declared units.
    both = certify(Residual(), p, np.array([2.5, 3.0 + 1e-6])).absolute()
    want = np.hypot(2.25e-3, 6.000001e-3)
    assert float(both.value) == pytest.approx(want, rel=1e-9)
    bare = Root(F, np.ones(2))
    assert float(certify(Residual(), bare, x).absolute().value) == pytest.approx(2.25)
    assert bool(certify(Residual(), bare, np.array([2.0, 3.0])).within(1e-9))


def test_units_are_the_terms_at_the_reference():
    """c is |F_i| + sum |dF_i/dx_j x_j|, by hand."""
    F = lambda x: jnp.stack([x[0] ** 2 - 4, 1e6 * x[0] * x[1] - 1e6])  # noqa: E731
    at = np.array([3.0, 2.0])
    p = Root(F, np.ones(2), reference=at)
    for x, scale in [
        ([2.5, 0.4], 5 + 18),
        ([2.0, 0.6], 5e6 + 2 * 6e6),
    ]:
        cert = certify(Residual(), p, np.array(x))
        assert float(cert.scale) == pytest.approx(scale, rel=1e-6)


def test_residual_is_sound_in_rational_arithmetic():
    draw = np.random.default_rng(0)
    xs = draw.normal(size=(20, 2)) * 10.0 ** draw.integers(-6, 6, (20, 1))

    def F(x):
        return jnp.stack([x[0] * x[1] - 2.0, x[0] ** 2 + x[1]])

    problem = Root(F, jnp.ones(2), scale=np.array([1.0, 0.25]))
    run = jax.jit(jax.vmap(lambda x: certify(Residual(), problem, x)))
    part = run(xs).parts[0]
    for i, (x, y) in enumerate(exact.frac(xs)):
        first, second = abs(x * y - 2), abs(x * x + y)
        value, slack, scale = (
            Fraction(float(v[i])) for v in (part.value, part.slack, part.scale)
        )
        assert (value + slack) / scale >= max(first, 4 * second)
        value, slack = (Fraction(float(v[i])) for v in part.bare)
        assert (value + slack) ** 2 >= first**2 + 16 * second**2


def test_other_kinds_are_refused():
    p = exact.problem(np.eye(3), np.ones(3))
    assert "stationarity" in Residual().refuses(p)

"""Inclusions and saddles: oracles against NumPy, inferred facts, bad input."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.point import Point

rng = np.random.default_rng(1)
M, Q = rng.standard_normal((5, 3, 3)), rng.standard_normal((5, 3))
ZERO = np.zeros(3)


def affine(z, datum):
    matrix, q = datum
    return jnp.matmul(matrix, z, precision="highest") + q


def stated(**options):
    return bn.Inclusion(affine, ZERO, (M, Q), **options)


def test_the_oracles_are_sums_of_components():
    p, z = stated(), rng.standard_normal(3)
    parts = np.einsum("nij,j->ni", M, z) + Q
    np.testing.assert_allclose(p.operator(z), parts.mean(0), rtol=1e-13)
    batch = np.array([4, 0, 4])
    np.testing.assert_allclose(p.component(z, batch), parts[batch].mean(0), rtol=1e-13)
    np.testing.assert_array_equal(p.resolvent(z, 2.0), z)
    assert p.n == 5 and p.oracles() == {"operator", "component", "resolvent"}
    np.testing.assert_allclose(p.optimality(Point(z)).x, parts.mean(0), rtol=1e-13)


def test_the_optimality_is_that_of_the_resolvent_step():
    p = stated(term=bn.Box(-1.0, 1.0), L=4.0)
    z = np.array([0.5, -1.0, 1.0])
    F = M.mean(0) @ z + Q.mean(0)
    want = z - np.clip(z - F / 4, -1, 1)
    np.testing.assert_allclose(p.optimality(Point(z)).x, want, rtol=1e-13)
    assert float(p.objective(z)) == pytest.approx(want @ want / 2)
    assert p.essential() == {"resolvent"} and not stated().essential()


def test_a_saddle_is_its_gradients_with_the_sign_of_each_player():
    A, c = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 2))

    def phi(x, y, datum):
        A, c = datum
        return jnp.sum(x**3) + x @ A @ y + c @ x - jnp.sum(jnp.cosh(y))

    x, y = np.array([0.3, -1.0]), np.array([0.1, 0.2, -0.4])
    p = bn.saddle(phi, x, y, (A, c))
    gx, gy = p.operator((x, y))
    np.testing.assert_allclose(gx, 3 * x**2 + A.mean(0) @ y + c.mean(0), rtol=1e-13)
    np.testing.assert_allclose(gy, np.sinh(y) - A.mean(0).T @ x, rtol=1e-13)
    alone = bn.saddle(lambda x, y: phi(x, y, (A[0], c[0])), x, y)
    assert alone.n == 1
    for ours, one in zip(
        alone.operator((x, y)), p.component((x, y), np.array([0])), strict=True
    ):
        np.testing.assert_allclose(ours, one, rtol=1e-13)
    assert "phi" in p.formula()


def test_facts_are_declared_or_follow_from_what_is():
    def table(**declared):
        return {k: v for k, (v, _) in stated(**declared).facts().table().items()}

    assert table() == {}
    assert table(monotone=True) == {"monotone": True}
    assert table(cocoercive_average=0.25) == {
        "monotone": True, "cocoercive": 0.25, "cocoercive_average": 0.25,
        "L": 4.0, "L_average": 4.0,
    }  # fmt: skip
    assert table(cocoercive=0.5, L=1.5)["L"] == 1.5
    # The components may be far rougher than their mean, and not monotone at all.
    assert table(L_average=3.0) == {"L_average": 3.0, "L": 3.0}
    assert "cocoercive_average" not in table(cocoercive=0.5)
    assert stated(mu=0.1).facts().says("monotone") == "monotone: declared"


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(mu=2.0, L=1.0), "exceeds L"),
        (dict(L=2.0, L_average=1.0), "declare L = L_average"),
        (dict(mu=0.9, cocoercive=1.5), "no operator has both"),
        (dict(L=-1.0), "L must be positive"),
        (dict(cocoercive=np.nan), "cocoercive must be positive"),
        (dict(term=3.0), "bn.L2Ball"),
        (dict(term=bn.Product(bn.Simplex(), bn.Simplex())), "tuple of as many parts"),
        (dict(reference=np.zeros(4)), "reference"),
    ],
)
def test_bad_facts_and_terms_are_refused(options, words):
    with pytest.raises(bn.Misuse, match=words):
        stated(**options)


@pytest.mark.parametrize(
    "build, words",
    [
        (lambda: bn.Inclusion(affine, ZERO, (M, Q[:3])), "one common leading axis"),
        (lambda: bn.Inclusion(affine, ZERO, (M, 1.0)), "one common leading axis"),
        (lambda: bn.Inclusion(affine, ZERO, (M[:0], Q[:0])), "length n >= 1"),
        (lambda: bn.Inclusion(lambda z: z[:2], ZERO), "must look like z"),
        (lambda: bn.Inclusion(lambda z: z @ z, ZERO), "bn.saddle"),
        (lambda: bn.Inclusion(None, ZERO), "must be a function"),
        (lambda: bn.Inclusion(lambda z: z, np.array([1, 2j])), "real numbers"),
        (lambda: bn.Inclusion(lambda z: z, np.array([np.nan])), "NaN or infinity"),
        (lambda: bn.saddle(3, ZERO, ZERO), "saddle needs a function"),
        (lambda: bn.saddle(lambda x, y: x * y, ZERO, ZERO), "one scalar"),
        (lambda: bn.saddle(lambda x, y: x @ y, ZERO, [1, 2, None]), "y0"),
        (lambda: bn.Product(), "Product needs terms"),
        (lambda: bn.Product(bn.Simplex(), None), "NoneType"),
    ],
)
def test_bad_input_is_refused_with_the_cure(build, words):
    with pytest.raises(bn.Misuse, match=words):
        build()


def test_without_a_constant_the_refusal_names_it():
    plain = bn.Inclusion(lambda z: z - 1, ZERO, monotone=True)
    with pytest.raises(bn.Misuse, match="declare L="):
        bn.solve(plain, "extragradient")
    # The default takes a method that needs none.
    assert bn.solve(plain).certified
    with pytest.raises(bn.Misuse, match="monotone=True"):
        bn.solve(bn.Inclusion(lambda z: z - 1, ZERO, L=1.0))


def test_a_start_outside_the_set_is_projected():
    p = bn.Inclusion(lambda z: z, np.array([3.0, 0.2]), term=bn.Box(-1.0, 1.0))
    np.testing.assert_array_equal(p.start().x, [1.0, 0.2])


def test_the_sensitivity_is_that_of_the_solution():
    p = stated(L=3.0)
    np.testing.assert_allclose(
        p.operator(ZERO + 1), M.mean(0) @ np.ones(3) + Q.mean(0), rtol=1e-13
    )

    def answer(q):
        good = bn.Inclusion(affine, ZERO, (np.eye(3)[None] * 2, q), L=2.0, mu=2.0)
        return bn.solve(good, tol=1e-10)

    result = answer(np.array([[1.0, -2.0, 3.0]]))
    np.testing.assert_allclose(result.x, [-0.5, 1.0, -1.5], rtol=1e-9)
    pulled = bn.sensitivity(result, np.array([1.0, 0.0, 2.0]))
    np.testing.assert_allclose(pulled.gradient.data[1][0], [-0.5, 0, -1.0], rtol=1e-8)


def test_solve_many_gives_a_verdict_each():
    def game(b):
        phi = lambda x, y, b: x @ y + b @ x  # noqa: E731
        start = np.zeros(2)
        return bn.saddle(phi, start, start, b[None], L=1.0, monotone=True)

    games = [game(np.array(b)) for b in ([1.0, 2.0], [-3.0, 0.0], [5.0, 0.0])]
    # The constructor refuses NaN, so this lane is spoilt afterwards.
    games[2] = eqx.tree_at(lambda p: p.data, games[2], np.full((1, 2), np.nan))
    results = bn.solve_many(games, tol=1e-6)
    assert [r.status for r in results] == ["certified", "certified", "nonfinite"]
    np.testing.assert_allclose(results[1].x[1], [3.0, 0.0], atol=1e-5)


def test_a_product_acts_part_by_part():
    term = bn.Product(bn.Simplex(2.0), bn.Box(-1.0, 3.0))
    v = (np.array([2.0, 1.0, -5.0]), np.array([7.0, -0.5]))
    x = term.project(v)
    np.testing.assert_allclose(x[0], [1.5, 0.5, 0.0], atol=1e-15)
    np.testing.assert_array_equal(x[1], [3.0, -0.5])
    away = np.hypot(np.linalg.norm(v[0] - x[0]), 4.0)
    assert float(term.violation(v)) == pytest.approx(away)
    corner = term.lmo(v)
    np.testing.assert_array_equal(corner[0], [0, 0, 2.0])
    np.testing.assert_array_equal(corner[1], [-1.0, 3.0])
    big = float(term.diameter(v))
    assert big == pytest.approx(np.sqrt(8 + 2 * 16)) and big >= np.sqrt(40)
    value, slack = term.fenchel_young(x, v, jax.tree.map(np.zeros_like, v))
    # max <v, y> - <v, x>: 2 * 2 - (3 + 0.5) and 21 + 0.5 - (21 + 0.25).
    assert float(value) == pytest.approx(0.75) and 0 < float(slack) < 1e-13
    assert "lmo" not in bn.Product(bn.Simplex(), bn.Nonnegative()).offers()
    with pytest.raises(bn.Misuse, match="Nonnegative lacks it"):
        bn.Product(bn.Simplex(), bn.Nonnegative()).lmo(v)


def test_a_race_with_a_term_refuses_the_minimisers():
    p = stated(term=bn.Box(-1.0, 1.0), L=3.0, monotone=True)
    names = ["extragradient", "scipy:L-BFGS-B", "fista", "halpern"]
    race = bn.race(p, names, max_steps=50, tol=1e-2)
    assert [r.method.card.name for r in race.runs] == ["extragradient"]
    said = {r.method: r.reason for r in race.refused}
    assert "no objective" in said["scipy:L-BFGS-B"]
    assert "cocoercive" in said["halpern"] and "fista" in said

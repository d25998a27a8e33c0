"""Bilevel problems: oracles against NumPy and differences, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.point import Point
from banach.core.tree import ravel

AS_SHIPPED = True  # a tolerance near what rounding allows

rng = np.random.default_rng(8)
M, N, K, P = 3, 7, 5, 2
A, C = rng.standard_normal((M, N, P)), rng.standard_normal((M, K, P))
B, D = rng.standard_normal((M, N)), rng.standard_normal((M, K))
X = {"p": np.array([0.3, -0.4]), "w": np.array(0.2)}
Y = rng.standard_normal((M, P))
V = rng.standard_normal((M, P))
ALL = np.arange(M)


def upper(x, y, row):
    return jnp.logaddexp(0, row[0] @ y * row[1]) + x["w"] ** 2 * jnp.sum(y**2)


def lower(x, y, row):
    return jnp.log(jnp.cosh(row[0] @ y - row[1])) + jnp.sum(jnp.exp(x["p"]) * y**2) / 2


def blocks(**more):
    return bn.Bilevel(
        upper, lower, X, Y, upper_rows=(C, D), lower_rows=(A, B), blocks=True,
        lower_strongly_convex=True, **more,
    )  # fmt: skip


def one(i):
    return bn.Bilevel(
        upper, lower, X, Y[i], upper_rows=(C[i], D[i]), lower_rows=(A[i], B[i]),
        lower_strongly_convex=True,
    )  # fmt: skip


def F(x, y):
    logits = np.einsum("mkp,mp->mk", C, y) * D
    return np.mean(np.logaddexp(0, logits)) + x["w"] ** 2 * np.mean(np.sum(y**2, 1))


def g(x, y):
    r = np.einsum("mnp,mp->mn", A, y) - B
    return np.sum(np.mean(np.log(np.cosh(r)), axis=1)) + np.sum(
        np.exp(x["p"]) * y**2 / 2
    )


def close(a, b, **more):
    np.testing.assert_allclose(ravel(a)[0], ravel(b)[0], **({"atol": 1e-12} | more))


def test_values_are_the_stated_means_and_sums():
    p = blocks()
    assert float(p.upper_value((X, Y))) == pytest.approx(F(X, Y), rel=1e-14)
    assert float(p.lower_value((X, Y))) == pytest.approx(g(X, Y), rel=1e-14)
    assert p.counts() == (M, K, N) and one(1).counts() == (1, K, N)
    singles = [float(one(i).upper_value((X, Y[i]))) for i in range(M)]
    assert float(p.objective((X, Y))) == pytest.approx(np.mean(singles))


def test_derivatives_match_differences():
    p, h = blocks(), 1e-6
    fx, fy = p.upper_grad((X, Y))
    own, across = p.lower_products((X, Y), V)
    flat, back = ravel((X, Y))

    def difference(fun):
        return np.array(
            [
                (fun(*back(flat + h * e)) - fun(*back(flat - h * e))) / (2 * h)
                for e in np.eye(flat.size)
            ]
        )

    np.testing.assert_allclose(ravel((fx, fy))[0], difference(F), atol=1e-8)
    dg = difference(lambda x, y: float(jnp.vdot(p.lower_grad((x, y)), V)))
    np.testing.assert_allclose(ravel((across, own))[0], dg, atol=1e-7)
    np.testing.assert_allclose(
        ravel(p.lower_grad((X, Y)))[0], difference(g)[3:], atol=1e-8
    )
    close(p.lower_hvp((X, Y), V), own)
    close(p.cross((X, Y), V), across)
    value, grads = p.upper_value_and_grad((X, Y))
    assert float(value) == pytest.approx(F(X, Y))
    close(grads, (fx, fy))


def test_sampling_everything_once_is_the_full_pass():
    p = blocks()
    up, lo = (np.broadcast_to(np.arange(n), (M, n)) for n in (K, N))
    fx, fy = p.sample_upper_grad((X, Y), ALL, up)
    full_x, full_y = p.upper_grad((X, Y))
    close(fx, full_x)
    close(fy, M * full_y)
    close(p.sample_lower_grad((X, Y), ALL, lo), p.lower_grad((X, Y)))
    own, across = p.sample_lower_products((X, Y), V, ALL, lo)
    close(own, p.lower_hvp((X, Y), V))
    close(jax.tree.map(lambda v: M * v, across), p.cross((X, Y), V))
    close(p.sample_lower_hvp((X, Y), V, ALL, lo), own)
    close(p.sample_cross((X, Y), V, ALL, lo), across)


def test_a_sampled_block_is_that_block_alone():
    p, some, rows = blocks(), np.array([2, 0]), np.array([[1, 1, 4], [0, 3, 2]])
    fx, fy = p.sample_upper_grad((X, Y), some, rows)
    s = p.sample_lower_grad((X, Y), some, rows)
    u, c = p.sample_lower_products((X, Y), V[:2], some, rows)
    parts, first = [], np.array([0])
    for j, i in enumerate(some):
        q, z, r = one(i), (X, Y[i]), rows[j][None]
        own = q.sample_lower_products(z, V[j][None], first, r)
        grads = q.sample_upper_grad(z, first, r), q.sample_lower_grad(z, first, r)
        parts.append((*grads[0], grads[1], *own))
    for j, (_, fy1, s1, u1, _) in enumerate(parts):
        close(fy[j], fy1[0])
        close(s[j], s1[0])
        close(u[j], u1[0])
    close(fx, jax.tree.map(lambda a, b: (a + b) / 2, parts[0][0], parts[1][0]))
    close(c, jax.tree.map(lambda a, b: (a + b) / 2, parts[0][4], parts[1][4]))
    # Rows drawn one at a time average to the full gradient.
    everyone = [p.sample_lower_grad((X, Y), ALL, np.full((M, 1), j)) for j in range(N)]
    close(np.mean(everyone, axis=0), p.lower_grad((X, Y)))


def ridge(theta=1.0):
    """Phi in closed form: y* = theta / (1 + exp(x)), F = (y - 1/3)^2 / 2 + x^2 / 20."""
    return bn.Bilevel(
        lambda x, y, t: jnp.sum((y - 1 / 3) ** 2) / 2 + jnp.sum(x**2) / 20,
        lambda x, y, t: jnp.sum((y - t) ** 2) / 2 + jnp.sum(jnp.exp(x) * y**2) / 2,
        np.zeros(1),
        np.zeros(1),
        (np.asarray(theta, float),),
        lower_mu=1.0,
        lower_L=10.0,
    )


def test_optimality_and_sensitivity_of_a_closed_form():
    def slope(x, theta=1.0):
        y = theta / (1 + np.exp(x))
        return (y - 1 / 3) * -theta * np.exp(x) / (1 + np.exp(x)) ** 2 + x / 10

    p = ridge()
    for x in (-0.7, 0.4):
        y = 1 / (1 + np.exp(x))
        out = p.optimality(Point((np.array([x]), np.array([y])))).x
        assert float(out[0][0]) == pytest.approx(slope(x), rel=1e-10)
        assert abs(float(out[1][0])) < 1e-15
    r = bn.solve(p, tol=1e-10)
    assert r.certified and abs(slope(r.x[0][0])) < 1e-10

    def root(theta):
        low, high = -3.0, 3.0
        for _ in range(200):
            mid = (low + high) / 2
            low, high = (mid, high) if slope(mid, theta) < 0 else (low, mid)
        return mid

    assert r.x[0][0] == pytest.approx(root(1.0), abs=1e-8)
    out = bn.sensitivity(r, (np.ones(1), np.zeros(1)))
    want = (root(1 + 1e-5) - root(1 - 1e-5)) / 2e-5
    assert float(out.gradient.args[0]) == pytest.approx(want, rel=1e-5)
    many = bn.solve_many([ridge(t) for t in (0.9, 1.0, 1.2)], tol=1e-10)
    got = [m.x[0][0] for m in many]
    assert all(m.certified for m in many)
    np.testing.assert_allclose(got, [root(t) for t in (0.9, 1.0, 1.2)], atol=1e-7)


def test_facts_say_how_they_are_known():
    declared = ridge().facts()
    assert declared.provenance("lower_mu") == "declared"
    assert declared.says("lower_strongly_convex") == "lower_strongly_convex: declared"
    assert float(declared.get("lower_L")) == 10.0
    assert blocks().facts().provenance("lower_L") == "estimated"
    assert not one_of(lower_strongly_convex=False).facts().has("lower_strongly_convex")


def one_of(**more):
    base = dict(
        upper=upper, lower=lower, x0=X, y0=Y, upper_rows=(C, D), lower_rows=(A, B),
        blocks=True,
    )  # fmt: skip
    return bn.Bilevel(**(base | more))


def test_a_float32_problem_stays_narrow_and_is_judged_wide():
    small = jax.tree.map(lambda v: np.asarray(v, np.float32), (X, Y, C, D, A, B))
    x, y, c, d, a, b = small
    p = one_of(x0=x, y0=y, upper_rows=(c, d), lower_rows=(a, b))
    for leaf in jax.tree.leaves((p.upper_grad((x, y)), p.lower_grad((x, y)))):
        assert leaf.dtype == np.float32
    r = bn.solve(one_of(x0=x, y0=y, upper_rows=(c, d), lower_rows=(a, b),
                        lower_strongly_convex=True), tol=1e-3)  # fmt: skip
    assert r.x[0]["p"].dtype == np.float32
    assert r.certificate.parts[0].value.dtype == np.float64


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(upper=lambda x, y, r: y), "must return one scalar for a row"),
        (dict(lower=lambda x, y, r: (1.0 * y > 0).sum()), "int|differentiated"),
        (dict(x0=np.array([1, 2j])), "x0 must hold real numbers"),
        (dict(y0=np.full((M, P), np.nan)), "y0 holds NaN"),
        (dict(lower_rows=(A, B[:2])), "same leading axes"),
        (dict(lower_rows=(A[:2], B[:2])), "lower_rows has 2 blocks and y0 has 3"),
        (dict(upper_rows=(C[:, :0], D[:, :0])), "at least one row"),
        (dict(upper_rows=(C * np.inf, D)), r"upper_rows\[0\] holds NaN or infinity"),
        (dict(y0={"a": Y, "b": np.zeros(2)}), "blocks=True needs a leading axis"),
        (dict(lower_mu=-1.0), "lower_mu must be positive"),
        (dict(lower_L=np.ones(2)), "lower_L must be one number"),
        (dict(smoothness={"cross": 1.0}), "upper_x, upper_y, cross, hess"),
        (dict(args=3.0), r"args=\(data,\)"),
    ],
)
def test_bad_input(wrong, message):
    with pytest.raises(bn.Misuse, match=message):
        one_of(**wrong)


def test_bad_smoothness_and_a_lower_problem_without_rows():
    names = ("upper_x", "upper_y", "cross", "hess")
    with pytest.raises(bn.Misuse, match="'hess'"):
        one_of(smoothness=dict.fromkeys(names, 1.0) | {"hess": -1.0})
    with pytest.raises(bn.Misuse, match="must be a function"):
        bn.Bilevel(3.0, lambda x, y: jnp.sum(y**2), np.ones(1), np.ones(1))
    p = ridge()
    assert p.counts() == (1, 1, 1)
    got = p.sample_lower_grad(p.start().x, np.array([0]), np.zeros((1, 1), int))
    np.testing.assert_allclose(got, p.lower_grad(p.start().x)[None])


def test_a_problem_for_one_level_is_refused_with_the_cure():
    smooth = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2))
    with pytest.raises(bn.Misuse, match=r"bn\.Bilevel"):
        bn.solve(smooth, "bo_rep")
    with pytest.raises(bn.Misuse, match="lower_strongly_convex"):
        bn.solve(one_of(), "bsvrb", check="hypergradient")


def test_the_lower_level_of_hypercleaning_has_the_ridge_that_it_declares():
    from banach import zoo

    p = zoo.load("bilevel:hypercleaning")
    y = rng.standard_normal((65, 10))
    none = np.full(300, -800.0)  # no row weighs anything
    np.testing.assert_allclose(p.lower_grad((none, y)), 0.01 * y, rtol=1e-12)
    np.testing.assert_allclose(p.lower_hvp((none, y), y), 0.01 * y, rtol=1e-12)
    assert float(p.lower_mu) == 0.01

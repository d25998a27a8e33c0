"""FiniteSum: inputs, oracles against NumPy, terms and their moments, the GLM view."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import at_once

import banach as bn
from banach.core import tree
from banach.core.problem import Misuse
from banach.kinds.finite_sum.problem import FiniteSum
from banach.parts import batches

RNG = np.random.default_rng(3)
N = 17
A = RNG.standard_normal((N, 3))
Y = RNG.standard_normal(N)
X = {"w": RNG.standard_normal(3), "b": np.array(0.4)}
L2 = {"w": np.array([0.1, 0.2, 0.0]), "b": np.array(0.0)}


def loss(x, d):
    a, y = d
    return jnp.cosh(a @ x["w"] + x["b"] - y)


def problem(**options):
    return FiniteSum(loss, X, (A, Y), l2=L2, **options)


def margins(x=X):
    return A @ x["w"] + x["b"] - Y


def term_gradients(x=X):
    s = np.sinh(margins(x))
    return {"w": A * s[:, None], "b": s}


def test_oracles_equal_numpy():
    p = problem()
    ridge = np.sum(L2["w"] * X["w"] ** 2) / 2
    np.testing.assert_allclose(p.terms(X), np.cosh(margins()), rtol=1e-14)
    assert float(p.value(X)) == pytest.approx(np.cosh(margins()).mean() + ridge)
    g = p.grad(X)
    want = term_gradients()
    np.testing.assert_allclose(g["w"], want["w"].mean(0) + L2["w"] * X["w"], rtol=1e-13)
    np.testing.assert_allclose(g["b"], want["b"].mean(), rtol=1e-13)
    h = 1e-6
    v = {"w": np.array([1.0, -2.0, 0.5]), "b": np.array(0.3)}
    low, high = (p.grad(tree.axpy(s * h, v, X)) for s in (-1, 1))
    slope = jax.tree.map(lambda a, b: (b - a) / (2 * h), low, high)
    for k in "wb":
        np.testing.assert_allclose(p.hvp(X, v)[k], slope[k], rtol=1e-8)
    # ravel orders b before w.
    flat = np.append(p.hvp(X, v)["b"], p.hvp(X, v)["w"])
    np.testing.assert_allclose(
        p.hess(X) @ np.array([0.3, 1, -2, 0.5]), flat, rtol=1e-12
    )


def test_every_term_is_counted_and_a_dropped_one_is_seen():
    p = problem()
    g, count = p.every_term(X)
    assert float(count) == N == p.n
    np.testing.assert_array_equal(g["w"], p.grad(X)["w"])
    half = eqx.tree_at(lambda q: q.data, p, jax.tree.map(lambda v: v[:8], p.data))
    assert float(half.every_term(X)[1]) == 8 and half.n == N


def test_stochastic_gradients_are_means_over_the_index():
    p = problem()
    g = term_gradients()
    index = np.array([3, 3, 16, 0])
    got = p.stochastic_grad(X, index)
    np.testing.assert_allclose(
        got["w"], g["w"][index].mean(0) + L2["w"] * X["w"], rtol=1e-13
    )
    mask = np.array([True, False, True, False])
    got = p.stochastic_grad(X, index, mask)
    np.testing.assert_allclose(got["b"], g["b"][[3, 16]].mean(), rtol=1e-13)
    nothing = p.stochastic_grad(X, index, np.zeros(4, bool))
    np.testing.assert_allclose(nothing["w"], L2["w"] * X["w"], rtol=1e-13)
    everything = p.stochastic_grad(X, np.arange(N))
    np.testing.assert_allclose(everything["w"], p.grad(X)["w"], rtol=1e-12)


def test_moments_equal_numpy_however_they_are_merged():
    p = problem()
    g = term_gradients()
    index = np.array([5, 1, 8, 2, 11, 0])
    whole = p.gradient_moments(X, index, np.ones(6, bool))
    assert int(whole.count) == 6
    np.testing.assert_allclose(whole.variance()["w"], g["w"][index].var(0, ddof=1))
    total = g["w"][index].var(0, ddof=1).sum() + g["b"][index].var(ddof=1)
    assert float(whole.total_variance()) == pytest.approx(total, rel=1e-12)
    kept = np.array([True, True, False, False])
    parts = [
        p.gradient_moments(X, index[:4], kept),
        p.gradient_moments(X, index[2:], np.ones(4, bool)),
    ]
    both = batches.merged(batches.merged(batches.none_of(X), parts[0]), parts[1])
    for a, b in zip(jax.tree.leaves(both), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_samples_are_terms_drawn_uniformly():
    p = problem()
    draws = np.asarray(p.sample(X, jax.random.key(0), 20_000))
    values, counts = np.unique(draws.round(12), return_counts=True)
    assert len(values) == N
    # Binomial(20000, 1/17): three and a half deviations.
    assert np.abs(counts - 20_000 / N).max() < 3.5 * np.sqrt(20_000 / N)


def test_noise_inside_terms_never_reaches_the_full_sum():
    def noisy(x, d, key):
        return loss(x, d) + jax.random.normal(key) * x["b"]

    p, plain = problem(noisy=noisy), problem()
    index = np.arange(N)
    key = jax.random.key(1)
    assert float(p.value(X)) == float(plain.value(X))
    np.testing.assert_array_equal(p.grad(X)["b"], plain.grad(X)["b"])
    one, two = (float(p.stochastic_grad(X, index, None, k)["b"]) for k in
                jax.random.split(key))  # fmt: skip
    exact = float(plain.stochastic_grad(X, index, None, key)["b"])
    assert one != two and exact == float(p.stochastic_grad(X, index)["b"])
    draws = np.asarray(jax.vmap(jax.random.normal)(jax.random.split(key, N)))
    got = float(p.stochastic_grad(X, index, None, key)["b"])
    assert got == pytest.approx(exact + draws.mean(), rel=1e-12)


def test_facts_have_their_provenance():
    assert problem().facts().table() == {"smooth": (True, "by construction")}
    p = FiniteSum(loss, X, (A, Y), l2=0.3, convex=True, L=9.0)
    table = p.facts().table()
    assert table["mu"] == (0.3, "declared") and table["L"] == (9.0, "declared")
    assert table["strongly_convex"] == (True, "declared")
    assert FiniteSum(loss, X, (A, Y), convex=True).facts().mu is None


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("which", ["logistic", "softmax", "squares", "weighted"])
def test_the_view_of_a_glm_is_the_model_over_n(which, intercept):
    labels = (Y > 0).astype(int)
    glm = {
        "logistic": lambda: bn.GLM(A, labels, bn.LogisticLoss(), bn.SquaredL2(0.7),
                                   intercept=intercept),
        "softmax": lambda: bn.GLM(A, np.arange(N) % 3, bn.SoftmaxLoss(3),
                                  bn.SquaredL2(0.7), intercept=intercept),
        "squares": lambda: bn.GLM(A, Y, bn.SquaredLoss(), intercept=intercept,
                                  offset=Y**2),
        "weighted": lambda: bn.GLM(A, Y, bn.HuberLoss(0.5),
                                   bn.SquaredL2(np.arange(3.0)),
                                   sample_weight=Y**2, intercept=intercept),
    }[which]()  # fmt: skip
    view = glm.as_finite_sum()
    x = RNG.standard_normal(glm.space().shape)
    (value, g), (whole, whole_g) = at_once(
        lambda x: [(p.value(x), p.grad(x)) for p in (view, glm)], x
    )
    assert float(value) == pytest.approx(float(whole) / N, rel=1e-12)
    np.testing.assert_allclose(g, whole_g / N, rtol=1e-10, atol=1e-13)
    assert view.facts().provenance("L") == "by construction"
    assert float(view.facts().L) == pytest.approx(float(glm.facts().L) / N)
    # In natural units both checks read the same norm, but for the n.
    norms = [
        float(bn.solve(p, "gradient_descent", start=x, check=c, max_steps=0,
                       tol=bn.Absolute(1e-6)).certificate.parts[0].value)
        for p, c in ((glm, "stationarity"), (view, "full_sum"))
    ]  # fmt: skip
    assert norms[0] == pytest.approx(N * norms[1], rel=1e-6)


def test_a_term_that_is_not_smooth_has_no_such_view():
    with pytest.raises(Misuse, match="L1 is not one"):
        bn.Lasso(A, Y, 0.1).as_finite_sum()
    with pytest.raises(Misuse, match="FiniteSum"):
        bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2)).as_finite_sum()


def test_methods_on_sums_say_how_to_state_one():
    with pytest.raises(Misuse, match="as_finite_sum"):
        bn.solve("rosenbrock", "sgd")


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        ((A, Y[:5]), {}, "rows"),
        ((A[:0], Y[:0]), {}, "no rows"),
        ((), {}, "no arrays"),
        ((A, np.float64(2.0)), {}, "single number"),
        ((np.where(A > 2, np.nan, A) * np.nan, Y), {}, "NaN"),
        ((A, Y), {"l2": -1.0}, "l2 must be nonnegative and finite"),
        ((A, Y), {"l2": np.ones(3)}, "structure of x0"),
        ((A, Y), {"l2": {"w": np.ones(4), "b": np.array(1.0)}}, "structure of x0"),
        ((A, Y), {"L": -2.0}, "L must be positive"),
        ((A, Y), {"reference": {"w": np.ones(2), "b": np.array(0.0)}}, "reference"),
    ],
)
def test_bad_input_is_refused_with_the_cure(data, options, says):
    with pytest.raises(Misuse, match=says):
        FiniteSum(loss, X, data, **options)


def test_a_loss_of_the_whole_batch_is_refused():
    with pytest.raises(Misuse, match="one scalar"):
        FiniteSum(lambda x, d: d[0] * x["w"], X, (A, Y))


def test_float32_stays_and_is_judged_in_float64():
    small = jax.tree.map(lambda v: np.asarray(v, np.float32), (X, (A, Y)))
    p = FiniteSum(loss, *small, l2=0.1, convex=True)
    assert p.grad(small[0])["w"].dtype == np.float32
    r = bn.solve(p, tol=1e-4)
    assert r.certified and r.x["w"].dtype == np.float32
    assert r.certificate.parts[0].value.dtype == np.float64

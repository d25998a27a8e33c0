"""Krawczyk's test: what it proves, and what it must refuse."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from banach.checks.interval import Interval, NoEnclosure, interval_function, krawczyk


def newton(F, x, steps=25):
    slope = jax.jit(jax.jacfwd(F))
    for _ in range(steps):
        x = x - jnp.linalg.solve(slope(x), F(x))
    return np.asarray(x)


def logistic_loss(d=5, n=40):
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(n, d)), np.sign(rng.normal(size=n))

    def loss(w):
        return jnp.mean(jax.nn.softplus(-y * (A @ w))) + 0.05 * jnp.sum(w**2)

    return loss


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def test_square_root_of_two_is_inside():
    e = krawczyk(lambda x: x**2 - 2, np.array([1.4142135623730951]))
    assert e.verified and e.value < 1e-15
    assert Fraction(e.lower[0]) ** 2 < 2 < Fraction(e.upper[0]) ** 2


def test_value_bounds_the_distance_to_a_displaced_root():
    for shift in (1e-3, -1e-6, 1e-9):
        e = krawczyk(lambda x: x**2 - 2, np.array([np.sqrt(2) + shift]))
        assert e.verified
        assert abs(shift) <= e.value <= 1.01 * abs(shift) + 1e-14


def test_pytree_system_with_rational_root():
    def F(z):
        x, y = z["x"], z["y"]
        return {"u": 3 * x + y - 1, "v": x * y}

    e = krawczyk(F, {"x": np.array([1 / 3, 0.0]), "y": np.array([1e-17, 1.0])})
    assert e.verified
    for lo, hi, root in zip(e.lower, e.upper, (Fraction(1, 3), 0, 0, 1), strict=True):
        assert Fraction(lo) <= root <= Fraction(hi)


def test_logistic_regression_is_enclosed_tightly():
    F = jax.grad(logistic_loss())
    w = newton(F, jnp.zeros(5))
    e = krawczyk(F, w, definite=True)
    assert e.verified and e.strict_minimiser and e.value < 1e-12
    H = interval_function(jax.jacfwd(F))(Interval(w, w))
    assert np.max(H.hi - H.lo) < 1e-12
    computed = np.asarray(jax.jacfwd(F)(w))
    assert ((H.lo <= computed) & (computed <= H.hi)).mean() > 0.9
    moved = krawczyk(F, w + 1e-3)
    assert not moved.verified or moved.value >= 1e-3


REFUSED = {
    "double root": (lambda x: x**2, [1e-9]),
    "double root at it": (lambda x: (x - 1) ** 2, [1.0]),
    "nearly a root": (lambda x: x**2 + 1e-20, [1e-9]),
    "no root": (lambda x: jnp.exp(x) + 1e-3, [-5.0]),
    "no root near": (lambda x: jnp.cos(x) + 1.5, [3.0]),
    "not finite": (lambda x: x - 1, [np.nan]),
    "singular": (lambda x: 0 * x, [1.0]),
    "triple": (lambda x: x**3, [1e-5]),
    "jump across zero": (lambda x: x - 0.5 + jnp.where(x >= 0.5, 1e-12, -1e-12), [0.5]),
    "sign": (lambda x: x + 1e-12 * jnp.sign(x - 1e-13) + 1e-13, [0.0]),
    "cast of a comparison": (lambda x: x - 1e-12 * (x < 0) + 1e-13, [0.0]),
    "floor": (lambda x: x + 1e-12 * jnp.floor(x) + 5e-13, [-4e-13]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    F, x = REFUSED[name]
    e = krawczyk(F, np.array(x))
    assert not e.verified and e.reason and np.isinf(e.value)
    assert np.isnan(e.lower).all()


def test_nan_data_and_nan_results_are_refused():
    data = np.array([1.0, np.nan])
    assert not krawczyk(lambda x: x - data, np.ones(2)).verified
    assert not krawczyk(lambda x: jnp.log(x - 2), np.ones(1)).verified


def test_false_derivatives_are_not_believed():
    @jax.custom_jvp
    def liar(x):
        return x**2

    liar.defjvp(lambda p, t: (p[0] ** 2, 1e3 * t[0]))
    e = krawczyk(lambda x: liar(x), np.array([1e-9]))
    assert not e.verified
    e = krawczyk(lambda x: lax.stop_gradient(x) ** 2 + 5 * (x - x), np.array([1e-9]))
    assert not e.verified
    # Half of the slope hidden: the true derivative at the root 1 is 2, not 1.
    e = krawczyk(lambda x: lax.stop_gradient(x) * x - 1, np.array([1 + 1e-6]))
    assert e.verified and 1e-6 <= e.value < 1.01e-6


def test_shift_that_matters_is_not_dropped():
    # exp(x - m) alone depends on m = max(x); its derivative is not what JAX says.
    def F(x):
        m = lax.stop_gradient(jnp.max(x))
        return jnp.exp(x - m) - jnp.array([1.0, 0.5]) + 1e-3 * (x - 1)

    root = np.array(
        [
            1.0,
            newton(
                lambda y: jnp.exp(y - 1) - 0.5 + 1e-3 * (y - 1),
                jnp.array([0.3])[:, None][0],
            )[0],
        ]
    )
    e = krawczyk(F, root)
    assert e.verified
    e = krawczyk(F, root + np.array([1e-4, 0.0]))
    assert not e.verified or e.value >= 1e-4


def test_logsumexp_softmax_and_softplus_systems():
    rng = np.random.default_rng(3)
    B = rng.normal(size=(6, 3))

    def loss(w):
        return jax.nn.logsumexp(B @ w) + 0.5 * jnp.sum((w - 1) ** 2)

    G = jax.grad(loss)
    e = krawczyk(G, newton(G, jnp.zeros(3)), definite=True)
    assert e.verified and e.strict_minimiser and e.value < 1e-12

    def rows(w):
        z = jnp.stack([B @ w, 0.1 * jnp.sin(B @ w)], 1)
        return jnp.sum(jax.nn.log_softmax(z, axis=1)[:, 0]) - 2 * jnp.sum(w**2)

    G = jax.grad(rows)
    e = krawczyk(G, newton(G, jnp.zeros(3)))
    assert e.verified and e.value < 1e-12
    # A tie of the maximum, where a differentiated maximum would be a wide hull.
    e = krawczyk(lambda x: x - 0.5 * jax.nn.softmax(x) + 1 / 6, np.zeros(3))
    assert e.verified and e.value < 1e-14


def test_kinks_inside_the_box_are_allowed_when_continuous():
    e = krawczyk(lambda x: 2 * jnp.maximum(x, 0.0) + x, np.zeros(1))
    assert e.verified and e.lower[0] <= 0 <= e.upper[0]
    e = krawczyk(lambda x: jnp.abs(x) - x, np.zeros(1))
    assert not e.verified

    def complementarity(z):
        return jnp.minimum(z, jnp.array([[2.0, 1], [1, 3]]) @ z - 1)

    e = krawczyk(complementarity, np.array([0.4, 0.2]))
    assert e.verified and e.value < 1e-14


def test_strict_minimiser_but_not_a_saddle():
    G = jax.grad(rosenbrock)
    e = krawczyk(G, np.ones(2), definite=True)
    assert e.verified and e.strict_minimiser and e.value < 1e-12
    saddle = jax.grad(lambda x: x[0] ** 2 - x[1] ** 2 + x[0] ** 3)
    e = krawczyk(saddle, np.zeros(2), definite=True)
    assert e.verified and not e.strict_minimiser and "definite" in e.reason
    e = krawczyk(
        lambda x: jnp.array([x[0] + x[1], x[1] - x[0]]), np.zeros(2), definite=True
    )
    assert e.verified and not e.strict_minimiser and "symmetric" in e.reason
    assert not krawczyk(G, np.ones(2)).strict_minimiser


def test_definiteness_is_never_proved_of_an_indefinite_matrix():
    rng = np.random.default_rng(5)
    for _ in range(30):
        n = int(rng.integers(2, 8))
        Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
        bottom = rng.choice([-1, 0]) * 10.0 ** rng.uniform(-14, -3)
        H = (Q * np.concatenate([[bottom], rng.uniform(0.5, 2, n - 1)])) @ Q.T
        H = (H + H.T) / 2
        e = krawczyk(lambda x, H=H: H @ x, np.zeros(n), definite=True)
        # Exact determinant sign: an LDL' elimination in rationals.
        M = [[Fraction(v) for v in row] for row in H]
        positive = True
        for k in range(n):
            positive &= M[k][k] > 0
            if not positive:
                break
            for i in range(k + 1, n):
                r = M[i][k] / M[k][k]
                M[i] = [a - r * b for a, b in zip(M[i], M[k], strict=True)]
        assert not (e.strict_minimiser and not positive)


def test_shape_size_and_type_are_checked():
    with pytest.raises(NoEnclosure, match="square"):
        krawczyk(lambda x: x[:1], np.zeros(2))
    with pytest.raises(NoEnclosure, match="1 to 200"):
        krawczyk(lambda x: x, np.zeros(201))
    with pytest.raises(NoEnclosure, match="floating"):
        krawczyk(lambda x: x, np.zeros(2, int))
    with pytest.raises(NoEnclosure, match="primitive sort"):
        krawczyk(lambda x: jnp.sort(x), np.zeros(2))


def test_hundred_unknowns():
    n = 100

    def F(x):
        left = jnp.concatenate([jnp.zeros(1), x[:-1]])
        right = jnp.concatenate([x[1:], jnp.zeros(1)])
        return 2 * x - left - right + 0.01 * jnp.exp(x) - 0.02

    e = krawczyk(F, newton(F, jnp.zeros(n), 8), definite=True)
    assert e.verified and e.strict_minimiser and e.value < 1e-10


def test_scan_and_double_backward_programs():
    def rolled(x):
        def step(c, _):
            return c + 0.1 * jnp.sin(c * x), None

        return jnp.sum(lax.scan(step, x, length=5)[0] ** 2) + jnp.sum((x - 1) ** 2)

    G = jax.grad(rolled)
    e = krawczyk(G, newton(G, jnp.full(3, 0.5)), definite=True)
    assert e.verified and e.strict_minimiser and e.value < 1e-12

"""Running error bounds: they hold against float64, and are not absurdly loose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from banach.checks.rounding import perturbed, supported, with_error

RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def check(fun, *args, loosest=np.inf):
    """Run in float32, compare with float64; return the ratios bound / error."""
    value, bound = jax.jit(lambda *a: with_error(fun)(*a))(*args)
    wide = jax.tree.map(
        lambda v: jnp.asarray(v, float) if jnp.asarray(v).dtype == np.float32 else v,
        args,
    )
    exact = jax.jit(fun)(*wide)
    ratios = []
    for v, b, t in zip(*map(jax.tree.leaves, (value, bound, exact)), strict=True):
        assert v.shape == b.shape == t.shape
        if v.dtype != np.float32:
            assert np.all((np.asarray(v) == np.asarray(t)) | np.asarray(b))
            continue
        assert b.dtype == v.dtype
        wrong = np.abs(np.asarray(v, float) - np.asarray(t))
        bad = ~(wrong <= np.asarray(b, float))
        assert not bad.any(), (np.max(wrong), np.asarray(b)[bad])
        size = np.maximum(wrong, 2.0**-24 * np.abs(np.asarray(t)))
        keep = np.asarray(size > 0)
        ratios += (np.asarray(b, float)[keep] / size[keep]).ravel().tolist()
    assert not ratios or np.median(ratios) < loosest
    return ratios


def logistic(data, w):
    A, y = data
    return jnp.mean(jax.nn.softplus(-y * (A @ w))) + 0.0625 * jnp.sum(w**2)


def factorisation(Y, z):
    U, V = z
    return 0.5 * jnp.sum((U @ V.T - Y) ** 2) + 0.125 * (jnp.sum(U**2) + jnp.sum(V**2))


def mlp(data, params):
    X, labels = data
    for W, b in params[:-1]:
        X = jnp.tanh(X @ W + b)
    W, b = params[-1]
    logp = jax.nn.log_softmax(jax.nn.relu(X) @ W + b, axis=1)
    return -jnp.mean(jnp.take_along_axis(logp, labels[:, None], axis=1))


def rosenbrock(_, x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def offset(data, w):
    A, y = data
    return 0.5 * jnp.mean((A @ w - (y + 1e6)) ** 2)


def attention(X, W):
    Q = X @ W
    return jnp.sum(jax.nn.softmax(Q @ Q.T, axis=1) @ X)


def hinge(data, w):
    A, y = data
    return jnp.mean(jnp.maximum(0.0, 1 - y * (A @ w))) + jnp.max(jnp.abs(w))


def signs(n):
    return np.sign(normal(n))


OBJECTIVES = {
    "logistic": (logistic, lambda: ((normal(30, 5), signs(30)), normal(5))),
    "factorisation": (
        factorisation,
        lambda: (normal(8, 6), (normal(8, 2), normal(6, 2))),
    ),
    "mlp": (
        mlp,
        lambda: (
            (normal(10, 4), RNG.integers(0, 3, 10)),
            [(normal(4, 5), normal(5)), (normal(5, 3), normal(3))],
        ),
    ),
    "rosenbrock": (rosenbrock, lambda: (0, normal(6))),
    "offset": (offset, lambda: ((normal(20, 4), normal(20)), normal(4))),
    "attention": (attention, lambda: (normal(5, 3), normal(3, 3))),
    "hinge": (hinge, lambda: ((normal(30, 5), signs(30)), normal(5))),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_and_gradients(name):
    f, draw = OBJECTIVES[name]
    ratios = []
    for _ in range(5):
        args = draw()
        ratios += check(f, *args)
        ratios += check(jax.grad(f, argnums=1), *args)
    print(name, "median ratio", np.median(ratios))
    assert np.median(ratios) < 1e4


X = normal(6, 5)
POSITIVE = np.abs(X) + np.float32(0.25)
SMALL = np.float32(0.9) * X / np.abs(X).max()
TABLE = np.array([2, 0, 2, 5])

OPERATIONS = {
    "exp": (lambda x: jnp.exp(x * x), X),
    "logs": (lambda x: jnp.log(x * x) + jnp.log1p(x) + jnp.log2(x + 1), POSITIVE),
    "roots": (lambda x: jnp.sqrt(x * x + x) + lax.rsqrt(x + x) + jnp.cbrt(x), POSITIVE),
    "trigonometric": (lambda x: jnp.sin(9 * x) * jnp.cos(x) + jnp.tan(x / 4), X),
    "inverse": (lambda x: jnp.arctan(x + x) + jnp.arcsin(x * x) + jnp.arccos(x), SMALL),
    "hyperbolic": (lambda x: jnp.sinh(x) + jnp.cosh(x) + jnp.arcsinh(x) + x, X),
    "areas": (lambda x: jnp.arctanh(x * x) + jnp.arccosh(2 + x), SMALL),
    "sigmoids": (lambda x: jax.nn.sigmoid(30 * x) + jnp.tanh(x) + jnp.expm1(x), X),
    "erf": (lambda x: jax.scipy.special.erf(x * x), X),
    "powers": (lambda x: (x * x) ** 1.7 + (x + x) ** 5 + x**-3, POSITIVE),
    "power of both": (lambda x: x ** (x * x), POSITIVE),
    "quotient": (lambda x: (x - 3) / (x * x + 0.5), X),
    "cancellation": (lambda x: (x * x + 1e4 * jnp.cos(x)) - 1e4 * jnp.cos(x), X),
    "prod": (lambda x: jnp.prod(x * x, axis=1), X),
    "cumulative": (lambda x: jnp.cumsum(x * x, 1) + jnp.cumprod(x + 1, 0), X),
    "cummax": (lambda x: lax.cummax(x * x, axis=0) - lax.cummin(x * x, axis=1), X),
    "maxima": (lambda x: jnp.max(x * x, 0) + jnp.minimum(x * 3, x * x)[0], X),
    "sort": (lambda x: jnp.sort(x * x, axis=1), X),
    "argsort": (lambda x: (x * x)[jnp.argsort(x[:, 0] * x[:, 1])], X),
    "argmax": (lambda x: jnp.argmax(x * x, axis=1), X),
    "median": (lambda x: jnp.median(x * x, axis=0), X),
    "branch": (lambda x: jnp.where(x * x > 1, x * 3, x - 3), X),
    "sign": (lambda x: jnp.sign(x * 3 - 1) + jnp.floor(x * 7), X),
    "logic": (lambda x: jnp.any(x * 3 > 2, 0) & ~jnp.all(x * 3 > -9, 0), X),
    "gather": (lambda x: (x * x)[TABLE] + (x * 3)[:4], X),
    "scatter": (lambda x: (x * x).at[TABLE].add(x[:4] * 3).at[1].set(x[0] * x[0]), X),
    "scatter max": (lambda x: (x * x).at[TABLE].max(x[:4] * 3), X),
    "slices": (lambda x: lax.dynamic_update_slice(x * x, x[:2, :2] * 3, (1, 2)), X),
    "moves": (lambda x: jnp.pad(jnp.stack([x * x, x])[::-1], 1).transpose(2, 0, 1), X),
    "norm": (lambda x: jnp.linalg.norm(x) + jnp.var(x) + jax.nn.logsumexp(x * 9), X),
    "casts": (lambda x: (x * 3).astype(int) + (x > 0) * x, X),
    "remainder": (lambda x: jnp.mod(x * x, 0.5), X),
    "clip": (lambda x: jnp.clip(x * x, 0.5, 1.0) + jnp.abs(x * 3), X),
    "scan": (lambda x: lax.scan(lambda c, r: (c * r + r, c @ r), x[0], x), X),
    "fori": (lambda x: lax.fori_loop(0, 5, lambda i, c: c + i * jnp.sin(c), x), X),
    "while": (
        lambda x: lax.while_loop(
            lambda c: c[1] < 4, lambda c: (c[0] / 3, c[1] + 1), (x, 0)
        ),
        X,
    ),
    "cond": (lambda x: lax.cond(x[0, 0] * 3 > 0, jnp.sin, jnp.cos, x), X),
    "vmapped cond": (
        lambda x: jax.vmap(lambda r: lax.cond(r[0] * 3 > 0, jnp.sin, jnp.cos, r))(x),
        X,
    ),
    "conv": (lambda x: jnp.convolve(x[0] * x[1], x[2], mode="same"), X),
    "checkpoint": (jax.grad(lambda x: jnp.sum(jax.checkpoint(jnp.sin)(x * x))), X),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name):
    f, x = OPERATIONS[name]
    assert supported(jax.make_jaxpr(f)(x))
    check(f, x, loosest=1e4)


def program(seed):
    rng = np.random.default_rng(seed)
    steps = [
        lambda v: jnp.tanh(v),
        lambda v: v * jnp.roll(v, 1),
        lambda v: jnp.exp(-v * v),
        lambda v: v / (2 + jnp.sin(v)),
        lambda v: jnp.abs(v) - 0.25,
        lambda v: jax.nn.relu(v) * v,
        lambda v: jnp.cumsum(v),
        lambda v: jax.nn.softmax(v),
        lambda v: jnp.log1p(v**2),
        lambda v: v @ jnp.outer(v, jnp.arange(5.0, dtype=v.dtype)),
        lambda v: v.at[jnp.array([0, 0, 3])].add(v[:3]),
        lambda v: jnp.logaddexp(v, 0.5),
    ]
    picked = rng.integers(0, len(steps), 6)

    def run(x):
        for i in picked:
            x = steps[i](x)
        return jnp.sum(x)

    return run


def test_random_programs_and_their_gradients():
    ratios = []
    for seed in range(12):
        f = program(seed)
        ratios += check(f, normal(5))
        ratios += check(jax.grad(f), normal(5))
    print("median ratio", np.median(ratios))
    assert np.median(ratios) < 1e4


def test_uncertain_choices_are_charged():
    x = np.float32(1) / np.float32(3)

    def jump(x):
        return jnp.where(x * 3 - 1 > 0, 5.0, 1.0)

    value, bound = with_error(jump)(x)
    assert bound >= 4
    value, bound = with_error(jump)(np.float32(0.5))
    assert (value, bound) == (5, 0) or bound < 1e-30
    value, bound = with_error(lambda x: jnp.arange(3.0)[jnp.argmax(x * x)])(
        jnp.array([1.0, -1.0, 0.5])
    )
    assert np.isinf(bound)
    value, bound = with_error(jax.grad(lambda x: jnp.max(x * x)))(
        jnp.array([1.0, 2.0, 0.5])
    )
    assert value[1] == 4 and bound[1] < 1e-14
    _, bound = with_error(lambda x: x / (x * 3 - 1))(x)
    assert np.isinf(bound)


def test_input_errors_are_propagated():
    x, e = normal(40), np.float32(1e-3) * np.abs(normal(40))

    def f(x):
        return jnp.sin(x) * jnp.exp(x) / (2 + x * x)

    value, bound = with_error(f)(x, errors=(e,))
    for _ in range(5):
        other = f(x.astype(float) + e * RNG.uniform(-1, 1, 40))
        assert np.all(np.abs(value - other) <= bound)
    assert np.max(bound) < 1e-2
    with pytest.raises(ValueError, match="errors has 2 leaves"):
        with_error(f)(x, errors=(e, e))


def test_vmap_and_jit_agree_with_single_runs():
    A, Y = normal(3, 20, 4), np.sign(normal(3, 20))
    W = normal(3, 4)
    run = with_error(jax.grad(logistic, argnums=1))
    value, bound = jax.jit(jax.vmap(run))((A, Y), W)
    for i in range(3):
        one, b = run((A[i], Y[i]), W[i])
        np.testing.assert_allclose(value[i], one, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(bound[i], b, rtol=1e-3)


def test_double_precision_bounds_hold_in_extended_precision():
    A, x = RNG.normal(size=(50, 40)), RNG.normal(size=40)
    value, bound = with_error(lambda A, x: jnp.sum((A @ x) ** 2) - 1e3)(A, x)
    exact = np.sum((A.astype(np.longdouble) @ x.astype(np.longdouble)) ** 2) - 1000
    assert abs(np.longdouble(float(value)) - exact) <= float(bound) < 1e-9


def test_what_is_not_supported_says_so():
    def solve(x):
        return jnp.linalg.solve(x @ x.T, x[:, 0])

    assert not supported(jax.make_jaxpr(solve)(jnp.eye(3)))
    assert not supported(jax.make_jaxpr(jax.jit(jnp.linalg.cholesky))(jnp.eye(3)))
    nested = jax.make_jaxpr(
        lambda x: lax.scan(lambda c, _: (solve(c) * c, None), x, length=2)[0]
    )(jnp.eye(3))
    assert not supported(nested)
    with pytest.raises(NotImplementedError, match="perturbed"):
        with_error(solve)(jnp.eye(3))


def test_perturbation_covers_the_error_of_an_ill_conditioned_solve():
    n = 6
    H = (1 / (np.arange(n)[:, None] + np.arange(n) + 1)).astype(np.float32)
    b = normal(n)

    def solve(problem, x):
        return jnp.linalg.solve(problem["H"], problem["b"]) - x

    x = np.zeros(n, np.float32)
    value, spread = perturbed(solve, jax.random.key(0), {"H": H, "b": b}, x)
    exact = np.linalg.solve(H.astype(float), b.astype(float))
    assert value.dtype == spread.dtype == np.float32
    assert np.all(np.abs(value - exact) <= spread)
    value, spread = perturbed(lambda k, v: (k * v, k), jax.random.key(1), 3, x)
    assert np.all(spread[0] == 0) and spread[1] == 0


@pytest.mark.parametrize("fun, exact", [(jnp.log1p, np.log1p), (jnp.tanh, np.tanh)])
def test_the_modelled_error_covers_what_the_compiler_does(fun, exact):
    """XLA's float64 log1p errs by some 240 units on a CPU: more than any libm."""
    t = np.linspace(-0.49, 0.49, 20001)
    value, error = jax.jit(with_error(fun))(t)
    truth = exact(t.astype(np.longdouble))
    assert np.all(
        np.abs(np.asarray(value).astype(np.longdouble) - truth) <= np.asarray(error)
    )


def test_the_estimate_moves_complex_data_in_both_parts():
    c = np.array([1 + 1e-3j, 3.0 + 0j])
    value, spread = perturbed(
        lambda z: (jnp.sum(z.real), jnp.sum(z.imag)), jax.random.key(3), c
    )
    assert float(value[0]) == 4.0
    assert 0 < float(spread[0]) < 1e-13
    assert 0 < float(spread[1]) < 1e-16  # ulps of 1e-3; the exact zero stays


def test_indices_computed_in_floats_over_several_steps_are_exact():
    def picked(x):
        at = (2 * jnp.arange(3.0) + jnp.array([1.0, 2.0, 3.0]) - 1).astype(jnp.int32)
        return jnp.sin(x[at]) * 3

    x = jnp.linspace(0.1, 2.0, 8)
    _, error = with_error(picked)(x)
    assert jnp.all(error < 1e-14) and jnp.all(error > 0)
    # Where the number that is cut off is rounded, the index may be another.
    _, error = with_error(lambda x: x[(x[:3] * 0.1 + 0.2).astype(jnp.int32)])(x)
    assert jnp.all(jnp.isfinite(error))
    _, error = with_error(lambda x: x[(x[:3] * 0 + 1.1 - 0.1).astype(jnp.int32)])(x)
    assert not jnp.any(jnp.isfinite(error))


def test_indices_made_of_whole_floats_are_exact():
    """2 j + q - 1 in floats, q data: rounding must not make the index unsure."""
    x = jnp.linspace(0.1, 0.9, 6)

    def seen(fun, q):
        # Data are traced, as they are in a run.
        return jax.jit(lambda q: with_error(lambda x: fun(x, q))(x))(q)

    def whole(x, q):
        at = (2 * jnp.arange(2.0)[:, None] + q - 1).astype(jnp.int32)
        return jnp.sum(jnp.sin(x[at]) * at)

    value, error = seen(whole, jnp.array([1.0, 2.0, 3.0]))
    want = sum(np.sin(float(x[2 * j + k])) * (2 * j + k) for j in range(2)
               for k in range(3))  # fmt: skip
    assert abs(float(value) - want) <= float(error) < 1e-13

    def sums(x, q):
        return x[(q[:2] + q[1:]).astype(jnp.int32)]

    # 0.5 + 1.5 may be rounded, and nobody knows on which side of 2 it falls.
    assert np.isfinite(seen(sums, jnp.array([1.0, 2.0, 1.0]))[1]).all()
    error = seen(sums, jnp.array([0.25, 0.5, 1.5]))[1]
    assert error[1] > 1e-3


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("first", [1.0, 5.0])
def test_a_choice_that_rounding_decides_is_as_far_off_as_the_other_case(sign, first):
    """(x + y) - y - x is not 0 in float32: whichever case is taken, it may be wrong."""

    def fun(x, y):
        return jnp.where(sign * ((x + y) - y - x) > 0, first, 6 - first)

    _, bound = jax.jit(with_error(fun))(np.float32(0.3), np.float32(1))
    assert float(bound) >= 4


@pytest.mark.parametrize("whole", [jnp.any, jnp.all, jnp.sum])
def test_what_is_gathered_from_choices_of_rounding_is_as_unsure(whole):
    """One of three comparisons may go either way, and with it what all of them say."""

    def fun(x, y):
        signs = jnp.stack([jnp.abs((x + y) - y - x), x, -x]) > jnp.stack([0 * x, y, y])
        return jnp.where(whole(signs) > 0, 1.0, 5.0), whole(signs)

    _, (bound, unsure) = jax.jit(with_error(fun))(np.float32(0.3), np.float32(1))
    assert float(bound) >= 4 or whole is jnp.all
    assert bool(unsure) or whole is jnp.all


def test_roots_of_what_nearly_cancels_are_charged_at_their_steepest():
    """x^0.5 of a difference: its slope is largest at the lower end of the error."""
    x, y = np.float32(0.3), np.float32(1)

    def near(x, y):
        return (x + y) - y - x + 3e-7  # wrong by several 1e-8: a fifth of its size

    _, off = jax.jit(with_error(near))(x, y)
    value, bound = jax.jit(with_error(lambda x, y, p: near(x, y) ** p))(
        x, y, np.float32(0.5)
    )
    base = float(value) ** 2
    assert 0.05 * base < float(off) < base
    assert float(bound) >= float(value) - np.sqrt(base - float(off))

"""Interval evaluation: containment against exact and extended-precision values."""

import importlib.util
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from banach.checks.interval import Interval, NoEnclosure, interval_function
from banach.checks.interval import arithmetic as ar

RNG = np.random.default_rng(7)
LONG = np.longdouble


def boxes(low, high, n=400, width=None):
    """Random boxes: thin, narrow and wide ones."""
    a = RNG.uniform(low, high, n)
    w = 10.0 ** RNG.uniform(-16, 0.5, n) * (RNG.random(n) > 0.1)
    b = np.minimum(a + (w if width is None else width), high)
    return Interval(a, b)


def samples(box, count=9):
    """Points of each box, its ends included."""
    t = np.concatenate([[0.0, 1.0], RNG.random(count - 2)])[:, None]
    p = box.lo + t * (box.hi - box.lo)
    return np.clip(p, box.lo, box.hi)


def erf_series(x):
    term, out = x.copy(), x.copy()
    for n in range(1, 120):
        term = -term * x * x / LONG(n)
        out = out + term / LONG(2 * n + 1)
    return out * 2 / np.sqrt(np.arctan(LONG(1)) * 4)


ELEMENTWISE = {
    "exp": (jnp.exp, np.exp, -20, 20),
    "exp2": (jnp.exp2, np.exp2, -20, 20),
    "expm1": (jnp.expm1, np.expm1, -5, 5),
    "log": (jnp.log, np.log, 1e-6, 9),
    "log1p": (jnp.log1p, np.log1p, -0.9, 9),
    "tanh": (jnp.tanh, np.tanh, -6, 6),
    "logistic": (jax.nn.sigmoid, lambda x: 1 / (1 + np.exp(-x)), -40, 40),
    "sin": (jnp.sin, np.sin, -30, 30),
    "cos": (jnp.cos, np.cos, -30, 30),
    "atan": (jnp.arctan, np.arctan, -9, 9),
    "asin": (jnp.arcsin, np.arcsin, -1, 1),
    "acos": (jnp.arccos, np.arccos, -1, 1),
    "sinh": (jnp.sinh, np.sinh, -4, 4),
    "cosh": (jnp.cosh, np.cosh, -4, 4),
    "asinh": (jnp.arcsinh, np.arcsinh, -9, 9),
    "acosh": (jnp.arccosh, np.arccosh, 1, 9),
    "atanh": (jnp.arctanh, np.arctanh, -0.9, 0.9),
    "cbrt": (jnp.cbrt, np.cbrt, -9, 9),
    "erf": (jax.scipy.special.erf, erf_series, -2, 2),
    "sqrt": (jnp.sqrt, np.sqrt, 0, 9),
    "rsqrt": (lax.rsqrt, lambda x: 1 / np.sqrt(x), 0.1, 9),
    "pow 2.5": (lambda x: x**2.5, lambda x: x**2 * np.sqrt(x), 0.1, 9),
    "pow 0.3": (lambda x: x**0.3, lambda x: x ** LONG(0.3), 0.1, 9),
    "softplus": (jax.nn.softplus, lambda x: np.logaddexp(x, LONG(0)), -30, 30),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementary_functions_contain_extended_precision_values(name):
    f, reference, low, high = ELEMENTWISE[name]
    box = boxes(low, high)
    out = interval_function(f)(box)
    truth = reference(samples(box).astype(LONG))
    assert np.all(out.lo.astype(LONG) <= truth)
    assert np.all(truth <= out.hi.astype(LONG))
    thin = interval_function(f)(ar.point(box.lo))
    size = np.maximum(np.abs(thin.lo), 1e-3)
    assert np.max((thin.hi - thin.lo) / size) < 1e-14


def test_tangent_between_poles_and_across_one():
    a = RNG.uniform(-1.5, 1.4, 200)
    k = RNG.integers(-3, 4, 200) * np.pi
    box = Interval(a + k, np.minimum(a + 0.1, 1.5) + k)
    out = interval_function(jnp.tan)(box)
    truth = np.tan(samples(box).astype(LONG))
    assert np.all((out.lo <= truth) & (truth <= out.hi))
    with pytest.raises(NoEnclosure, match="pole"):
        interval_function(jnp.tan)(Interval([1.5], [1.6]))


RATIONAL = {
    "add": (lambda x, y: x + y, lambda x, y: x + y),
    "sub": (lambda x, y: x - y, lambda x, y: x - y),
    "mul": (lambda x, y: x * y, lambda x, y: x * y),
    "div": (lambda x, y: x / (y**2 + 1), lambda x, y: x / (y * y + 1)),
    "cube": (lambda x, y: x**3 - y**-3, lambda x, y: x**3 - 1 / y**3),
    "fourth": (lambda x, y: x**4 + y**2, lambda x, y: x**4 + y**2),
    "abs": (lambda x, y: jnp.abs(x) * y, lambda x, y: abs(x) * y),
    "max": (lambda x, y: jnp.maximum(x, y), max),
    "min": (lambda x, y: jnp.minimum(x, y), min),
    "clip": (lambda x, y: jnp.clip(x, -0.5, y), lambda x, y: min(max(x, -0.5), y)),
    "where": (lambda x, y: jnp.where(x > 1, x, y), lambda x, y: x if x > 1 else y),
    "floor": (lambda x, y: jnp.floor(x) + y, lambda x, y: math.floor(x) + y),
    "sign": (lambda x, y: jnp.sign(x) * y, lambda x, y: (x > 0) * y - (x < 0) * y),
    "self": (lambda x, y: (x - x) + x * x * y, lambda x, y: x * x * y),
}


@pytest.mark.parametrize("name", RATIONAL)
def test_rational_operations_contain_exact_values(name):
    f, reference = RATIONAL[name]
    x, y = boxes(-4, 4, 60), boxes(0.5, 3, 60)
    out = interval_function(f)(x, y)
    for p, q in zip(samples(x, 5), samples(y, 5), strict=True):
        for i in range(60):
            truth = reference(Fraction(p[i]), Fraction(q[i]))
            assert Fraction(out.lo[i]) <= truth <= Fraction(out.hi[i])


def contains_on_samples(f, *inputs, slack=1e-12, count=6):
    """Check containment at sampled points, up to the rounding of the reference."""
    out = interval_function(f)(*inputs)
    for _ in range(count):
        t = RNG.random()
        points = [
            np.clip(v.lo + t * (v.hi - v.lo), v.lo, v.hi)
            if isinstance(v, Interval)
            else v
            for v in inputs
        ]
        truths = jax.tree.leaves(f(*map(jnp.asarray, points)))
        for o, truth in zip(jax.tree.leaves(out), truths, strict=True):
            truth = np.asarray(truth)
            if isinstance(o, Interval):
                room = slack * (1 + np.abs(truth))
                assert np.all((o.lo - room <= truth) & (truth <= o.hi + room))
                assert o.shape == truth.shape
            else:
                assert np.array_equal(o, truth)
    return out


def box_of(shape, width=1e-3):
    a = RNG.normal(size=shape)
    return Interval(a, a + width * RNG.random(shape))


INDEX = np.array([2, 0, 2, 1])
STRUCTURAL = {
    "reshape": lambda x: x.reshape(2, 6).T[::-1, 1:],
    "concatenate": lambda x: jnp.concatenate([x, 2 * x, jnp.ones((1, 4))], 0),
    "split": lambda x: jnp.split(x, 2, axis=1),
    "pad": lambda x: lax.pad(x, 1.0, ((1, 2, 1), (-1, 1, 0))),
    "roll": lambda x: jnp.roll(x, 2, axis=1),
    "gather rows": lambda x: x[INDEX],
    "gather pairs": lambda x: x[INDEX[:3], np.array([0, 3, 1])],
    "take": lambda x: jnp.take(x, INDEX[:2], axis=1),
    "along": lambda x: jnp.take_along_axis(x, np.array([[1], [0], [3]]), axis=1),
    "vmapped gather": lambda x: jax.vmap(lambda r, i: r[i])(x, np.array([3, 1, 0])),
    "gather gradient": jax.grad(lambda x: jnp.sum(jnp.sin(x[INDEX]))),
    "scatter": lambda x: x.at[np.array([0, 2])].set(7.0),
    "scatter add": lambda x: x.at[INDEX].add(x[:1]),
    "scatter max": lambda x: x.at[INDEX].max(0.3),
    "update slice": lambda x: lax.dynamic_update_slice(x, x[:1, :2] * 3, (1, 5)),
    "dynamic slice": lambda x: lax.dynamic_slice(x, (1, 2), (2, 2)),
    "broadcast": lambda x: x[:, None, :] * jnp.arange(2.0)[:, None],
    "iota": lambda x: x * jnp.arange(4) + jnp.eye(3, 4),
    "cumsum": lambda x: lax.cumsum(x, axis=1, reverse=True) + jnp.cumsum(x, axis=1),
    "cumprod": lambda x: jnp.cumprod(x, axis=0) + lax.cummax(x, axis=1),
    "sum": lambda x: (x.sum(), x.sum(0), x.mean(1), x.prod(1), jnp.var(x)),
    "extrema": lambda x: (x.max(0), x.min(), jnp.argmax(x), jnp.max(x, axis=(0, 1))),
    "matmul": lambda x: (x @ x.T, x @ jnp.ones(4), jnp.einsum("ij,kj->ik", x, x)),
    "batched": lambda x: jnp.einsum("bi,bj->bij", x, x).sum(2),
    "trapezoid": lambda x: jnp.diff(x, axis=1) + 0.5 * (x[:, 1:] + x[:, :-1]),
    "bools": lambda x: (jnp.any(x > 99, axis=0), jnp.all(x < 99), ~(x > 99)),
    "logic": lambda x: jnp.where((x > 0) & (x < 0.5) | (x < -1), x, -x),
    "scan": lambda x: lax.scan(lambda c, r: (c * 0.5 + r, c.sum()), x[0], x),
    "fori": lambda x: lax.fori_loop(0, 3, lambda i, c: c * x + i, x),
    "cond": lambda x: lax.cond(jnp.arange(3)[1] > 0, jnp.sin, jnp.cos, x),
    "remat": lambda x: jax.checkpoint(lambda v: v * jnp.sin(v))(x),
    "logsumexp": lambda x: jax.nn.logsumexp(x, axis=0),
    "softmax": lambda x: (jax.nn.softmax(x, axis=1), jax.nn.log_softmax(x, axis=0)),
    "norm": lambda x: jnp.linalg.norm(x) + jnp.sqrt(jnp.sum(x**2)),
    "gelu": lambda x: jax.nn.gelu(x) + jax.nn.silu(x) + jax.nn.relu(x),
    "erf gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "stop": lambda x: lax.stop_gradient(x) * x,
    "integers": lambda x: jnp.arange(4) // 3 * x + jnp.arange(4) % 3,
}


@pytest.mark.parametrize("name", STRUCTURAL)
def test_structure_contains_samples(name):
    contains_on_samples(STRUCTURAL[name], box_of((3, 4)))


def test_single_operations_are_not_blurred():
    x = Interval([1.0, -2.0], [1.5, 4.0])
    out = interval_function(lambda v: (v - v, v * v, -v, v * 0 + 1.0, jnp.max(v)))(x)
    assert out[0].lo.tolist() == out[0].hi.tolist() == [0, 0]
    assert out[1].lo[1] == 0
    assert out[2].lo.tolist() == [-1.5, -4.0]
    assert out[3].lo.tolist() == out[3].hi.tolist() == [1, 1]
    assert (out[4].lo, out[4].hi) == (1.0, 4.0)


def test_dot_products_contain_the_exact_rational_value():
    A, x = RNG.normal(size=(6, 30)) * 1e8, RNG.normal(size=30) * 1e-3
    out = interval_function(lambda a, v: (a @ v, jnp.sum(a, axis=1)))(
        ar.point(A), ar.point(x)
    )
    for i in range(6):
        dot = sum(Fraction(a) * Fraction(b) for a, b in zip(A[i], x, strict=True))
        total = sum(map(Fraction, A[i]))
        assert Fraction(out[0].lo[i]) <= dot <= Fraction(out[0].hi[i])
        assert Fraction(out[1].lo[i]) <= total <= Fraction(out[1].hi[i])
    assert np.max(out[0].hi - out[0].lo) < 1e-7


def random_program(rng):
    steps = [
        lambda v: jnp.tanh(v),
        lambda v: v * jnp.roll(v, 1),
        lambda v: jnp.exp(-v * v),
        lambda v: v / (2 + jnp.sin(v)),
        lambda v: jnp.abs(v) - 0.3,
        lambda v: jnp.maximum(v, 0.2) * v,
        lambda v: jnp.cumsum(v),
        lambda v: jax.nn.softmax(v),
        lambda v: jnp.log1p(v**2),
        lambda v: v @ jnp.outer(v, jnp.arange(4.0)),
    ]
    picked = rng.integers(0, len(steps), 5)

    def program(x):
        for i in picked:
            x = steps[i](x)
        return x

    return program


@pytest.mark.parametrize("seed", range(8))
def test_random_compositions_contain_long_double_like_samples(seed):
    rng = np.random.default_rng(seed)
    f = random_program(rng)
    contains_on_samples(f, box_of(4, 1e-2))
    contains_on_samples(jax.jacfwd(f), box_of(4, 1e-4), slack=1e-11)


def test_overflow_domain_and_unknown_operations_are_refused():
    with pytest.raises(NoEnclosure, match="exp"):
        interval_function(jnp.exp)(Interval([700.0], [800.0]))
    with pytest.raises(NoEnclosure, match="divisor may be zero"):
        interval_function(lambda v: 1 / v)(Interval([-1.0], [1.0]))
    with pytest.raises(NoEnclosure, match="log"):
        interval_function(jnp.log)(Interval([-1.0], [1.0]))
    with pytest.raises(NoEnclosure, match="primitive sort"):
        interval_function(jnp.sort)(Interval([0.0, 1.0], [2.0, 3.0]))
    with pytest.raises(NoEnclosure, match="cholesky"):
        interval_function(jnp.linalg.cholesky)(ar.point(np.eye(2)))
    with pytest.raises(NoEnclosure, match="narrows"):
        interval_function(lambda v: v.astype(jnp.float32))(Interval([0.0], [1.0]))
    with pytest.raises(NoEnclosure, match="argmax"):
        interval_function(jnp.argmax)(Interval([0.0, 0.5], [1.0, 2.0]))
    with pytest.raises(NoEnclosure, match="integers"):
        interval_function(lambda v: jnp.arange(5.0)[v.astype(int)])(Interval(0.0, 3.0))

    def search(v):
        return lax.while_loop(lambda c: c[0] > 1e-3, lambda c: c / 2, v)

    with pytest.raises(NoEnclosure, match="predicate"):
        interval_function(search)(Interval([1.0], [1.0]))
    with pytest.raises(NoEnclosure, match="NaN"):
        interval_function(jnp.sin)(ar.point(np.array([np.nan])))


def test_unused_domain_errors_do_not_refuse():
    f = jax.grad(lambda v: jnp.sum(jnp.where(v > 0, jnp.log(jnp.abs(v) + 1), 0.0)))
    out = interval_function(f)(Interval([1.0, -2.0], [1.1, -1.9]))
    inside = np.array([1 / 2.05, 0.0])
    assert ((out.lo <= inside) & (inside <= out.hi)).all()
    safe = interval_function(lambda v: jnp.where(v > 0, jnp.log(v), 0.0))
    out = safe(Interval([1.0, -2.0], [1.0, -1.9]))
    assert ((out.lo <= 0) & (out.hi >= 0)).all()


def test_ambiguous_choices_give_hulls():
    out = interval_function(lambda v: jnp.where(v > 0, v + 1, v - 1))(
        Interval([-1.0, 1.0], [2.0, 3.0])
    )
    assert (out.lo[0], out.hi[0]) == (-2.0, 3.0)
    assert (out.lo[1], out.hi[1]) == (2.0, 4.0)


def test_captured_constants_and_single_precision_data():
    data = jnp.asarray([0.1, 0.2, 0.3], jnp.float32)
    scale = jnp.asarray(3.0)
    f = jax.jit(lambda v: jax.jit(lambda w: w * scale)(v) @ data)
    out = interval_function(f)(ar.point(np.ones(3)))
    truth = sum(Fraction(float(d)) * 3 for d in data)
    assert Fraction(float(out.lo)) <= truth <= Fraction(float(out.hi))
    assert out.hi - out.lo < 1e-14


def test_arb_proves_digits_or_says_how_to_get_them():
    box = boxes(-2, 2, 50)
    if importlib.util.find_spec("flint") is None:
        with pytest.raises(ImportError, match="pip install python-flint"):
            interval_function(jnp.exp, rigor="arb")(box)
        return
    for name in ("exp", "tanh", "erf", "sin", "cbrt", "exp2", "logistic"):
        f, reference, *_ = ELEMENTWISE[name]
        out = interval_function(f, rigor="arb")(box)
        truth = reference(samples(box).astype(LONG))
        assert np.all((out.lo.astype(LONG) <= truth) & (truth <= out.hi.astype(LONG)))
        loose = interval_function(f)(box)
        assert np.sum(out.hi - out.lo) <= np.sum(loose.hi - loose.lo)


def test_a_box_that_reaches_infinity_holds_finite_numbers():
    """What a guard gives to infinity alone is not given to the whole box."""
    inf = np.inf
    ends = np.array([[0.0, 1.0], [0.0, inf], [-inf, 3.0], [-inf, inf], [inf, inf]])
    boxes = Interval(ends[:, 0], ends[:, 1])
    got = interval_function(lambda x: jnp.where(jnp.isfinite(x), x, -9.0))(boxes)
    for i, (low, high) in enumerate([(0, 1), (-9, inf), (-inf, 3), (-inf, inf)]):
        assert got.lo[i] == low and got.hi[i] == high
    assert got.lo[4] == got.hi[4] == -9

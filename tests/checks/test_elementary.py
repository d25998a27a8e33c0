"""The table of elementary functions' errors holds for all that may run a check."""

import math
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from banach.checks.rounding.bound import with_error
from banach.checks.rounding.elementwise import _PROPAGATION, own_units
from banach.engine import interpret
from banach.engine.executors import FAST

WIDE = np.longdouble
RNG = np.random.default_rng(23)
N = 3000


def reference(name):
    """A function in extended precision."""
    given = {
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "logistic": lambda x: 1 / (1 + np.exp(-x)),
    }
    numpy_names = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
    numpy_names |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}
    return given.get(name) or getattr(np, numpy_names.get(name, name))


def sizes(low, high):
    """Numbers of all orders of magnitude between, of both signs."""
    v = np.exp(RNG.uniform(math.log(low), math.log(high), N))
    return np.where(RNG.random(N) < 0.5, -v, v)


def points(name, dtype):
    """Where a function is tried: its whole range, and near where it is difficult."""
    tiny, large, top = (
        (1e-300, 1e300, 700) if dtype == np.float64 else (1e-37, 1e37, 86)
    )
    near = 1e-15 if dtype == np.float64 else 1e-6
    middle, small = RNG.uniform(-3, 3, N), sizes(tiny, 1)
    positive = {"log", "sqrt", "rsqrt", "acosh"}
    inside = {"asin", "acos", "atanh"}
    if name in positive:
        x = np.concatenate([np.abs(sizes(tiny, large)), 1 + np.abs(sizes(near, 1))])
        x = x[x >= 1] if name == "acosh" else x
    elif name in inside:
        x = np.concatenate([small, RNG.uniform(-1, 1, N), 1 - np.abs(sizes(near, 1))])
    elif name == "log1p":
        x = np.concatenate([small, np.abs(sizes(1, large)), -1 + np.abs(small)])
    elif name in ("sin", "cos", "tan"):
        x = np.concatenate([small, middle, sizes(1, 1e6)])
    elif name in ("abs", "neg", "square", "cbrt", "atan", "asinh"):
        most = math.sqrt(large) if name == "square" else large
        x = np.concatenate([sizes(math.sqrt(tiny), most), middle])
    else:
        x = np.concatenate([small, middle, RNG.uniform(-top, top, N)])
    return np.where(np.isfinite(x), x, 1).astype(dtype)


NAMES = sorted(set(_PROPAGATION) - {"erf", "erfc", "erf_inv"})


def applied(name):
    """The primitive of a name; `lax` has one function for each."""
    return getattr(lax, name)


EXECUTORS = ["xla 0", "xla 1", "numpy"]


def run(executor, fun, args):
    """Results of one program over all functions."""
    if executor != "numpy":
        options = FAST | {"xla_backend_optimization_level": int(executor[-1])}
        compiled = jax.jit(fun).lower(*args).compile(compiler_options=options)
        return [np.asarray(v) for v in compiled(*args)]
    return interpret.compile(jax.make_jaxpr(fun)(*args))(list(args))


def worst(got, want, dtype, allowed, absolute=0.0):
    """The largest error as a multiple of what is allowed, in units of u |f|, beside
    `absolute` units of u.
    """
    unit = float(np.finfo(dtype).eps) / 2
    assert (np.isnan(got) == np.isnan(want)).all()
    seen = (np.abs(want) > 8 * np.finfo(dtype).tiny) & np.isfinite(want)
    seen &= np.abs(want) < np.finfo(dtype).max / 2
    got, want = got.astype(WIDE)[seen], want[seen]
    allowed = np.broadcast_to(allowed, seen.shape)[seen] * np.abs(want) + absolute
    off = np.abs(got - want) / unit
    return float((off / np.where(allowed > 0, allowed, 1)).max(initial=0))


@pytest.mark.skipif(np.finfo(WIDE).nmant < 60, reason="no extended precision here")
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_elementary_functions(executor, dtype):
    args = [points(name, dtype) for name in NAMES]
    out = run(
        executor,
        lambda *xs: [applied(n)(x) for n, x in zip(NAMES, xs, strict=True)],
        args,
    )
    seen = {}
    for name, x, got in zip(NAMES, args, out, strict=True):
        with np.errstate(all="ignore"):
            want = reference(name)(x.astype(WIDE)) if name != "neg" else -x.astype(WIDE)
        room = 2.0 if name in ("sin", "cos") else 0.0
        seen[name] = worst(got, want, dtype, np.asarray(own_units(name, x)), room)
        assert seen[name] <= 1, (name, seen[name])
    assert seen["sqrt"] > 0.9 and seen["exp"] > 0.05  # something was measured


def erf(x, digits):
    """The error function by its series of positive terms, in decimal arithmetic."""
    with localcontext() as c:
        c.prec = digits + 15
        pi = Decimal(0)
        for n in range(digits):  # Bailey, Borwein, Plouffe
            parts = zip((4, -2, -1, -1), (1, 4, 5, 6), strict=True)
            pi += sum(Decimal(a) / (8 * n + b) for a, b in parts) / 16**n
        x = Decimal(float(x))
        term, total, n = x, Decimal(0), 0
        while n < 3 or abs(term) > Decimal(10) ** (-digits - 10) * abs(total):
            total, n = total + term, n + 1
            term = term * 2 * x * x / (2 * n + 1)
        return 2 / pi.sqrt() * (-x * x).exp() * total


def derivative(x):
    """Of the error function."""
    return 2 / math.sqrt(math.pi) * math.exp(-x * x)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_error_functions(executor, dtype):
    unit = float(np.finfo(dtype).eps) / 2
    near = 1 - np.geomspace(1e-9 if dtype == np.float64 else 1e-6, 1e-3, 12)
    far = 24.5 if dtype == np.float64 else 8.5
    x = np.concatenate([np.linspace(-4, 4, 25), [1e-9, 5.5, -5.5]]).astype(dtype)
    z = np.concatenate([np.linspace(-3, 5, 17), [7.0, 8.3, far]]).astype(dtype)
    y = np.concatenate([np.linspace(-0.999, 0.999, 21), near]).astype(dtype)

    def all_of(x, z, y):
        return lax.erf(x), lax.erfc(z), lax.erf_inv(y)

    plain, rest, inverse = run(executor, all_of, (x, z, y))
    for at, got in zip(x, plain, strict=True):
        if at:
            want = erf(at, 40)
            off = float(abs(Decimal(float(got)) - want) / abs(want))
            assert off <= own_units("erf", at) * unit, ("erf", at)
    for at, got in zip(z, rest, strict=True):
        digits = 40 if at < 6 else 330
        with localcontext() as c:
            c.prec = digits
            want = 1 - erf(at, digits)
            off = float(abs(Decimal(float(got)) - want) / abs(want))
        assert off <= float(own_units("erfc", at)) * unit, ("erfc", at, off / unit)
    for at, got in zip(y, inverse, strict=True):
        with localcontext() as c:
            c.prec = 40
            miss = float(erf(got, 40) - Decimal(float(at))) if got else float(at)
        off = abs(miss) / derivative(float(got))
        allowed = float(own_units("erf_inv", at)) * unit * abs(float(got))
        assert off <= allowed, ("erf_inv", at, off / allowed)


@pytest.mark.skipif(np.finfo(WIDE).nmant < 60, reason="no extended precision here")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_powers(executor):
    """Of large exponents, and of bases near 1 and far from it."""
    for dtype, top in ((np.float64, 690), (np.float32, 80)):
        x = np.concatenate([np.abs(sizes(1e-30, 1e30)), 1 + sizes(1e-6, 0.5)])
        x = x.astype(dtype)
        with np.errstate(all="ignore"):
            y = (RNG.uniform(-top, top, x.size) / np.abs(np.log(x))).astype(dtype)
        x, y = x[np.abs(y) < 1e8], y[np.abs(y) < 1e8]
        (got,) = run(executor, lambda x, y: [lax.pow(x, y)], (x, y))
        with np.errstate(all="ignore"):
            want = np.power(x.astype(WIDE), y.astype(WIDE))
        _, error = with_error(lax.pow)(x, y)
        off = np.abs(got.astype(WIDE) - want)
        assert (off <= np.asarray(error).astype(WIDE)).all(), (dtype, off.max())


def test_jnp_uses_these():
    """What users write becomes the primitives of the table."""
    closed = jax.make_jaxpr(lambda x: jax.nn.sigmoid(x) + jnp.expm1(x))(1.0)
    assert {e.primitive.name for e in closed.jaxpr.eqns} >= {"logistic", "expm1"}

"""Arithmetic and elementary functions, on numbers that could be wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agree import both, numpy_of, same
from jax import lax

NAN, INF = np.nan, np.inf
AWKWARD = np.array(
    [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.5, 0.1, -0.7,
     1e-9, -1e-9, 20.0, -20.0, 80.0, -80.0, 1e8, -1e8, 1e-30, 1e30, 6.5, 0.4999999]
)  # fmt: skip
UNARY = {
    "neg": lax.neg,
    "abs": lax.abs,
    "exp": lax.exp,
    "exp2": lax.exp2,
    "log": lax.log,
    "log1p": lax.log1p,
    "expm1": lax.expm1,
    "sqrt": lax.sqrt,
    "rsqrt": lax.rsqrt,
    "cbrt": lax.cbrt,
    "sin": lax.sin,
    "cos": lax.cos,
    "tan": lax.tan,
    "asin": lax.asin,
    "acos": lax.acos,
    "atan": lax.atan,
    "sinh": lax.sinh,
    "cosh": lax.cosh,
    "tanh": lax.tanh,
    "asinh": lax.asinh,
    "acosh": lax.acosh,
    "atanh": lax.atanh,
    "floor": lax.floor,
    "ceil": lax.ceil,
    "sign": lax.sign,
    "square": lax.square,
    "is_finite": lax.is_finite,
    "logistic": lax.logistic,
    "cube": lambda x: lax.integer_pow(x, 3),
    "power of 7": lambda x: lax.integer_pow(x, 7),
    "power of -3": lambda x: lax.integer_pow(x, -3),
    "to even": lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
    "from zero": lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO),
    "as bool": lambda x: lax.convert_element_type(x, bool),
    "as int32": lambda x: lax.convert_element_type(x, np.int32),
    "as int64": lambda x: lax.convert_element_type(x, np.int64),
    "as uint32": lambda x: lax.convert_element_type(x, np.uint32),
    "as uint64": lambda x: lax.convert_element_type(x, np.uint64),
    "as int8": lambda x: lax.convert_element_type(x, np.int8),
    "as uint8": lambda x: lax.convert_element_type(x, np.uint8),
    "as float32": lambda x: lax.convert_element_type(x, np.float32),
    "as float64": lambda x: lax.convert_element_type(x, np.float64),
    "as bfloat16 rounds": lambda x: lax.reduce_precision(x, 8, 7),
    "as half rounds": lambda x: lax.reduce_precision(x, 5, 10),
    "clamped": lambda x: lax.clamp(x.dtype.type(-2), x, x.dtype.type(2)),
}
BINARY = {
    "add": lax.add,
    "sub": lax.sub,
    "mul": lax.mul,
    "div": lax.div,
    "rem": lax.rem,
    "max": lax.max,
    "min": lax.min,
    "pow": lax.pow,
    "atan2": lax.atan2,
    "eq": lax.eq,
    "ne": lax.ne,
    "lt": lax.lt,
    "le": lax.le,
    "gt": lax.gt,
    "ge": lax.ge,
    "nextafter": lax.nextafter,
    "chosen": lambda x, y: lax.select(x > y, x, y),
}
# XLA's log1p and atanh are wrong by hundreds of units; all else is within a few.
LOOSE = {np.float64: 1e-13, np.float32: 1e-5}


def pairs(values):
    """All pairs of values, as two long arrays."""
    x, y = np.meshgrid(values, values)
    return x.ravel(), y.ravel()


def float_cases(dtype):
    values = AWKWARD.astype(dtype)
    few = values[[0, 1, 2, 3, 4, 5, 6, 8, 11, 17, 18, 24]]
    cases = {n: (f, (values,)) for n, f in UNARY.items()}
    return cases | {n: (f, pairs(few)) for n, f in BINARY.items()}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_floats(dtype):
    cases = float_cases(dtype)
    with np.errstate(all="ignore"):
        results = both(cases)
    for name, (ours, theirs) in results.items():
        if name in ("max", "min"):
            # Of two zeros of different signs either may be called the larger.
            ours, theirs = [v + 0 for v in ours], [v + 0 for v in theirs]
        same(ours, theirs, LOOSE[dtype], name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scalars_take_other_ways_to_the_same_values(dtype):
    """Scalars run Python operators where arrays run loops."""
    for name, (fun, args) in float_cases(dtype).items():
        (whole,) = numpy_of(fun, *args)

        def one_by_one(*args, fun=fun):
            return [fun(*[a[i] for a in args]) for i in range(len(args[0]))]

        each = np.array(numpy_of(one_by_one, *args))
        same([each], [whole], LOOSE[dtype], name)


def test_subnormal_numbers_are_numbers():
    tiny = np.array([5e-324, -5e-324, 2e-308])
    (out,) = numpy_of(lambda x: x * 2, tiny)
    assert out.tolist() == [1e-323, -1e-323, 2 * 2e-308]
    (up,) = numpy_of(lambda x: lax.nextafter(x, jnp.inf), tiny)
    assert up.tolist() == [1e-323, -0.0, np.nextafter(2e-308, 1)]


INTS = np.array([0, 1, -1, 2, -3, 7, 100, -128, 127, 31, 32, 33, 63, 64])
INT_BINARY = {
    n: BINARY[n] for n in "add sub mul div rem max min eq lt ge chosen".split()
} | {
    "and": lax.bitwise_and,
    "or": lax.bitwise_or,
    "xor": lax.bitwise_xor,
    "left": lax.shift_left,
    "arithmetic": lax.shift_right_arithmetic,
    "logical": lax.shift_right_logical,
}
INT_UNARY = {
    "neg": lax.neg,
    "not": lax.bitwise_not,
    "sign": lax.sign,
    "bits": lax.population_count,
    "zeros": lax.clz,
    "square": lax.square,
    "power of 3": lambda x: lax.integer_pow(x, 3),
    "power of 0": lambda x: lax.integer_pow(x, 0),
    "as float32": UNARY["as float32"],
    "as float64": UNARY["as float64"],
    "as bool": UNARY["as bool"],
    "as int8": UNARY["as int8"],
    "as int64": UNARY["as int64"],
    "as uint32": UNARY["as uint32"],
    "clamped": lambda x: lax.clamp(x.dtype.type(3), x, x.dtype.type(40)),
}


def int_cases(dtype):
    info = np.iinfo(dtype)
    values = np.concatenate([INTS.astype(dtype), np.array([info.min, info.max], dtype)])
    cases = {n: (f, (values,)) for n, f in INT_UNARY.items()}
    cases |= {n: (f, pairs(values)) for n, f in INT_BINARY.items()}
    if np.issubdtype(dtype, np.signedinteger):
        cases["abs"] = (lax.abs, (values,))
    wide = {4: np.float32, 8: np.float64, 1: np.uint8}[np.dtype(dtype).itemsize]
    cases["bitcast"] = (lambda x: lax.bitcast_convert_type(x, wide), (values,))
    if np.dtype(dtype).itemsize > 1:
        cases["bytes"] = (
            lambda x: lax.bitcast_convert_type(x, np.uint8),
            (values,),
        )
        halves = values.reshape(-1, 2)
        if np.dtype(dtype).itemsize == 4:
            cases["joined"] = (
                lambda x: lax.bitcast_convert_type(x, np.int64),
                (halves,),
            )
    return cases


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.int8, np.uint64])
def test_integers(dtype):
    cases = int_cases(dtype)
    for name, (ours, theirs) in both(cases).items():
        if name == "bitcast":
            ours, theirs = ([v.view(np.uint8) for v in vs] for vs in (ours, theirs))
        same(ours, theirs, name=name)
        fun, args = cases[name]
        if name in ("bytes", "joined"):
            continue

        def one_by_one(*args, fun=fun):
            return [fun(*[a[i] for a in args]) for i in range(len(args[0]))]

        each = np.array(numpy_of(one_by_one, *args))
        if name == "bitcast":
            each = each.view(np.uint8)
        same([each], ours, name=name)


def test_booleans():
    truth = pairs(np.array([True, False]))
    cases = {n: (INT_BINARY[n], truth) for n in ("and", "or", "xor", "eq", "lt", "max")}
    cases["not"] = (lax.bitwise_not, truth[:1])
    cases["ne"] = (lax.ne, truth)
    cases["float"] = (UNARY["as float32"], truth[:1])
    cases["int"] = (UNARY["as int32"], truth[:1])
    for name, (ours, theirs) in both(cases).items():
        same(ours, theirs, name=name)


def choices():
    which = np.array([0, 2, 1, 2], np.int32)
    rows = [np.arange(4.0) + 10 * i for i in range(3)]
    keys = jax.random.split(jax.random.key(3), 4)

    def pick_key(take):
        return jax.random.key_data(jnp.where(take, keys, keys[::-1]))

    take = np.array([True, False, False, True])
    return {
        "of three": (lax.select_n, (which, *rows)),
        "by a scalar": (lax.select_n, (which[1], *rows)),
        "of two by a scalar": (lax.select, (take[1], rows[0], rows[1])),
        "of scalars": (lax.select_n, (which[2], *[r[1] for r in rows])),
        "of keys": (pick_key, (take,)),
    }


def orders():
    """In the total order NaN and the sign of zero have their places."""
    values = np.array([NAN, -NAN, INF, -INF, 0.0, -0.0, 1.5, -2.0])
    floats = pairs(np.copysign(values, [1, -1, 1, -1, 1, -1, 1, -1]))
    ints = pairs(np.array([-3, 0, 4], np.int32))
    cases = {}
    for name in ("eq_to", "lt_to", "le_to"):
        bind = getattr(lax, f"{name}_p").bind
        cases[name] = (bind, floats)
        cases[f"{name} of ints"] = (bind, ints)
        cases[f"{name} of scalars"] = (
            lambda x, y, bind=bind: [bind(x[i], y[i]) for i in range(20)],
            floats,
        )
    return cases


def test_choices_and_orders():
    for name, (ours, theirs) in both(orders()).items():
        same(ours, theirs, name=name)
    for name, (ours, theirs) in both(choices()).items():
        same(ours, theirs, name=name)
    (got,) = numpy_of(*choices()["of three"][:1], *choices()["of three"][1])
    assert got.tolist() == [0, 21, 12, 23]


SPECIAL = {
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "erf_inv": jax.scipy.special.erfinv,
    "lgamma": lax.lgamma,
    "digamma": lax.digamma,
    "bessel_i0e": lax.bessel_i0e,
    "bessel_i1e": lax.bessel_i1e,
}


def special_cases():
    x = np.array([NAN, 0.0, 0.3, -0.4, 0.9, -0.99, 2.5, -1.5, 5.0, 30.0, -INF, INF])
    a = np.array([0.5, 1.0, 3.0, 10.0])
    y = np.array([0.1, 2.0, 2.5, 14.0])
    cases = {n: (f, (x,)) for n, f in SPECIAL.items()}
    cases["igamma"] = (lax.igamma, (a, y))
    cases["igammac"] = (lax.igammac, (a, y))
    cases["beta"] = (lax.betainc, (a, y, np.array([0.0, 0.2, 0.7, 1.0])))
    cases["zeta"] = (lax.zeta, (a + 1, y))
    cases["polygamma"] = (lax.polygamma, (np.array([1.0, 2, 3, 1]), y))
    return cases


def test_special_functions():
    for name, (ours, theirs) in both(special_cases()).items():
        same(ours, theirs, 1e-11, name)

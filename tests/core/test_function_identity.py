"""A function is traced again wherever anything that it reaches may have changed."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import traced_function
from banach.core.function_identity import reached

X = np.array([1.0, 2.0, -1.0])
SCALE = 3.0


def of_a_global(x):
    return SCALE * jnp.sum(x**2)


def through_another(x):
    return 1.0 + of_a_global(x)


def rosen(x, a=1.0, *, b=100.0):
    return jnp.sum(b * (x[1:] - x[:-1] ** 2) ** 2 + (a - x[:-1]) ** 2)


def make(scale, power=2):
    return lambda x: jnp.sum(scale * x**power)


def value(fun):
    traced_function._SEEN.clear()  # what warns of a function that is never the same
    return float(traced_function.trace(fun, X)(X))


@pytest.fixture(autouse=True)
def forgotten():
    traced_function._KNOWN.clear()


@pytest.fixture
def traces(monkeypatch):
    """How often a function was traced."""
    seen = []
    real = traced_function._traced

    def counted(*args):
        seen.append(args[0])
        return real(*args)

    monkeypatch.setattr(traced_function, "_traced", counted)
    return seen


def test_what_cannot_have_changed_is_traced_once(traces):
    for fun in (rosen, of_a_global, through_another, jax.nn.softplus):
        fun = functools.partial(_sum_of, fun) if fun is jax.nn.softplus else fun
        first, count = value(fun), len(traces)
        assert value(fun) == first and len(traces) == count
    # A fresh function of the same code and numbers is the same.
    before = len(traces)
    assert value(make(2.0)) == value(make(2.0)) == 12.0
    assert len(traces) == before + 1


def _sum_of(f, x):
    return jnp.sum(f(x))


def test_a_rebound_name_is_seen(traces, monkeypatch):
    assert value(of_a_global) == 18.0 and value(through_another) == 19.0
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert value(of_a_global) == 30.0 and value(through_another) == 31.0
    monkeypatch.setitem(globals(), "of_a_global", lambda x: 0.0 * jnp.sum(x))
    assert value(through_another) == 1.0


def test_numbers_that_are_equal_and_not_the_same_are_seen():
    pairs = [(1, 1.0), (True, 1), (0.0, -0.0), (np.float32(0.1), 0.1)]
    for a, b in pairs:
        keys = [reached(make(v)).key for v in (a, b)]
        assert keys[0] != keys[1], (a, b)
    assert value(make(2.0)) != value(make(3.0))
    assert value(make(2.0, 2)) != value(make(2.0, 3))
    assert reached(rosen).key != reached(functools.partial(rosen, b=10.0)).key


def test_arrays_are_compared_by_their_bits(traces):
    weights = np.array([1.0, 1.0, 1.0])

    def fun(x):
        return jnp.sum(weights * x**2)

    assert value(fun) == 6.0
    weights[2] = 3.0
    assert value(fun) == 8.0 and len(traces) == 2
    weights[2] = 1.0
    assert value(fun) == 6.0
    weights[0] = -0.0
    assert value(fun) == 5.0
    assert value(fun) == 5.0 and len(traces) == 4


def test_a_default_and_a_closure_that_change_are_seen():
    def fun(x, scale=2.0):
        return scale * jnp.sum(x**2)

    assert value(fun) == 12.0
    fun.__defaults__ = (3.0,)
    assert value(fun) == 18.0
    outer = 2.0

    def reads(x):
        return outer * jnp.sum(x**2)

    assert value(reads) == 12.0
    outer = 4.0
    assert value(reads) == 24.0


class Holder:
    scale = 2.0


HOLDER, LIST, TABLE = Holder(), [2.0], {"scale": 2.0}
MODULE = types.ModuleType("mine")
MODULE.scale = 2.0


def decorated(f):
    """Copies the name of a library's function over the user's own."""

    @functools.wraps(jnp.sum)
    def inner(x):
        return LIST[0] * f(x)

    return inner


RNG = np.random.default_rng(0)
MAY_CHANGE = {
    "object": lambda x: HOLDER.scale * jnp.sum(x),
    "class": lambda x: Holder.scale * jnp.sum(x),
    "list": lambda x: LIST[0] * jnp.sum(x),
    "dict": lambda x: TABLE["scale"] * jnp.sum(x),
    "module": lambda x: MODULE.scale * jnp.sum(x),
    "random": lambda x: np.random.normal() * jnp.sum(x),
    "generator": lambda x: RNG.normal() * jnp.sum(x),
    "wrapped": decorated(jnp.sum),
    "jitted": jax.jit(lambda x: LIST[0] * jnp.sum(x)),
    "gradient": lambda x: jnp.sum(jax.grad(lambda y: LIST[0] * jnp.sum(y))(x)),
    "file": lambda x: jnp.sum(x) + np.loadtxt("numbers.txt"),
    "print": lambda x: print("seen") or jnp.sum(x),
    "bound": Holder().__eq__,
    "inside": lambda x: (lambda y: LIST[0] * jnp.sum(y))(x),
    "config": lambda x: jnp.sum(x) * jax.device_count(),
}


@pytest.mark.parametrize("name", MAY_CHANGE)
def test_what_may_change_unseen_is_always_traced(name):
    assert reached(MAY_CHANGE[name]) is None


def test_writing_outside_is_always_traced():
    count = 0

    def counts(x):
        nonlocal count
        count += 1
        return count * jnp.sum(x)

    def exports(x):
        global WRITTEN
        WRITTEN = 1
        return jnp.sum(x)

    def imports(x):
        import math

        return math.pi * jnp.sum(x)

    for fun in (counts, exports, imports):
        assert reached(fun) is None
    assert [value(counts) for _ in range(3)] == [2.0, 4.0, 6.0]


def test_the_problem_of_a_changed_function_is_another(monkeypatch):
    first = bn.minimize(lambda x: of_a_global(x - 1.0), np.zeros(3))
    monkeypatch.setitem(globals(), "SCALE", 7.0)
    second = bn.minimize(lambda x: of_a_global(x - 1.0), np.zeros(3))
    assert first.certified and second.certified
    assert first.problem_id != second.problem_id
    np.testing.assert_allclose(second.x, 1.0, rtol=1e-5)

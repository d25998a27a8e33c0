"""What a caller hands over is read exactly, or refused with the cure."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import validation
from banach.core.problem import Misuse

REFUSED = {
    "complex": (1j, "complex128"),
    "text": ("a", "numbers"),
    "object": ([1, {}], r"Python objects.*pass numbers"),
    "None": ([1, None], r"NoneType.*first missing value at index \[1\]"),
    "ragged": ([1, [2]], "rectangular"),
    "huge integer": (10**30, "Python objects"),
    "masked": (np.ma.array([1.0, 2.0], mask=[0, 1]), r"A\.filled"),
    "masked inside": ([np.ma.array([1.0], mask=[1])], "masked"),
    "NaN": ([1.0, np.nan], r"index \[1\]"),
    "infinite": ([np.inf], "NaN or infinity"),
    "rounded integer": ([2**53 + 1], "would round"),
    "rounded in a list": ([0.5, 2**53 + 1], "would round"),
    "date": (np.array(["2020-01-01"], "M8[D]"), "real numbers"),
}


CURED = {
    "bytes": np.array([b"1.5", b"2"]),
    "text": ["1.5", "2"],
    "days": np.array(["2020-01-01", "2020-01-03"], "M8[D]"),
    "spans": np.array([3, 4], "m8[s]"),
}


@pytest.mark.parametrize("name", CURED)
def test_the_line_that_makes_numbers_makes_numbers(name):
    value = CURED[name]
    with pytest.raises(Misuse, match="real numbers") as e:
        validation.array(value, "Ridge's A")
    line = str(e.value).partition("pass ")[2].partition(" if it")[0]
    got = validation.array(eval(line, {"np": np, "A": value}), "A")
    wanted = {"days": [0, 172800], "spans": [3, 4]}.get(name, [1.5, 2])
    assert got.tolist() == wanted


@pytest.mark.parametrize("name", REFUSED)
def test_bad_data_are_refused(name):
    value, words = REFUSED[name]
    with pytest.raises(Misuse, match=words):
        validation.array(value, "A")


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array([3, 1], ">i4"), np.float64),
        (np.array([0.5], ">f8"), np.float64),
        (np.array([0.5], ">f4"), np.float32),
        (np.array([0.5], np.float16), np.float32),
        (np.array([0.5], np.longdouble), np.float64),
        (np.array([True, False]), np.float64),
        (np.array([2**60], np.uint64), np.float64),
        ([1, 2.5], np.float64),
        (jnp.asarray([0.5], jnp.bfloat16), np.float32),
    ],
)
def test_any_real_dtype_is_read_exactly(value, dtype):
    a = validation.array(value, "A")
    assert a.dtype == dtype and np.asarray(a).dtype.isnative
    assert [float(v) for v in a] == [float(v) for v in value]


def test_a_rounded_longdouble_is_said():
    third = np.longdouble(1) / 3
    with pytest.warns(UserWarning, match="A was rounded from"):
        assert float(validation.array([third], "A")[0]) == 1 / 3


@pytest.mark.parametrize("value", [True, np.False_, None, [1.0], "1", 1j])
def test_a_number_is_one_real_number(value):
    with pytest.raises(Misuse, match="lam"):
        validation.number(value, "lam")


def test_signs_and_limits():
    assert float(validation.number(0, "lam", low="nonnegative")) == 0
    for value, low in [(0.0, "positive"), (-1, "nonnegative")]:
        with pytest.raises(Misuse, match=f"lam must be {low}"):
            validation.number(value, "lam", low=low)
    assert validation.number(np.inf, "up", infinite=True) == np.inf
    for value in (0.0, 1.0, 3.99):
        with pytest.raises(Misuse):
            validation.probability(value, "delta")


@pytest.mark.parametrize("value", [True, 1.5, 5.0, "5", None, 1j, [5], -1, 2**31])
def test_an_integer_is_an_integer(value):
    with pytest.raises(Misuse, match="max_steps must be an integer >= 0"):
        validation.integer(value, "max_steps", low=0, high=2**31 - 1)
    assert validation.integer(np.int64(7), "max_steps") == 7
    assert type(validation.integer(np.asarray(7, np.int8), "max_steps")) is int


def test_flags_and_words():
    assert validation.flag(np.True_, "convex") is True
    for value in (1, None, "yes"):
        with pytest.raises(Misuse, match="convex must be True or False"):
            validation.flag(value, "convex")
    with pytest.raises(Misuse, match="'a', 'b'"):
        validation.choice("c", "mode", ("a", "b"))


def test_traced_values_keep_the_demands_of_their_structure():
    assert jax.jit(lambda v: validation.array(v, "A"))(jnp.ones(2)).shape == (2,)
    with pytest.raises(Misuse, match="complex"):
        jax.jit(lambda v: validation.array(v, "A"))(jnp.ones(2) * 1j)
    with pytest.raises(Misuse, match="2 axes"):
        jax.jit(lambda v: validation.array(v, "A", ndim=2))(jnp.ones(2))


@pytest.mark.parametrize("value", [np.array(True), jnp.array(False)])
def test_a_boolean_of_no_axes_is_no_number(value):
    with pytest.raises(Misuse, match="lam must be a positive number"):
        validation.number(value, "lam", low="positive")


def test_integers_hidden_in_lists_are_never_rounded():
    big = 2**53 + 1
    for rows in ([np.int64(big), 0.5], [np.array([big, 1]), np.array([0.5, 1.0])]):
        with pytest.raises(Misuse, match=str(big)):
            validation.array(rows, "y")
    assert validation.array([np.int64(2**53), 0.5], "y").tolist() == [2.0**53, 0.5]

"""Float64 data stay float64 when a problem is stated with JAX's 64 bits off."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import tree

ONES = np.ones(2)


def square(x):
    return jnp.sum(x**2)


def away(x, y):
    return jnp.sum((x - y) ** 2)


STATED = {
    "constrained": lambda: bn.Constrained(
        square, ONES, linear=(np.array([[0.1, 0.2]]), np.array([0.3])), lower=-1.0
    ),
    "saddle": lambda: bn.saddle(lambda x, y: x @ y, ONES, ONES, monotone=True),
    "inclusion": lambda: bn.Inclusion(lambda z: 0.1 * z, ONES, monotone=True),
    "root": lambda: bn.Root(lambda x: x - 0.1, ONES),
    "fixed_point": lambda: bn.FixedPoint(lambda x: 0.1 * x, ONES, contraction=0.1),
    "linear": lambda: bn.Linear(0.1 * np.eye(2), ONES, positive_definite=True),
    "bilevel": lambda: bn.Bilevel(away, away, ONES, ONES, lower_strongly_convex=True),
    "transport": lambda: bn.Transport(
        np.array([[0.1, 0.2], [0.3, 0.4]]), ONES / 2, ONES / 2, 0.1
    ),
    "relu": lambda: bn.ConvexRelu(
        np.array([[0.1, 1], [1, 0.2], [1, 1]]), np.ones(3), 0.1
    ),
    "smooth": lambda: bn.Smooth(square, ONES),
}


@pytest.mark.parametrize("kind", STATED)
def test_nothing_is_narrowed_and_nothing_warns(kind):
    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = STATED[kind]()
    floats = [
        v
        for v in jax.tree.leaves(problem)
        if hasattr(v, "dtype") and jnp.issubdtype(v.dtype, jnp.floating)
    ]
    assert floats and {str(v.dtype) for v in floats} == {"float64"}


def test_the_dtype_of_a_tree_does_not_depend_on_the_mode():
    mixed = {"a": np.ones(2, np.float32), "b": np.ones(2)}
    for double in (False, True):
        with jax.enable_x64(double):
            assert tree.dtype(mixed) == np.float64
            assert tree.dtype({"a": mixed["a"]}) == np.float32
            assert tree.dtype({"a": jnp.ones(2, jnp.bfloat16)}) == jnp.bfloat16

"""Hyperparameters of terms and recipes: any real number in, exactly; structure kept."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import banach as bn
from banach.methods.distributed._stragglers import Bursts
from banach.methods.smooth import _damped_newton_steps as damping
from banach.methods.smooth import _hessian_models as curvature

THIRD = 1 / 3


@pytest.mark.parametrize(
    "value",
    [
        3, 3.0, np.int8(3), np.uint64(3), np.float16(3), np.float32(3),
        np.array(3, ">f8"), np.array(3, ">i2"), np.longdouble(3),
        jnp.bfloat16(3), jnp.asarray(3),
    ],
)  # fmt: skip
def test_any_real_dtype_is_the_number(value):
    lam = bn.L1(value).lam
    assert lam.dtype in (np.float32, np.float64) and lam.dtype.isnative
    assert float(lam) == 3.0 and np.ndim(lam) == 0
    assert float(bn.L1(lam).value(np.array([1.0, -2.0]))) == 9.0


def test_a_python_number_is_a_float64_scalar_and_an_array_keeps_its_precision():
    assert bn.L1(THIRD).lam.dtype == np.float64 and float(bn.L1(THIRD).lam) == THIRD
    assert isinstance(bn.L1(THIRD).lam, np.ndarray)
    assert bn.L1(np.float32(THIRD)).lam.dtype == np.float32
    assert bn.Box([0, 1], [2, 3]).upper.tolist() == [2.0, 3.0]


def test_integers_of_jax_are_never_rounded_in_its_32_bit_mode():
    with jax.enable_x64(False):
        n = jnp.asarray(2**24 + 1)
        assert n.dtype == np.int32
        with pytest.raises(bn.Misuse, match="float32 would round"):
            bn.LInfBall(n)
        assert float(bn.LInfBall(n - 1).radius) == 2**24


def test_a_longdouble_that_float64_rounds_is_told():
    with pytest.warns(UserWarning, match=r"L1 lam was rounded from .* to float64"):
        lam = bn.L1(np.longdouble(1) / 3).lam
    assert float(lam) == THIRD


def test_weights_by_pytree_are_read_leaf_by_leaf():
    lam = {"w": np.array([1, 2]), "b": 0.5}
    with pytest.raises(bn.Misuse, match=r"L1 lam\['b'\] must be nonnegative"):
        bn.L1(lam | {"b": -1})
    x = {"w": np.array([1.0, -1.0]), "b": np.array(2.0)}
    term = bn.L1({"w": np.array([1, 2]), "b": 0.5})
    assert float(term.value(x)) == 1 + 2 + 1
    assert jax.tree.structure(term.lam) == jax.tree.structure(x)


def test_traced_hyperparameters_go_through_every_reader():
    v = np.array([3.0, -2.0, 0.1])
    got = jax.vmap(lambda lam: bn.L1(lam).prox(v, 1.0))(np.array([0.5, 1.0]))
    np.testing.assert_allclose(got, [[2.5, -1.5, 0.0], [2.0, -1.0, 0.0]])
    slope = jax.grad(lambda r: jnp.sum(bn.L2Ball(r).project(v)))(1.0)
    np.testing.assert_allclose(slope, np.sum(v) / np.linalg.norm(v), rtol=1e-12)
    with pytest.raises(bn.Misuse, match="complex"):
        jax.jit(lambda lam: bn.L1(lam).value(v))(1j)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: bn.Box(0, None), "a side that is open is np.inf"),
        (lambda: bn.Box([0, 0, 0], [1, 1]), r"lower has shape \(3,\) and upper \(2,\)"),
        (lambda: bn.Box({"a": 0.0, "b": 0.0}, {"a": 1.0, "c": 1.0}), "same structure"),
        (lambda: bn.GroupL2(1.0, np.ma.array([0, 1])), "masked"),
        (lambda: bn.IncompleteCholesky(1.5), "0 to 1"),
        (lambda: Bursts(slows=1.5), "probability"),
        (lambda: damping.Explicit(1.0, 5), "from 2 to 4"),
        (lambda: damping.Backtracking(grow=1.0), "above 1"),
        (lambda: curvature.MatrixFree(max_steps=0), "an integer >= 1"),
        (lambda: bn.Product(bn.Zero(), 3), "a part without a term is bn.Zero"),
        (lambda: bn.GridLaplacian(np.ones((2, 2)), np.ones((2, 3)), np.ones((2, 2))),
         "one shape"),
    ],
)  # fmt: skip
def test_orders_shapes_and_limits_name_the_cure(build, says):
    with pytest.raises(bn.Misuse, match=says):
        build()


def test_a_half_space_of_any_size_is_one():
    far = bn.HalfSpace([3e200, 4e200], 0.0)
    np.testing.assert_allclose(far.violation(np.array([1.0, 0.0])), 0.6)

"""Smooth, NonlinearLeastSquares and Root: inputs, oracles, transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import tree
from banach.core.problem import Misuse
from banach.kinds.least_squares.problem import NonlinearLeastSquares, least_squares
from banach.kinds.root.problem import Root
from banach.kinds.smooth.problem import Smooth

A = np.array([[3.0, 1.0], [1.0, 2.0]])
B = np.array([1.0, -1.0])


def quadratic(x, b=B):
    return 0.5 * x @ A @ x - b @ x


def test_oracles_of_a_quadratic_are_exact():
    p = Smooth(quadratic, [1.0, 2.0], L=4.0, mu=1.0)
    x = np.array([1.0, 2.0])
    assert float(p.value(x)) == 0.5 * x @ A @ x - B @ x
    np.testing.assert_array_equal(p.grad(x), A @ x - B)
    np.testing.assert_array_equal(p.hess(x), A)
    np.testing.assert_array_equal(p.hvp(x, B), A @ B)
    assert p.x0.dtype == np.float64 and p.size() == 2
    table = p.facts().table()
    assert table["L"] == (4.0, "declared")
    assert table["smooth"] == (True, "by construction")
    assert table["convex"] == (True, "declared")


def test_python_numbers_are_float64_outside_the_context():
    with jax.enable_x64(False):
        p = Smooth(lambda x: jnp.sum((x - 0.1) ** 2), [1.0, 2.0])
        assert p.x0.dtype == np.float64
    # The literal 0.1 must be the float64 one.
    assert float(p.value(np.array([0.1, 0.1]))) == 0.0


def test_float32_stays_and_can_be_judged_in_float64():
    p = Smooth(lambda x: jnp.sum((x - 0.1) ** 2), np.ones(2, np.float32))
    x = np.full(2, 0.1, np.float32)
    assert p.value(x).dtype == np.float32
    wide = tree.cast(p, np.float64)
    exact = 2 * (np.float64(np.float32(0.1)) - 0.1) ** 2
    assert float(wide.value(x.astype(np.float64))) == pytest.approx(exact, rel=1e-12)
    assert exact > 1e-18


def test_captured_and_passed_arrays_are_leaves():
    def loss(p):
        return p.value(p.x0)

    captured = Smooth(lambda x: jnp.sum(A @ x), np.ones(2))
    assert any(v.shape == (2, 2) for v in jax.tree.leaves(captured))
    p = Smooth(quadratic, np.ones(2), (B,))
    g = jax.grad(loss, allow_int=True)(p)
    np.testing.assert_array_equal(g.args[0], -np.ones(2))


def test_vmap_over_data():
    bs = np.arange(6.0).reshape(3, 2)

    def at(b):
        p = Smooth(lambda x, b: jnp.sum((x - b) ** 2), np.zeros(2), (b,))
        return p.grad(p.x0)

    np.testing.assert_array_equal(jax.vmap(at)(bs), -2 * bs)
    stacked = jax.vmap(lambda b: Smooth(quadratic, jnp.zeros(2), (b,)))(bs)
    got = jax.vmap(lambda p: p.value(jnp.ones(2)))(stacked)
    np.testing.assert_allclose(got, [quadratic(np.ones(2), b) for b in bs], rtol=1e-15)


def test_fresh_lambda_is_the_same_program():
    one = Smooth(lambda x: jnp.sum(x**2), np.ones(2))
    two = Smooth(lambda x: jnp.sum(x**2), np.ones(2))
    assert jax.tree.structure(one) == jax.tree.structure(two)


@pytest.mark.parametrize(
    ("x0", "says"),
    [
        (np.array([True, False]), "astype"),
        ([1.0, None], "x0 must hold real numbers.*NoneType"),
        ([], "no entries"),
        (np.zeros(0), "no entries"),
        (np.array([np.nan]), "x0 holds NaN or infinity"),
        (np.array([np.inf]), "x0 holds NaN or infinity"),
        (np.array([1j]), "x0 must hold real numbers"),
        ("start", "x0 must hold real numbers"),
    ],
)
def test_bad_starts_are_refused_with_the_cure(x0, says):
    with pytest.raises(Misuse, match=says):
        Smooth(lambda x: jnp.sum(x), x0)


def halved(x):
    """A loop whose number of turns depends on x."""
    return jax.lax.while_loop(lambda s: s > 1, lambda s: s / 2, jnp.sum(x))


def called_back(x):
    """NumPy within JAX, without a derivative."""
    shape = jax.ShapeDtypeStruct((), x.dtype)
    return jax.pure_callback(lambda v: np.sum(v**2), shape, x)


@pytest.mark.parametrize(
    ("fun", "says"),
    [
        (3, "must be a function"),
        (lambda x: x, "jnp.sum"),
        (lambda x: (jnp.sum(x), x), "one scalar"),
        (lambda x: jnp.sum(x > 0), "cannot be differentiated"),
        (lambda x: jnp.sum(x) * 1j, r"(?s)complex.*\.real"),
        (halved, r"(?s)number of turns is not fixed.*jax\.lax\.scan"),
        (called_back, r"(?s)calls back into Python.*jax\.numpy"),
    ],
)
def test_bad_functions_are_refused_with_the_cure(fun, says):
    with pytest.raises(Misuse, match=says):
        Smooth(fun, np.ones(2))


@pytest.mark.parametrize("name", ["L", "mu", "radius", "self_concordant"])
@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan, np.ones(2)])
def test_bad_constants_are_refused(name, value):
    with pytest.raises(Misuse, match=name):
        Smooth(quadratic, np.ones(2), **{name: value})


def test_args_must_be_a_tuple_and_reference_like_x0():
    with pytest.raises(Misuse, match=r"args=\(data,\)"):
        Smooth(quadratic, np.ones(2), B)
    with pytest.raises(Misuse, match="structure and shapes"):
        Smooth(quadratic, np.ones(2), reference=np.ones(3))


def test_least_squares_oracles_agree_with_numpy():
    C = np.arange(6.0).reshape(3, 2)
    p = least_squares(lambda x: {"r": C @ x["u"] - 1}, {"u": np.ones(2)})
    assert isinstance(p, NonlinearLeastSquares)
    x = {"u": np.array([0.5, -1.0])}
    r = C @ x["u"] - 1
    np.testing.assert_allclose(p.residual(x), r, rtol=1e-15)
    np.testing.assert_allclose(p.jacobian(x), C)
    np.testing.assert_allclose(p.gauss_newton(x), C.T @ C)
    np.testing.assert_allclose(p.grad(x)["u"], C.T @ r, rtol=1e-14)
    np.testing.assert_allclose(p.hess(x), C.T @ C, rtol=1e-14)
    assert float(p.value(x)) == pytest.approx(r @ r / 2)


def test_root_needs_as_many_equations_as_unknowns():
    with pytest.raises(Misuse, match="least_squares"):
        Root(lambda x: x[:1], np.ones(2))
    with pytest.raises(Misuse, match="positive"):
        Root(lambda x: x, np.ones(2), scale=np.array([1.0, 0.0]))
    p = Root(lambda x, c: x**2 - c, np.ones(2), (np.array([4.0, 9.0]),))
    np.testing.assert_array_equal(p.residual(np.array([2.0, 3.0])), np.zeros(2))
    np.testing.assert_array_equal(p.jacobian(np.array([2.0, 3.0])), np.diag([4.0, 6.0]))

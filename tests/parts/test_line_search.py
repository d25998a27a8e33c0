"""Line searches against their defining inequalities, and at the noise floor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import tree
from banach.methods.smooth import _memory as memory
from banach.parts.line_search import approximate_wolfe, armijo


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def wiggly(x):
    return jnp.sum(x**2) + 0.5 * jnp.sum(jnp.sin(7 * x))


def barrier(x):
    return -jnp.sum(x + 0.1 * jnp.log(1 - x))


FUNCTIONS = {"rosenbrock": rosenbrock, "wiggly": wiggly, "barrier": barrier}
STARTS = np.array([[-1.2, 0.7, 0.3], [0.5, -0.4, 0.9], [0.1, 0.2, -0.3]])
STEPS = np.array([1e-4, 1e-2, 1.0, 30.0])


def searches(fun):
    both = jax.value_and_grad(fun)
    return {
        "approximate": lambda *a, **k: approximate_wolfe(both, *a, **k),
        "armijo": lambda *a, **k: armijo(fun, jax.grad(fun), *a, **k),
    }


def launch(search, fun, x, step, **hyper):
    f, g = jax.value_and_grad(fun)(x)
    return search(x, f, g, tree.neg(g), step, **hyper), f, g


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ["approximate", "armijo"])
def test_conditions_hold_at_accepted_points(name, kind):
    fun = FUNCTIONS[name]
    search = searches(fun)[kind]
    grid = jax.jit(
        jax.vmap(
            jax.vmap(lambda x, a: launch(search, fun, x, a), (None, 0)),
            (0, None),
        )
    )
    out, f0, g0 = grid(jnp.asarray(STARTS), jnp.asarray(STEPS))
    assert np.asarray(out.success).all()
    slope0 = -np.sum(np.asarray(g0) ** 2, -1)
    a, f = np.asarray(out.step), np.asarray(out.f)
    slope = -np.sum(np.asarray(out.g) * np.asarray(g0), -1)
    # What is returned belongs together.
    x = STARTS[:, None] - a[..., None] * np.asarray(g0)
    np.testing.assert_allclose(out.x, x, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(f, jax.vmap(jax.vmap(fun))(out.x), rtol=1e-14)
    np.testing.assert_allclose(
        out.g, jax.vmap(jax.vmap(jax.grad(fun)))(out.x), rtol=1e-12, atol=1e-12
    )
    if kind == "approximate":
        wolfe = f <= f0 + 0.1 * a * slope0
        flat = (slope <= -0.8 * slope0) & (f <= f0 * (1 + 32 * 2.3e-16))
        assert (slope >= 0.9 * slope0 * (1 + 1e-12)).all()
        assert (wolfe | flat).all()
    else:
        assert (f <= f0 + 1e-4 * a * slope0).all()
    assert np.asarray(out.value_calls).max() <= 20


@pytest.mark.parametrize("kind", ["approximate", "armijo"])
def test_counts_are_the_calls_made(kind):
    calls = {"value": 0, "grad": 0}

    def count(which):
        calls[which] += 1

    def value(x):
        jax.debug.callback(lambda: count("value"))
        return wiggly(x)

    def grad(x):
        jax.debug.callback(lambda: count("grad"))
        return jax.grad(wiggly)(x)

    def both(x):
        return value(x), grad(x)

    @jax.jit
    def go(x, step):
        f, g = jax.value_and_grad(wiggly)(x)
        d = tree.neg(g)
        if kind == "armijo":
            return armijo(value, grad, x, f, g, d, step)
        return approximate_wolfe(both, x, f, g, d, step, curvature=0.3)

    totals = [0, 0]
    for step in [1e-3, 5.0]:
        out = go(jnp.asarray(STARTS[1]), step)
        jax.effects_barrier()
        totals[0] += int(out.value_calls)
        totals[1] += int(out.grad_calls)
        assert out.value_calls.dtype == jnp.int32
    assert totals == [calls["value"], calls["grad"]]
    assert totals[0] >= 3


def test_objective_is_traced_once():
    traced = []

    def fun(x):
        traced.append(1)
        return wiggly(x)

    search = searches(fun)["approximate"]
    x = jnp.asarray(STARTS[0])
    f, g = jax.value_and_grad(wiggly)(x)
    text = str(jax.make_jaxpr(lambda a: search(x, f, g, tree.neg(g), a))(1.0))
    assert text.count(" sin ") == 1
    assert len(traced) <= 2


@pytest.mark.parametrize("kind", ["approximate", "armijo"])
def test_ascent_direction_fails_without_a_call(kind):
    x = jnp.asarray(STARTS[0])
    f, g = jax.value_and_grad(rosenbrock)(x)
    out = searches(rosenbrock)[kind](x, f, g, g, 1.0)
    assert not out.success
    assert int(out.value_calls) == 0
    assert float(out.step) == 0
    np.testing.assert_array_equal(out.x, x)


def test_unbounded_ends_at_the_budget():
    def fun(x):
        return -jnp.sum(x)

    search = searches(fun)["approximate"]
    out, _, _ = launch(search, fun, jnp.ones(2), 1.0, max_steps=7)
    assert not out.success
    assert int(out.value_calls) == 7


@pytest.mark.parametrize("kind", ["approximate", "armijo"])
def test_nan_region_is_left(kind):
    def fun(x):
        return jnp.sum(jnp.where(x > 1e-3, jnp.nan, (x - 5e-4) ** 2))

    out, f, _ = launch(searches(fun)[kind], fun, jnp.zeros(2), 1e3, max_steps=60)
    assert out.success
    assert float(out.f) < float(f)


def test_pytree_float32_and_vmap_equal_loop():
    def fun(x):
        return wiggly(x["a"]) + rosenbrock(x["b"])

    x = {
        "a": jnp.asarray(STARTS, jnp.float32),
        "b": jnp.asarray(STARTS, jnp.float32),
    }
    search = searches(fun)["approximate"]
    go = jax.jit(lambda v: launch(search, fun, v, 0.5)[0])
    batch = jax.jit(jax.vmap(go))(x)
    for i in range(3):
        one = go(jax.tree.map(lambda v, i=i: v[i], x))
        assert one.f.dtype == jnp.float32
        assert one.x["a"].dtype == jnp.float32
        assert bool(one.success)
        assert int(one.value_calls) == int(batch.value_calls[i])
        np.testing.assert_allclose(one.step, batch.step[i], rtol=1e-5)


def ill_conditioned_logistic():
    rng = np.random.default_rng(1)
    a = rng.standard_normal((200, 10)) * np.logspace(0, -1.5, 10)
    sign = np.where(rng.random(200) < 0.5, -1.0, 1.0)
    a = jnp.asarray(a * sign[:, None])

    def fun(x):
        return jnp.mean(jnp.logaddexp(0, -a @ x)) + 1e-4 * jnp.vdot(x, x) / 2

    return fun, 10


def lbfgs(fun, size, kind, steps=300):
    """L-BFGS until the search gives up; the relative gradient it reached."""
    search = searches(fun)[kind]
    x = jnp.zeros(size)
    f, g = jax.value_and_grad(fun)(x)
    first = tree.norm(g)

    def active(state):
        _, _, g, _, k, success = state
        return success & (k < steps) & (tree.norm(g) > 1e-15 * first)

    def body(state):
        x, f, g, pairs, k, _ = state
        d = tree.neg(memory.apply(pairs, g))
        out = search(x, f, g, d, jnp.where(k == 0, 1 / first, 1.0))
        pairs = memory.push(pairs, out.x - x, out.g - g)
        return out.x, out.f, out.g, pairs, k + 1, out.success

    state = (x, f, g, memory.empty(x, 10), 0, True)
    return tree.norm(jax.lax.while_loop(active, body, state)[2]) / first


def test_noise_floor_stops_armijo_but_not_ours():
    fun, size = ill_conditioned_logistic()
    reached = {
        kind: float(jax.jit(lambda k=kind: lbfgs(fun, size, k))())
        for kind in ["armijo", "approximate"]
    }
    assert reached["armijo"] > 1e-9
    assert reached["approximate"] < 1e-14


def test_armijo_with_noise_passes_the_floor():
    fun, size = ill_conditioned_logistic()
    x = jnp.zeros(size)
    for _ in range(8):
        x = x - jnp.linalg.solve(jax.hessian(fun)(x), jax.grad(fun)(x))
    x = x.at[0].add(1e-9)
    f, g = jax.value_and_grad(fun)(x)
    d = -jnp.linalg.solve(jax.hessian(fun)(x), g)
    out = armijo(fun, jax.grad(fun), x, f, g, d, 1.0, noise=32.0)
    assert float(out.step) == 1
    assert float(tree.norm(out.g)) < 1e-5 * float(tree.norm(g))

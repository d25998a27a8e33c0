"""Functions of the user: traced once, captures hoisted, compared by their program."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import compat, traced_function
from banach.core.problem import Misuse
from banach.core.traced_function import trace
from banach.core.tree import norm
from banach.engine import compile_cache

X = np.array([1.0, 2.0, 3.0])
DATA = np.arange(12.0).reshape(4, 3)


def text(fun, *args):
    return trace(fun, *args).program.text


def test_captured_arrays_become_leaves():
    f = trace(lambda x: jnp.sum(DATA @ x), X)
    assert len(f.consts) == 1 and np.array_equal(f.consts[0], DATA)
    assert "dot_general" in f.program.text
    other = f.__class__((2 * DATA,), f.program)
    assert float(other(X)) == 2 * float(f(X)) == 2 * np.sum(DATA @ X)


def test_captures_inside_nested_jit_surface_too():
    inner = jax.jit(lambda x: DATA @ x)
    outer = jax.jit(lambda x: jnp.sum(inner(x) ** 2))
    f = trace(lambda x: outer(x) + 1, X)
    assert [np.shape(c) for c in f.consts] == [(4, 3)]
    moved = f.__class__((DATA + 1,), f.program)
    assert float(moved(X)) == pytest.approx(np.sum(((DATA + 1) @ X) ** 2) + 1)


def test_captures_survive_grad_vmap_and_control_flow():
    def loss(x):
        def body(c, row):
            return c + jnp.tanh(row @ x), None

        total, _ = jax.lax.scan(body, 0.0, DATA)
        return total + jax.vmap(lambda row: row @ x)(jnp.asarray(DATA)).sum()

    f = trace(jax.grad(loss), X)
    np.testing.assert_allclose(f(X), jax.grad(loss)(X), rtol=1e-14)
    np.testing.assert_allclose(
        jax.jit(lambda x: f(x))(X), jax.grad(loss)(X), rtol=1e-14
    )


def test_a_fresh_lambda_is_the_same_program():
    def make(shift):
        return lambda x: jnp.sum((x - shift) ** 2)

    one, two = trace(make(X), X), trace(make(2 * X), X)
    assert one.program == two.program and hash(one.program) == hash(two.program)
    assert jax.tree.structure(one) == jax.tree.structure(two)
    assert one.program.digest() == two.program.digest()
    # Custom rules carry Python functions, fresh objects in every trace.
    soft = trace(lambda x: jnp.sum(jax.nn.softplus(x) + jax.nn.relu(x)), X)
    again = trace(lambda x: jnp.sum(jax.nn.softplus(x) + jax.nn.relu(x)), X)
    assert soft.program == again.program
    assert trace(norm, X).program == trace(lambda x: norm(x), X).program


def test_different_mathematics_are_different_programs():
    base = text(lambda x: jnp.sum(x**2), X)
    assert base != text(lambda x: jnp.sum(x**3), X)
    assert base != text(lambda x: jnp.sum(x**2), X[:2])
    assert base != text(lambda x: {"f": jnp.sum(x**2)}, X)
    one = trace(lambda x: jnp.sum(jax.jit(lambda v: 2.0 * v)(x)), X).program
    two = trace(lambda x: jnp.sum(jax.jit(lambda v: 3.0 * v)(x)), X).program
    assert one != two


def test_different_custom_rules_are_different_programs():
    def rule(slope):
        @jax.custom_jvp
        def f(x):
            return jnp.sum(x)

        @f.defjvp
        def _(primals, tangents):
            if slope == 1:
                return f(*primals), jnp.sum(tangents[0])
            return f(*primals), 2 * jnp.sum(tangents[0])

        return f

    one, two = trace(rule(1), X), trace(rule(2), X)
    assert float(jax.grad(one)(X)[0]) == 1 and float(jax.grad(two)(X)[0]) == 2


def test_constants_are_differentiable():
    f = trace(lambda x: jnp.sum(jnp.sin(DATA @ x)), X)

    def value(scale):
        return f.__class__((scale * f.consts[0],), f.program)(X)

    slope = jax.grad(value)(1.0)
    exact = np.sum(np.cos(DATA @ X) * (DATA @ X))
    assert float(slope) == pytest.approx(exact, rel=1e-12)


def test_a_third_program_of_one_code_object_warns_with_the_cure():
    def make(power):
        return lambda x: jnp.sum(x**power)

    fresh = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traced_function, "_SEEN", fresh)
        trace(make(2), X)
        trace(make(2), X)
        trace(make(3), X)
        said = r"the lambda at test_traced_function.py:\d+ became a third.*Pass it thr"
        with pytest.warns(UserWarning, match=said) as told:
            trace(make(4), X)
        assert told[0].filename == __file__
        # Once is enough; and other shapes are no reproach.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            trace(make(5), X)
            for n in (2, 4, 5):
                trace(lambda x: jnp.sum(x**2), np.ones(n))


def test_functions_are_counted_by_the_users_own_not_by_what_wraps_them():
    def wrapper(of):
        return lambda x: of(x) + 1

    def grow(factor):
        def grown(x):
            return jnp.sum(factor * x)

        return grown

    own = [lambda x: jnp.sum(x), lambda x: jnp.sum(x**2), lambda x: jnp.sum(x**3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traced_function, "_SEEN", {})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for of in own:
                trace(wrapper(of), X)
        # The wrapper as one of banach's, whose name says nothing.
        patch.setattr(traced_function, "_ours", lambda f: f.__name__ == "<lambda>")
        with pytest.warns(UserWarning, match=r"^grown \(test_traced_function.py"):
            for factor in (2, 3, 4):
                trace(wrapper(jax.jit(grow(factor))), X)
        # In an array, the number is data.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for factor in (2, 3, 4):
                trace(grow(np.array([factor])), X)
            with compat.double():
                for factor in (2, 3, 4):
                    trace(grow(np.array([factor])), X)


def test_the_arguments_must_keep_their_structure():
    f = trace(lambda x: x["a"] + x["b"], {"a": 1.0, "b": 2.0})
    assert float(f({"a": 3.0, "b": 4.0})) == 7
    with pytest.raises(Misuse, match="pass the same structure"):
        f({"a": 3.0})
    with pytest.raises(Misuse, match=r"must be a function.*got ndarray.*lambda x"):
        trace(X, X, name="fun")


def test_a_partial_and_a_callable_object_work():
    class Model:
        def __call__(self, x):
            return jnp.sum(x) * 2

    assert float(trace(Model(), X)(X)) == 12
    scaled = functools.partial(lambda a, x: a * jnp.sum(x), 3.0)
    assert float(trace(scaled, X)(X)) == 18


def test_a_fresh_lambda_does_not_compile_again():
    import banach as bn

    def solve(shift, method=None):
        problem = bn.Smooth(lambda x: jnp.sum((x - shift) ** 2), np.zeros(3), L=2.0)
        return bn.solve(problem, method or GradientDescent, tier="fused")

    from banach.methods.smooth.gradient_descent import GradientDescent

    before = compile_cache.COUNTS["kernel"]
    assert solve(X).certified
    assert compile_cache.COUNTS["kernel"] == before + 1
    for k in range(2, 5):
        r = solve(k * X)
        np.testing.assert_allclose(r.x, k * X, rtol=1e-6)
    assert compile_cache.COUNTS["kernel"] == before + 1


def cut(x):
    return jax.lax.stop_gradient(x)


@jax.custom_jvp
def flat(x):
    return jax.lax.stop_gradient(x)


flat.defjvp(lambda p, t: (flat(p[0]), 0 * t[0]))

STOPS = {
    "plain": lambda x: jnp.sum(cut(x) * x),
    "jit": lambda x: jnp.sum(jax.jit(cut)(x) * x),
    "jit of the primitive": lambda x: jnp.sum(jax.jit(jax.lax.stop_gradient)(x) * x),
    "tree map": lambda x: jnp.sum(jax.tree.map(jax.lax.stop_gradient, [x])[0] * x),
    "vmap": lambda x: jnp.sum(jax.vmap(cut)(x) * x),
    "scan": lambda x: jax.lax.scan(lambda c, r: (c + cut(r) * r, None), 0.0, x)[0],
    "while": lambda x: jax.lax.while_loop(
        lambda c: c[0] < 2, lambda c: (c[0] + 1, cut(c[1])), (0, jnp.sum(x))
    )[1],
    "branch": lambda x: jax.lax.cond(x[0] > 0, lambda v: cut(v) @ v, jnp.sum, x),
    "checkpoint": lambda x: jnp.sum(jax.checkpoint(lambda v: cut(v) * v)(x)),
    "own gradient": lambda x: jnp.sum(jax.grad(lambda v: jnp.sum(cut(v) * v))(x)),
    "own rule": lambda x: jnp.sum(flat(x) * x),
    "pytree": lambda x: sum(jnp.sum(v) for v in jax.lax.stop_gradient((x, x))),
}
HARMLESS = {
    "logsumexp": jax.nn.logsumexp,
    "softmax": lambda x: jnp.sum(jax.nn.softmax(x) ** 2),
    "log_softmax": lambda x: jax.nn.log_softmax(x)[0],
    "deviation": lambda x: jnp.std(x) + jnp.linalg.norm(x),
    "scipy": jax.scipy.special.logsumexp,
    "our norm": norm,
    "activations": lambda x: jnp.sum(jax.nn.gelu(x) + jax.nn.relu(x)),
}


@pytest.mark.parametrize("name", STOPS)
def test_a_stopped_gradient_is_seen_wherever_it_is_written(name):
    assert trace(STOPS[name], X).program.stops_gradient is True


@pytest.mark.parametrize("name", HARMLESS)
def test_the_stops_of_a_library_that_cancel_do_not_count(name):
    assert trace(HARMLESS[name], X).program.stops_gradient is False


def test_whose_stop_it_is_tells_programs_apart():
    """The text of both is one and the same stop_gradient."""
    theirs = trace(lambda x: jnp.sum(jax.nn.softmax(x)), X).program

    def mine(x):
        e = jnp.exp(x - cut(jnp.max(x, axis=0, keepdims=True, initial=-jnp.inf)))
        return jnp.sum(e / jnp.sum(e, axis=0, keepdims=True))

    assert theirs.text.count("stop_gradient") == 1 and not theirs.stops_gradient
    assert trace(mine, X).program.stops_gradient
    twin = traced_function.Program(
        theirs.jaxpr, theirs.in_tree, theirs.out_tree, "f", True
    )
    assert twin.text == theirs.text and twin != theirs


def leaves_behind():
    kept = []

    def f(x):
        kept.append(x)
        return jnp.sum(x * kept[0])

    trace(f, X)
    return f


WRONG = {
    "numpy": (lambda x: np.sum(np.asarray(x)), "NumPy array.*use jax.numpy"),
    "ufunc": (lambda x: np.tanh(x).sum(), "NumPy array.*use jax.numpy"),
    "filled in": (lambda x: np.zeros(3).__setitem__(0, x[0]), "jax.numpy"),
    "float": (lambda x: float(x[0]), "Python number.*leave it an array"),
    "item": (lambda x: jnp.sum(x).item(), "Python number.*leave it an array"),
    "if": (lambda x: x[0] if x[0] > 0 else x[1], "jnp.where.*jax.lax.cond"),
    "max": (lambda x: max(x[0], x[1]), r"jnp\.maximum"),
    "range": (lambda x: sum(1.0 for _ in range(x[0].astype(int))), "fori_loop"),
    "length": (lambda x: jnp.zeros(x[0].astype(int)).sum(), "Python integer"),
    "selection": (lambda x: x[x > 0].sum(), r"jnp\.where\(condition, value, 0"),
    "item assignment": (lambda x: x.__setitem__(0, 1.0), r"x\.at\[i\]\.set"),
    "arity": (lambda x, y: x @ y, "takes .*called with 1 argument .*args="),
    "none": (lambda x: None, "returns None.*return value"),
    "text": (lambda x: "a", r"returns 'a' \(str\).*array of real numbers"),
    "object": (lambda x: object(), "array of real numbers"),
    "masked": (lambda x: x * np.ma.array(X, mask=[0, 1, 0]), "masked.*filled"),
    "masked result": (lambda x: np.ma.array(X, mask=[0, 1, 0]), "masked.*filled"),
    "own mistake": (lambda x: {}["key"], "raised KeyError: 'key'.*by hand"),
    "shapes": (lambda x: x @ jnp.ones(4), "raised TypeError: dot_general.*by hand"),
    "left behind": (leaves_behind(), "earlier call left behind.*arguments alone"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_function_that_cannot_be_traced_is_two_lines(name):
    fun, words = WRONG[name]
    with pytest.raises(Misuse, match=f"(?s)my f.*{words}") as caught:
        trace(fun, X, name="my f")
    message = str(caught.value)
    assert message.count("\n") == 1 and len(message) < 500
    error = caught.value
    assert error.__suppress_context__ or error.__context__ is None


def test_the_line_at_fault_is_named():
    def objective(x):
        y = 2 * x
        return jnp.sum(np.exp(y))

    with pytest.raises(
        Misuse, match=r"test_traced_function\.py:\d+: return jnp.sum\(np.exp"
    ):
        trace(objective, X)


def test_a_loop_without_a_gradient_is_refused_when_it_is_stated():
    import banach as bn

    def open_ended(x):
        grown = jax.lax.while_loop(lambda c: c[0] < 9, lambda c: c * 2, x)
        return jnp.sum(grown)

    def back(x):
        shape = jax.ShapeDtypeStruct((), x.dtype)
        return jax.pure_callback(lambda v: v, shape, x[0])

    with pytest.raises(Misuse, match="not fixed.*\n.*jax.lax.scan"):
        bn.Smooth(open_ended, X)
    with pytest.raises(Misuse, match="calls back into Python.*\n.*custom_jvp"):
        bn.Constrained(lambda x: jnp.sum(x), X, eq=back)
    # A fixed number of turns has one, and a map needs none.
    bn.Smooth(lambda x: jax.lax.fori_loop(0, 3, lambda i, c: c * 2, x[0]), X)
    bn.FixedPoint(lambda x: x * 0 + open_ended(x), X)


def test_the_lanes_of_a_stack_share_one_trace():
    """Also of a function of which nobody knows whether it changed, as here."""
    turns = []

    def counted(x, d):
        turns.append(d.shape)
        return jnp.sum((x - d) ** 2)

    for lanes in (1, 6):
        turns.clear()
        stack = bn.Smooth.stack(counted, np.zeros((lanes, 2)), (np.ones((lanes, 2)),))
        assert len(stack) == lanes and len(turns) == 1
    # Stated anew it is traced anew.
    bn.Smooth.stack(counted, np.zeros((2, 2)), (np.ones((2, 2)),))
    assert len(turns) == 2

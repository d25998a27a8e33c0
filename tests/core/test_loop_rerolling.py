"""Unrolled loops rolled up: the same function, in few equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import compat, loop_rerolling, traced_function
from banach.core.traced_function import trace
from banach.engine import compile_cache, executors, tiers

rng = np.random.default_rng(5)
T = np.linspace(0.1, 2.0, 200)
Y = rng.standard_normal(200)
A = rng.standard_normal((40, 3))
X = np.array([0.7, -0.4, 1.3])


def terms(x, many=60):
    """Terms in a Python loop over data, a different literal in each."""
    total = 0.0
    for k in range(many):
        model = x[0] * jnp.exp(-x[1] * T[k]) + x[2] * jnp.sin(0.01 * k * T[k])
        total += (model - Y[k]) ** 2
    return total


def signed(x):
    """Differences, a literal start and terms of two kinds."""
    total = 3.0
    for k in range(40):
        total = total - jnp.where(A[k] @ x > 0.1, jnp.cos(x[k % 3]), x[0] * k)
        if k % 2:
            total = total + jax.nn.softplus(x[2] * A[k, 1])
    return total


def nested(x):
    """A chain of inequalities between neighbours, as stencils have them."""
    z = [x[i % 3] * (1 + i) for i in range(30)]
    out = 0.0
    for i in range(29):
        inner = 0.0
        for j in range(10):
            inner += A[i, j % 3] * z[i + 1] * jnp.abs(z[i] - j)
        out += inner**2
    return out


def listed(x):
    """Residuals in a list, by rows that are taken apart."""
    rows = []
    for i in range(40):
        a, b, c = A[i]
        rows.append(jnp.tanh(a * x[0] + b * x[1]) - c * x[2])
    r = jnp.stack(rows)
    return r @ r + jnp.sum(jnp.array([r[i] * x[i % 3] for i in range(40)]))


def inner(x):
    """The body of the loop in a jitted function of its own."""
    one = jax.jit(lambda v, t: v[0] * jnp.exp(v[1] * t) / (1 + v[2] ** 2))
    return sum(one(x, t) for t in T[:50]) - sum(one(x, -t) for t in T[50:60])


def probe(fun):
    """The value, the gradient and a product with the Hessian, compiled."""
    d = np.array([0.3, -1.0, 0.5])

    def all_of(x):
        slope = jax.grad(lambda v: fun(v))
        return fun(x), *jax.jvp(slope, (x,), (d,))

    return compile_cache.compiled(all_of, (X,))


CASES = [terms, signed, nested, listed, inner]


def unrolled(fun, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop_rerolling, "LONG", 10**9)
        return traced_function._traced(fun, (X,), "the function")


@pytest.mark.parametrize("fun", CASES, ids=lambda f: f.__name__)
def test_the_same_function_in_few_equations(fun, monkeypatch):
    with compat.double():
        long, short = unrolled(fun, monkeypatch), trace(fun, X)
        assert loop_rerolling.size(short.program.jaxpr) <= 60
        assert loop_rerolling.size(long.program.jaxpr) >= 240
        asked, given = probe(long), probe(short)
        for x in (X, X[::-1].copy(), 0 * X):
            for want, got in zip(asked(x), given(x), strict=True):
                scale = float(np.max(np.abs(want))) + 1
                np.testing.assert_allclose(got, want, rtol=0, atol=1e-13 * scale)


def test_literals_that_differ_are_data_and_equal_loops_one_program():
    def make(step):
        def loop(x):
            return sum((x[0] - step * k) ** 2 for k in range(60))

        return loop

    with compat.double():
        one, two = trace(make(0.5), X), trace(make(0.25), X)
    assert one.program == two.program
    assert float(one(X)) == pytest.approx(sum((0.7 - 0.5 * k) ** 2 for k in range(60)))
    assert float(two(X)) == pytest.approx(sum((0.7 - 0.25 * k) ** 2 for k in range(60)))


def test_what_does_not_repeat_stays_as_it_is(monkeypatch):
    def chain(x):
        v, a, b = x
        for k in range(120):
            v = jnp.sin(v) + a if k % 2 else jnp.cos(v) * b
        return v

    long, short = unrolled(chain, monkeypatch), trace(chain, X)
    assert long.program == short.program

    @jax.custom_jvp
    def own(v):
        return v * v

    @own.defjvp
    def _(primals, tangents):
        return own(*primals), 3 * tangents[0]

    # A rule of the user's own is applied as often as it was written.
    ruled = trace(lambda x: sum(own(x[0] + k) for k in range(120)), X)
    names = [eqn.primitive.name for eqn in ruled.program.jaxpr.eqns]
    assert names.count("custom_jvp_call") == 120
    assert float(jax.grad(lambda v: ruled(v))(X)[0]) == pytest.approx(360)


def test_large_arrays_are_not_put_side_by_side():
    many = [rng.standard_normal((150, 150)) for _ in range(30)]
    z = np.ones(150)

    def fun(v):
        return sum(jnp.sum(jnp.tanh(M @ v) ** 2) for M in many)

    with compat.double():
        traced = trace(fun, z)
        assert len(traced.consts) == 30
        shapes = {v.aval.size for e in traced.program.jaxpr.eqns for v in e.outvars}
        assert max(shapes) <= 30 * 150
        want = sum(np.sum(np.tanh(M @ z) ** 2) for M in many)
        assert float(traced(z)) == pytest.approx(want, rel=1e-13)


def test_every_rounding_bound_holds_of_the_rolled_program():
    """The slack covers the distance to exact arithmetic, in numbers of 64 bits."""
    from banach.checks.rounding import with_error

    with compat.double():
        short = trace(terms, X)
        value, error = with_error(lambda v: short(v))(X)
    x, t, y = (v.astype(np.longdouble) for v in (X, T, Y))
    t, y = t[:60], y[:60]
    weight = np.array([np.longdouble(0.01 * k * T[k]) for k in range(60)])
    model = x[0] * np.exp(-x[1] * t) + x[2] * np.sin(weight)
    exact = np.sum((model - y) ** 2)
    gap = abs(np.longdouble(float(value)) - exact)
    assert gap <= float(error) < 1e-11


def test_a_solve_of_200_terms_is_a_small_program(monkeypatch):
    """Equations of all programs of a solve over those of value, gradient, Hessian."""
    built = []
    init = executors.Program.__init__

    def counted(self, *args, **options):
        init(self, *args, **options)
        built.append(loop_rerolling.size(self.jaxpr.jaxpr))

    monkeypatch.setattr(executors.Program, "__init__", counted)
    tiers.clear()

    def fun(x):
        return terms(x, 200)

    result = bn.minimize(fun, X, tier="fused")
    assert result.certified and built
    with compat.double():
        own = sum(
            loop_rerolling.size(jax.make_jaxpr(d)(X).jaxpr)
            for d in (fun, jax.grad(fun), jax.hessian(fun))
        )
    assert own > 10_000
    assert sum(built) <= 0.5 * own


def test_the_rule_of_a_function_of_jax_is_known_by_its_place():
    f = trace(lambda x: jax.nn.relu(x[0]) + jnp.logaddexp(x[1], x[2]), X)
    rules = [compat.own_rule(e) for e in f.program.jaxpr.eqns]
    assert sum(r is not None for r in rules) == 2
    assert traced_function.trace(lambda x: x[0] + 1, X).program.jaxpr.eqns

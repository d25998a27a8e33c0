"""Sketched Newton for equations: reference, unit steps, rates, honest ends."""

import functools
import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import adasketch_newton as reference

import banach as bn
from banach.core.method import Refusal
from banach.engine.loop import leaves_in
from banach.methods.constrained._merit import Merit
from banach.methods.constrained._sketch import Sketch
from banach.methods.constrained.adasketch_newton import AdasketchNewton

X0 = np.array([0.8, 0.8, 1.2])
LAM0 = np.array([-0.4])
# With these the weights must change and a step is cut.
WEIGHTS = dict(mu=0.1, nu=0.1)


def valley(x0=X0):
    """A nonconvex valley on a sphere that is not centred."""

    def f(x):
        return (x[0] - 1) ** 2 + 2 * (x[1] - x[0] ** 2) ** 2 + jnp.cos(x[2])

    return bn.Constrained(f, x0, eq=lambda x: x @ x + x[0] * x[2] - 3, reference=x0)


def numpy_oracles():
    def first(x):
        a, b, c = x
        f = (a - 1) ** 2 + 2 * (b - a**2) ** 2 + np.cos(c)
        g = [2 * (a - 1) - 8 * a * (b - a**2), 4 * (b - a**2), -np.sin(c)]
        J = np.array([[2 * a + c, 2 * b, 2 * c + a]])
        return f, np.array(g), np.array([x @ x + a * c - 3]), J

    def hess(x, lam):
        a, b, c = x
        H = np.diag([2 - 8 * b + 24 * a**2, 4.0, -np.cos(c)])
        H[0, 1] = H[1, 0] = -8 * a
        C = 2 * np.eye(3)
        C[0, 2] = C[2, 0] = 1
        return H + lam[0] * C

    return SimpleNamespace(first=first, hess=hess)


def drive(method, problem, steps, dual=None):
    """The states after each step, and the key of each step."""
    start = bn.Point(problem.start().x, dual)
    method = leaves_in(np.float64, method)
    keys = jax.random.split(jax.random.key(3), steps)
    state = jax.jit(lambda m, p: m.init(p, start, keys[0]))(method, problem)
    step = jax.jit(lambda m, p, s, k: m.step(p, s, k))
    states = [state]
    for k in keys:
        state = step(method, problem, state, k)
        states.append(state)
    return states, keys


@pytest.mark.parametrize(
    "sketch", [Sketch("rows", 1), Sketch("rows", 2), Sketch("gaussian", 2)], ids=str
)
def test_iterates_equal_the_reference_with_the_same_draws(sketch):
    d, steps, many = 4, 8, 64
    method = AdasketchNewton(sketch, max_sweeps=10**6, **WEIGHTS)
    states, keys = drive(method, valley(), steps, LAM0)

    @jax.jit
    def chunk(key, first):
        def one(sweep, i):
            at = jax.random.fold_in(jax.random.fold_in(key, sweep), i)
            return sketch.draw(at, d, np.float64)

        both = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
        return both(first + jnp.arange(many), jnp.arange(sketch.projections(d)))

    @functools.cache
    def drawn(k, tries, part):
        return np.asarray(chunk(jax.random.fold_in(keys[k], tries), part * many))

    def draws(k, tries, sweep):
        for S in drawn(k, tries, sweep // many)[sweep % many]:
            yield S if sketch.kind == "gaussian" else np.eye(d)[:, S]

    theirs = reference.iterates(
        numpy_oracles(), X0, LAM0, steps, draws,
        delta=0.1, rho=1.5, beta=0.1, shift=0.1, **WEIGHTS,
    )  # fmt: skip
    ours = [np.append(s.x, s.dual) for s in states[1:]]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
    alphas = [float(s.alpha) for s in states[1:]]
    assert min(alphas) < 1 and float(states[-1].weights.mu) > 0.2


def residuals(states):
    return np.array([float(jnp.linalg.norm(Merit(s.at, s.dual).r)) for s in states])


def test_unit_steps_and_the_two_rates():
    found = {}
    for sharpen in (0.0, 1.0):
        method = AdasketchNewton(Sketch("gaussian", 2), sharpen=sharpen)
        states, _ = drive(method, valley(), 14)
        r = residuals(states)
        small = r < 1e-10 * r[0]
        n = int(np.argmax(small)) if small.any() else len(r) - 1
        found[sharpen] = r[1 : n + 1] / r[:n]
        assert [float(s.alpha) for s in states[1 : n + 1]][-3:] == [1.0] * 3
    # Linear with a ratio about delta; superlinear when theta follows the residual.
    assert np.median(found[0.0][-4:]) > 1e-3
    assert found[1.0][-1] < 1e-3


def test_the_merit_falls():
    """M falls at every step, with the weights of that step."""
    problem, method = valley(), AdasketchNewton(Sketch("gaussian", 2))
    states, _ = drive(method, problem, 12)
    for a, b in itertools.pairwise(states):
        w = b.weights
        fell = Merit(b.at, b.dual).value(w) - Merit(a.at, a.dual).value(w)
        size = float(Merit(a.at, a.dual).size(w))
        assert float(fell) <= 1e-13 * size


def test_inequalities_and_bounds_are_refused_with_the_cure():
    for extra in ({"ineq": lambda x: x[0] - 1}, {"lower": 0.0}):
        problem = bn.Constrained(
            lambda x: x @ x, np.ones(2), eq=lambda x: x[0] - x[1], **extra
        )
        no = AdasketchNewton.suggest(problem, problem.facts())
        assert isinstance(no, Refusal) and "scipy:SLSQP" in no.cure
        # The default is then a peer that knows them.
        assert bn.solve(problem).label == "scipy:trust-constr"


def test_infeasible_and_singular_systems_end_honestly():
    def f(x):
        return x @ x / 2 + x[0]

    never = bn.Constrained(f, np.ones(2), eq=lambda x: x @ x + 1)
    r = bn.solve(never, max_steps=300)
    assert r.status in ("stalled", "budget") and not r.certified
    proved = bn.Constrained(
        f, np.ones(2), linear=(np.array([[1.0, 2], [2, 4]]), np.array([1.0, 3]))
    )
    r = bn.solve(proved)
    assert r.status == "infeasible" and "contradict" in r.reason
    # x^2 = 0: the constraint's gradient vanishes at the solution, no multiplier.
    flat = bn.Constrained(
        lambda x: x[0] + x[1] ** 2, np.ones(2), eq=lambda x: x[0] ** 2
    )
    r = bn.solve(flat, max_steps=300)
    assert r.status in ("stalled", "budget") and not r.certified
    # The same row twice: K is singular, its equations agree, and it is solved.
    twice = bn.Constrained(f, np.ones(2), eq=lambda x: jnp.stack([x[0] + x[1] - 1] * 2))
    r = bn.solve(twice)
    assert r.certified
    np.testing.assert_allclose(r.x, [0.0, 1.0], atol=1e-5)


def test_a_start_with_multipliers_is_used():
    problem = valley()
    states, _ = drive(AdasketchNewton(Sketch("gaussian", 2)), problem, 1, LAM0)
    assert float(states[0].dual[0]) == -0.4
    r = bn.solve(problem)
    again = bn.solve(problem, start=r)
    assert again.certified and again.steps == 0

"""Sketched Newton for equations: the reference by the same draws, honest ends."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import adasketch_newton as reference

import banach as bn
from banach.core.method import Refusal
from banach.engine.loop import leaves_in
from banach.methods.constrained._sketch import Sketch
from banach.methods.constrained.adasketch_newton import AdasketchNewton

X0, LAM0 = np.array([0.8, 0.8, 1.2]), np.array([-0.4])
# With these the weights must change and a step is cut.
WEIGHTS = dict(mu=0.1, nu=0.1)


def valley(x):
    """A nonconvex valley; the constraint is a sphere that is not centred."""
    return (x[0] - 1) ** 2 + 2 * (x[1] - x[0] ** 2) ** 2 + jnp.cos(x[2])


def numpy_oracles():
    def first(x):
        a, b, c = x
        f = (a - 1) ** 2 + 2 * (b - a**2) ** 2 + np.cos(c)
        g = [2 * (a - 1) - 8 * a * (b - a**2), 4 * (b - a**2), -np.sin(c)]
        J = np.array([[2 * a + c, 2 * b, 2 * c + a]])
        return f, np.array(g), np.array([x @ x + a * c - 3]), J

    def hess(x, lam):
        a, b, c = x
        H = [[2 - 8 * b + 24 * a**2, -8 * a, 0], [-8 * a, 4, 0], [0, 0, -np.cos(c)]]
        return np.array(H) + lam[0] * np.array([[2, 0, 1], [0, 2, 0], [1, 0, 2]])

    return SimpleNamespace(first=first, hess=hess)


@pytest.mark.parametrize(
    "sketch", [Sketch("rows", 1), Sketch("rows", 2), Sketch("gaussian", 2)], ids=str
)
def test_iterates_equal_the_reference_with_the_same_draws(sketch):
    problem = bn.Constrained(valley, X0, eq=lambda x: x @ x + x[0] * x[2] - 3)
    method = AdasketchNewton(sketch, max_sweeps=10**6, **WEIGHTS)
    method, keys = leaves_in(np.float64, method), jax.random.split(jax.random.key(3), 8)

    @jax.jit
    def run(p, m):
        first = m.init(p, bn.Point(X0, LAM0), keys[0])
        step = lambda s, k: (m.step(p, s, k),) * 2  # noqa: E731
        return jax.lax.scan(step, first, keys)[1]

    @jax.jit
    def drawn(key, *at):
        for i in at:
            key = jax.random.fold_in(key, i)
        every = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(4))
        return [sketch.draw(k, 4, np.float64) for k in every[: sketch.projections(4)]]

    def draws(k, tries, sweep):
        for S in map(np.asarray, drawn(keys[k], tries, sweep)):
            yield S if sketch.kind == "gaussian" else np.eye(4)[:, S]

    theirs = reference.iterates(
        numpy_oracles(), X0, LAM0, 8, draws,
        delta=0.1, rho=1.5, beta=0.1, shift=0.1, **WEIGHTS,
    )  # fmt: skip
    s = run(problem, method)
    ours = np.hstack([s.x, s.dual])
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
    assert min(s.alpha) < 1 and s.weights.mu[-1] > 0.2


def test_inequalities_and_bounds_are_refused_with_the_cure():
    for extra in ({"ineq": lambda x: x[0] - 1}, {"lower": 0.0}):
        equation = lambda x: x[0] - x[1]  # noqa: E731
        p = bn.Constrained(lambda x: x @ x, np.ones(2), eq=equation, **extra)
        no = AdasketchNewton.suggest(p, p.facts())
        assert isinstance(no, Refusal) and "scipy:SLSQP" in no.cure


def test_infeasible_and_singular_systems_end_honestly():
    def ends(f, eq):
        return bn.solve(bn.Constrained(f, np.ones(2), eq=eq), max_steps=300)

    half = lambda x: x @ x / 2 + x[0]  # noqa: E731
    never = ends(half, lambda x: x @ x + 1)
    # x^2 = 0: the constraint's gradient vanishes at the solution, no multiplier.
    flat = ends(lambda x: x[0] + x[1] ** 2, lambda x: x[0] ** 2)
    for r in (never, flat):
        assert r.status in ("stalled", "budget") and not r.certified
    # The same row twice: K is singular, its equations agree, and it is solved.
    twice = ends(half, lambda x: jnp.stack([x[0] + x[1] - 1] * 2))
    assert twice.certified
    np.testing.assert_allclose(twice.x, [0.0, 1.0], atol=1e-5)

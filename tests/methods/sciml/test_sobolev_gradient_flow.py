"""Sobolev gradient flow: its reference, its contraction, and the grid's absence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import sobolev_gradient_flow as reference

import banach as bn
from banach.engine.loop import leaves_in
from banach.methods.sciml.sobolev_gradient_flow import SobolevGradientFlow

rng = np.random.default_rng(6)


def density(s):
    return (s + jnp.log1p(s)) / 2


def stated(load):
    return bn.EllipticEnergy(
        density,
        load,
        lower=0.875,
        upper=2.0,
        potential=lambda u: u**2 / 2,
        curvature=(1.0, 1.0),
    )


def iterates(problem, method, steps):
    start, key = problem.start(), jax.random.key(0)
    method = leaves_in(start.x.dtype, method)
    step = jax.jit(lambda m, p, s: m.step(p, s, key))
    state, out = method.init(problem, start, key), []
    for _ in range(steps):
        state = step(method, problem, state)
        out.append(np.asarray(method.point(state).x))
    return np.array(out)


def derivative(load):
    """-div(a grad u) + u - f by NumPy, elements gathered one triangle at a time."""

    def of(u):
        w = u.shape[0] + 1
        v, out = np.pad(u, 1), np.zeros((w + 1,) * u.ndim)
        if u.ndim == 1:
            p = w * np.diff(v)
            flux = (1 + 1 / (1 + p**2)) * p * w
            out[1:] += flux
            out[:-1] -= flux
            return out[1:-1] + u - load
        for i in range(w):
            for j in range(w):
                for a, b, c in (
                    ((i, j), (i + 1, j), (i, j + 1)),
                    ((i + 1, j + 1), (i, j + 1), (i + 1, j)),
                ):
                    # Gradient on the triangle with its right angle at a.
                    p, q = w * (v[b] - v[a]), w * (v[c] - v[a])
                    k = (1 + 1 / (1 + p * p + q * q)) * w / 2
                    out[b] += k * p
                    out[c] += k * q
                    out[a] -= k * (p + q)
        return out[1:-1, 1:-1] + u - load

    return of


@pytest.mark.parametrize("shape", [(7,), (4, 4)])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_iterates_equal_the_reference(shape, shift):
    load = 10 * rng.standard_normal(shape)
    ours = iterates(stated(load), SobolevGradientFlow(0.7, shift), 10)
    theirs = reference.iterates(
        derivative(load), np.zeros(shape), 10, step_size=0.7, shift=shift
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_linear_poisson_problem_is_solved_in_one_step():
    load = rng.standard_normal((9, 9))
    p = bn.EllipticEnergy(lambda s: s / 2, load, lower=1.0, upper=1.0)
    xs = iterates(p, SobolevGradientFlow(1.0, 0.0), 1)
    want = np.linalg.solve(reference.laplacian(9, 2), load.ravel()).reshape(9, 9)
    np.testing.assert_allclose(xs[0], want, rtol=1e-10, atol=1e-14)


def test_the_contraction_does_not_see_the_grid_and_the_gradient_does():
    steps, plain = {}, {}
    for n in (7, 15, 31):
        x = np.arange(1, n + 1) / (n + 1)
        p = stated(20 * np.outer(np.sin(np.pi * x), x))
        r = bn.solve(p, "sobolev_gradient_flow", tol=1e-8)
        assert r.certified
        steps[n] = r.steps
        g = bn.solve(p, "gradient_descent", tol=1e-4, max_steps=20000)
        plain[n] = g.steps
    assert steps[31] <= steps[7] + 10
    assert plain[31] > 8 * plain[7]

"""The classical functions: known minima, declared constants, names."""

import jax
import numpy as np
import pytest

from banach.core.problem import Misuse
from banach.kinds.smooth.zoo import load, names

MINIMA = {
    "rosenbrock:4": (np.ones(4), 0.0),
    "quadratic:5": (np.ones(5), None),
    "powell_singular": (np.zeros(4), 0.0),
    "beale": (np.array([3.0, 0.5]), 0.0),
    "brown_badly_scaled": (np.array([1e6, 2e-6]), 0.0),
    "dixon_price:2": (np.array([1.0, np.sqrt(0.5)]), 0.0),
    "trigonometric:3": (np.zeros(3), 0.0),
}


@pytest.mark.parametrize("name", sorted(MINIMA))
def test_known_minima(name):
    p = load(name)
    x, f = MINIMA[name]
    scale = float(np.linalg.norm(p.grad(p.x0)))
    assert float(np.linalg.norm(p.grad(x))) <= 1e-9 * scale
    if f is not None:
        assert abs(float(p.value(x)) - f) < 1e-18


@pytest.mark.parametrize("name", ["quadratic:6", "logistic:6"])
def test_declared_constants_enclose_the_spectrum(name):
    p = load(name)
    for x in (p.x0, np.ones(6)):
        values = np.linalg.eigvalsh(p.hess(x))
        assert p.facts().mu <= values[0] + 1e-15 and values[-1] <= p.facts().L


def test_the_phase_field_is_a_convex_quadratic_and_a_concave_rest():
    p = load("ginzburg_landau:40")
    convex = np.asarray(p.hess(np.ones(40)))
    assert 0 < np.linalg.eigvalsh(convex)[0]
    assert np.linalg.eigvalsh(convex)[-1] <= p.facts().L
    for u in 2 * np.random.default_rng(0).standard_normal((3, 40)):
        assert np.linalg.eigvalsh(convex - p.hess(u))[0] >= -1e-12
    least, *_, most = np.linalg.eigvalsh(p.args[0])
    assert abs(least) <= 1e-12 and most <= 2


def test_monkey_saddle_is_flat_and_falls_off():
    p = load("monkey_saddle")
    assert float(np.linalg.norm(p.grad(np.zeros(2)))) == 0
    assert float(np.abs(p.hess(np.zeros(2))).max()) == 0
    assert float(p.value(np.array([-0.1, 0.0]))) < -9e-4


def test_names_and_sizes():
    assert "rosenbrock" in [row["name"] for row in names()]
    assert load("rosenbrock:40").size() == 40
    for name in [row["name"] for row in names()]:
        p = load(name)
        assert bool(jax.numpy.isfinite(p.value(p.x0)))
    for bad in (
        "nothing",
        "rosenbrock:x",
        "rosenbrock:1",
        "beale:3",
        "powell_singular:5",
    ):
        with pytest.raises(Misuse):
            load(bad)

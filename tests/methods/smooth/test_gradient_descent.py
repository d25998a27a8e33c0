"""Gradient descent: its two rates, one of them exact, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import smooth_drive as sd

from banach.core.method import Refusal
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.gradient_descent import GradientDescent


def test_the_distance_shrinks_by_the_condition():
    bowl, c = sd.bowl(), sd.bowl().constants
    xs, _, _ = sd.drive(GradientDescent(0.25, search=False), bowl.problem, 80)
    for t, x in enumerate([bowl.x0, *xs]):
        distance = np.linalg.norm(x - bowl.solution)
        assert distance <= (1 - c.mu / c.L) ** t * c.radius * (1 + 1e-12)


def test_the_rate_is_attained_by_the_worst_function():
    n = 7
    width = 1 / (2 * n + 1)

    def huber(x):
        size = jnp.sqrt(jnp.sum(x**2))
        return jnp.where(size > width, width * size - width**2 / 2, size**2 / 2)

    problem = Smooth(huber, np.array([1.0]), L=1.0, convex=True)
    xs, _, _ = sd.drive(GradientDescent(1.0, search=False), problem, n)
    # L = radius = 1: theorem 2 of Drori and Teboulle is an equality here.
    np.testing.assert_allclose(problem.value(xs[-1]), 1 / (4 * n + 2), rtol=1e-12)


def test_without_L_and_values_it_refuses_with_the_cure():
    class OnlyGradient:
        def oracles(self):
            return frozenset({"grad"})

    out = GradientDescent.suggest(OnlyGradient(), sd.load("beale").facts())
    assert isinstance(out, Refusal) and "declare L" in out.cure

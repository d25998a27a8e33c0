"""Gradient descent with step 1 / L: f(x_t) - f* <= L R^2 / (4 t + 2), and no less.

Exact for convex f with an L-Lipschitz gradient: it is attained, for each t, by a Huber
function of one variable. Reduced: nothing.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, between, proved
from banach.claims.smooth import _instances
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.gradient_descent import GradientDescent


@proved("Drori and Teboulle 2014, rate of the gradient method", at_most(1.0))
def rate():
    """f(x_t) - f* over L R^2 / (4 t + 2), the largest of 1,000 steps."""
    return _instances.against(
        lambda p: runs.suggested(GradientDescent, p),
        lambda L, R, t: L * R**2 / (4 * t + 2),
    )


@proved("Drori and Teboulle 2014, worst function", between(1 - 1e-9, 1 + 1e-9))
def attained():
    """(f(x_t) - f*) (4 t + 2) / (L R^2) on the worst function of t steps."""
    found, method = {}, GradientDescent(1.0, search=False)
    for t in (1, 10, 100):
        problem = Smooth(_huber, np.ones(1), (np.array(1 / (2 * t + 1)),), L=1.0)
        rows = runs.trace(problem, method, t, f=runs.objective)
        found[f"t = {t}"] = rows["f"][-1] * (4 * t + 2)
    return found


def _huber(x, width):
    size = jnp.abs(x[0])
    return jnp.where(size > width, width * size - width**2 / 2, size**2 / 2)

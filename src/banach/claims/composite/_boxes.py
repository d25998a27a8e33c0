"""Logistic losses of tables within bounds, and how far a point is from still."""

import jax.numpy as jnp

from banach.claims import instances
from banach.core import tree
from banach.kinds.composite.problem import Composite
from banach.terms.sets import Box


def problems():
    """Coefficients between 0 and 0.3: four real tables and a drawn one."""
    return {k: Composite(f, Box(0.0, 0.3)) for k, f in instances.logistic().items()}


def movement(problem, point):
    """||x - P(x - grad f(x))||."""
    forward = tree.sub(point.x, problem.grad(point.x))
    return jnp.linalg.norm(point.x - problem.project(forward))

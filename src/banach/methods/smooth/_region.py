"""A quadratic model in a trust region, whoever makes its matrix."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.parts import newton, trust_region

Vector = Float[Array, " n"]


class Region(eqx.Module):
    """Point, value and gradient there, the radius, and whether no step can move."""

    x: PyTree
    f: Float[Array, ""]
    g: Vector
    radius: Float[Array, ""]
    stuck: Bool[Array, ""]


def begin(problem: Any, x: PyTree, radius: Any) -> Region:
    """One evaluation."""
    f, g = problem.value_and_grad(x)
    g = tree.ravel(g)[0]
    f, radius = (jnp.asarray(v, g.dtype) for v in (f, radius))
    return Region(x, f, g, radius, jnp.asarray(False))


def advance(
    problem: Any, here: Region, matrix: Float[Array, "n n"]
) -> tuple[Region, Vector, Vector, Bool[Array, ""]]:
    """(where to, the trial step, how it changed the gradient, whether it was taken).

    x+ = x + p if f fell by 1e-4 of what the model promised; one evaluation.
    """
    x, back = tree.ravel(here.x)
    p, predicted, bounded = newton.trusted(matrix, x, here.g, here.radius)
    trial, size = x + p, tree.norm(p)
    f, g = problem.value_and_grad(back(trial))
    g = tree.ravel(g)[0]
    rho = newton.agreement(here.f, f, here.g, g, p, predicted)
    accept = rho > 1e-4
    reach = jnp.where(bounded, size, here.radius)
    radius = trust_region.update_radius(reach, rho, size, bounded)
    there = Region(
        x=tree.where(accept, back(trial), here.x),
        f=jnp.where(accept, f, here.f),
        g=jnp.where(accept, g, here.g),
        radius=radius,
        stuck=jnp.all(trial == x) | ~(radius > 0),
    )
    return there, p, g - here.g, accept

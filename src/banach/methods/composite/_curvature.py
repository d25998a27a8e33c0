"""What two points and their gradients show of L, the Lipschitz constant of grad f."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree

Scalar = Float[Array, ""]


def shown(z: PyTree, g: PyTree, before: PyTree, old: PyTree) -> Scalar:
    """||dg||^2 / <dg, dz> between (before, old) and (z, g); 0 where rounding hides it.

    At most L where f is convex, because its gradient is cocoercive.
    """
    dz, dg = tree.sub(z, before), tree.sub(g, old)
    along, square = tree.vdot(dg, dz), tree.vdot(dg, dg)
    eps = float(jnp.finfo(along.dtype).eps) ** 0.5
    clear = (tree.norm(dz) > eps * tree.norm(before)) & (
        tree.norm(dg) > eps * tree.norm(g)
    )
    clear = clear & (along > 0) & jnp.isfinite(square / jnp.where(along > 0, along, 1))
    return jnp.where(clear, square / jnp.where(along > 0, along, 1), 0)


def bounded(L: Scalar, old: Any, new: Any) -> Bool[Array, ""]:
    """Whether the model of curvature L at (x, f, g) `old` bounds f at `new`.

    f+ <= f + <g, d> + L / 2 ||d||^2, d = x+ - x; where that drowns in rounding,
    <g+ - g, d> <= L ||d||^2.
    """
    (x, f, g), (x_new, f_new, g_new) = old, new
    d = tree.sub(x_new, x)
    square = L * tree.vdot(d, d)
    above = f_new - f - tree.vdot(g, d)
    noise = 64 * jnp.finfo(f_new.dtype).eps * jnp.maximum(abs(f_new), abs(f))
    bend = tree.vdot(tree.sub(g_new, g), d)
    ok = (above <= square / 2) | ((square <= noise) & (bend <= square))
    return ok & jnp.isfinite(f_new) & tree.all_finite(g_new)

"""The cubic-regularised model, min g.h + h.Hh / 2 + (M / 6) ||h||^3."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree
from banach.parts.trust_region import Spectrum, shifted

Scalar = Float[Array, ""]


class CubicStep(eqx.Module):
    """Global minimiser of the cubic model.

    (H + multiplier I) step = -g with multiplier = M ||step|| / 2; `predicted` is
    the decrease of the cubic model, never negative.
    """

    step: Float[Array, " n"]
    multiplier: Scalar
    predicted: Scalar


def cubic_step(
    spectrum: Spectrum,
    g: Float[Array, " n"],
    weight: Scalar,
    *,
    max_steps: int = 60,
) -> CubicStep:
    """Minimise the cubic model with M = weight > 0, from an eigendecomposition.

    With multiplier = base + t, solves 1 / ||h(t)|| = M / (2 (base + t)) by
    Newton's method from below: the difference of the sides is concave and
    increasing in t, so the iterates rise monotonically to the root. The start
    is the largest root of the one-coordinate equations. In the hard case the step
    is completed along the eigenvector of the least eigenvalue. The cost
    for one more gradient is two products with the eigenvectors.

    Source: Nesterov and Polyak (2006); Cartis, Gould and Toint (2011), section 6.
    """
    s = shifted(spectrum, g)
    weight = jnp.asarray(weight, g.dtype)
    tiny = jnp.finfo(g.dtype).eps
    # (gap + t)(base + t) = M |slope| / 2, the positive root without cancellation.
    load = weight * jnp.abs(s.slopes) / 2
    root = jnp.sqrt((s.gaps - s.base) ** 2 + 4 * load)
    bottom = s.gaps + s.base + root
    least = 2 * (load - s.gaps * s.base) / jnp.where(bottom > 0, bottom, 1)

    def active(state):
        _, change, calls = state
        return change & (calls < max_steps)

    def body(state):
        t, _, calls = state
        h = s.step(t)
        size = tree.norm(h)
        unit = h / jnp.where(size > 0, size, 1)
        moving = unit != 0
        bend = jnp.sum(jnp.where(moving, unit**2 / jnp.where(moving, s.gaps + t, 1), 0))
        multiplier = s.base + t
        # Times ||h||: 1 - M ||h|| / (2 multiplier) and its slope.
        some = jnp.where(multiplier > 0, multiplier, 1)
        quotient = weight * size / (2 * some)
        slope = bend + quotient / some
        newton = t + (quotient - 1) / jnp.where(slope > 0, slope, 1)
        more = (multiplier > 0) & (quotient - 1 > 2 * tiny) & (newton > t)
        return jnp.where(more, newton, t), more, calls + 1

    start = (
        jnp.maximum(jnp.max(least), 0),
        jnp.asarray(True),
        jnp.zeros((), jnp.int32),
    )
    t, _, _ = jax.lax.while_loop(active, body, start)
    h = s.step(t)
    multiplier = s.base + t
    radius = 2 * multiplier / weight
    missing = 1 - (tree.norm(h) / jnp.where(radius > 0, radius, 1)) ** 2
    hard = (s.base > 0) & (t == 0)
    fill = jnp.where(hard, radius * jnp.sqrt(jnp.maximum(missing, 0)), 0)
    q = h.at[0].add(-fill)
    step = -jnp.matmul(spectrum.vectors, q, precision=tree.PRECISION)
    # -(g.h + h.Hh / 2 + M r^3 / 6) = -g.h / 2 + M r^3 / 12 at the solution.
    predicted = jnp.vdot(s.slopes, h) / 2 + weight * tree.norm(q) ** 3 / 12
    return CubicStep(step, multiplier, predicted)

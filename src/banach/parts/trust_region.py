"""Trust-region subproblems, min g.p + p.Hp / 2 over ||p|| <= radius."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree

Scalar = Float[Array, ""]


class Spectrum(eqx.Module):
    """Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix."""

    values: Float[Array, " n"]
    vectors: Float[Array, "n n"]


def spectrum(matrix: Float[Array, "n n"]) -> Spectrum:
    """Eigendecomposition of a symmetric matrix, to be reused for many gradients."""
    return Spectrum(*jnp.linalg.eigh(matrix))


class TrustRegionStep(eqx.Module):
    """Solution of the subproblem: (H + multiplier I) step = -g.

    `predicted` is the decrease of the model, never negative.
    """

    step: Float[Array, " n"]
    multiplier: Scalar
    predicted: Scalar
    on_boundary: Bool[Array, ""]


class SteihaugStep(eqx.Module):
    """Truncated conjugate-gradient solution of the subproblem."""

    step: PyTree
    predicted: Scalar
    on_boundary: Bool[Array, ""]
    negative_curvature: Bool[Array, ""]
    calls: Int[Array, ""]


class Shifted(eqx.Module):
    """Eigenvalues measured from the least admissible multiplier.

    gaps = values + base >= 0 with base = max(0, -least value), so that
    multiplier = base + t, and gaps + t keeps its relative accuracy as t -> 0.
    `slopes` is the gradient in the eigenbasis.
    """

    gaps: Float[Array, " n"]
    base: Scalar
    slopes: Float[Array, " n"]

    def step(self, t: Scalar) -> Float[Array, " n"]:
        """Minus the step in the eigenbasis, zero where the slope is zero."""
        flat = self.slopes == 0
        return jnp.where(flat, 0, self.slopes / jnp.where(flat, 1, self.gaps + t))


def shifted(spectrum: Spectrum, g: Float[Array, " n"]) -> Shifted:
    """Rotate the gradient and shift the eigenvalues.

    A least eigenvalue within rounding of zero counts as zero, and a slope that
    is pure rounding in its null space counts as zero too: else a singular convex
    model would be sent to the boundary along a direction of no importance.
    """
    w = spectrum.values
    slopes = jnp.matmul(spectrum.vectors.T, g, precision=tree.PRECISION)
    rounding = w.size * jnp.finfo(w.dtype).eps
    negligible = rounding * jnp.max(jnp.abs(w))
    concave = w[0] < -negligible
    gaps = jnp.where(concave, w - w[0], jnp.maximum(w, 0))
    null = ~concave & (gaps <= negligible)
    null = null & (jnp.abs(slopes) <= rounding * tree.norm(g))
    return Shifted(gaps, jnp.where(concave, -w[0], 0), jnp.where(null, 0, slopes))


def exact(
    spectrum: Spectrum,
    g: Float[Array, " n"],
    radius: Scalar,
    *,
    max_steps: int = 60,
) -> TrustRegionStep:
    """Global solution from an eigendecomposition, hard case included.

    Newton's method on 1 / ||p(t)|| = 1 / radius from below, where it is
    monotone because 1 / ||p|| is concave and increasing. In the hard case (the
    gradient has no part along the least eigenvalue, which is negative) the step
    is completed to the boundary along that eigenvector.

    Source: More and Sorensen (1983); Conn, Gould and Toint (2000), chapter 7.
    """
    s = shifted(spectrum, g)
    radius = jnp.asarray(radius, g.dtype)
    tiny = jnp.finfo(g.dtype).eps
    least = jnp.max(jnp.abs(s.slopes) / radius - s.gaps)

    def active(state):
        _, change, calls = state
        return change & (calls < max_steps)

    def body(state):
        t, _, calls = state
        p = s.step(t)
        size = tree.norm(p)
        unit = p / jnp.where(size > 0, size, 1)
        moving = unit != 0
        bend = jnp.sum(jnp.where(moving, unit**2 / jnp.where(moving, s.gaps + t, 1), 0))
        newton = t + (size - radius) / radius / jnp.where(bend > 0, bend, 1)
        more = (size - radius > 2 * tiny * radius) & (newton > t)
        return jnp.where(more, newton, t), more, calls + 1

    start = (jnp.maximum(least, 0), jnp.asarray(True), jnp.zeros((), jnp.int32))
    t, _, _ = jax.lax.while_loop(active, body, start)
    p = s.step(t)
    missing = jnp.maximum(1 - (tree.norm(p) / radius) ** 2, 0)
    hard = (s.base > 0) & (t == 0)
    fill = jnp.where(hard, radius * jnp.sqrt(missing), 0)
    multiplier = s.base + t
    q = p.at[0].add(-fill)
    step = -jnp.matmul(spectrum.vectors, q, precision=tree.PRECISION)
    # -(g.p + p.Hp / 2) = (-g.p + multiplier p.p) / 2: no cancellation.
    predicted = (jnp.vdot(s.slopes, p) + multiplier * jnp.vdot(q, q)) / 2
    return TrustRegionStep(step, multiplier, predicted, multiplier > 0)


def steihaug(
    matvec: Callable[[PyTree], PyTree],
    g: PyTree,
    radius: Scalar,
    *,
    tol: Float[Array, ""] | float,
    max_steps: int,
) -> SteihaugStep:
    """Conjugate gradients, stopped at the boundary or at negative curvature.

    Ends when ||H p + g|| <= tol ||g||, after max_steps products with H, or at the
    boundary of the region. One product per step; `calls` counts them.

    Source: Steihaug (1983), Toint (1981); Nocedal and Wright algorithm 7.2.
    """
    dtype = tree.dtype(g)
    radius = jnp.asarray(radius, dtype)
    start_square = tree.vdot(g, g)
    enough = (jnp.asarray(tol, dtype) ** 2) * start_square

    def active(s):
        out, _, _, square = s
        return ~out.on_boundary & (square > enough) & (out.calls < max_steps)

    def body(s):
        out, r, d, square = s
        curved = matvec(d)
        curvature = tree.vdot(d, curved)
        bad = curvature <= 0
        length = square / jnp.where(bad, 1, curvature)
        edge = _to_boundary(out.step, d, radius)
        leaves = bad | (length >= edge)
        length = jnp.where(leaves, edge, length)
        r = tree.axpy(length, curved, r)
        after = tree.vdot(r, r)
        gain = length * (square - length * curvature / 2)
        out = SteihaugStep(
            tree.axpy(length, d, out.step),
            out.predicted + gain,
            leaves,
            bad,
            out.calls + 1,
        )
        return out, r, tree.axpy(after / square, d, tree.neg(r)), after

    no = jnp.asarray(False)
    zero = jnp.zeros((), dtype)
    out = SteihaugStep(tree.zeros_like(g), zero, no, no, jnp.zeros((), jnp.int32))
    first = (out, g, tree.neg(g), start_square)
    return jax.lax.while_loop(active, body, first)[0]


def _to_boundary(p, d, radius):
    """The a >= 0 with ||p + a d|| = radius, for ||p|| <= radius."""
    along = tree.vdot(p, d)
    square = tree.vdot(d, d)
    square = jnp.where(square > 0, square, 1)
    size = tree.norm(p)
    room = jnp.maximum((radius - size) * (radius + size), 0)
    root = jnp.sqrt(along**2 + square * room)
    # The root without cancellation, whatever the sign of p.d.
    safe = jnp.where(along + root > 0, along + root, 1)
    return jnp.where(along > 0, room / safe, (root - along) / square)


def ratio(
    f: Scalar,
    f_trial: Scalar,
    g: PyTree,
    g_trial: PyTree,
    step: PyTree,
    predicted: Scalar,
    *,
    noise: Float[Array, ""] | float = 32.0,
) -> Scalar:
    """Actual over predicted decrease, also where values are only rounding.

    When the predicted decrease is below noise * eps * |f| the actual one is taken
    from the gradients by the trapezoid rule, -(g + g_trial).step / 2, which is
    exact for a quadratic and involves no difference of values. A trial that is
    not finite gives -inf; a predicted decrease of zero gives 0.
    """
    floor = jnp.asarray(noise, f.dtype) * jnp.finfo(f.dtype).eps
    floor = floor * jnp.maximum(jnp.abs(f), jnp.abs(f_trial))
    slopes = -(tree.vdot(g, step) + tree.vdot(g_trial, step)) / 2
    close = jnp.abs(f - f_trial) <= floor
    drowned = (predicted <= floor) & close
    actual = jnp.where(drowned, slopes, f - f_trial)
    quotient = actual / jnp.where(predicted > 0, predicted, 1)
    quotient = jnp.where(predicted > 0, quotient, 0)
    good = jnp.isfinite(f_trial) & tree.all_finite(g_trial)
    return jnp.where(good & jnp.isfinite(quotient), quotient, -jnp.inf)


def update_radius(
    radius: Scalar,
    ratio: Scalar,
    step_norm: Scalar,
    on_boundary: Bool[Array, ""],
) -> Scalar:
    """Shrink to half of the step after a poor one, double after a good one.

    Growth needs a step that reached the boundary: an interior step says nothing
    about the model further out.

    Source: Nocedal and Wright (2006), algorithm 4.1, which shrinks to a quarter.
    """
    smaller = 0.5 * jnp.minimum(step_norm, radius)
    larger = jnp.where((ratio > 0.75) & on_boundary, 2.0 * radius, radius)
    return jnp.where(ratio < 0.25, smaller, larger)

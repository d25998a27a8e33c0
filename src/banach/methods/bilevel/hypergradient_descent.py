"""Hypergradient descent with approximate implicit differentiation (HOAG)."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.bilevel_solves import adjoint, solve_lower


class Solved(eqx.Module):
    """Of an x: y, adjoint v, hypergradient p and value, all to some accuracy."""

    y: PyTree
    v: PyTree
    p: PyTree
    value: Float[Array, ""]


class HypergradientDescentState(eqx.Module):
    """The accepted x and what was solved there; the trial step; calls so far."""

    x: PyTree
    made: Solved
    step_size: Float[Array, ""]
    tolerance: Float[Array, ""]
    units: tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]
    evaluations: Int[Array, ""]
    grads: Int[Array, ""]
    products: Int[Array, ""]
    refresh: Bool[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Bilevel",
    needs={"upper_value", "upper_grad", "lower_grad", "lower_hvp", "cross"},
    assumes={"lower_strongly_convex"},
    paper="pedregosa2016hyperparameter",
)
class HypergradientDescent(Method):
    """Gradient steps on Phi(x) = F(x, y*(x)), both inner solves only to accuracy e_k.

    ||grad_y g(x, y)|| <= e_k, ||G_yy v - F_y|| <= e_k, p = F_x - G_xy v, x+ = x - s p

    with e_k = min(`tolerance` `decay`^k, a tenth of ||p||), summable as the paper
    asks, each relative to its size at the start: e_k carries no unit. Warm started: the
    lower problem by inexact Newton from the last y, the adjoint by conjugate gradients
    from the last v. Grazzi et al. (2020) analyse the same hypergradient.

    The authors adapt 1/s and take almost every step. Here one is taken only where
    Phi, read as F - <v, grad_y g> (its error is of second order in e_k), decreases by
    s ||p||^2 / 10^4, or where rounding hides the values and the slope along the step
    has shrunk; otherwise s is halved, and what is known at x is solved again at the
    present accuracy. The next trial is the Barzilai-Borwein length <dx, dx> / <dx, dp>,
    at most ten times the last. One trial a step of the run.

    Fails where g is not strongly convex in y: y*(x) jumps, and no step is accepted.
    """

    step_size: Any = real(1.0)
    tolerance: Any = real(0.1)
    decay: Any = real(0.9, most=1)

    def init(self, problem, start, key):
        x, y = start.x
        dtype = tree.dtype(start.x)
        tol, units = jnp.asarray(self.tolerance, dtype), _units(problem, start.x)
        zero, no = tree.zeros_like(y), jnp.asarray(False)
        made, grads, products = _solved(problem, x, y, zero, tol, units)
        size = tree.norm(made.p)
        units = (*units, jnp.where(size > 0, size, 1))
        return HypergradientDescentState(
            x, made, jnp.asarray(self.step_size, dtype), tol, units,
            jnp.ones((), jnp.int32), grads + 1, products + 1, no, no,
        )  # fmt: skip

    def step(self, problem, state, key):
        old, size = state.made, tree.norm(state.made.p)
        tol = state.tolerance * jnp.asarray(self.decay, size.dtype)
        # No trial moves x by more than a hundred times its own size.
        far = 100 * (1 + tree.norm(state.x))
        s = jnp.minimum(state.step_size, far / jnp.where(size > 0, size, 1))
        s = jnp.where(state.refresh, 0, s)
        x = tree.axpy(-s, old.p, state.x)
        *units, first = state.units
        goal = jnp.minimum(tol, size / first / 10)
        made, grads, products = _solved(problem, x, old.y, old.v, goal, units)

        slope, along, value = size**2, tree.vdot(made.p, old.p), made.value
        eps = jnp.finfo(size.dtype).eps
        lower = value <= old.value - 1e-4 * s * slope
        level = jnp.abs(value - old.value) <= 1e3 * eps * jnp.abs(old.value)
        flat = level & (jnp.abs(along) <= 0.9 * slope)
        good = (lower | flat | state.refresh) & jnp.isfinite(value)
        # dx = -s p and dp = p+ - p: <dx, dx> / <dx, dp> = s |p|^2 / (|p|^2 - <p+, p>).
        bent = slope - along
        safe = jnp.where(bent > 0.1 * slope, bent, 0.1 * slope)
        longer = s * jnp.where(slope > 0, slope / jnp.where(safe > 0, safe, 1), 1)
        length = jnp.where(good, longer, s / 2)
        still = (tree.max_abs(tree.sub(x, state.x)) == 0) & ~state.refresh
        x, made = tree.where(good, (x, made), (state.x, old))
        return HypergradientDescentState(
            x, made, jnp.where(state.refresh, state.step_size, length), tol,
            state.units, state.evaluations + 1, state.grads + grads,
            state.products + products, ~good & ~state.refresh, still,
        )  # fmt: skip

    def point(self, state):
        return Point((state.x, state.made.y), state.made.v)

    def calls(self, state):
        n = state.evaluations
        return {
            "upper_value": n, "upper_grad": n + 1, "cross": n,
            "lower_grad": state.grads, "lower_hvp": state.products,
        }  # fmt: skip


def _units(problem, z):
    """What is large for grad_y g and for F_y: the gradients at the start.

    Where y is best there already the curvature along y, or along F_y, says it.
    """
    g, (_, fy) = problem.lower_grad(z), problem.upper_grad(z)
    along = tree.where(tree.norm(z[1]) > 0, z[1], fy)
    lower = jnp.maximum(tree.norm(g), tree.norm(problem.lower_hvp(z, along)))
    return tuple(jnp.where(u > 0, u, 1) for u in (lower, tree.norm(fy)))


def _solved(problem, x, y, v, tol, units):
    """Lower solve, adjoint, hypergradient, corrected value of Phi, and the calls."""
    dtype = tree.dtype(x)
    # No tolerance below what rounding lets the inner solves reach.
    tol = jnp.maximum(tol, jnp.finfo(dtype).eps ** 0.75)
    tol, adjoint_tol = (tol * unit for unit in units)
    low = solve_lower(problem, x, y, tol)
    z = (x, low.y)
    value, (fx, fy) = problem.upper_value_and_grad(z)
    out = adjoint(problem, z, fy, v, adjoint_tol)
    p = tree.sub(fx, problem.cross(z, out.x))
    value = jnp.asarray(value - tree.vdot(out.x, low.g), dtype)
    # A value is none where a solve failed: beyond the tolerance and beyond rounding.
    blur = jnp.finfo(dtype).eps ** 0.75
    solved = low.norm <= 10 * tol + blur * low.first
    solved = solved & (out.residual <= 10 * adjoint_tol + blur * tree.norm(fy))
    value = jnp.where(solved, value, jnp.inf)
    return Solved(low.y, out.x, p, value), low.grads, low.products + out.calls

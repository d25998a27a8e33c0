"""Proximal Newton: the Hessian's model of f beside the term, minimised inexactly."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Whole, count, real
from banach.core.method import Method
from banach.methods.composite import _ray
from banach.parts.momentum import gradient_restart, nesterov_theta, weight


class ProximalNewtonState(eqx.Module):
    """Iterate with f, its gradient, what the last model had for it; size of G, costs.

    `spent` are steps, values and proxes.
    """

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    foreseen: PyTree
    size: Float[Array, ""]
    spent: Int[Array, " 3"]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "hess", "prox"},
    assumes={"convex", "smooth"},
    paper="lee2014proximal",
)
class ProximalNewton(Method):
    """Minimise the second-order model of f plus the term, and search towards that.

    y ~ argmin q(y) + h(y),  q(y) = <grad f(x), y - x> + <y - x, H (y - x)> / 2

    x+ = x + t (y - x),  F(x+) <= F(x) + decrease t (<grad f(x), y - x> + h(y) - h(x))

    by FISTA with restarts and M >= ||H||, until a subgradient r of q + h at y is at
    most eta ||G_f(x)|| (sufficient for their rule, in which the smaller gradient step
    of q + h stands for r); G_f(x) = M (x - prox(x - grad f(x) / M, 1 / M)), and

    eta = min(forcing, ||G_q-(x) - G_f(x)|| / ||G_f(x-)||),  q- the model before

    their adaptive forcing term, whose m / 2 is `forcing`. Quadratic where the model is
    minimised exactly, superlinear so.

    Reconstructed: the rule of the search is asked in a form that needs no value of h;
    y is no end before r shows half of the descent that an exact one has. Fails in
    cost where unknowns are many, and where H is so ill-conditioned that `inner` steps
    do not minimise its model.
    """

    forcing: Any = real(0.1, below=1)
    decrease: Any = real(1e-4, below=0.5)
    inner: Whole = count(1000)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        f = jnp.asarray(f, tree.dtype(start.x))
        spent, no = jnp.asarray([0, 1, 0], jnp.int32), jnp.asarray(False)
        return ProximalNewtonState(start.x, f, g, g, 0 * f, spent, no)

    def step(self, problem, state, key):
        x, unravel = tree.ravel(state.x)
        g, foreseen = (tree.ravel(v)[0] for v in (state.g, state.foreseen))
        H = problem.hess(state.x)
        size = jnp.abs(H)
        # Two norms, neither below the largest eigenvalue.
        M = jnp.minimum(jnp.max(jnp.sum(size, axis=0)), tree.norm(H))
        M = jnp.where(M == 0, 1, M)

        def prox(v):
            return tree.ravel(problem.prox(unravel(v), 1 / M))[0]

        now, thought = (M * (x - prox(x - v / M)) for v in (g, foreseen))
        large = tree.norm(now)
        ratio = tree.norm(thought - now) / jnp.where(state.size > 0, state.size, 1)
        known = state.size > 0
        eta = jnp.where(known, jnp.minimum(self.forcing, ratio), self.forcing)
        y, r, Hd, proxes = _model_minimiser(H, M, g, x, prox, eta * large, self.inner)
        d = y - x
        fall = jnp.vdot(d, Hd) - jnp.vdot(r, d)
        new, f, trials, _ = _ray.search(
            lambda z: problem.value(unravel(z)),
            x, state.f, jnp.vdot(g, d), y, fall, self.decrease,
        )  # fmt: skip
        at = unravel(new)
        model = g + jnp.matmul(H, new - x, precision=tree.PRECISION)
        spent = state.spent + jnp.stack([jnp.ones_like(trials), trials, proxes + 2])
        stuck = jnp.all(new == x) & tree.all_finite(y)
        return ProximalNewtonState(
            at, f, problem.grad(at), unravel(model), large, spent, stuck
        )

    def calls(self, state):
        steps, values, proxes = state.spent
        return {"value": values, "grad": steps + 1, "hess": steps, "prox": proxes}


def _model_minimiser(H, M, g, x, prox, small, most):
    """y, a subgradient of q + h there, H (y - x), proxes: FISTA from x."""
    eps = jnp.finfo(x.dtype).eps

    def go(carry):
        y, _, Hd, _, _, r, n = carry
        d = y - x
        bend = jnp.vdot(d, Hd)
        done = (tree.norm(r) <= small) & (2 * jnp.vdot(r, d) <= bend)
        least = 8 * eps * (M * tree.norm(y) + tree.norm(g))
        return ((n == 0) | ~(done | (tree.norm(r) <= least))) & (n < most)

    def one(carry):
        y, z, Hd, Hz, theta, _, n = carry
        new = prox(z - (g + Hz) / M)
        H_new = jnp.matmul(H, new - x, precision=tree.PRECISION)
        r = M * (z - new) + H_new - Hz
        drop = gradient_restart(z - new, new, y)
        after = nesterov_theta(theta)
        beta = jnp.where(drop, 0, weight(theta, after))
        after = jnp.where(drop, 1, after)
        z, Hz = new + beta * (new - y), H_new + beta * (H_new - Hd)
        return new, z, H_new, Hz, after, r, n + 1

    none, zero = jnp.zeros_like(x), jnp.zeros((), jnp.int32)
    first = (x, x, none, none, jnp.ones((), x.dtype), none, zero)
    y, _, Hd, _, _, r, n = jax.lax.while_loop(go, one, first)
    return y, r, Hd, n

"""Proximal quasi-Newton with a zero-memory rank-one metric (0SR1)."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.methods.composite import _ray


class ProximalQuasiNewtonState(eqx.Module):
    """Iterate with f and its gradient, metric tau I + u u', what it cost.

    `spent` are steps, values and proxes.
    """

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    tau: Float[Array, ""]
    u: Float[Array, " n"]
    spent: Int[Array, " 3"]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "prox"},
    assumes={"convex", "smooth"},
    paper="becker2012quasi",
)
class ProximalQuasiNewton(Method):
    """Proximal steps in the metric of one SR1 update of a multiple of I (0SR1).

    y = prox in the metric H^-1 of x - H grad f(x),  x+ = x + t (y - x)

    H = tau I + u u',  tau = gamma s'y / y'y,  u = (s - tau y) / sqrt(<s - tau y, y>)

    with the last step s and change y of the gradient; u is 0 where <s - tau y, y> is at
    most 1e-8 ||y|| ||s - tau y||. By Sherman and Morrison H^-1 = (I - w w') / tau with
    w = u / sqrt(tau + u'u), and the prox is that of the term at a shifted point:

    y(a) = prox(v + a w, tau),  v = x - H grad f(x),  a = w'(y(a) - v)

    whose scalar equation is monotone: its root is found between bounds by secants,
    where the paper sorts the kinks that it has for simple terms. So it takes every
    prox.

    Reconstructed: the search along the ray is `_ray`'s, and asks `decrease` of what
    the model promises. Fails slowly where one
    direction of curvature says too little.
    """

    gamma: Any = real(0.8, below=1)
    decrease: Any = real(1e-4, below=0.5)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        f, flat = jnp.asarray(f, tree.dtype(start.x)), tree.ravel(start.x)[0]
        size = tree.norm(g)
        # The first step has length 1, before a curvature is known.
        tau = 1 / jnp.where(size > 0, size, 1)
        spent, no = jnp.asarray([0, 1, 0], jnp.int32), jnp.asarray(False)
        return ProximalQuasiNewtonState(start.x, f, g, tau, 0 * flat, spent, no)

    def step(self, problem, state, key):
        x, unravel = tree.ravel(state.x)
        g, tau, u = tree.ravel(state.g)[0], state.tau, state.u
        v = x - tau * g - jnp.vdot(u, g) * u
        w = u / jnp.sqrt(tau + jnp.vdot(u, u))

        def prox(z):
            return tree.ravel(problem.prox(unravel(z), tau))[0]

        y, proxes = _shifted(prox, v, w)
        d = y - x
        fall = (jnp.vdot(d, d) - jnp.vdot(w, d) ** 2) / tau
        new, f, trials, _ = _ray.search(
            lambda z: problem.value(unravel(z)),
            x, state.f, jnp.vdot(g, d), y, fall, self.decrease,
        )  # fmt: skip
        at = unravel(new)
        g_new = problem.grad(at)
        tau, u = _metric(self.gamma, new - x, tree.ravel(g_new)[0] - g, tau, u)
        spent = state.spent + jnp.stack([jnp.ones_like(trials), trials, proxes])
        stuck = jnp.all(new == x) & tree.all_finite(y)
        return ProximalQuasiNewtonState(at, f, g_new, tau, u, spent, stuck)

    def calls(self, state):
        steps, values, proxes = state.spent
        return {"value": values, "grad": steps + 1, "prox": proxes}


def _metric(gamma, s, y, tau, u):
    """tau and u of the newest pair; those before where it shows no curvature."""
    sy, yy = jnp.vdot(s, y), jnp.vdot(y, y)
    clear = (sy > jnp.finfo(s.dtype).eps * tree.norm(s) * tree.norm(y)) & (yy > 0)
    new = gamma * sy / jnp.where(clear, yy, 1)
    rest = s - new * y
    along = jnp.vdot(rest, y)
    bent = clear & (along > 1e-8 * tree.norm(y) * tree.norm(rest))
    turned = jnp.where(bent, rest / jnp.sqrt(jnp.where(bent, along, 1)), 0)
    return jnp.where(clear, new, tau), jnp.where(clear, turned, u)


def _shifted(prox, v, w):
    """y(a) at the root of p(a) = a - w'(y(a) - v), and proxes.

    p' lies between 1 - w'w and 1, so that the root lies between 0 and
    -p(0) / (1 - w'w).
    """
    eps = jnp.finfo(v.dtype).eps
    room = 1 - jnp.vdot(w, w)

    def p(a):
        y = prox(v + a * w)
        along = w * (y - v)
        # What p is rounded to.
        return y, a - jnp.sum(along), 8 * eps * (abs(a) + jnp.sum(jnp.abs(along)))

    y, value, noise = p(jnp.zeros((), v.dtype))
    # Root side, other side: p(a) (far - a) never changes sign; `hold` halves p(far).
    far = -value / room
    first = (0 * value, value, y, far, -value, noise, jnp.ones((), jnp.int32))

    def go(carry):
        _, value, _, _, _, noise, n = carry
        return (abs(value) > noise) & (n < 60)

    def one(carry):
        a, value, _, far, far_value, _, n = carry
        at = a - value * (far - a) / (far_value - value)
        y, new, noise = p(at)
        crossed = new * value < 0
        far = jnp.where(crossed, a, far)
        # Illinois: an end that stays weighs half.
        far_value = jnp.where(crossed, value, far_value / 2)
        return at, new, y, far, far_value, noise, n + 1

    _, _, y, _, _, _, n = jax.lax.while_loop(go, one, first)
    return y, n

"""Projection onto a polyhedral cone {x : M x >= 0}, with its multipliers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree

_STEPS = 40
_CLOSE = 0.995


class ConeProjection(NamedTuple):
    """x = v + M'l nearest to v in the cone, and l >= 0 (exactly nonnegative)."""

    x: Float[Array, " d"]
    multipliers: Float[Array, " n"]


class _State(NamedTuple):
    x: Array
    s: Array
    dual: Array


def project_cone(v: Float[Array, " d"], M: Float[Array, "n d"]) -> ConeProjection:
    """min 1/2 ||x - v||^2 subject to M x >= 0, by a predictor-corrector method.

    The multipliers minimise ||v + M'l|| over l >= 0, so that ||x|| is the largest
    <v, x> over the cone and the unit ball. Accurate to about 1e-12 ||v||; the
    derivative of x is that of the active face. Shapes (d,) and (n, d); vmap for more.

    Source: Mehrotra (1992); Nocedal and Wright (2006), section 16.6.
    """
    fixed = jax.lax.stop_gradient((v, M))
    dual = _multipliers(*fixed)
    rows = _lengths(fixed[1])
    x = v + _times(M.T, dual)
    # The face where the multiplier outweighs the slack, in units of v.
    face = dual * rows**2 > jnp.abs(_times(fixed[1], fixed[0] + _times(M.T, dual)))
    on = M * jax.lax.stop_gradient(face)[:, None].astype(M.dtype)
    flat = v - _times(jnp.linalg.pinv(on), _times(on, v))
    length = tree.norm(fixed[0] + _times(fixed[1].T, dual))
    # The tip of the cone has no face; NaN must reach the derivative too.
    tip = length <= 1e-9 * tree.norm(fixed[0])
    x = jnp.where(tip, jax.lax.stop_gradient(x), flat)
    return ConeProjection(x, dual)


def cone_multipliers(v: Float[Array, " d"], M: Float[Array, "n d"]) -> Array:
    """The multipliers of `project_cone` alone, shape (n,)."""
    return _multipliers(*jax.lax.stop_gradient((v, M)))


def _multipliers(v: Array, M: Array) -> Array:
    rows, size = _lengths(M), tree.norm(v)
    live = rows > 0
    rows = jnp.where(live, rows, 1)
    A = M / rows[:, None]
    w = v / jnp.where(size > 0, size, 1)
    # A row of zeros constrains nothing: it reads 0'x + 1 >= 0.
    b = jnp.where(live, 0, jnp.ones_like(rows))
    n, d = A.shape
    eye = jnp.eye(d, dtype=v.dtype)
    eps = jnp.finfo(v.dtype).eps

    def step(_, q):
        r_dual = q.x - w - _times(A.T, q.dual)
        r_prime = _times(A, q.x) + b - q.s
        mu = jnp.vdot(q.s, q.dual) / n
        weight = q.dual / q.s
        H = eye + _times(A.T * weight, A)
        factor = jnp.linalg.cholesky(H)

        def direction(target):
            # target = s * (new multiplier), to first order
            right = -r_dual + _times(A.T, target / q.s - q.dual - weight * r_prime)
            dx = jax.scipy.linalg.cho_solve((factor, True), right)
            ds = _times(A, dx) + r_prime
            return dx, ds, target / q.s - q.dual - weight * ds

        _, ds, dl = direction(jnp.zeros_like(q.s))
        a = jnp.minimum(_room(q.s, ds), _room(q.dual, dl))
        ahead = jnp.vdot(q.s + a * ds, q.dual + a * dl) / n
        sigma = (ahead / jnp.where(mu > 0, mu, 1)) ** 3
        dx, ds, dl = direction(sigma * mu - ds * dl)
        a = jnp.minimum(_room(q.s, ds), _room(q.dual, dl))
        new = _State(q.x + a * dx, q.s + a * ds, q.dual + a * dl)
        # At the limit of the arithmetic the last good step stands.
        good = tree.all_finite(new) & (mu > eps**2) & jnp.all(new.s > 0)
        good &= jnp.all(new.dual > 0)
        return jax.tree.map(lambda p, o: jnp.where(good, p, o), new, q)

    s = jnp.maximum(_times(A, w) + b, 1)
    first = _State(w, s, jnp.ones_like(s))
    last = jax.lax.fori_loop(0, _STEPS, step, first)
    return jnp.where(live, jnp.maximum(last.dual, 0), 0) * size / rows


def _room(s: Array, ds: Array) -> Array:
    """The longest step in [0, 1] that keeps s positive, with a margin."""
    limit = jnp.where(ds < 0, -s / jnp.where(ds < 0, ds, -1), jnp.inf)
    return jnp.minimum(1, _CLOSE * jnp.min(limit))


def _lengths(M: Array) -> Array:
    return jax.vmap(tree.norm)(M)


def _times(A: Array, x: Array) -> Array:
    return jnp.matmul(A, x, precision=tree.PRECISION)

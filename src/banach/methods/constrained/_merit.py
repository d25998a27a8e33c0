"""The exact augmented Lagrangian as a merit function (Di Pillo and Grippo 1979)."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from banach.core import tree
from banach.methods.constrained._sketch import Sketch

Scalar = Float[Array, ""]


class Weights(eqx.Module):
    """The penalties mu and nu of M, and the inner accuracy delta."""

    mu: Scalar
    nu: Scalar
    delta: Scalar

    def stricter(self, rho: Scalar) -> "Weights":
        """mu rho^2, nu / rho, delta / rho^4."""
        return Weights(self.mu * rho**2, self.nu / rho, self.delta / rho**4)


class Merit(eqx.Module):
    """M = L + mu/2 ||c||^2 + nu/2 ||grad_x L||^2 at one point, for any mu and nu.

    `at` holds f, g, c and J there; L = f + lam . c.
    """

    at: Any
    lam: Float[Array, " m"]

    @property
    def slope(self) -> Float[Array, " n"]:
        """grad_x L."""
        return self.at.g + _mm(self.lam, self.at.J)

    @property
    def r(self) -> Float[Array, " d"]:
        """(grad_x L, c), zero exactly at KKT points."""
        return jnp.concatenate([self.slope, self.at.c])

    def value(self, w: Weights) -> Scalar:
        """M."""
        c, s = self.at.c, self.slope
        return (
            self.at.f + _mm(self.lam, c) + w.mu / 2 * _mm(c, c) + w.nu / 2 * _mm(s, s)
        )

    def size(self, w: Weights) -> Scalar:
        """The sum of the sizes of the terms of M, which its rounding follows."""
        c, s = self.at.c, self.slope
        linear = jnp.abs(self.at.f) + _mm(jnp.abs(self.lam), jnp.abs(c))
        return linear + w.mu / 2 * _mm(c, c) + w.nu / 2 * _mm(s, s)

    def gradient(self, H: Float[Array, "n n"], w: Weights) -> Float[Array, " d"]:
        """grad M in (x, lam), H the Hessian of L."""
        c, s, J = self.at.c, self.slope, self.at.J
        return jnp.concatenate(
            [s + w.mu * _mm(c, J) + w.nu * _mm(H, s), c + w.nu * _mm(J, s)]
        )

    def falls(self, there: "Merit", w: Weights, share: Scalar, slope: Scalar) -> Array:
        """Armijo: M falls by `share` of the slope; by ||r|| where M is only rounding.

        `slope` is <grad M, step> and `share` the constant times the step size.
        """
        before, after = self.value(w), there.value(w)
        noise = 32 * jnp.finfo(before.dtype).eps * self.size(w)
        drowned = (jnp.abs(after - before) <= noise) & (-share * slope <= noise)
        fell = jnp.where(
            drowned,
            tree.norm(there.r) <= (1 - share) * tree.norm(self.r),
            after <= before + share * slope,
        )
        return fell & tree.all_finite(there)


class Direction(NamedTuple):
    """A step of (x, lam), the slope of M along it, and what finding it took."""

    z: Float[Array, " d"]
    slope: Scalar
    weights: Weights
    sweeps: Int[Array, ""]


def descent(
    here: Merit,
    H: Float[Array, "n n"],
    B: Float[Array, "n n"],
    sketch: Sketch,
    weights: Weights,
    theta: Scalar,
    rho: Scalar,
    key: Array,
    max_sweeps: Int[Array, ""],
    max_tries: int,
) -> Direction:
    """Sketch K z = -r, K = [[B, J'], [J, 0]], until z is a descent direction of M.

    ||K z + r|| <= theta delta ||r||, then <grad M, z> <= -nu/2 ||r||^2, or stricter
    weights and on from the same z, `max_tries` times. The slope says how it ended.
    """
    J, r = here.at.J, here.r
    K = jnp.block([[B, J.T], [J, jnp.zeros((J.shape[0],) * 2, J.dtype)]])
    size = tree.norm(r)
    floor = 4 * jnp.finfo(r.dtype).eps * size

    def attempt(s):
        tries, _, d = s
        w = d.weights
        stricter = w.stricter(rho)
        w = jax.tree.map(lambda a, b: jnp.where(tries > 0, b, a), w, stricter)
        target = jnp.maximum(theta * w.delta * size, floor)
        out = sketch.solve(
            K, -r, d.z, jax.random.fold_in(key, tries), target, max_sweeps
        )
        slope = _mm(here.gradient(H, w), out.z)
        good = slope <= -(w.nu / 2) * size**2
        return tries + 1, good, Direction(out.z, slope, w, d.sweeps + out.sweeps)

    none = Direction(0 * r, 0 * size, weights, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(
        lambda s: ~s[1] & (s[0] < max_tries), attempt, (0, jnp.asarray(False), none)
    )[2]


def convexified(
    H: Float[Array, "n n"], J: Float[Array, "m n"], floor: Scalar
) -> Float[Array, "n n"]:
    """H + t I with a reduced Hessian Z'(H + t I) Z >= floor I, Z a null basis of J.

    t = floor + ||H||_F as in the authors' code: the least t that will do leaves an
    ill-conditioned system, on which random projections get nowhere. t is 0 where the
    reduced Hessian is positive definite already, however little.
    """
    (m, n), eps = J.shape, jnp.finfo(H.dtype).eps
    if m >= n:
        return H
    Z = jnp.linalg.qr(J.T, mode="complete")[0][:, m:]
    reduced = _mm(Z.T, _mm(H, Z))
    good = jnp.all(jnp.isfinite(reduced))
    reduced = jnp.where(good, (reduced + reduced.T) / 2, 0)
    least = jnp.linalg.eigvalsh(reduced)[0]
    positive = least > 64 * n * eps * tree.norm(reduced)
    t = jnp.where(positive, 0, floor + jnp.where(good, tree.norm(H), 0))
    return H + t * jnp.eye(n, dtype=H.dtype)


def _mm(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)

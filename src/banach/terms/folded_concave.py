"""Nonconvex penalties of sparse regression: SCAD and MCP, which spare what is large.

Both begin as lam |x| and bend down to a constant, so that large coefficients are not
pulled to 0. Neither has a conjugate, and no bound of F(x) - F* holds for a sum with
one: what is certified is the residual of a proximal step.
"""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core.problem import Misuse
from banach.core.validated_fields import hyper
from banach.terms.norms import zero_weights
from banach.terms.term import Norm, Scalar, concrete, leafwise, soft, summed


class SCAD(Norm):
    """g(x) = sum p(|x|), p' = lam to lam, then (a lam - u) / (a - 1), 0 from a lam on.

    `scale` multiplies g, which is no other lam: lam is a size of x as well. It is n
    beside a sum of n losses, where lam is that of their mean; below it is 1.
    Leaf by leaf on any pytree; lam may be weights. Not convex: g +
    ||.||^2 / (2 (a - 1)) is. For t < a - 1 the prox is

        soft(v, t lam) to |v| = (1 + t) lam,
        ((a - 1) v - sign(v) t a lam) / (a - 1 - t) to a lam, v beyond.

    For larger t it is the global minimiser again: soft(v, t lam) to a threshold, which
    is lam (a + 1 + t) / 2 for t <= a + 1, else lam sqrt((a + 1) t), and v beyond; at
    the threshold itself both are minimisers, and the smaller one is taken.

    Args:
        lam: a number >= 0, or weights like x.
        a: a number > 2, where the penalty is flat in units of lam.
        scale: a number > 0, what all of it is multiplied by.

    Source: Fan and Li, "Variable selection via nonconcave penalized likelihood and its
    oracle properties", JASA 96 (2001), equations 2.7 and 2.8 (t = 1); larger t is ours.

    Example:
        >>> bn.SCAD(1.0).prox(np.array([1.5, 3.0, 5.0]), 1.0)
        Array([0.5      , 2.5882354, 5.       ], dtype=float32)
    """

    oracles = frozenset({"prox"})
    separable = True
    convex: ClassVar[bool] = False

    lam: Any = hyper("SCAD lam", "nonnegative")
    a: Any = hyper("SCAD a", "positive", scalar=True, default=3.7)
    scale: Any = hyper("SCAD scale", "positive", scalar=True, default=1.0)

    def __check_init__(self):
        if concrete(self.a) and not np.all(np.asarray(self.a) > 2):
            raise Misuse(f"SCAD a must be greater than 2, got {self.a}; usual is 3.7")

    def value(self, x: PyTree) -> Scalar:
        """Sum of lam u, lam u - (u - lam)^2 / (2 (a - 1)), lam^2 (a + 1) / 2."""

        def entry(x, lam):
            u, a = jnp.abs(x), jnp.asarray(self.a, x.dtype)
            bent = lam * u - jnp.square(u - lam) / (2 * (a - 1))
            flat = jnp.where(u > a * lam, jnp.square(lam) * (a + 1) / 2, bent)
            return (jnp.where(u <= lam, lam * u, flat),)

        total = summed(entry, x, self.lam)[0]
        return jnp.asarray(self.scale, total.dtype) * total

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """A global minimiser for every t > 0; see the class."""

        def step(v, lam):
            a = jnp.asarray(self.a, v.dtype)
            s = jnp.asarray(t, v.dtype) * jnp.asarray(self.scale, v.dtype)
            u, near = jnp.abs(v), soft(v, s * lam)
            bends = s < a - 1
            slope = jnp.where(bends, a - 1 - s, 1)
            middle = ((a - 1) * v - jnp.sign(v) * (s * a * lam)) / slope
            low = jnp.where(s > a + 1, jnp.sqrt((a + 1) * s), (a + 1 + s) / 2)
            bent = jnp.where(u > a * lam, v, middle)
            bent = jnp.where(u <= (1 + s) * lam, near, bent)
            far = jnp.where(bends, bent, jnp.where(u > low * lam, v, near))
            # At weight 0 the identity, derivative included.
            return jnp.where(lam > 0, far, v)

        return leafwise(step, v, self.lam)

    def rho(self) -> Any:
        """scale / (a - 1)."""
        return self.scale / (self.a - 1)

    @property
    def unpenalised(self) -> Any:
        """Coordinates of weight 0."""
        return zero_weights(self.lam)


class MCP(Norm):
    """g(x) = sum lam |x| - x^2 / (2 gamma) to |x| = gamma lam, gamma lam^2 / 2 beyond.

    `scale` multiplies g: (lam, gamma, scale) is (scale lam, gamma / scale, 1). It is n
    beside a sum of n losses, where lam is that of their mean; below it is 1.
    Leaf by leaf on any pytree; lam may be weights. Not convex: g + ||.||^2 / (2 gamma)
    is. For t < gamma the prox is the firm threshold,

        0 to |v| = t lam, (v - sign(v) t lam) / (1 - t / gamma) to gamma lam, v beyond.

    For larger t it is the global minimiser again, the hard threshold: v where |v| >
    lam sqrt(gamma t), else 0; at the threshold both are minimisers, and 0 is taken.

    Args:
        lam: a number >= 0, or weights like x.
        gamma: a number > 0, where the penalty is flat in units of lam.
        scale: a number > 0, what all of it is multiplied by.

    Source: Zhang, "Nearly unbiased variable selection under minimax concave penalty",
    Annals of Statistics 38 (2010), equations 2.1 and 2.3; larger t is ours.

    Example:
        >>> bn.MCP(1.0, 2.0).prox(np.array([0.5, 1.5, 5.0]), 1.0)
        Array([0., 1., 5.], dtype=float32)
    """

    oracles = frozenset({"prox"})
    separable = True
    convex: ClassVar[bool] = False

    lam: Any = hyper("MCP lam", "nonnegative")
    gamma: Any = hyper("MCP gamma", "positive", scalar=True, default=3.0)
    scale: Any = hyper("MCP scale", "positive", scalar=True, default=1.0)

    def value(self, x: PyTree) -> Scalar:
        """Sum of lam u - u^2 / (2 gamma), or gamma lam^2 / 2."""

        def entry(x, lam):
            u, gamma = jnp.abs(x), jnp.asarray(self.gamma, x.dtype)
            bent = lam * u - jnp.square(u) / (2 * gamma)
            return (jnp.where(u > gamma * lam, gamma * jnp.square(lam) / 2, bent),)

        total = summed(entry, x, self.lam)[0]
        return jnp.asarray(self.scale, total.dtype) * total

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """A global minimiser for every t > 0; see the class."""

        def step(v, lam):
            gamma = jnp.asarray(self.gamma, v.dtype)
            s = jnp.asarray(t, v.dtype) * jnp.asarray(self.scale, v.dtype)
            u, bends = jnp.abs(v), s < gamma
            firm = soft(v, s * lam) / jnp.where(bends, 1 - s / gamma, 1)
            firm = jnp.where(u > gamma * lam, v, firm)
            # NaN fails the comparison and must not come out as a clean zero.
            none = jnp.where(jnp.isnan(v), v, jnp.zeros_like(v))
            hard = jnp.where(u > jnp.sqrt(gamma * s) * lam, v, none)
            # At weight 0 the identity, derivative included.
            return jnp.where(lam > 0, jnp.where(bends, firm, hard), v)

        return leafwise(step, v, self.lam)

    def rho(self) -> Any:
        """scale / gamma."""
        return self.scale / self.gamma

    @property
    def unpenalised(self) -> Any:
        """Coordinates of weight 0."""
        return zero_weights(self.lam)

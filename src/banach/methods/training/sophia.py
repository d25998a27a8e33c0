"""Sophia: momentum over a lazy Hessian diagonal, each entry of the step clipped."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.parts import rules
from banach.parts.curvature_estimates import CurvedRule


@method(
    problem="FiniteSum",
    needs={"stochastic_grad", "hvp"},
    paper="liu2024sophia",
    random=True,
)
class Sophia(CurvedRule):
    """Newton's step by a diagonal where it is small, else the sign of the momentum.

    m = b1 m + (1 - b1) g,  h = b2 h + (1 - b2) hhat  at steps t = 1, 1 + every, ..
    x+ = x - learning_rate (clip(m / max(gam h, eps), -1, 1) + weight_decay x)

    g is of a batch. A curvature that is not positive ends in the clip. hhat is the
    extra argument `curvature`: z (H z) with normal z is Sophia-H, the
    Gauss-Newton-Bartlett estimate Sophia-G (then the authors take gam = 0.05); both are
    in `banach.parts.curvature_estimates`, which also shows how to make it only in the
    steps that read it. The Method is Sophia-H with the Hessian of the whole sum. Of the
    entries, 10 to 50 per cent should be unclipped: that is how gam is tuned.

    Fails where gam is too small for the curvature: Newton's step, learning_rate / gam
    times as long, is then no longer clipped. The authors' weight decay is 0.2.
    """

    normal: ClassVar[bool] = True

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.96)
    b2: Any = rules.decay_rate(0.99)
    gam: Any = real(0.01)
    eps: Any = real(1e-12)
    weight_decay: Any = real(0.0, low="nonnegative")
    every: int = count(10, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        zero = rules.zeros(params)
        return zero, zero

    def direction(self, g, kept, params, t, curvature):
        m, h = kept
        m = rules.average(self.b1, m, g)
        new = rules.average(self.b2, h, rules.floats(curvature))
        h = jax.tree.map(lambda a, b: jnp.where(self.due(t), a, b), new, h)

        def clipped(m, h):
            gam, eps = (jnp.asarray(v, h.dtype) for v in (self.gam, self.eps))
            return jnp.clip(m / jnp.maximum(gam * h, eps), -1, 1)

        return jax.tree.map(clipped, m, h), (m, h)

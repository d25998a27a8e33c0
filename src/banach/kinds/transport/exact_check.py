"""The gap of exact transport, from potentials of an entropic one."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.checks.scales import Scaled
from banach.core.check import Certificate
from banach.core.point import Point
from banach.core.problem import Problem
from banach.kinds.transport import check as transport
from banach.kinds.transport.check import Eye
from banach.parts.transport_cost import both_sums, row_sums

Scalar = Float[Array, ""]
QUANTITY = "primal - dual of exact transport"


class ExactTransportGap(Scaled):
    """How far the plan made from the potentials is from the cheapest of all plans.

    The plan is rounded to one, Q, with the marginals a and b, and f is completed by
    its c-transform, f^c_j = min_i C_ij - f_i. Then, exactly,

    <C, Q> - (a.f + b.f^c) = sum Q_ij (C_ij - f_i - f^c_j),

    a sum of nonnegative terms, bounds <C, Q> - min <C, P>: another objective than
    the problem's, whose plan is off by up to eps log min(m, n) times the mass, so
    that small tolerances need a small eps. Parts, scale and screen are those of
    the check `transport`.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Peyre and Cuturi, Computational Optimal Transport (2019), section 5.1, for
    the c-transform.

    Example:
        >>> cost, a = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.5, 0.5])
        >>> plan = bn.solve(bn.Transport(cost, a, a, eps=0.05))
        >>> verdict = bn.verify(plan, check=bn.ExactTransportGap(), tol=1e-3)
        >>> print(verdict)
        certified: primal - dual of exact transport, ratio 4.12e-09, tol 0.001
          ...
    """

    name: ClassVar[str] = "transport_exact"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Marginals first; the gap where they pass the screen."""
        return transport.certified(self, problem, point, look, QUANTITY, _gap)

    def measured(self, problem: Problem) -> tuple[Scalar]:
        """<|C - u - v'|, a b'> / sum a."""
        return (transport.typical(problem),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """Passes over the cost: one, and four more for the gap."""
        return {"plan": 1 if self.screen is not None else 5}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without a plan."""
        return transport.without_plan(self.name, problem)


def _gap(eye: Eye, r: Array) -> tuple[Scalar, Scalar, Scalar]:
    """sum Q (C - f - f^c), the charges for what Q misses, and an error of sum P."""
    f = eye.x[0]
    k = eye.problem.cost.roundings()

    def reach(block):
        away = block.mask(block.C - block.pick(f), jnp.inf)
        return jnp.zeros((), eye.dtype), jnp.min(away, axis=0)

    h = eye.fold(reach, jnp.minimum, jnp.inf)[1]
    rounded = eye.rounded(r)

    def compare(block):
        P, _, e = eye.plan(block)
        Q, _, _ = rounded.plan(block, P)
        left = jnp.maximum((block.C - block.pick(f)) - h, 0)
        size = jnp.abs(block.C) + jnp.abs(block.pick(f)) + jnp.abs(h)
        rough = eye.u * (4 + 1.01 * k) * size + (e + eye.g) * left + 4 * eye.lost
        rough = Q * rough
        r, c = both_sums(Q)
        rest = (row_sums(v) for v in (Q * left, rough, Q * (e + eye.g), P * e))
        return (r, *rest, jnp.max(block.mask(jnp.abs(block.C)), axis=1)), c

    (r, terms, rough, size, moved, biggest), c = eye.fold(compare)
    top = jnp.max(biggest)
    # An entry of h was rounded where it was attained, at another C and f.
    tall = top + jnp.max(jnp.abs(f))
    tall = eye.u * (4 + 1.01 * k) * tall + 4 * eye.lost
    rough = jnp.sum(rough) + tall * jnp.sum(r)
    missed = jnp.sum(jnp.abs(r - eye.a)) + jnp.sum(jnp.abs(c - eye.b))
    missed = missed + 2 * jnp.sum(size) + 4 * eye.g * eye.mass + eye.tiny
    steep = jnp.max(jnp.abs(f)) + jnp.max(jnp.abs(h)) + 2 * top
    value = jnp.sum(terms)
    slack = 1.05 * (rough + eye.g * value + steep * missed) + eye.tiny
    return value, eye.known(slack), jnp.sum(moved)

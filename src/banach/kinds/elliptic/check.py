"""Elliptic energies: the residual in H^-1 bounds the distance and the energy gap."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.checks.scales import Scaled
from banach.core import tree
from banach.core.check import Certificate, Part, extended, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least

RADII = (1e-2, 1.0, 10.0)
PAIRS = 2 * len(RADII) + 1
NAME = "monotonicity at sampled pairs"


class _Energy(Scaled):
    """What the bounds of an elliptic energy share: all but quantity and formula."""

    quantity: ClassVar[str]

    @staticmethod
    @abc.abstractmethod
    def bound(norm: Array, e: Array, mu: Array) -> tuple[Array, Array]:
        """The bound, and its slack, from ||E'(u)||_H-1 and the slack of that."""

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        judged, at = evaluation.lift(problem, point)
        x = at.x
        mu = evaluation.rounded_down(judged.facts().get("lower"), x.dtype)
        label = evaluation.provenance(judged.grad, x)
        if self.screen is None:
            seen = _look(judged, at, key)
        else:
            cheap = judged.h1(judged.riesz(judged.grad(x)))
            value, _ = self.bound(cheap, 0 * cheap, mu)
            passes = evaluation.below(self.screen, value, self.scale)
            seen = evaluation.screened(
                passes,
                lambda: _Seen(cheap, cheap / 8, 0 * cheap),
                lambda: _look(judged, at, key),
            )
        value, slack = self.bound(seen.norm, seen.slack, mu)
        certificate = single(
            self.quantity,
            evaluation.where_defined(judged, x, value),
            slack,
            self.scale,
            grade="bound",
            assumes=evaluation.declared(problem, "lower")
            + evaluation.believed("gradient", label),
            rounding=label,
            look=look,
            scale_from="reference",
        )
        zero = jnp.zeros_like(value)
        part = Part(NAME, seen.found, zero, zero + 1)
        return extended(certificate, (part,)), Point(point.x)

    def measured(self, problem: Problem) -> tuple[Array]:
        """The bound at u = 0."""
        judged, at = evaluation.lift(problem, problem.reference_point())
        g = judged.grad(at.x)
        mu = evaluation.rounded_down(judged.facts().get("lower"), g.dtype)
        # The slopes at u = 0 are exact: a few roundings of the load and of F'(0).
        norm, e = _dual(judged, g, gam(64, g.dtype) * jnp.abs(g))
        # A bound that vanished though its norm did not is no scale.
        flat = (norm <= e) & evaluation.ordinary(judged)
        return (evaluation.usable(*self.bound(norm, e, mu), flat),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One gradient and one solve; without a screen, the sampled pairs."""
        if self.screen is not None:
            return {"value": 1, "grad": 1, "riesz": 1}
        return {"value": 1, "grad": 2 + PAIRS, "riesz": 4}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are no elliptic energy."""
        fits = "riesz" in problem.oracles()
        return refuse_unless(fits, problem, f"{self.name} judges elliptic energies")


class EnergyDistance(_Energy):
    """|u - u*|_H1 <= ||E'(u)||_H-1 / mu, u* the minimiser on the same grid.

    mu is the problem's lower bound of <E'' v, v> / |v|_H1^2. The dual norm is |z|_H1
    with K z = E'(u); what the solve leaves over, r = E'(u) - K z, is charged with
    ||r||_2 over the root of the least eigenvalue of K, which is known. mu is believed
    as declared, and refuted where sampled pairs contradict it. Nothing is said of
    the discretisation error. The scale is the same bound at u = 0, the norm of the
    load.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Repin, A Posteriori Estimates for Partial Differential Equations (2008).

    Example:
        >>> heat = bn.EllipticEnergy(
        ...     lambda s: s / 2, np.ones(7), lower=1.0, upper=1.0
        ... )
        >>> verdict = bn.verify(bn.solve(heat), check=bn.EnergyDistance())
        >>> verdict.certified, verdict.certificate.quantity
        (True, '|u-u*|_H1 (discrete)')
    """

    name: ClassVar[str] = "energy_distance"
    quantity: ClassVar[str] = "|u-u*|_H1 (discrete)"

    @staticmethod
    def bound(norm: Array, e: Array, mu: Array) -> tuple[Array, Array]:
        """||E'(u)||_H-1 / mu and its slack."""
        value, tiny = norm / mu, least(norm.dtype)
        slack = 1.01 * e / mu + gam(4, norm.dtype) * value
        # Quotients, and 1 / mu.
        return value, slack + 4 * tiny * (1 + norm + e)


class EnergyGap(_Energy):
    """E(u) - E* <= ||E'(u)||_H-1^2 / (2 mu), E* the least energy on the same grid.

    As `EnergyDistance`; the scale is the same bound at u = 0.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Repin, A Posteriori Estimates for Partial Differential Equations (2008).

    Example:
        >>> heat = bn.EllipticEnergy(
        ...     lambda s: s / 2, np.ones(7), lower=1.0, upper=1.0
        ... )
        >>> verdict = bn.verify(bn.solve(heat), check=bn.EnergyGap())
        >>> verdict.certified, verdict.certificate.quantity
        (True, 'E(u)-E* (discrete)')
    """

    name: ClassVar[str] = "energy_gap"
    quantity: ClassVar[str] = "E(u)-E* (discrete)"

    @staticmethod
    def bound(norm: Array, e: Array, mu: Array) -> tuple[Array, Array]:
        """||E'(u)||_H-1^2 / (2 mu) and its slack."""
        return evaluation.half_square(norm, e, mu)


class _Seen(NamedTuple):
    """||E'(u)||_H-1 with its slack, and what the sampled pairs found."""

    norm: Array
    slack: Array
    found: Array


def _look(problem: Problem, point: Point, key: Array) -> _Seen:
    """Both from one pass with rounding errors: the gradients at u and at the pairs."""
    x = point.x
    ends = _samples(problem, x, key)
    g = evaluation.judge(jax.vmap(problem.grad), jnp.concatenate([x[None], ends]))
    norm, slack = _dual(problem, g.value[0], g.error[0])
    return _Seen(norm, slack, _refuted(problem, ends - x, g.value, g.error))


def _dual(problem: Problem, g: Array, error: Array) -> tuple[Array, Array]:
    """|z|_H1 with K z = g, and what the solve and the errors of g leave open."""
    size, lowest = problem.size(), problem.poincare() * problem.cell()
    z = problem.riesz(g)
    rest = evaluation.judge(lambda v: g - problem.stiffness(v), z)
    left = tree.norm(rest.value)
    left = left + evaluation.norm_slack(left, rest.error, size)
    value = problem.h1(z)
    slack = 1.01 * (tree.norm(error) + left) / np.sqrt(lowest * (1 - 1e-9))
    slack = slack + 8 * size * least(z.dtype)
    return value, slack + 2 * gam(4 * size + 8, z.dtype) * value


def _samples(problem: Problem, x: Array, key: Array) -> Array:
    """Points to compare with x: along the first sine mode and along noise whose
    gradients are evenly distributed over the modes, at several sizes relative to
    |x|_H1 or the load's, and 0."""
    mu = jnp.asarray(problem.facts().get("lower"), x.dtype)
    noise = problem.riesz(jax.random.normal(key, x.shape, x.dtype))
    wave = problem.riesz(jnp.ones_like(x))
    away = problem.h1(problem.riesz(problem.grad(jnp.zeros_like(x)))) / mu
    unit = jnp.maximum(problem.h1(x), away)
    unit = jnp.where(unit > 0, unit, 1)
    moves = jnp.stack([v / problem.h1(v) for v in (noise, wave)])
    ends = [x + unit * r * moves for r in RADII]
    return jnp.concatenate([*ends, jnp.zeros_like(x)[None]])


def _refuted(problem: Problem, d: Array, g: Array, errors: Array) -> Array:
    """A negative number where <E'(a) - E'(x), a - x> < mu |a - x|_H1^2, else 0.

    Zero proves nothing: the declaration stays among the assumptions.
    """
    dtype, size = d.dtype, problem.size()
    mu = jnp.asarray(problem.facts().get("lower"), dtype)
    change, error = g[1:] - g[0], errors[1:] + errors[0]
    axes = tuple(range(1, d.ndim))
    work = jnp.sum(change * d, axes)
    rough = jnp.sum(jnp.abs(change * d), axes)
    slack = 2 * jnp.sum(error * jnp.abs(d), axes) + gam(size + 8, dtype) * rough
    lost = 1 + jnp.max(jnp.abs(change), axes) + jnp.max(jnp.abs(d), axes)
    slack = slack + 8 * size * least(dtype) * lost
    long = jax.vmap(problem.h1)(d) * jnp.sqrt(mu)
    need = jnp.square(long)
    room = work - need + slack + gam(8 * size + 8, dtype) * need
    room = jnp.where(jnp.isfinite(room), room, 0)
    return jnp.minimum(jnp.min(room), 0)

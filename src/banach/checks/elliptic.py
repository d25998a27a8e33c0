"""Elliptic energies: the residual in H^-1 bounds the distance and the energy gap."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from banach.checks import common
from banach.core import tree
from banach.core.check import Certificate, Check, Part, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.parts.term import gam

RADII = (1e-2, 1.0, 10.0)
PAIRS = 2 * len(RADII) + 1
NAME = "monotonicity at sampled pairs"


class EnergyDistance(Check):
    """|u - u*|_H1 <= ||E'(u)||_H-1 / mu, u* the minimiser on the same grid.

    mu is the problem's lower bound of <E'' v, v> / |v|_H1^2. The dual norm is |z|_H1
    with K z = E'(u); what the solve leaves over, r = E'(u) - K z, is charged with
    ||r||_2 over the root of the least eigenvalue of K, which is known. mu is believed
    as declared, and refuted where sampled pairs contradict it. Nothing is said of
    the discretisation error. The scale is the same bound at u = 0, the norm of the
    load.
    """

    name: ClassVar[str] = "energy_distance"

    screen: Any = None
    scale: Any = None
    base: Any = 0.0

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        return _bound(
            self, _distance, "|u-u*|_H1 (discrete)", problem, point, key, look
        )

    def prepared(self, problem: Problem) -> "EnergyDistance":
        """With the bound at u = 0."""
        return EnergyDistance(self.screen, *_scale(problem, _distance))

    def floor(self) -> Any:
        """Slack at u = 0 over the scale."""
        return self.base

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One gradient and one solve; without a screen, the sampled pairs."""
        return _cost(self)

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are no elliptic energy."""
        return _no_energy(problem, self.name)


class EnergyGap(Check):
    """E(u) - E* <= ||E'(u)||_H-1^2 / (2 mu), E* the least energy on the same grid.

    As `EnergyDistance`; the scale is the same bound at u = 0.
    """

    name: ClassVar[str] = "energy_gap"

    screen: Any = None
    scale: Any = None
    base: Any = 0.0

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        return _bound(self, _gap, "E(u)-E* (discrete)", problem, point, key, look)

    def prepared(self, problem: Problem) -> "EnergyGap":
        """With the bound at u = 0."""
        return EnergyGap(self.screen, *_scale(problem, _gap))

    def floor(self) -> Any:
        """Slack at u = 0 over the scale."""
        return self.base

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One gradient and one solve; without a screen, the sampled pairs."""
        return _cost(self)

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are no elliptic energy."""
        return _no_energy(problem, self.name)


def _dual(problem: Problem, u: Array, passing: Any):
    """||E'(u)||_H-1, its slack, and how that is known; `passing(value)` screens."""
    label = common.provenance(problem.grad, u)
    dtype, size = u.dtype, problem.size()
    least = problem.poincare() * problem.cell()

    def full():
        g = common.judge(problem.grad, u)
        z = problem.riesz(g.value)
        rest = common.judge(lambda v: g.value - problem.stiffness(v), z)
        left = tree.norm(rest.value)
        left = left + common.norm_slack(left, rest.error, size)
        value = problem.h1(z)
        e = tree.norm(g.error) + left
        slack = 1.01 * e / np.sqrt(least * (1 - 1e-9))
        return value, slack + 2 * gam(4 * size + 8, dtype) * value

    if passing is None:
        value, slack = full()
        return value, slack, label
    cheap = problem.h1(problem.riesz(problem.grad(u)))
    value, slack = common.screened(passing(cheap), lambda: (cheap, cheap / 8), full)
    return value, slack, label


def _distance(problem: Problem, u: Array, screen: Any, scale: Any):
    mu = jnp.asarray(problem.facts().get("lower"), u.dtype)
    passing = None
    if screen is not None:
        passing = lambda v: common.below(screen, v / mu, scale)  # noqa: E731
    norm, e, label = _dual(problem, u, passing)
    value = norm / mu
    return value, 1.01 * e / mu + gam(4, u.dtype) * value, label


def _gap(problem: Problem, u: Array, screen: Any, scale: Any):
    mu = jnp.asarray(problem.facts().get("lower"), u.dtype)
    passing = None
    if screen is not None:
        passing = lambda v: common.below(screen, v**2 / (2 * mu), scale)  # noqa: E731
    norm, e, label = _dual(problem, u, passing)
    value = norm**2 / (2 * mu)
    slack = 1.01 * (2 * norm * e + e**2) / (2 * mu)
    return value, slack + gam(8, u.dtype) * value, label


def _bound(check, measure, quantity, problem, point, key, look):
    ready = check if check.scale is not None else check.prepared(problem)
    judged, at = common.lift(problem, point)
    value, slack, label = measure(judged, at.x, check.screen, ready.scale)
    value = common.where_defined(judged, at.x, value)
    certificate = single(
        quantity,
        value,
        slack,
        ready.scale,
        grade="bound",
        assumes=common.declared(problem, "lower") + common.believed("gradient", label),
        rounding=label,
        look=look,
    )
    zero = jnp.zeros_like(value)
    found = common.screened(
        common.below(check.screen, value, ready.scale),
        lambda: zero,
        lambda: refute_monotonicity(judged, at, key),
    )
    parts = (*certificate.parts, Part(NAME, found, zero, zero + 1))
    return eqx.tree_at(lambda c: c.parts, certificate, parts), Point(point.x)


def refute_monotonicity(problem: Problem, point: Point, key: Array) -> Array:
    """A negative number where <E'(a) - E'(b), a - b> < mu |a - b|_H1^2 for a pair.

    Pairs: x with x + v for v along the first sine mode and along noise whose
    gradients are evenly distributed over the modes, at several sizes relative to
    |x|_H1 or the load's; and x with 0. Zero proves nothing.
    """
    x = point.x
    dtype, size = x.dtype, problem.size()
    mu = jnp.asarray(problem.facts().get("lower"), dtype)
    noise = problem.riesz(jax.random.normal(key, x.shape, dtype))
    wave = problem.riesz(jnp.ones_like(x))
    away = problem.h1(problem.riesz(problem.grad(jnp.zeros_like(x)))) / mu
    unit = jnp.maximum(problem.h1(x), away)
    unit = jnp.where(unit > 0, unit, 1)
    moves = jnp.stack([v / problem.h1(v) for v in (noise, wave)])
    radii = unit * jnp.asarray(RADII, dtype)
    ends = x + jnp.concatenate([r * moves for r in radii])
    b = jnp.concatenate([ends, jnp.zeros_like(x)[None]])
    g = common.judge(jax.vmap(problem.grad), jnp.concatenate([x[None], b]))
    d = b - x
    change, error = g.value[1:] - g.value[0], g.error[1:] + g.error[0]
    axes = tuple(range(1, b.ndim))
    work = jnp.sum(change * d, axes)
    rough = jnp.sum(jnp.abs(change * d), axes)
    slack = 2 * jnp.sum(error * jnp.abs(d), axes) + gam(size + 8, dtype) * rough
    length = jax.vmap(problem.h1)(d)
    need = mu * length**2
    room = work - need + slack + gam(8 * size + 8, dtype) * need
    room = jnp.where(jnp.isfinite(room), room, 0)
    return jnp.minimum(jnp.min(room), 0)


def _scale(problem: Problem, measure: Any) -> tuple[Array, Array]:
    reference = problem.reference_point()
    judged, at = common.lift(problem, reference)
    value, slack, _ = measure(judged, at.x, None, None)
    scale = common.usable(value, slack)
    return scale, slack / scale


def _cost(check: Any) -> dict[str, int]:
    if check.screen is not None:
        return {"value": 1, "grad": 1, "riesz": 1}
    return {"value": 1, "grad": 3 + PAIRS, "riesz": 4}


def _no_energy(problem: Problem, name: str) -> str | None:
    if "riesz" not in problem.oracles():
        return (
            f"{name} judges elliptic energies; for this {problem.kind} use "
            f"check='{problem.default_check()}'"
        )
    return None

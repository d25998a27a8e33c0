"""What surrounds the mathematics of a check: its scale, its refusals, more parts."""

import abc
from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import common
from banach.checks.common import Scalar
from banach.core.check import Certificate, Check, Part
from banach.core.point import Point
from banach.core.problem import Misuse, Problem


class Scaled(Check):
    """A check whose values are small relative to a scale, found once a run.

    `screen` is the ratio above which the full slack is not computed (None: it always
    is), `scale` what a ratio is relative to (None: `measured` finds it at every look).
    """

    screen: Any = None
    scale: Any = None

    def __check_init__(self):
        common.read(self, screen="positive", scale="positive")

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The certificate of `certify`, by this check prepared."""
        ready = self if self.scale is not None else self.prepared(problem)
        return ready.certify(problem, point, key, look)

    def prepared(self, problem: Problem) -> Self:
        """With everything that `measured` finds."""
        return type(self)(self.screen, *self.measured(problem))

    @abc.abstractmethod
    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Certificate and the point that it speaks of; the scale is known."""

    @abc.abstractmethod
    def measured(self, problem: Problem) -> tuple[Any, ...]:
        """From the problem alone: the fields after `screen`, in their order."""


class Floored(Scaled):
    """A scaled check that knows its slack over the scale where that is measured."""

    base: Any = 0.0

    def __check_init__(self):
        read_base(self)

    def floor(self) -> Any:
        """Slack over scale where the scale is measured: the reference, or a centre."""
        return self.base


def read_base(check: Any) -> None:
    """Misuse unless `base` is a number."""
    if check.base is None:
        raise Misuse("base must be a real number, got None; 0 where it is unknown")
    common.read(check, base=None)


def based(value: Scalar, slack: Scalar, nothing: Any) -> tuple[Scalar, Scalar]:
    """(scale, slack over scale), the scale as `common.usable` says."""
    scale = common.usable(value, slack, nothing)
    return scale, slack / jnp.where(scale > 0, scale, 1)


def at_reference(
    problem: Problem, measure: Callable[[Problem, PyTree], tuple[Any, ...]]
) -> tuple[Scalar, Scalar]:
    """(scale, slack over scale) at the reference; 1 and 0 without one.

    A value within its slack makes the scale 1 where all numbers are ordinary, else 0.

    `measure` gives a value and its slack at a point, both in float64.
    """
    found = common.lifted_reference(problem)
    if found is None:
        one = jnp.ones((), common.judged_dtype(problem))
        return one, 0 * one
    judged, at = found
    value, slack, *_ = measure(judged, at.x)
    return based(value, slack, common.ordinary(judged, at.x))


def extended(certificate: Certificate, parts: tuple[Part, ...]) -> Certificate:
    """The certificate with more parts."""
    return eqx.tree_at(lambda c: c.parts, certificate, certificate.parts + parts)


def offered(dual: PyTree, like: Array) -> Array | None:
    """The offer of a dual point if it is one floating array of this shape."""
    leaves = jax.tree.leaves(dual)
    if len(leaves) != 1 or jnp.shape(leaves[0]) != like.shape:
        return None
    if not jnp.issubdtype(jnp.result_type(leaves[0]), jnp.floating):
        return None
    return jnp.asarray(leaves[0], like.dtype)


def refuse_unless(fits: bool, problem: Problem, says: str) -> str | None:
    """None where the problem fits, else what the check says and what to use."""
    if fits:
        return None
    return f"{says}; for this {problem.kind} use check='{problem.default_check()}'"


def refuse_without(oracle: str, problem: Problem, says: str) -> str | None:
    """None where the problem has the oracle, else what the check says that it needs."""
    if oracle in problem.oracles():
        return None
    return (
        f"{says}, which this {problem.kind} lacks; "
        f"use check='{problem.default_check()}'"
    )

"""What a checked value is small against: scales of values, units of components."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import evaluation
from banach.checks.evaluation import Scalar
from banach.core import tree
from banach.core.check import Certificate, Check, Part
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least


class Scaled(Check):
    """A check whose values are small relative to a scale, found once a run.

    `screen` is the ratio above which the full slack is not computed (None: it always
    is), `scale` what a ratio is relative to (None: `measured` finds it at every look).
    """

    screen: Any = None
    scale: Any = None

    def __check_init__(self):
        evaluation.read(self, screen="positive", scale="positive")

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


def at_reference(
    problem: Problem,
    measure: Callable[[Problem, PyTree], tuple[Any, ...]],
    cheap: Callable[[Problem, PyTree], Scalar] | None = None,
) -> Scalar:
    """The scale: the value at the reference; without one min(1, that at x0).

    A value within its slack makes the scale 1 where all numbers are ordinary, else 0.
    The minimum only tightens, so that the value at x0 need not be charged.

    `measure` gives a value and its slack at a point, both in float64; `cheap` the
    value alone.
    """
    found = evaluation.lifted_reference(problem)
    if found is None:
        judged, at = evaluation.lift(problem, problem.start())
        value = cheap(judged, at.x) if cheap else measure(judged, at.x)[0]
        return at_most_one(value)
    judged, at = found
    value, slack, *_ = measure(judged, at.x)
    return evaluation.usable(value, slack, evaluation.ordinary(judged, at.x))


def at_most_one(value: Scalar) -> Scalar:
    """min(1, the value at x0); 0, which certifies nothing, where it is not a number."""
    return jnp.where(jnp.isnan(value), 0, jnp.minimum(value, 1))


def source(problem: Problem) -> str:
    """Where a scale that `at_reference` found comes from."""
    return "start" if problem.reference_point() is None else "reference"


def screen_scale(problem: Problem, scale: Scalar) -> Scalar:
    """What a screen holds a value against: all that may pass is within it.

    Without a reference a value within its slack may pass below tol itself.
    """
    if problem.reference_point() is None:
        return jnp.ones_like(scale)
    return scale


def held_against(
    problem: Problem, value: Scalar, slack: Scalar, scale: Scalar, label: str
) -> Scalar:
    """The scale of a value at a point (CERTIFICATES 2.7).

    Without a reference the scale is min(1, that at x0), but for a value that lies
    within a slack that is proved or modelled: rounding is all that is left of it, in
    whatever units, and it is held against 1.
    """
    if problem.reference_point() is not None or label == "estimated":
        return scale
    return jnp.where(value <= slack, jnp.ones_like(scale), scale)


class Sizes(NamedTuple):
    """What the components of a gradient are held against (CERTIFICATES 2.7).

    `unit` is the companion at the reference: a component whose companion is 0 is
    `bare` and its unit 1. Where that is not known to be 0 the unit is 0.
    """

    unit: PyTree
    bare: PyTree


def sizes(problem: Problem) -> Sizes | None:
    """The units of the gradient's components; None where they carry one unit."""
    found = evaluation.lifted_reference(problem)
    if found is None or problem.companion(found[1].x) is None:
        return None
    judged, at = found
    size = evaluation.judge(judged.companion, at.x)
    plain = evaluation.ordinary(judged, at.x)
    unit = jax.tree.map(
        lambda v, e: evaluation.usable(v, e, plain), size.value, size.error
    )
    return Sizes(unit, jax.tree.map(lambda v, e: v <= e, size.value, size.error))


def by_component(
    value: PyTree, error: PyTree, sizes: Sizes
) -> tuple[tuple[Scalar, Scalar], tuple[Scalar, Scalar]]:
    """max |v_j| / u_j with its slack: of those with a companion, and of the others."""

    def one(v: Array, e: Array, u: Array) -> tuple[Array, Array]:
        safe = jnp.where(u > 0, u, 1)
        ratio = jnp.where(u > 0, jnp.abs(v) / safe, jnp.inf)
        lost = 2 * least(v.dtype)
        return ratio, 1.01 * e / safe + gam(4, v.dtype) * jnp.abs(v) / safe + lost

    each = [
        # What vanished is nobody's: it is in both, and infinite.
        (*one(v, jnp.broadcast_to(e, v.shape), u), bare, u <= 0)
        for v, e, u, bare in zip(
            *map(jax.tree.leaves, (value, error, sizes.unit, sizes.bare)), strict=True
        )
    ]

    def largest(which: Callable[[Array], Array]) -> tuple[Scalar, Scalar]:
        parts = [
            [
                jnp.max(jnp.where(which(bare) | lost, x, 0), initial=0)
                for x in (ratio, slack)
            ]
            for ratio, slack, bare, lost in each
        ]
        found = jnp.array([p[0] for p in parts]), jnp.array([p[1] for p in parts])
        return jnp.max(found[0]), jnp.max(found[1])

    return largest(lambda bare: ~bare), largest(lambda bare: bare)


def component_parts(
    names: tuple[str, str, str],
    sizes: Sizes,
    screen: Any,
    cheap: Callable[[], PyTree],
    full: Callable[[], tuple[PyTree, PyTree]],
) -> tuple[Part, Part]:
    """The largest component over its unit, of those with a companion and without.

    `full` gives the components and their errors, `cheap` the components alone, behind
    a screen. `names` are those of the two parts, and that of the 2-norm, which is what
    an absolute tolerance is of.
    """

    def whole() -> tuple[tuple[Scalar, Scalar], ...]:
        value, error = full()
        norm = tree.norm(value)
        own = (norm, evaluation.norm_slack(norm, error, tree.size(value)))
        return (*by_component(value, error, sizes), own)

    if screen is None:
        seen = whole()
    else:
        value = cheap()
        pair = by_component(value, tree.zeros_like(value), sizes)
        rough = tuple((v, v / 8) for v in (pair[0][0], pair[1][0], tree.norm(value)))
        worst = jnp.maximum(rough[0][0], rough[1][0])
        passes = evaluation.below(screen, worst, jnp.ones_like(worst))
        seen = evaluation.screened(passes, lambda: rough, whole)
    (main, e), (rest, f), own = seen
    one, word = jnp.ones_like(main), names[2]
    return (
        Part(names[0], main, e, one, own, word, "reference"),
        Part(names[1], rest, f, one, own, word, "none"),
    )

"""Correct digits: a bound of the distance, against every entry of the answer."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import by_name, classes
from banach.core import validation
from banach.core.check import Certificate, Check, Part
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.rounding import gam, least

BOUNDS = (
    "gap_distance", "strong_distance", "contraction", "linear_distance",
    "inclusion_distance", "enclosure",
)  # fmt: skip
"""The checks that bound the distance of every entry; the first that speaks is taken."""


class RelativeDistance(Check):
    """The largest |x_j - x*_j| / |x*_j| over the entries x_j that are not 0.

    `distance` bounds ||x - x*||, in a norm that no entry exceeds, by B; then
    |x*_j| >= |x_j| - B, and the quantity is at most B / (|x_j| - B) for the smallest
    such entry. It has no unit and its scale is 1. x is correct to d significant
    digits where it is at most 10^-d / 2: `bn.solve(problem, digits=d)` asks for that.

    Nothing is said of an entry that is 0, which has no digits, but that it is within
    B of the exact one. An answer of zeros alone has none to certify.

    Args:
        distance: the check whose value bounds ||x - x*||, such as
            `bn.StrongDistance()`; None: the one that the kind has.

    Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 1.2.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 3.0) ** 2), np.zeros(2), mu=2.0)
        >>> verdict = bn.verify(
        ...     bowl,
        ...     np.array([3.0, 3.001]),
        ...     check=bn.RelativeDistance(bn.StrongDistance()),
        ...     tol=1e-3,
        ... )
        >>> verdict.certified, round(float(verdict.certificate.value), 6)
        (True, 0.000333)
    """

    name: ClassVar[str] = "relative_distance"

    distance: Any = None

    def __check_init__(self):
        if self.distance is not None and not (
            isinstance(self.distance, Check) and self.distance.name in BOUNDS
        ):
            titles = {name: title for title, name in classes().items()}
            raise Misuse(
                "distance must be a check that bounds the distance, "
                f"{', '.join('bn.' + titles[name] for name in BOUNDS)}; got "
                f"{validation.shown(self.distance)}"
            )

    @property
    def host(self) -> bool:  # type: ignore[override]
        """Whether the bound is proved on the host, after a run."""
        return self.distance is not None and self.distance.host

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound of the distance, over the smallest entry of the point."""
        inner = self._of(problem)
        certificate, at = inner(problem, point, key, look)
        own = certificate.parts[0]
        value, slack = against(own.value, own.slack, at.x)
        name = f"max_j |x_j-x*_j|/|x*_j| (x_j not 0; by {certificate.quantity})"
        part = Part(name, value, slack, jnp.ones_like(value))
        parts = (part, *certificate.parts[1:])
        return dataclasses.replace(certificate, parts=parts, quantity=name), at

    def prepared(self, problem: Problem) -> "RelativeDistance":
        """With the prepared bound."""
        return RelativeDistance(self._of(problem).prepared(problem))

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """That of the bound."""
        return self._of(problem).cost(problem)

    def refuses(self, problem: Problem) -> str | None:
        """Where nothing bounds the distance of every entry."""
        if self.distance is not None:
            return _refuses(self.distance, problem)
        found = bounds(problem)
        if not found:
            return f"{self.name}: {nothing(problem)}"
        if found[0].host:
            return (
                f"{self.name}: only an enclosure bounds the distance here, which is "
                "proved on the host: bn.solve(problem, digits=d), or bn.verify(result, "
                "check=bn.RelativeDistance(bn.EnclosureCheck()))"
            )
        return None

    def _of(self, problem: Problem) -> Check:
        return bounds(problem)[0] if self.distance is None else self.distance


def against(value: Array, slack: Array, x: PyTree) -> tuple[Array, Array]:
    """(value, slack) of a distance over the smallest entry of x that is not 0."""
    value = jnp.asarray(value)
    slack = jnp.asarray(slack, value.dtype)
    whole = jnp.maximum(value, 0) + slack
    size = jnp.asarray(jnp.inf, value.dtype)
    for leaf in jax.tree.leaves(x):
        entries = jnp.abs(jnp.asarray(leaf).astype(value.dtype))
        size = jnp.minimum(size, jnp.min(jnp.where(entries > 0, entries, jnp.inf)))
    some = jnp.isfinite(size)
    size = jnp.where(some, size, 1)
    left = (size - whole) * (1 - 4 * gam(1, value.dtype))
    # Beyond half of an entry there are no digits, whatever it is divided by.
    left = jnp.where(left > size / 2, left, size / 2)
    ratio = value / left
    more = 1.01 * (slack / left) + gam(8, ratio.dtype) * jnp.abs(ratio)
    ratio = jnp.where(some | jnp.isnan(value), ratio, 1)
    return ratio, more + least(ratio.dtype)


def bounds(problem: Problem) -> list[Check]:
    """The checks that bound the distance of every entry for this problem, in order."""
    found = [by_name(name) for name in BOUNDS]
    return [check for check in found if _refuses(check, problem) is None]


def nothing(problem: Problem) -> str:
    """Why nothing bounds the distance to the solution of a problem, and the cures."""
    stated = problem.default_check()
    if problem.essential():
        cure = (
            "a bound needs strong convexity in every coordinate (l2 > 0 without an "
            "intercept, mu declared)"
        )
    elif "map" in problem.oracles():
        cure = "a bound needs a contraction: declare contraction=q in a norm of entries"
    else:
        cure = (
            "a bound needs strong convexity (declare mu, l2 > 0 without an intercept), "
            "or an enclosure, which is proved up to 200 unknowns"
        )
    return (
        f"no correct digits can be certified for this {problem.kind}: nothing bounds "
        f"the distance to its solution. {cure}; else ask for tol= of "
        f"check={stated!r}, without digits="
    )


def _refuses(check: Check, problem: Problem) -> str | None:
    no = check.refuses(problem)
    if no is None and check.name == "contraction":
        if problem.weights is not None or problem.norm not in ("2", "inf"):
            return "a contraction in a weighted norm bounds no entry by itself"
    return no

"""Certificates, the meaning of tol, and the base of every check."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from banach.core import validation
from banach.core.door import Made
from banach.core.point import Point
from banach.core.problem import Problem

GRADES = ("enclosure", "bound", "statistical", "residual")
ROUNDINGS = ("proved", "modelled", "estimated")
# Where a scale comes from: the quantity at the problem's reference; its data; the
# quantity at its own x0, at most 1; or from nowhere: the quantity is absolute.
SCALES_FROM = ("reference", "data", "start", "none")


def _positive(tol: Any) -> Any:
    validation.number(tol, "tol", low="positive")
    return tol


class Absolute(eqx.Module, metaclass=Made):
    """A tolerance in the units of the quantity: sets the scale to 1.

    Args:
        tol: a number > 0, in the units of the quantity.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, tol=bn.Absolute(1e-8)).absolute
        True
    """

    tol: Any = eqx.field(converter=_positive)


class Part(eqx.Module):
    """One nonnegative quantity of a certificate.

    `bare` is (value, slack) in natural units, where `value` is already relative
    (each row of the constraints to its own size): what an absolute tolerance is of,
    by the name `bare_name` if that is another. `scale_from` is one of SCALES_FROM.
    """

    name: str = eqx.field(static=True)
    value: Float[Array, ""]
    slack: Float[Array, ""]
    scale: Float[Array, ""]
    bare: tuple[Float[Array, ""], Float[Array, ""]] | None = None
    bare_name: str = eqx.field(static=True, default="")
    scale_from: str = eqx.field(static=True, default="data")

    def relative_to(self) -> str:
        """Where the scale of this very part comes from, of a record on the host.

        A value within its slack is not held against the start (CERTIFICATES 2.7).
        """
        hidden = float(self.value) <= float(self.slack) and float(self.scale) == 1
        return "none" if self.scale_from == "start" and hidden else self.scale_from


class Certificate(eqx.Module):
    """What a check says about one point (CERTIFICATES section 1).

    The true quantity is at most value + slack; `within(tol)` decides. `parts` is
    never empty: value, slack and scale are those of the worst part.

    A `signed` quantity (a goal, a mean) may have any sign. It has a `target`, and is
    certified where value + slack <= target: a tolerance has no say, and its ratio is
    what is missing, at most 0 where the target is reached.

    Of many lanes at once every array has a leading axis, and so has every answer.

    Args:
        parts: what was measured, each with value, slack and scale.
        quantity: what is bounded, in words.
        grade: "residual", "bound", "enclosure" or "statistical".
        assumes: facts that it relies on, each with where it comes from.
        rounding: how the slack is known: "modelled", "proved" or "estimated".
        signed: whether the quantity may have any sign.
        delta: the probability of error of a statistical one, else 0.
        look: the number of the look.
        witness: what the check holds for evidence, such as multipliers.
        problem_id, point_id: hashes of the problem and of the returned bits.
        target: of a signed quantity.

    Example:
        >>> result = bn.solve(bn.Ridge(np.eye(2), np.ones(2), l2=1.0))
        >>> seen = result.certificate
        >>> seen.quantity, seen.grade, bool(seen.within(1e-6))
        ('f(x)-f*', 'bound', True)
    """

    parts: tuple[Part, ...]
    quantity: str = eqx.field(static=True)
    grade: str = eqx.field(static=True)
    assumes: tuple[str, ...] = eqx.field(static=True, default=())
    rounding: str = eqx.field(static=True, default="modelled")
    signed: bool = eqx.field(static=True, default=False)
    delta: Float[Array, ""] | float = 0.0
    look: Any = 0
    witness: Any = 0
    problem_id: str = eqx.field(static=True, default="")
    point_id: str = eqx.field(static=True, default="")
    target: Any = None

    def _np(self) -> Any:
        """NumPy on host records, jax.numpy while tracing: one rule for both."""
        on_device = any(isinstance(v, jax.Array) for v in jax.tree.leaves(self))
        return jnp if on_device else np

    def ratios(self) -> Float[Array, " parts"]:
        """(max(value, 0) + slack) / scale of each part, infinite where invalid.

        Of a signed quantity (value - target + slack) / scale.
        """
        xp = self._np()
        out = []
        for p in self.parts:
            value = p.value - self._goal() if self.signed else xp.maximum(p.value, 0)
            scale = xp.where(p.scale > 0, p.scale, 1)
            ratio = xp.asarray((value + p.slack) / scale)
            out.append(xp.where(_valid(xp, p), ratio, xp.asarray(np.inf, ratio.dtype)))
        return xp.stack(out)

    def value_ratio(self) -> Float[Array, ""]:
        """max(value, 0) / scale of the worst part, its slack left out.

        What a trace shows of a look behind a screen, whose slack is a placeholder.
        """
        none = tuple(dataclasses.replace(p, slack=p.slack * 0) for p in self.parts)
        return eqx.tree_at(lambda c: c.parts, self, none).ratio

    @property
    def worst(self) -> Array:
        """Index of the worst part."""
        return self._np().argmax(self.ratios(), axis=0)

    @property
    def ratio(self) -> Float[Array, ""]:
        """(value + slack) / scale of the worst part."""
        return self._np().max(self.ratios(), axis=0)

    @property
    def value(self) -> Float[Array, ""]:
        """Value of the worst part, in natural units."""
        return self._of_worst([p.value for p in self.parts])

    @property
    def slack(self) -> Float[Array, ""]:
        """Rounding and sampling allowance of the worst part."""
        return self._of_worst([p.slack for p in self.parts])

    @property
    def scale(self) -> Float[Array, ""]:
        """What the worst part is measured against, from problem data only."""
        return self._of_worst([p.scale for p in self.parts])

    @property
    def scale_from(self) -> str:
        """Where the scale of the worst part comes from: one of SCALES_FROM."""
        return "none" if self.signed else self.parts[int(self.worst)].relative_to()

    def _of_worst(self, values: list[Any]) -> Array:
        if len(values) == 1:
            return values[0]
        xp, worst = self._np(), self.worst
        stacked = xp.stack(values)
        if worst.ndim:  # one a lane
            return xp.take_along_axis(stacked, worst[None], axis=0)[0]
        return stacked[worst]

    def refuted(self) -> Bool[Array, ""]:
        """A nonnegative quantity below -slack: an assumption is false."""
        xp = self._np()
        if self.signed:
            return xp.asarray(False)
        flags = [
            xp.isfinite(p.value) & xp.isfinite(p.slack) & (p.value < -p.slack)
            for p in self.parts
        ]
        return xp.any(xp.stack(flags), axis=0)

    def within(self, tol: Any) -> Bool[Array, ""]:
        """Whether every part is valid and at most tol * scale, roundings outward."""
        xp = self._np()
        ok = xp.asarray(True)
        for p in self.parts:
            good = _valid(xp, p)
            value = p.value
            if not self.signed:
                good = good & (p.value >= -p.slack)
                value = xp.maximum(p.value, 0)
            total = xp.asarray(value + p.slack)
            far = xp.asarray(np.inf, dtype=total.dtype)
            up = xp.nextafter(total, far)
            if self.signed:
                # The target is exact, and value + slack is where there is no slack.
                goal = xp.asarray(self._goal(), dtype=total.dtype)
                met = (up < goal) | ((p.slack == 0) & (total <= goal))
                ok = ok & good & met & (tol > 0)
                continue
            limit = xp.asarray(tol * p.scale, dtype=total.dtype)
            down = xp.nextafter(limit, -far)
            exact = (p.slack == 0) & (total <= 0) & (limit >= 0)
            ok = ok & good & ((up <= down) | exact)
        return ok

    def blurred(self, tol: Any) -> Bool[Array, ""]:
        """Whether rounding decides: a part's value lies within its slack, and the
        slack is more than half of what tol allows (CERTIFICATES 2.6).

        Never where slack is no rounding (statistical) or the value may be negative.
        """
        xp = self._np()
        if self.signed or self.grade == "statistical":
            return xp.asarray(False)
        flags = [
            (p.value <= p.slack) & (p.slack > tol * p.scale / 2) for p in self.parts
        ]
        return xp.any(xp.stack(flags), axis=0)

    def __repr__(self) -> str:
        from banach.core.printing import certificate_line

        return certificate_line(self)

    def _goal(self) -> Any:
        return 0.0 if self.target is None else self.target

    def absolute(self) -> "Certificate":
        """The same statement with every scale set to 1; a goal stays as it is."""
        if self.signed:
            return self
        parts = tuple(
            Part(
                p.bare_name or p.name,
                *(p.bare or (p.value, p.slack)),
                self._np().ones_like(p.scale),
                scale_from="none",
            )
            for p in self.parts
        )
        named = self.quantity == self.parts[0].name
        return dataclasses.replace(
            self, parts=parts, quantity=parts[0].name if named else self.quantity
        )


class Check(eqx.Module, metaclass=Made):
    """Looks at (problem, point) and writes a Certificate. It never meets a method.

    `prepared(problem)` does what depends on the problem alone (scale, row norms),
    once a run.

    Example:
        >>> result = bn.solve(
        ...     bn.Ridge(np.eye(2), np.ones(2), l2=1.0), check=bn.Stationarity()
        ... )
        >>> isinstance(result.check, bn.Check), result.check.name
        (True, 'stationarity')
    """

    host: ClassVar[bool] = False
    name: ClassVar[str]

    @abc.abstractmethod
    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Certificate and the point that it speaks of (possibly repaired)."""

    @abc.abstractmethod
    def cost(self, problem: Problem) -> Mapping[str, int]:
        """Oracle calls of one evaluation."""

    def prepared(self, problem: Problem) -> "Check":
        """This check with everything that depends on the problem alone."""
        return self

    def screens(self) -> bool:
        """Whether this check has a field `screen`: see `screened`."""
        return any(f.name == "screen" for f in dataclasses.fields(self))

    def screened(self, tol: Any) -> "Check":
        """This check, allowed a placeholder slack where its value exceeds tol * scale.

        Such a look can neither certify nor refute; where the value passes, the slack
        is computed in full. A check without a field `screen` is returned unchanged.
        """
        if not self.screens():
            return self
        return dataclasses.replace(self, screen=tol)  # type: ignore[call-arg]

    def refuses(self, problem: Problem) -> str | None:
        """Why this check cannot speak of the problem, with the cure, or None."""
        return None


class Prepared(Check):
    """A check after `prepared`, made by the library itself for runs of one problem."""

    check: Check

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The prepared check's."""
        return self.check(problem, point, key, look)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The check's."""
        return self.check.name

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """The check's."""
        return self.check.cost(problem)

    def screens(self) -> bool:
        """The check's."""
        return self.check.screens()

    def screened(self, tol: Any) -> "Check":
        """The check screened; it stays prepared."""
        return Prepared(self.check.screened(tol))


def single(
    quantity: str,
    value: Any,
    slack: Any,
    scale: Any,
    *,
    grade: str,
    assumes: tuple[str, ...] = (),
    rounding: str = "modelled",
    signed: bool = False,
    witness: Any = 0,
    delta: Any = 0.0,
    look: Any = 0,
    name: str | None = None,
    target: Any = None,
    scale_from: str = "data",
    bare: tuple[Any, Any] | None = None,
    bare_name: str = "",
) -> Certificate:
    """A certificate of one part; value, slack and scale take the value's dtype."""
    value = jnp.asarray(value)
    part = Part(
        name or quantity,
        value,
        jnp.asarray(slack, value.dtype),
        jnp.asarray(scale, value.dtype),
        bare,
        bare_name,
        "none" if signed else scale_from,
    )
    return Certificate(
        (part,),
        quantity,
        grade,
        assumes,
        rounding,
        signed,
        jnp.asarray(delta, value.dtype),
        jnp.asarray(look, jnp.int32),
        jnp.asarray(witness, jnp.int32),
        target=None if target is None else jnp.asarray(target, value.dtype),
    )


def extended(certificate: Certificate, parts: tuple[Part, ...]) -> Certificate:
    """The certificate with more parts."""
    return eqx.tree_at(lambda c: c.parts, certificate, certificate.parts + parts)


def _valid(xp: Any, p: Part) -> Any:
    good = xp.isfinite(p.value) & xp.isfinite(p.slack) & (p.slack >= 0)
    return good & xp.isfinite(p.scale) & (p.scale > 0)

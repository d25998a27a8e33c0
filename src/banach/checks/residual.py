"""The residual of a system of equations, each in its own unit."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import evaluation, rounding
from banach.checks.refusals import refuse_unless
from banach.checks.scales import source
from banach.core import tree
from banach.core.check import Certificate, Check, Part
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import least

CANCELS = 1e-3


class Residual(Check):
    """|F_i(x)| of the worst equation i, relative to its own unit; recomputed from F.

    The unit of an equation is what the problem declares (`scale`), else the size of
    its terms c_i, |F_i| plus the sum of |dF_i/dx_j| |x_j| along every path of the
    program: of x^2 - 2 it is |x^2 - 2| + 2 x^2. At a declared `reference` that is the
    unit. At x0, which nobody declared to be typical, it is min(c_i(x0), max(1,
    c_i(x))): the terms at x0 alone would call |F| = 5e13 small where x0 is far off,
    and the maximum, which counts where terms at x cancel to a thousandth, lets
    equations of large numbers be verified at all. Equations whose terms are 0 at x0
    are absolute.

    A residual: x^2 + 1e-20 is small at 0 and has no root. The stronger statement is
    check="enclosure". An absolute tolerance is of ||F / scale||_2.

    Args:
        units: the unit of each equation, like x; None: found from the problem, as said
            above.

    Source: Oettli and Prager, Numerische Mathematik 6 (1964), for the size that a
    residual is small against; Higham, Accuracy and Stability (2002), chapter 7.

    Example:
        >>> square = bn.Root(lambda x: x**2 - 2.0, np.ones(1))
        >>> verdict = bn.verify(square, np.array([1.41421356]), check=bn.Residual())
        >>> print(verdict)
        certified: ||F(x)||, each equation in its unit, ratio 2.24e-09, tol 1e-06
          ...
    """

    name: ClassVar[str] = "residual"

    units: PyTree = None

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The worst equation at the point itself."""
        judged, at = evaluation.lift(problem, point)
        F = evaluation.judge(judged.residual, at.x)
        sizes = jnp.abs(tree.ravel(F.value)[0])
        errors = tree.ravel(F.error)[0]
        units = self.units if self.units is not None else _units(problem)
        if _by_terms_at_x(judged):
            here = terms(judged.residual, at.x, F.value)
            # Terms that do not cancel make no large residual a small one.
            here = jnp.where(sizes <= CANCELS * here, here, 1)
            units = jnp.minimum(units, jnp.maximum(1, here))
        # Not a number is the worst.
        worst = jnp.argmax((sizes + errors) / units)
        part = Part(
            "|F_i(x)|, the worst equation",
            sizes[worst],
            errors[worst] + least(sizes.dtype),
            units[worst],
            _norm(judged, F),
            scale_from="data" if judged.scale is not None else source(problem),
        )
        certificate = Certificate(
            (part,),
            "||F(x)||, each equation in its unit",
            "residual",
            (_source(problem), *evaluation.believed("residual", F.rounding)),
            F.rounding,
            delta=jnp.zeros_like(part.value),
            look=jnp.asarray(look, jnp.int32),
            witness=jnp.zeros((), jnp.int32),
        )
        return certificate, Point(point.x)

    def prepared(self, problem: Problem) -> Self:
        """With the units that depend on the problem alone."""
        return dataclasses.replace(self, units=_units(problem))

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One residual, and one more for its terms at x where they have a say."""
        return {"residual": 2 if _by_terms_at_x(problem) else 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are not a system of equations."""
        fits = problem.kind == "Root"
        return refuse_unless(fits, problem, f"{self.name} judges systems F(x) = 0")


def _by_terms_at_x(problem: Problem) -> bool:
    return problem.scale is None and problem.reference_point() is None


def terms(fun: Any, x: PyTree, value: PyTree) -> Array:
    """|F_i| + the sum of |dF_i/dx_j| |x_j| along every path, for each equation.

    The running error of inputs that are off by a share of sqrt(u), over that share.
    Where there is no rule, or the error is not finite, |F_i| alone.
    """
    sizes = jnp.abs(tree.ravel(value)[0])
    if not rounding.supported(jax.make_jaxpr(fun)(x)):
        return sizes
    share = math.sqrt(jnp.finfo(sizes.dtype).eps)
    off = jax.tree.map(lambda v: share * jnp.abs(v), x)
    _, error = rounding.with_error(fun)(x, errors=(off,))
    # Every bound is enlarged by 1.01 at the end.
    along = tree.ravel(error)[0] / (1.01 * share)
    return sizes + jnp.where(jnp.isfinite(along), along, 0)


def _units(problem: Problem) -> Array:
    """The units from the problem alone: declared, or the terms at reference or x0."""
    judged, at = evaluation.lift(problem, problem.reference_point() or problem.start())
    if judged.scale is not None:
        return jnp.asarray(tree.ravel(judged.scale)[0])
    found = terms(judged.residual, at.x, judged.residual(at.x))
    return jnp.where((found > 0) & jnp.isfinite(found), found, 1)


def _source(problem: Problem) -> str:
    if problem.scale is not None:
        return "units of the equations: declared"
    at = "x0 and x" if problem.reference is None else "the reference"
    return f"units of the equations: their terms at {at}"


def _norm(judged: Problem, F: evaluation.Judged) -> tuple[Array, Array]:
    """||F / scale||_2 and its slack, for absolute tolerances."""
    value, error = F.value, F.error
    if judged.scale is not None:
        # 1 / scale may vanish, where one unit divides many values.
        lost = [4 * least(v.dtype) * abs(v) for v in jax.tree.leaves(value)]
        value, error = _over(value, judged.scale), _over(error, judged.scale)
        error = tree.add(error, lost)
    norm = tree.norm(value)
    return norm, evaluation.norm_slack(norm, error, judged.size())


def _over(x: PyTree, units: PyTree) -> PyTree:
    leaves = zip(jax.tree.leaves(x), jax.tree.leaves(units), strict=True)
    return [p / q for p, q in leaves]

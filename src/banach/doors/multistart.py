"""Many starts of one problem: the distinct answers, and how often each was found."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from banach.core import compat, tree, validation
from banach.core.annotations import CheckLike, MethodLike, Tolerance
from banach.core.door import door
from banach.core.problem import Misuse, Problem
from banach.core.result import Result

SHOWN = 8
# Two answers are one where values and points agree to these, relative (ours).
SAME_VALUE, SAME_POINT = 1e-5, 1e-2


class Answer(NamedTuple):
    """One answer that runs agree on: its value, and the starts that led there."""

    value: float
    starts: Int[np.ndarray, " k"]


@dataclasses.dataclass(frozen=True)
class MultiStart:
    """Runs from many starts, the least value first among their distinct answers.

    Fields:
        results: a Result for each start, in their order.
        values: the objective at each, infinite where a run found nothing finite.
        answers: the distinct certified answers, from the least value on.
        starts: the starts, one a row, as vectors.

    Example:
        >>> waves = bn.Smooth(lambda x: jnp.sum(jnp.cos(3 * x) + x**2 / 4), np.ones(1))
        >>> found = bn.multistart(waves, 20)
        >>> [round(answer.value, 3) for answer in found.answers]
        [-0.74, -0.74, 1.335]
    """

    results: Sequence[Result]
    values: Float[np.ndarray, " n"]
    answers: tuple[Answer, ...]
    starts: Float[np.ndarray, "n d"]

    def __len__(self) -> int:
        return len(self.results)

    @property
    def best(self) -> Result:
        """Of the certified runs that of the least value; of none, of all runs."""
        if self.answers:
            first = self.answers[0].starts
            return self.results[int(first[np.argmin(self.values[first])])]
        return self.results[int(np.argmin(self.values))]

    def __str__(self) -> str:
        good = sum(len(a.starts) for a in self.answers)
        lines = [f"{len(self)} starts, {good} certified, {len(self.answers)} answers"]
        if self.answers:
            lines.append("  {:>16}  {:>6}".format("value", "starts"))
        for answer in self.answers[:SHOWN]:
            lines.append(f"  {answer.value:>16.9g}  {len(answer.starts):>6}")
        if len(self.answers) > SHOWN:
            lines.append(f"  ({len(self.answers) - SHOWN} more)")
        least = float(np.min(self.values))
        if self.answers and least < self.answers[0].value - SAME_VALUE * abs(least):
            lines.append(f"  NOT CERTIFIED below that: {least:.9g}")
        grade = self.best.certificate.grade
        if grade != "bound":
            lines.append(
                "  certificates speak of each answer by itself; that no start led "
                "lower is no proof that nothing is lower"
            )
        return "\n".join(lines)

    __repr__ = __str__


@door(host=True)
def multistart(
    problem: Problem,
    starts: int | Sequence[Any] = 32,
    method: MethodLike = None,
    *,
    spread: float = 1.0,
    tol: Tolerance = 1e-6,
    check: CheckLike = None,
    max_steps: int = 10_000,
    time_limit: float | None = None,
    seed: int = 0,
) -> MultiStart:
    """Solve one problem from many starts at once, and tell its answers apart.

    For functions with several minima: fits whose first guess matters, wells, phases.
    The runs are lanes of `bn.solve_many`, each judged by itself.

    Args:
        problem: a problem that is not known to be convex; of roots and fixed points
            the value is their misfit.
        starts: how many are drawn, the problem's own first; or the starts themselves.
        method: as in `bn.solve_many`.
        spread: how far they are drawn: an entry x of the problem's start becomes
            x exp(spread z), or as far from x on its other side, an entry of 0 becomes
            spread z, z normal; where both bounds are finite an entry is uniform between
            them, and others are clipped to theirs.
        tol, check, max_steps, time_limit: as in `bn.solve_many`.
        seed: of what is drawn.

    Returns:
        MultiStart: every Result, and the distinct answers, the least value first. Two
        certified runs count as one answer where their values agree to 1e-5 and their
        points to 1e-2, relative (both numbers are ours).

    Raises:
        Misuse: a convex problem, starts that do not fit, each with the cure.

    Source: Rinnooy Kan and Timmer, Stochastic global optimization methods, Mathematical
    Programming 39 (1987), for what many local searches tell.

    Example:
        >>> waves = bn.Smooth(lambda x: jnp.sum(jnp.cos(3 * x) + x**2 / 4), np.ones(1))
        >>> print(bn.multistart(waves, [np.array([1.2]), np.array([-3.0])]))
        2 starts, 2 certified, 2 answers
          ...
    """
    from banach.doors.solve import solve_many

    if not isinstance(problem, Problem):
        raise Misuse(
            f"multistart takes a problem, got {validation.shown(problem)}; state one, "
            "e.g. bn.Smooth(f, x0)"
        )
    if problem.facts().has("convex"):
        raise Misuse(
            "the problem is convex: every minimum is a least one, and bn.solve finds it"
        )
    far = float(validation.number(spread, "spread", low="positive"))
    validation.seed(seed)
    with compat.double():
        own, back = tree.ravel(problem.start().x)
        kind = np.asarray(own).dtype
        if isinstance(starts, int | np.integer) and not isinstance(starts, bool):
            n = validation.integer(starts, "starts", low=1)
            rows = _drawn(problem, np.asarray(own, float), n, far, seed)
            points = [jax.tree.map(np.asarray, back(r.astype(kind))) for r in rows]
        elif isinstance(starts, list | tuple | np.ndarray) and len(starts):
            points = list(starts)
            rows = None
        else:
            raise Misuse(
                "starts must be a number of starts, or a list of them, got "
                f"{validation.shown(starts)}"
            )
    results = solve_many(
        [problem] * len(points), method, starts=points, tol=tol, check=check,
        max_steps=max_steps, time_limit=time_limit, seed=seed,
    )  # fmt: skip
    with compat.double():
        if rows is None:
            rows = np.stack([np.asarray(tree.ravel(p)[0], float) for p in points])
        x = np.stack([np.asarray(tree.ravel(r.x)[0], float) for r in results])
        values = np.array([float(problem.objective(r.x)) for r in results])
        first = float(problem.objective(points[0]))
    values = np.where(np.isfinite(values), values, np.inf)
    good = np.asarray(results.certified) & np.isfinite(values)
    return MultiStart(results, values, _told_apart(values, x, good, first), rows)


def _drawn(
    problem: Problem, own: np.ndarray, n: int, spread: float, seed: int
) -> np.ndarray:
    """The problem's own start, and n - 1 drawn ones within its bounds."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, own.size))
    rows = np.where(own != 0, own * np.exp(spread * z), spread * z)
    rows = np.where(rng.random(rows.shape) < 0.5, rows, 2 * own - rows)
    if hasattr(problem, "bounds"):
        low, high = (np.asarray(v, float) for v in problem.bounds())
        both = np.isfinite(low) & np.isfinite(high)
        inside = np.where(both, low, 0)
        size = np.where(both, high, 0) - inside
        even = inside + size * rng.random(rows.shape)
        rows = np.clip(np.where(both, even, rows), low, high)
    rows[0] = own
    return rows


def _told_apart(
    values: np.ndarray, x: np.ndarray, good: np.ndarray, first: float
) -> tuple[Answer, ...]:
    """Groups of certified runs by value and point, from the least value on."""
    found: list[tuple[int, list[int]]] = []
    # What is 0 but for rounding, as the misfit of a root, has no digits to compare.
    nothing = 1e-9 * abs(first) if np.isfinite(first) else 0.0
    for i in np.flatnonzero(good)[np.argsort(values[good], kind="stable")]:
        for k, members in found:
            size = float(np.max(np.abs(values[[k, i]])))
            near = abs(values[i] - values[k]) <= SAME_VALUE * size + nothing
            far, length = (float(np.linalg.norm(v)) for v in (x[i] - x[k], x[k]))
            if near and far <= SAME_POINT * max(length, 1e-300):
                members.append(int(i))
                break
        else:
            found.append((int(i), [int(i)]))
    return tuple(Answer(float(values[f]), np.array(m)) for f, m in found)

"""A regularisation path: one certified answer for each strength of the term."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from banach.core import compat, unchanged, validation
from banach.core.door import door
from banach.core.printing import up
from banach.core.problem import Misuse, Problem
from banach.core.result import Result

SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Path:
    """Answers along multiples of a term, from strong to weak; prints a table.

    Fields:
        multiples: of the term as it was stated, (k,), decreasing.
        results: a Result each, certified by itself.
        scores: of each held-out part, its mean loss at every point, (folds, k); None
            without folds.
        behind: whether each answer behind the scores is certified, (folds, k).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> A = rng.normal(size=(60, 20))
        >>> path = bn.path(bn.Lasso(A, 3 * A[:, 2], lam=1.0), points=5)
        >>> path.nonzeros.tolist(), bool(path.certified.all())
        ([0, 1, 1, 1, 1], True)
    """

    multiples: Float[np.ndarray, " k"]
    results: tuple[Result, ...]
    scores: Float[np.ndarray, "folds k"] | None = None
    behind: Bool[np.ndarray, "folds k"] | None = None

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> Result:
        return self.results[index]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @property
    def x(self) -> Float[np.ndarray, "k ..."]:
        """The answers, one a row."""
        return np.stack([np.asarray(r.x) for r in self.results])

    @property
    def certified(self) -> np.ndarray:
        """Whether each is, (k,)."""
        return np.array([r.certified for r in self.results])

    @property
    def nonzeros(self) -> np.ndarray:
        """Coefficients that are not 0, (k,); an intercept is none."""
        found = []
        for r in self.results:
            c, _ = r.problem.split(np.asarray(r.x))
            found.append(np.count_nonzero(c))
        return np.array(found)

    @property
    def mean_score(self) -> Float[np.ndarray, " k"]:
        """The mean over held-out parts of their mean loss, (k,)."""
        return np.mean(self._scored(), axis=0)

    @property
    def score_error(self) -> Float[np.ndarray, " k"]:
        """The standard error of that mean, (k,)."""
        scores = self._scored()
        return np.std(scores, axis=0, ddof=1) / np.sqrt(len(scores))

    @property
    def best(self) -> int:
        """The index of the least mean score."""
        return int(np.argmin(self.mean_score))

    @property
    def one_error(self) -> int:
        """The index of the strongest term within one standard error of the best."""
        most = self.mean_score[self.best] + self.score_error[self.best]
        return int(np.flatnonzero(self.mean_score <= most)[0])

    def _scored(self) -> np.ndarray:
        if self.scores is None:
            raise Misuse(
                "this path has no scores: bn.path(problem, folds=5) makes them"
            )
        return self.scores

    def plot(self, ax: Any = None) -> Any:
        """Coefficients along the path, a matplotlib Figure; the best by its scores."""
        from banach.report.figures import plot_path

        return plot_path(self, ax)

    def __str__(self) -> str:
        k, scores, nonzeros = len(self), self.scores, self.nonzeros
        lines = [f"path of {k} points, {int(self.certified.sum())} certified"]
        head = f"  {'multiple':>10}  nonzeros  {'bound or residual':>17}"
        shown = np.linspace(0, k - 1, min(k, SHOWN)).round().astype(int)
        if scores is not None:
            mean, error = self.mean_score, self.score_error
            best, near = self.best, self.one_error
            shown, head = np.append(shown, [best, near]), f"{head}  held-out loss"
        shown = np.unique(shown)
        lines.append(head)
        for i in shown:
            r = self.results[i]
            said = up(float(r.certificate.ratio), 3)
            row = f"  {self.multiples[i]:>10.4g}  {nonzeros[i]:>8}  {said:>17}"
            row += "" if r.certified else f"  NOT CERTIFIED ({r.status})"
            if scores is not None:
                row += f"  {mean[i]:>13.5g} +- {error[i]:.2g}"
                row += "  least" if i == best else ""
                row += "  within one error" if i == near else ""
            lines.append(row)
        if k > len(shown):
            lines.append(f"  ({k - len(shown)} points are not shown)")
        if self.behind is not None and not self.behind.all():
            left = int((~self.behind).sum())
            lines.append(
                f"  NOT CERTIFIED: {left} of the {self.behind.size} answers behind the "
                "held-out losses; raise max_steps"
            )
        return "\n".join(lines)

    __repr__ = __str__


@door
def path(
    problem: Problem,
    multiples: Sequence[float] | None = None,
    *,
    points: int = 50,
    down_to: float = 1e-2,
    tol: float = 1e-6,
    folds: int = 0,
    seed: int = 0,
    max_steps: int = 100_000,
) -> Path:
    """Solve a penalised linear model for many strengths of its penalty, warm-started.

    Every point is solved to `tol` and certified by itself, by the check of the model:
    a path that is drawn wrongly somewhere says so there. Only columns that can matter
    are looked at (`working_set_newton`, the default of l1 models).

    Args:
        problem: a GLM with a penalty such as L1, ElasticNet, GroupL2; its own strength
            counts as 1.
        multiples: of that strength, positive, in any order; None: `points` numbers from
            the least at which all coefficients are 0, in equal ratios.
        points: how many, where `multiples` is None.
        down_to: the last of them over the first.
        tol: as in `bn.solve`.
        folds: for cross-validation, the parts that the rows are dealt into (labels in
            equal shares); each is held out once, and its mean loss is scored along the
            path of the others, whose term is scaled by their share of the weight. 0: no
            scores.
        seed: of the dealing.
        max_steps: as in `bn.solve`, for each point.

    Returns:
        Path: Results from the strongest term to the weakest, which may be certified or
        not one by one; `best` and `one_error` are indices by the scores.

    Raises:
        Misuse: another kind of problem, a term without a strength, strengths that are
            not positive, more folds than rows, each with the cure.

    Friedman, Hastie and Tibshirani, J. Statistical Software 33 (2010), have both the
    warm starts and the rule of one standard error.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> A, y = load_diabetes(return_X_y=True)
        >>> path = bn.path(bn.Lasso(A, y, lam=1.0, intercept=True), folds=5)
        >>> len(path), int(path.certified.sum()), int(path.nonzeros[path.one_error])
        (50, 50, 6)
    """
    from banach.engine.plan import Limits
    from banach.kinds.glm import family
    from banach.kinds.glm.problem import GLM

    if not isinstance(problem, GLM):
        got = (
            problem.kind if isinstance(problem, Problem) else validation.shown(problem)
        )
        raise Misuse(
            f"a path is of a penalised linear model, got {got}; state a bn.GLM, such "
            "as bn.Lasso"
        )
    validation.integer(folds, "folds", low=0)
    seed = validation.seed(seed)
    Limits.read(tol, max_steps)
    k = validation.integer(points, "points", low=2)
    last = float(validation.number(down_to, "down_to", low="positive"))
    if not last < 1:
        raise Misuse(f"down_to must be below 1, got {last}; e.g. 1e-2")
    if multiples is None:
        first = family.empty_from(problem)
        if not first > 0:
            raise Misuse("the penalty has nothing to do: the data ask for 0 already")
        # At the very first one rounding decides whether a coefficient is 0.
        steps = first * np.geomspace(1 + 1e-9, last, k)
    else:
        given = validation.array(multiples, "multiples", ndim=1)
        steps = np.sort(np.asarray(given, float))[::-1]
        if not steps.size or not steps[-1] > 0:
            raise Misuse("multiples must be positive numbers, one at least")
    # Before any work: a part may lack a class.
    parts = [
        (family.of_rows(problem, rest), family.of_rows(problem, out, held=True))
        for out, rest in (_dealt(problem, folds, seed) if folds else ())
    ]
    own = _along(problem, steps, tol, max_steps)
    if not folds:
        return Path(steps, own)
    scores, behind = [], []
    for part, held in parts:
        share = family.weight_of(part) / family.weight_of(problem)
        found = _along(part, steps * share, tol, max_steps)
        scores.append([family.mean_loss(held, np.asarray(r.x)) for r in found])
        behind.append([r.certified for r in found])
    return Path(steps, own, np.array(scores), np.array(behind))


def _along(
    problem: Any, steps: np.ndarray, tol: float, max_steps: int
) -> tuple[Result, ...]:
    from banach.doors.solve import solve
    from banach.engine import problem_cache
    from banach.kinds.glm import family

    found: list[Result] = []
    # Of our own copy of the data, which nobody can write to meanwhile.
    with compat.double():
        problem = problem_cache.of(problem).own()
    with unchanged.arrays():
        for multiple in steps:
            start = found[-1].x if found else None
            found.append(
                solve(
                    family.scaled(problem, float(multiple)), start=start, tol=tol,
                    max_steps=max_steps,
                )
            )  # fmt: skip
    return tuple(found)


def _dealt(
    problem: Any, folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows held out, the others), labels dealt in equal shares."""
    n = problem.A.shape[0]
    if not 2 <= folds <= n:
        raise Misuse(f"folds must be 0 or from 2 to the {n} rows, got {folds}")
    order = np.random.default_rng(seed).permutation(n)
    if problem.loss.discrete:
        order = order[np.argsort(np.asarray(problem.y)[order], kind="stable")]
    for i in range(folds):
        out = order[i::folds]
        yield np.sort(out), np.sort(np.setdiff1d(order, out))

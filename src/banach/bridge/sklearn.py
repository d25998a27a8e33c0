"""scikit-learn's solvers of generalised linear models, as peers in a race."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Array

from banach.bridge import _inputs, _terms
from banach.core.card import method
from banach.core.facts import Facts
from banach.core.hyperparameters import OPEN, Open
from banach.core.method import HostMethod, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.kinds.glm import design, losses
from banach.kinds.glm.problem import GLM
from banach.parts.sparse import SparseMatrix

_FAR = 10**6
# Tolerances of successive fits, each warm-started where the last one ended. L-BFGS
# would lose its memory at every restart, Ridge has no warm start: one fit.
LADDERS = {
    "coordinate-descent": tuple(10.0**-k for k in range(2, 15, 2)),
    "newton-cholesky": (1e-4, 1e-9, 1e-13),
    "lbfgs": (1e-14,),
    "cholesky": (1e-14,),
    "sparse_cg": (1e-14,),
}


@method(
    problem="GLM",
    needs={"value", "grad"},
    paper="pedregosa2011sklearn",
    cost=None,
    host=True,
)
class Sklearn(HostMethod):
    """A solver of scikit-learn by name: `Sklearn("newton-cholesky")`.

    coordinate-descent: Lasso (alpha = lam / sum w) and ElasticNet (alpha = (l1 + l2)
    / sum w, l1_ratio = l1 / (l1 + l2)); cholesky: Ridge (alpha = lam), sparse_cg where
    a sparse matrix stands beside an intercept, which cholesky does not take;
    newton-cholesky and lbfgs: LogisticRegression (C = 1 / lam) and PoissonRegressor
    (alpha = lam / sum w), for the objective of GLM, which has no factor 1 / n.

    What the trace means: scikit-learn shows no iterates. newton-cholesky and
    coordinate-descent are fitted again and again with a smaller tol, from where the
    last fit ended, which goes on with the same iteration; each row is one fit, and
    its seconds contain scikit-learn's validation of the data. The others are one fit
    with tol = 1e-14: one row, at the end. Oracle calls are not known. A sparse matrix
    is handed over as SciPy's, and stays sparse.

    Fails where scikit-learn stops by itself above the tolerance: lbfgs stops on
    64 roundoffs of the objective.

    Args:
        algorithm: coordinate-descent, cholesky, newton-cholesky or lbfgs.
        options: arguments of the estimator, by name.

    Source: Pedregosa and others, Scikit-learn, J. Machine Learning Research 12 (2011).

    Example:
        >>> bn.solve(
        ...     bn.Ridge(np.eye(2), np.ones(2), l2=1.0), bn.Sklearn("cholesky")
        ... ).x.round(4)
        array([0.5, 0.5])
    """

    algorithm: Any
    options: dict[str, Any]

    def __init__(
        self, algorithm: str | None = None, options: dict[str, Any] | None = None
    ):
        self.options = _inputs.options(options, "sklearn")
        if algorithm is None or isinstance(algorithm, Open):
            self.algorithm = OPEN  # what `suggest` finds for the problem
            return
        self.algorithm = _inputs.algorithm(algorithm, "sklearn", "solver", LADDERS)

    @classmethod
    def applies(cls, problem: Problem, facts: Facts) -> Refusal | None:
        """None for a GLM that one of scikit-learn's estimators minimises exactly."""
        found = _able(problem)
        return found if isinstance(found, Refusal) else None

    @classmethod
    def suggest(cls, problem, facts):
        """The first of `variants`, or why there is none."""
        found = _able(problem)
        return found if isinstance(found, Refusal) else cls(found[0])

    @classmethod
    def variant(cls, name: str, problem: Problem, facts: Facts) -> "Sklearn | Refusal":
        """One solver, or why it does not fit this problem."""
        made, found = cls(name), _able(problem)
        if isinstance(found, Refusal):
            return found
        if name not in found:
            return Refusal(
                f"a model for {name}",
                f"sklearn:{name} does not fit {problem.formula()}; for it there are "
                f"{', '.join(found)}",
            )
        return made

    @classmethod
    def variants(cls, problem: Problem, facts: Facts) -> tuple[str, ...]:
        """Every solver that fits this problem."""
        found = _able(problem)
        return () if isinstance(found, Refusal) else found

    def label(self):
        """The peer and its algorithm."""
        return f"sklearn:{self.algorithm}"

    def stream(
        self, problem: Problem, start: Point, key: Array
    ) -> Iterator[tuple[Point, dict[str, int], dict[str, str]]]:
        """Yield (Point, {}, its words) after each fit; data are read first."""
        no = self.variant(self.algorithm, problem, None)
        if isinstance(no, Refusal):
            raise Misuse(no.cure)
        model = _estimator(problem, self.algorithm, self.options)
        A, y = design.host(problem.A), np.asarray(problem.y)
        w = None if problem.weight is None else np.asarray(problem.weight)
        if "warm_start" in model.get_params():
            _set(model, problem, np.asarray(start.x))
        return self._fits(model, problem, A, y, w)

    def _fits(self, model, problem, A, y, w):
        ladder = (self.options["tol"],) if "tol" in self.options else None
        for tol in ladder or LADDERS[self.algorithm]:
            model.set_params(tol=tol)
            with warnings.catch_warnings(record=True) as heard:
                # "Did not converge" is for the check to judge, and for us to repeat.
                warnings.simplefilter("always")
                model.fit(A, y, sample_weight=w)
            yield Point(_get(model, problem)), {}, _said(model, heard, tol)


def _said(model: Any, heard: list[Any], tol: float) -> dict[str, str]:
    """What scikit-learn says of a fit: its iterations and its warnings."""
    count = getattr(model, "n_iter_", None)
    told = "no n_iter_" if count is None else f"n_iter_ {np.max(count)}"
    texts = {" ".join(str(w.message).split()): w.category.__name__ for w in heard}
    words = "; ".join(f"{kind}: {text}" for text, kind in texts.items())
    ended = "warned" if words else "no warning"
    return {"status": f"{ended} at tol {tol:g}, {told}", "message": words}


def _able(problem: Problem) -> tuple[str, ...] | Refusal:
    """Solvers for a problem, or why there are none."""
    if not isinstance(problem, GLM):
        return Refusal(
            "a GLM",
            f"sklearn fits generalised linear models, not {problem.kind}; state it as "
            "bn.GLM(A, y, loss, term)",
        )
    if problem.offset is not None:
        return Refusal("no offset", "sklearn takes no offset; leave it out")
    loss, (l1, l2) = problem.loss, _terms.weights(problem.term) or (None, None)
    scalar = l1 is not None and np.size(l1) == 1 and np.size(l2) == 1
    found: tuple[str, ...] = ()
    if scalar:
        l1, l2 = float(np.ravel(l1)[0]), float(np.ravel(l2)[0])
        if isinstance(loss, losses.SquaredLoss):
            sparse = isinstance(problem.A, SparseMatrix)
            direct = "sparse_cg" if sparse and problem.intercept else "cholesky"
            found = ("coordinate-descent",) if l1 > 0 else (direct,)
        elif isinstance(
            loss, losses.LogisticLoss | losses.PoissonLoss | losses.SoftmaxLoss
        ):
            found = ("newton-cholesky", "lbfgs") if l1 == 0 else ()
    if isinstance(loss, losses.SoftmaxLoss) and len(np.unique(problem.y)) < max(
        loss.classes, 3
    ):
        found = ()
    if isinstance(loss, losses.LogisticLoss) and len(np.unique(problem.y)) < 2:
        found = ()
    return found or Refusal(
        "a matching estimator",
        f"sklearn has no estimator for {problem.formula()}; it has l2 for logistic, "
        "softmax (three classes or more, all present) and Poisson, and l1, l2 and "
        "elastic net for least squares, one number each",
    )


def _estimator(problem: GLM, algorithm: str, options: dict[str, Any]) -> Any:
    """The estimator whose minimiser is that of the problem."""
    import sklearn.linear_model as models

    l1, l2 = (float(np.ravel(v)[0]) for v in _terms.weights(problem.term))
    n = problem.A.shape[0]
    total = float(n if problem.weight is None else np.sum(problem.weight))
    given: dict[str, Any] = {"fit_intercept": problem.intercept}
    if algorithm in ("cholesky", "sparse_cg"):
        given |= {"alpha": l2, "solver": algorithm}
        kind = models.Ridge
    elif algorithm == "coordinate-descent":
        kind = models.ElasticNet
        given |= {"alpha": (l1 + l2) / total, "l1_ratio": l1 / (l1 + l2)}
        given |= {"warm_start": True, "max_iter": _FAR}
    else:
        given |= {"solver": algorithm, "warm_start": True, "max_iter": _FAR}
        if isinstance(problem.loss, losses.PoissonLoss):
            kind = models.PoissonRegressor
            given |= {"alpha": l2 / total}
        else:
            kind = models.LogisticRegression
            given |= {"C": 1 / l2 if l2 > 0 else np.inf}
    wrong = sorted(set(options) - set(kind().get_params()))
    if wrong:
        raise Misuse(
            f"{kind.__name__} has no parameter {wrong[0]!r}; it has "
            f"{', '.join(sorted(kind().get_params()))}"
        )
    return kind(**{**given, **options})


def _set(model: Any, problem: GLM, x: np.ndarray) -> None:
    """Start the first fit at x."""
    coef, b = (x[:-1], x[-1]) if problem.intercept else (x, np.zeros(x.shape[1:]))
    if isinstance(problem.loss, losses.LogisticLoss | losses.SoftmaxLoss):
        coef, b = np.atleast_2d(coef.T), np.atleast_1d(b)
    model.coef_, model.intercept_ = np.array(coef), b


def _get(model: Any, problem: GLM) -> np.ndarray:
    """The fitted point in the layout of the GLM."""
    shape = problem.space().shape
    coef = np.asarray(model.coef_).T.reshape(-1, *shape[1:])
    if not problem.intercept:
        return coef.astype(problem.A.dtype)
    b = np.reshape(np.asarray(model.intercept_), (1, *shape[1:]))
    return np.concatenate([coef, b]).astype(problem.A.dtype)

"""Standard errors, covariance and intervals of a fit, with what they rest on."""

import contextlib
import dataclasses
import math
from typing import Any

import numpy as np
from scipy import special

from banach.core import validation
from banach.core.annotations import Reals
from banach.core.dataframes import Named
from banach.core.door import door
from banach.core.fitted import Fitted
from banach.core.printing import number, up
from banach.core.problem import Misuse
from banach.core.result import LeftOut, Result
from banach.doors.verify import Saved, stated, verify
from banach.inference import table
from banach.inference.whitening import Whitened, lengths, whiten

SANDWICHES = ("HC0", "HC1", "HC2", "HC3")
KINDS = ("model", "sandwich", *SANDWICHES)
NEAR = 0.1
"""Standard errors that an answer may lie from the least one (ours)."""
AT_BOUND = 1e-3
"""Standard errors within which a parameter is at its bound (ours)."""
APART = 1.5
"""A ratio of sandwich to model errors that is said, either way (ours)."""
SURE = 3.0
"""Standard deviations that its logarithm must be off, were the model true (ours)."""
ENOUGH = 30
"""Degrees of freedom from which on a sandwich can doubt a model (ours)."""


CURES = {
    "alpha": "use level=, which is 1 - alpha",
    "absolute_sigma": "use sigma=1 where residuals were divided by sigma",
    "confidence": "use level=",
    "cov_type": "use kind=, 'model' or 'HC0' .. 'HC3'",
    "robust": "use kind='sandwich'",
}
"""What curve_fit and statsmodels call the arguments."""


@dataclasses.dataclass(frozen=True)
class Uncertainty:
    """What data tell of the parameters of a fit; plain data, which prints a table.

    `estimates`, `standard_errors`, `intervals`, `ratios`, `p_values` and `beside` are
    mappings by the names of the parameters and arrays too (np.asarray).

    Fields:
        names: of the parameters, in the order of everything below.
        estimates: the answer.
        standard_errors: by `kind`, in the unit of each parameter.
        covariance: (p, p), by `kind`.
        intervals: lower and upper end at `level`, (p, 2).
        level: the share of repetitions in which an interval holds the truth.
        kind: "model", or the sandwich "HC0" .. "HC3".
        beside: standard errors of the other sort, the sandwich beside the model's or
            the model's beside the sandwich; None where that does not exist.
        beside_kind: which, "" without.
        distribution: "t" or "normal", of estimate minus truth over standard error.
        degrees_of_freedom: rows less parameters.
        s2: residual variance, sum w r^2 / (n - p); of known sigma the reduced
            chi-square; None for counts and labels, which have no variance of their own.
        condition: of the scaled columns, whose digits standard errors lose.
        digits: of standard errors that rounding and the solver's error leave.
        solver_error: how far the answer is from the exact minimiser at most, in
            standard errors of the model; in every parameter.
        solver_error_is: "bound" (true, rounding modelled), or "first order"; of
            nonlinear residuals a bound where the run was asked for `digits=`.
        curvature: by how much second derivatives of the model change standard errors,
            as a share; None where the model is linear, or too large.
        certified: whether a check accepted the answer.
        conditions: in words, what all of this holds under.

    Example:
        >>> t, y = np.arange(5.0), np.array([1.0, 3.1, 4.9, 7.2, 8.8])
        >>> line = bn.least_squares(
        ...     lambda p: p["a"] + p["b"] * t - y, {"a": 0.0, "b": 0.0}, data=y
        ... )
        >>> u = bn.uncertainty(bn.solve(line))
        >>> u.names, u.distribution, u.degrees_of_freedom
        (('a', 'b'), 't', 3)
    """

    names: tuple
    estimates: Named
    standard_errors: Named
    covariance: np.ndarray
    intervals: Named
    level: float
    kind: str
    beside: Named | None
    beside_kind: str
    distribution: str
    degrees_of_freedom: int
    s2: float | None
    condition: float
    digits: int
    solver_error: float
    solver_error_is: str
    curvature: float | None
    certified: bool
    conditions: tuple[str, ...]

    @property
    def ratios(self) -> Named:
        """Estimate over standard error: t values, or z values; they have no unit."""
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.asarray(self.estimates) / np.asarray(self.standard_errors)
        return Named(self.names, own)

    @property
    def p_values(self) -> Named:
        """Two-sided, of the hypothesis that a parameter is 0."""
        far = -abs(np.asarray(self.ratios))
        if self.distribution == "t":
            return Named(self.names, 2 * special.stdtr(self.degrees_of_freedom, far))
        return Named(self.names, 2 * special.ndtr(far))

    @property
    def misfit(self) -> float | None:
        """The chance of a chi-square as large as this, were model and sigma true.

        Of least squares with known sigma; None elsewhere.
        """
        if self.s2 is None or self.distribution == "t":
            return None
        dof = self.degrees_of_freedom
        return float(special.chdtrc(dof, dof * self.s2))

    @property
    def correlation(self) -> np.ndarray:
        """The covariance over the products of standard errors, (p, p)."""
        s = np.asarray(self.standard_errors)
        return self.covariance / s[:, None] / s[None, :]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, parameter by parameter; names become text."""
        columns = {
            "estimate": self.estimates,
            "standard_error": self.standard_errors,
            "ratio": self.ratios,
            "p_value": self.p_values,
        }
        ends = np.asarray(self.intervals)
        parameters = []
        row: dict[str, Any]
        for i, name in enumerate(self.names):
            row = {"name": str(name)}
            row |= {k: number(np.asarray(v)[i]) for k, v in columns.items()}
            row |= {"lower": number(ends[i, 0]), "upper": number(ends[i, 1])}
            other = None if self.beside is None else number(np.asarray(self.beside)[i])
            parameters.append(row | {"beside": other})
        plain = (
            "level kind beside_kind distribution degrees_of_freedom s2 condition digits"
            " solver_error solver_error_is curvature certified misfit"
        ).split()
        return {
            "schema_version": 1,
            "parameters": parameters,
            "covariance": self.covariance.tolist(),
            **{k: getattr(self, k) for k in plain},
            "conditions": list(self.conditions),
        }

    def columns(self) -> dict[str, np.ndarray]:
        """What the table shows, an array a column, in the order of `names`.

        For a DataFrame: `pandas.DataFrame(u.columns(), index=u.names)`.
        """
        ends = np.asarray(self.intervals)
        found = {
            "estimate": self.estimates,
            "standard_error": self.standard_errors,
            "lower": ends[:, 0],
            "upper": ends[:, 1],
            "ratio": self.ratios,
            "p_value": self.p_values,
        }
        if self.beside is not None:
            found[f"{self.beside_kind}_error"] = self.beside
        return {name: np.asarray(v) for name, v in found.items()}

    def __str__(self) -> str:
        return table.plain(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from banach.report.cards import of_uncertainty

        return of_uncertainty(self)


@door(cures=CURES, host=True)
def uncertainty(
    result: Result | Saved,
    level: float = 0.95,
    *,
    kind: str = "model",
    sigma: Reals | None = None,
    allow_uncertified: bool = False,
) -> Uncertainty:
    """Standard errors, covariance and intervals of a least squares fit or a GLM.

    Args:
        result: an answer of `bn.solve`, or one read by `bn.load`, which is judged anew.
        level: the share of repetitions in which an interval is to hold the truth.
        kind: "model", the inverse curvature, which believes the model whole; or
            "sandwich", which believes its mean alone and lets every row have a variance
            of its own: HC3, or one of "HC0", "HC1", "HC2", "HC3" by its name.
        sigma: of least squares, standard deviations of the residuals *as they were
            stated*, where they are known: a number, or one a row. Of residuals that
            were divided by them already sigma=1, SciPy's absolute_sigma=True. None: one
            variance for all is estimated, s^2 = sum w r^2 / (n - p).
        allow_uncertified: whether an answer that no check accepted is taken, with the
            numbers at that point and words that say so.

    Returns:
        Uncertainty: by the names of the parameters (columns of a table, `intercept`,
        places in x such as `a` or `b[0]`), with the other sort of standard errors
        beside. Intervals are t with n - p degrees of freedom for least squares,
        normal where the variance is known (sigma, counts, labels).

    Raises:
        Misuse: where they would not hold: no certified answer, or one further than a
            tenth of a standard error from the minimiser; a penalty; parameters at
            their bounds; columns without full rank; separable data; n <= p; an exact
            fit; numbers that are not finite. Each with what to do.

    The covariance is that of Bates and Watts, Nonlinear Regression Analysis (1988),
    section 2.2, and McCullagh and Nelder, Generalized Linear Models (1989), section
    4.4; the sandwich is of MacKinnon and White, J. Econometrics 29 (1985).

    Example:
        >>> import numpy as np, banach as bn
        >>> t = np.arange(6.0)
        >>> y = np.array([2.1, 3.9, 6.2, 7.8, 10.1, 11.9])
        >>> line = bn.least_squares(lambda p: p["a"] + p["b"] * t - y,
        ...                         {"a": 0.0, "b": 0.0}, data=y)
        >>> u = bn.uncertainty(bn.solve(line))
        >>> round(u.standard_errors["b"], 4), np.round(u.intervals["b"]["lower"], 3)
        (0.0398, np.float64(1.867))
    """
    level = float(validation.probability(level, "level"))
    validation.choice(kind, "kind", KINDS)
    validation.flag(allow_uncertified, "allow_uncertified")
    problem, x, certified, status, tol, share = _answer(result)
    if not certified and not allow_uncertified:
        raise Misuse(
            f"the answer is not certified ({status}), and standard errors belong to "
            "the minimiser: solve to the end first (max_steps=, another start or tol=, "
            "see print(result)); allow_uncertified=True gives the numbers at this point"
        )
    why = problem.unattained(x)
    if why is not None:
        raise Misuse(f"no standard errors: {why}")
    fit = problem.fitted(x)
    known = _known(fit, sigma)
    white = whiten(fit)
    n, p = white.U.shape
    s2, dof = _variance(fit, n, p, known)
    scale = 1.0 if s2 is None or known is not None else math.sqrt(s2)
    # Where a bound is active the gradient is not 0, and says nothing of the solver.
    _inside(fit, lengths(_model(fit, white, scale, known)))
    curvature = _curvature(fit, white)
    error, error_is = _distance(fit, white, _least(fit, scale, known))
    if share is not None and error_is != "bound" and np.all(fit.estimates != 0):
        # |x - x*| <= share |x*| <= share / (1 - share) |x|, as correct digits have it.
        size = abs(fit.estimates) / lengths(_model(fit, white, scale, known))
        error, error_is = float(1.01 * share / (1 - share) * size.max()), "bound"
    if not error <= NEAR and not allow_uncertified:
        raise Misuse(_far(error, error_is, tol))
    asked = "HC3" if kind == "sandwich" else kind
    believed = fit.likelihood is not None or known is not None
    if asked == "model" and not believed:
        raise Misuse(
            "this loss is the likelihood of no model, so that its curvature is no "
            "covariance; ask for kind='sandwich', which needs none"
        )

    def root(name: str) -> np.ndarray:
        if name == "model":
            return _model(fit, white, scale, known)
        return _sandwich(fit, white, name)

    K = root(asked)
    errors, other, beside = lengths(K), "HC3" if asked == "model" else "model", None
    if other == "HC3" or believed:
        # A row that decides alone has no HC3.
        with contextlib.suppress(Misuse):
            beside = lengths(root(other))
    normal = fit.squares is None or known is not None
    half = special.ndtri(0.5 + level / 2)
    if not normal:
        half = special.stdtrit(dof, 0.5 + level / 2)
    ends = np.stack([fit.estimates - half * errors, fit.estimates + half * errors], 1)
    lost = white.rounding + _lost(fit, asked, known) + 4 * p * np.finfo(float).eps
    # At the answer, not at the minimiser: of squares s^2 alone moves, to second order.
    lost += error**2 if fit.squares is not None and _linear(fit) else error
    digits = max(0, math.floor(-math.log10(lost))) if lost < 1 else 0
    conditions = _conditions(
        fit, asked, errors, beside, known, normal, certified, status, curvature,
        (error, error_is), ends, _unsure(fit, white),
    )  # fmt: skip
    return Uncertainty(
        names=fit.names,
        estimates=Named(fit.names, fit.estimates),
        standard_errors=Named(fit.names, errors),
        covariance=_product(K),
        intervals=Named(fit.names, ends, ("lower", "upper")),
        level=level,
        kind=asked,
        beside=None if beside is None else Named(fit.names, beside),
        beside_kind="" if beside is None else other,
        distribution="normal" if normal else "t",
        degrees_of_freedom=dof,
        s2=s2,
        condition=white.condition,
        digits=digits,
        solver_error=error,
        solver_error_is=error_is,
        curvature=curvature,
        certified=certified,
        conditions=conditions,
    )


def _answer(result: Any) -> tuple[Any, Any, bool, str, float, float | None]:
    """(problem, x, certified, status, tol, share) of a result, or a saved run anew.

    share: the relative error of every entry of x that is not 0, where certified.
    """
    if not isinstance(result, Result | Saved):
        raise Misuse(
            f"uncertainty takes a Result of bn.solve, got {validation.shown(result)}; "
            "e.g. bn.uncertainty(bn.solve(problem))"
        )
    if isinstance(result.problem, LeftOut):
        raise Misuse(
            f"this result came without its problem: the functions of a "
            f"{result.problem.name} cannot be pickled. State it again: "
            "bn.uncertainty(bn.solve(problem, start=result))"
        )
    problem, _ = stated(result.problem)
    if isinstance(result, Result):
        said: Any = result
    else:
        said = verify(problem, result.x, check=result.check, tol=result.tol)
    share = None
    if said.certified and result.check.name == "relative_distance":
        share = float(said.certificate.ratio)
    return problem, said.x, said.certified, said.status, said.tol, share


def _known(fit: Fitted, sigma: Any) -> np.ndarray | None:
    """sigma, one a row, or None."""
    if sigma is None:
        return None
    if fit.squares is None:
        raise Misuse(
            "sigma is of least squares, whose residuals have a variance; counts and "
            "labels have the one that their model says: drop sigma="
        )
    n = len(fit.score)
    given = np.asarray(validation.array(sigma, "sigma"), np.float64)
    if given.ndim and given.shape != (n,):
        raise Misuse(
            f"sigma must be a number or one a row, {n} of them (rows of weight 0 have "
            f"none), got shape {given.shape}"
        )
    if not np.all(given > 0):
        raise Misuse(
            "sigma must be positive, the standard deviations of the residuals; leave "
            "out rows that are exactly known, and state them as constraints"
        )
    return np.broadcast_to(given, (n,))


def _least(fit: Fitted, scale: float, known: np.ndarray | None) -> float:
    """A number that times the lengths of L is at most the model's errors."""
    if known is None:
        return scale
    return float(np.min(np.sqrt(fit.weights) * known))


def _variance(
    fit: Fitted, n: int, p: int, known: np.ndarray | None
) -> tuple[float | None, int]:
    """(s^2 or the reduced chi-square, degrees of freedom), or Misuse."""
    dof = n - p
    if fit.squares is None:
        if dof <= 0:
            raise Misuse(
                f"{n} rows of data for {p} parameters leave nothing to tell whether "
                "the model fits; drop parameters, or add data"
            )
        return None, dof
    if known is not None:
        chi = (fit.score / fit.weights / known) ** 2
        return float(np.sum(chi)) / dof if dof else None, dof
    if dof <= 0:
        raise Misuse(
            f"{n} residuals for {p} parameters leave no degree of freedom to estimate "
            "their variance from; drop parameters, add data, or give sigma=, the known "
            "standard deviation of a residual"
        )
    if not fit.squares > 10 * fit.squares_error:
        raise Misuse(
            "the data are fitted exactly, to rounding: the residuals tell no variance. "
            "Give sigma=, the known standard deviation of a residual"
        )
    return fit.squares / dof, dof


def _model(
    fit: Fitted, white: Whitened, scale: float, known: np.ndarray | None
) -> np.ndarray:
    """K with K'K the covariance by the model."""
    if known is None:
        return scale * white.L.T
    # What errors of these sizes do to the estimator; inverse to the curvature where
    # they are what the rows were weighed by.
    return (fit.weights * known)[:, None] * (white.U @ white.L.T)


def _sandwich(fit: Fitted, white: Whitened, name: str) -> np.ndarray:
    """K with K'K the sandwich covariance."""
    score, (n, p) = fit.score, white.U.shape
    if n <= p:
        raise Misuse(
            f"{n} rows and {p} parameters leave no residual to tell variances by: no "
            "sandwich exists; ask for kind='model', or add data"
        )
    if not np.linalg.norm(score) > 10 * np.linalg.norm(fit.score_error):
        raise Misuse(
            "the data are fitted exactly, to rounding: residuals tell no variances, "
            "and no sandwich exists; ask for kind='model' with a known sigma="
        )
    if name == "HC1":
        score = score * math.sqrt(n / (n - p))
    elif name in ("HC2", "HC3"):
        left = 1 - white.leverage
        # Rows that are met whatever y is have no residual to tell their variance by.
        sure = left <= 1e-10 * white.condition
        if np.any(sure):
            raise Misuse(
                f"row {int(np.flatnonzero(sure)[0])} has leverage 1: it alone tells "
                f"a parameter, is fitted whatever it says, and {name} does not exist; "
                "ask for kind='HC1', or drop that row and what it alone tells"
            )
        score = score / (np.sqrt(left) if name == "HC2" else left)
    return score[:, None] * (white.U @ white.L.T)


def _unsure(fit: Fitted, white: Whitened) -> np.ndarray:
    """Standard deviations of log(sandwich / model) error, were the model true.

    Of normal errors, to first order: where few rows of much weight tell a parameter,
    their squares say little of its variance.
    """
    left = np.maximum(1 - white.leverage, np.finfo(float).eps)
    felt = np.square(np.sqrt(fit.bend)[:, None] * (white.U @ white.L.T) / left[:, None])
    total = felt.sum(axis=0)
    spread = np.sqrt(np.square(felt).sum(axis=0))
    return spread / np.where(total > 0, total, 1) / math.sqrt(2)


def _product(K: np.ndarray) -> np.ndarray:
    """K'K, whatever the units of its columns."""
    size = lengths(K)
    size = np.where(size > 0, size, 1)
    unit = K / size
    both = unit.T @ unit
    np.fill_diagonal(both, 1.0)
    return both * size[:, None] * size[None, :]


def _distance(fit: Fitted, white: Whitened, scale: float) -> tuple[float, str]:
    """How far the minimiser is at most, in standard errors, and what that is worth.

    Along a line from x with f'' >= f''(0) exp(-m t), m = c ||H^(1/2) d|| for the
    largest |a_i'd| (Bach 2010), a stationary point at distance delta has
    (1 - exp(-c delta)) / c <= Newton's decrement.
    """
    loss, decrement = fit.self_concordance, white.decrement
    if loss is None or not np.isfinite(white.distortion):
        return float(decrement) / scale, "first order"
    if loss > 0:
        c = loss * white.distortion * float(np.sqrt(np.max(np.sum(white.U**2, axis=1))))
        far = c * decrement
        decrement = -math.log1p(-far) / c if far < 1 else math.inf
    return float(decrement) * white.distortion / scale, "bound"


def _far(error: float, error_is: str, tol: float | None) -> str:
    if not math.isfinite(error):
        return (
            "how far the minimiser is cannot be bounded from here: the data may be "
            "nearly separable, or the answer is not at the end of the run. Solve with "
            "a smaller tol=, or state the model with fewer columns"
        )
    cure = "solve with a smaller tol="
    if tol is not None:
        cure = f"solve with tol={tol * min(0.01 / error, 0.1):.0e}"
    more = " at most" if error_is == "bound" else ", to first order"
    return (
        f"the answer lies {error:.2g} standard errors from the minimiser{more}: it "
        f"passes its check, but not yet as an estimate. {cure}, in float64"
    )


def _curvature(fit: Fitted, white: Whitened) -> float | None:
    """The change of standard errors by second derivatives; Misuse at no minimum."""
    if fit.hessian is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        E = white.L.T @ fit.hessian @ white.L
    if not np.all(np.isfinite(E)):
        return None
    values = np.linalg.eigvalsh((E + E.T) / 2)
    if not values[0] > max(1e-6, 100 * white.rounding):
        raise Misuse(
            "the answer is no minimum of the sum of squares: to second order it is a "
            "saddle, a maximum or flat. Start elsewhere; bn.verify(result, "
            "check='second_order') shows the curvature"
        )
    # How far rounding of E alone takes it from the identity is not curvature.
    low, high = 1 / math.sqrt(values[-1]), 1 / math.sqrt(values[0])
    return float(max(high - 1, 1 - low))


def _linear(fit: Fitted) -> bool:
    """Whether z is linear in the parameters, with a loss whose curvature is known."""
    return fit.self_concordance is not None


def _lost(fit: Fitted, asked: str, known: np.ndarray | None) -> float:
    """Relative rounding of what residuals and scores bring into standard errors."""
    if asked != "model":
        return float(np.linalg.norm(fit.score_error) / np.linalg.norm(fit.score))
    if known is None and fit.squares:
        return fit.squares_error / fit.squares / 2
    return 0.0


def _inside(fit: Fitted, errors: np.ndarray) -> None:
    if fit.bounds is None:
        return
    low, high = fit.bounds
    gap = np.minimum(fit.estimates - low, high - fit.estimates)
    near = np.flatnonzero(gap <= AT_BOUND * errors)
    if near.size:
        which = ", ".join(str(fit.names[j]) for j in near[:6])
        raise Misuse(
            f"{which} is at its bound: an estimate that may move to one side only is "
            "not normal about the truth, and neither is what depends on it. Drop the "
            "bound where the data may decide, or fix the parameter there and ask for "
            "the others"
        )


def _conditions(
    fit, asked, errors, beside, known, normal, certified, status, curvature,
    solver, ends, unsure,
) -> tuple[str, ...]:  # fmt: skip
    """What all of it holds under, in words."""
    said = []
    if not certified:
        said.append(
            f"NOT CERTIFIED ({status}): numbers at a point that no check accepted"
        )
    if not solver[0] <= NEAR:
        said.append("NOT AT THE MINIMISER: see the solver's own error")
    said.append("rows are independent of each other")
    if asked == "model":
        own = fit.conditions
        if known is not None:
            own = ("the model is true: residuals of mean 0, standard deviations sigma",)
        said += own
    else:
        said.append(
            "the mean of the model is true (else: of the parameters that fit best); "
            f"variances may differ from row to row ({asked})"
        )
        if np.any(fit.weights != 1):
            said.append("a weighted row is one observation")
    exact = fit.squares is not None and _linear(fit) and asked == "model"
    said.append(
        "intervals are exact where errors are normal, else for many rows"
        if exact
        else "intervals hold for many rows: the estimate is nearly normal"
    )
    if curvature is not None and np.isfinite(curvature):
        said.append(
            "the model is nearly linear within an interval: second derivatives change "
            f"standard errors by {up(100 * curvature, 2)} %"
        )
    if fit.bounds is not None:
        low, high = fit.bounds
        over = np.flatnonzero((ends[:, 0] < low) | (ends[:, 1] > high))
        if over.size:
            which = ", ".join(str(fit.names[j]) for j in over[:6])
            said.append(f"no bound is near; the interval of {which} crosses its own")
    if known is not None and fit.squares is not None:
        spread = (np.sqrt(fit.weights) * known).max() / (
            np.sqrt(fit.weights) * known
        ).min()
        if spread > 1.001:
            said.append(
                "sigma differs from what rows were weighed by: unbiased, not the "
                "least variance; divide residuals by sigma for that"
            )
    if beside is not None and len(fit.score) - len(errors) >= ENOUGH:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (beside / errors) if asked == "model" else (errors / beside)
        far = np.where(np.isfinite(ratio) & (ratio > 0), abs(np.log(ratio)), 0)
        far = np.where(far > np.maximum(math.log(APART), SURE * unsure), far, 0)
        j = int(np.argmax(far))
        if far[j] > 0:
            said.append(
                f"sandwich and model differ, {ratio[j]:.2g} times at {fit.names[j]}: "
                "the variances that the model says are doubtful"
            )
    return tuple(said)

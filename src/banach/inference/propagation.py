"""Standard errors of what is computed from the parameters of a fit."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from banach.core import compat, trace_errors, tree, validation
from banach.core.annotations import Reals
from banach.core.door import door
from banach.core.printing import up
from banach.core.problem import Misuse
from banach.core.result import Result
from banach.doors.verify import Saved
from banach.inference.uncertainty import CURES, Uncertainty, uncertainty

SHOWN = 12
"""Values that a print shows."""


@dataclasses.dataclass(frozen=True)
class Propagated:
    """Values of a function of the parameters, with their errors; plain data.

    Fields:
        values: fun(x, *args), an array.
        standard_errors: of the same shape and units.
        lower, upper: ends of the intervals at `level`, of the same shape; one interval
            a value, not all at once.
        level: the share of repetitions in which an interval holds the truth.
        observation: whether the intervals are of new observations, not of their mean.
        of: the `Uncertainty` of the parameters, with what all of this holds under.

    Example:
        >>> t, y = np.arange(5.0), np.array([1.0, 3.1, 4.9, 7.2, 8.8])
        >>> line = lambda p, t: p[0] + p[1] * t
        >>> fit = bn.least_squares(lambda p: line(p, t) - y, np.zeros(2), data=y)
        >>> band = bn.propagate(bn.solve(fit), line, (np.array([2.5, 6.0]),))
        >>> band.values.round(2), band.standard_errors.round(3)
        (array([ 5.98, 12.88]), array([0.083, 0.234]))
    """

    values: np.ndarray
    standard_errors: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float
    observation: bool
    of: Uncertainty

    def plot(self, x: Any, observed: Any = None, ax: Any = None) -> Any:
        """The curve over x with its band, a matplotlib Figure.

        Args:
            x: (n,), where `values` were computed.
            observed: (abscissae, values) of the data, drawn as points.
            ax: matplotlib Axes; None: new ones.
        """
        from banach.report.figures import plot_band

        return plot_band(self, x, observed, ax)

    def __str__(self) -> str:
        what = "of new observations" if self.observation else "by the delta method"
        lines = [f"{100 * self.level:g}% intervals {what}"]
        rows = [np.ravel(v) for v in (self.values, self.standard_errors)]
        rows += [np.ravel(self.lower), np.ravel(self.upper)]
        heads = ("value", "std error", "lower", "upper")
        lines.append("  " + "".join(f"{head:>14}" for head in heads))
        shown = min(SHOWN, rows[0].size)
        for i in range(shown):
            cells = [f"{rows[0][i]:.6g}", f"{up(rows[1][i], 4)}"]
            cells += [f"{row[i]:.6g}" for row in rows[2:]]
            lines.append("  " + "".join(f"{cell:>14}" for cell in cells))
        if shown < rows[0].size:
            lines.append(f"  ... and {rows[0].size - shown} more")
        holds = (
            *self.of.conditions,
            "the function is nearly linear within an interval",
        )
        for i, condition in enumerate(holds):
            lines.append(f"  {'holds if' if i == 0 else '':<8} {condition}")
        return "\n".join(lines)

    __repr__ = __str__


@door(cures=CURES, host=True)
def propagate(
    result: Result | Saved,
    fun: Callable[..., Any],
    args: tuple = (),
    *,
    level: float = 0.95,
    observation: bool = False,
    kind: str = "model",
    sigma: Reals | None = None,
    allow_uncertified: bool = False,
) -> Propagated:
    """Standard errors of fun(x, *args) at a fit: a curve's band, a derived quantity.

    By the delta method: the covariance of `bn.uncertainty` carried through the
    derivatives of fun at the answer, J C J'. A model at new abscissae gives the band of
    the curve; log(2) / p["k"] gives a half-life with its error.

    Args:
        result: an answer of `bn.solve` to least squares or a GLM, or one read by
            `bn.load`.
        fun: fun(x, *args), a JAX function of the parameters to an array.
        args: a tuple of further arguments of fun, such as the abscissae (n,).
        level: the share of repetitions in which an interval is to hold the truth.
        observation: intervals of new observations, whose own variance s^2 is added (of
            least squares alone; fun has to be in the unit of the residuals).
        kind: "model", or a sandwich; as of `bn.uncertainty`.
        sigma: known standard deviations of the residuals; as of `bn.uncertainty`.
        allow_uncertified: whether an answer that no check accepted is taken.

    Returns:
        Propagated: values, standard errors, intervals, and `plot`.

    Raises:
        Misuse: what `bn.uncertainty` refuses; a function that JAX cannot trace, or that
            returns no real array; values or slopes that are not finite.

    Source: the delta method: C. R. Rao, Linear Statistical Inference and Its
    Applications (1973), section 6a.2; bands of curves as in Bates and Watts, Nonlinear
    Regression Analysis (1988), section 2.3.

    Example:
        >>> t, y = np.arange(6.0), np.array([8.1, 4.9, 3.1, 1.8, 1.1, 0.7])
        >>> decay = lambda p, t: p["a"] * jnp.exp(-p["k"] * t)
        >>> fit = bn.least_squares(
        ...     lambda p: decay(p, t) - y, {"a": 8.0, "k": 0.4}, data=y
        ... )
        >>> half = bn.propagate(bn.solve(fit), lambda p: jnp.log(2) / p["k"])
        >>> float(half.values.round(3)), float(half.standard_errors.round(3))
        (1.405, 0.016)
    """
    validation.flag(observation, "observation")
    u = uncertainty(
        result, level, kind=kind, sigma=sigma, allow_uncertified=allow_uncertified
    )
    flat = np.asarray(u.estimates, np.float64)
    if not isinstance(args, tuple):
        raise Misuse(
            f"args must be a tuple, got {validation.shown(args)}; write args=(t,)"
        )
    values, J = _slopes(result.x, flat, fun, args)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,jk,ik->i", J, u.covariance, J)
    errors = np.sqrt(np.maximum(squares, 0)).reshape(values.shape)
    half = special.ndtri(0.5 + u.level / 2)
    if u.distribution == "t":
        half = special.stdtrit(u.degrees_of_freedom, 0.5 + u.level / 2)
    wide = errors
    if observation:
        wide = np.sqrt(errors**2 + _own_variance(u, sigma))
    return Propagated(
        values=values,
        standard_errors=errors,
        lower=values - half * wide,
        upper=values + half * wide,
        level=u.level,
        observation=observation,
        of=u,
    )


def _own_variance(u: Uncertainty, sigma: Any) -> float:
    """The variance of one new observation."""
    if u.s2 is None:
        raise Misuse(
            "observation=True is of least squares; counts and labels have the "
            "distribution of their model, with its mean in the band: drop it"
        )
    if sigma is None:
        return u.s2
    if np.size(sigma) > 1:
        raise Misuse(
            "a new observation has a sigma of its own, and one a row says none: add "
            "it to standard_errors by hand, sqrt(standard_errors**2 + sigma**2)"
        )
    return float(np.ravel(sigma)[0]) ** 2


def _slopes(
    x: Any, estimates: np.ndarray, fun: Any, args: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """(fun at x, its Jacobian by the entries of x), in float64."""
    if not callable(fun):
        raise Misuse(
            f"propagate needs a function of the parameters, got "
            f"{validation.shown(fun)}; e.g. lambda p, t: p['a'] + p['b'] * t"
        )
    with compat.double():
        double = jax.dtypes.canonicalize_dtype("float64")
        x = tree.cast(x, double)
        flat, back = tree.ravel(x)
        alike = flat.size == estimates.size
        # In float64 of what may have been solved in float32: the same numbers.
        if not (alike and np.array_equal(np.asarray(flat, np.float64), estimates)):
            raise Misuse(
                f"the answer has {flat.size} entries and {estimates.size} parameters "
                "with standard errors, which are not the same ones in the same order; "
                "state the fit with those parameters alone"
            )
        trace_errors.arity(fun, (x, *args), "propagate's function")

        def of(v: Any) -> Any:
            out = jnp.asarray(fun(back(v), *args))
            if not jnp.issubdtype(out.dtype, jnp.floating):
                raise Misuse(
                    f"propagate's function returns {out.dtype}, and errors belong to "
                    "real numbers; return floating values"
                )
            return out

        try:
            values, J = of(flat), jax.jacfwd(of)(flat)
        except (TypeError, jax.errors.JAXTypeError) as error:
            raise Misuse(
                f"propagate's function cannot be traced by JAX ({error}); write it in "
                "jax.numpy, as an array of the parameters"
            ) from None
    values = np.asarray(values, np.float64)
    J = np.asarray(J, np.float64).reshape(values.size, flat.size)
    if not (np.isfinite(values).all() and np.isfinite(J).all()):
        raise Misuse(
            "the function or its slope is not finite at the answer: the delta method "
            "needs both; leave out the abscissae where it is not defined"
        )
    return values, J

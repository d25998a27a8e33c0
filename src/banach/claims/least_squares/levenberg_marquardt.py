"""Scaled as More scales it, the method is free of units and as quick as MINPACK.

More (1978), section 6: with D from the column norms of J the iteration is invariant
under a change of scale of the variables (proved). Section 8 runs four problems from
x0, 10 x0 and 100 x0. The tables of that section compare three rules for D, and could
not be had; MINPACK's lmder, by the same author, stands in for their numbers: SciPy's
leastsq, with the exact Jacobian and its tests for convergence out of the way. Counted
are residual evaluations until ||r|| is within 1e-6 of the least that either finds.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "with parameters in units of 2^-20 to 2^20 the norms of the first ten steps are "
    "the same to 1e-8; on the four problems from x0, 10 x0 and 100 x0 the residual "
    "norm that MINPACK ends at is reached within 1e-6, in at most 1.5 times the "
    "evaluations, 1.1 times in geometric mean"
)
STEPS = 400


def measure() -> dict[str, Any]:
    """Norms along runs in other units; evaluations of both."""
    from banach.claims.least_squares import _shared as run
    from banach.methods.least_squares.levenberg_marquardt import LevenbergMarquardt

    out: dict[str, Any] = {"runs": {}, "units": {}}
    with jax.enable_x64(True):
        for name, (residual, x0) in run.problems().items():
            for factor in (1, 10, 100):
                problem = run.stated(residual, factor * x0)
                method = LevenbergMarquardt()
                rows = run.history(method, problem, STEPS)["f"]
                theirs = _minpack(problem, factor * x0)
                least = min(rows[-1], theirs[-1])
                enough = least * (1 + 1e-6) + 1e-10
                out["runs"][f"{name}, {factor} x0"] = {
                    "ours": _first(rows, enough),
                    "theirs": _first(theirs, enough),
                    "end": float(rows[-1]),
                    "their_end": float(theirs[-1]),
                    "norms": rows[:60].tolist(),
                }
            unit = 2.0 ** np.linspace(-20, 20, x0.size).round()
            other = run.stated(lambda x, r=residual, u=unit: r(x * u), x0 / unit)
            rows = run.history(LevenbergMarquardt(), run.stated(residual, x0), 10)["f"]
            moved = run.history(LevenbergMarquardt(), other, 10)["f"]
            out["units"][name] = float(np.max(np.abs(moved - rows) / rows[0]))
    return out


def _first(norms, enough):
    hits = np.flatnonzero(np.minimum.accumulate(norms) <= enough)
    return int(hits[0]) + 1 if len(hits) else None


def _minpack(problem, x0):
    from scipy.optimize import leastsq

    residual = jax.jit(lambda x: problem.residual(x))
    jacobian = jax.jit(lambda x: problem.jacobian(x))
    seen: list[float] = []

    def counted(x):
        r = np.asarray(residual(x))
        seen.append(float(np.linalg.norm(r)))
        return r

    leastsq(
        counted, x0, Dfun=lambda x: np.asarray(jacobian(x)), ftol=1e-15, xtol=1e-15,
        gtol=0.0, maxfev=STEPS, full_output=True,
    )  # fmt: skip
    # SciPy looks at the shapes of two results before MINPACK begins.
    return np.minimum.accumulate(seen[2:])


def verdict(numbers: dict[str, Any]) -> bool:
    """Every requirement."""
    from banach.claims.least_squares._shared import mean

    rows = numbers["runs"].values()
    if any(r["ours"] is None for r in rows):
        return False
    ratios = [r["ours"] / r["theirs"] for r in rows if r["theirs"] is not None]
    free = max(numbers["units"].values()) <= 1e-8
    return free and max(ratios) <= 1.5 and mean(ratios) <= 1.1


def measured(numbers: dict[str, Any]) -> str:
    """Evaluations, ours against MINPACK's, and what units change."""
    rows = numbers["runs"].items()
    said = "; ".join(
        f"{name} {r['ours']} against {r['theirs']} (||r|| {r['end']:.3g})"
        for name, r in rows
    )
    return f"evaluations: {said}; units change {max(numbers['units'].values()):.0e}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Residual norms against evaluations."""
    from banach.claims.figures import curves

    panels = {name: {"||r||": r["norms"]} for name, r in numbers["runs"].items()}
    curves(path, panels, "evaluations", "residual norm")

"""An Uncertainty as a printed table."""

from typing import Any

import numpy as np

from banach.core.printing import up

SHOWN = 60
UNLIKELY = 1e-6
"""A chance of the residuals under the model below which the title says so (ours)."""


def plain(u: Any) -> str:
    """The table of parameters, and below it what it rests on."""
    lines = rows(u)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    under = [f"  {word:<11} {text}" for word, text in below(u)]
    return "\n".join([title(u), *(_line(row, widths) for row in lines), *under])


def title(u: Any) -> str:
    """The level, and what errors and intervals are made by."""
    sort = "the model" if u.kind == "model" else f"the sandwich {u.kind}"
    law = "normal"
    if u.distribution == "t":
        law = f"t with {u.degrees_of_freedom} degrees of freedom"
    mark = "" if u.certified else "NOT CERTIFIED: "
    if u.misfit is not None and u.misfit < UNLIKELY:
        mark += "THE MODEL DOES NOT FIT, or sigma is too small: "
    return f"{mark}{100 * u.level:.6g}% intervals by {sort}, {law}"


def rows(u: Any) -> list[list[str]]:
    """The head and a row a parameter, of many parameters the first and the last."""
    errors, ends = np.asarray(u.standard_errors), np.asarray(u.intervals)
    ratio, chance = np.asarray(u.ratios), np.asarray(u.p_values)
    head = ["", "estimate", "std error", "lower", "upper",
            "t" if u.distribution == "t" else "z", "p"]  # fmt: skip
    if u.beside is not None:
        head.append(f"{u.beside_kind} error")
    found = [head]
    for i, name in enumerate(u.names):
        digits = _digits(np.asarray(u.estimates)[i], errors[i])
        row = [str(name), *(f"{v:.{digits}g}" for v in
               (np.asarray(u.estimates)[i],)), f"{errors[i]:.4g}",
               *(f"{v:.{digits}g}" for v in ends[i]), f"{ratio[i]:.4g}",
               f"{chance[i]:.2g}"]  # fmt: skip
        if u.beside is not None:
            row.append(f"{np.asarray(u.beside)[i]:.4g}")
        found.append(row)
    if len(found) > SHOWN:
        left = len(found) - SHOWN + 10
        middle = [f"... {left} more", *[""] * (len(head) - 1)]
        found = [*found[: SHOWN // 2], middle, *found[-(SHOWN // 2 - 11) :]]
    return found


def _line(row: list[str], widths: list[int]) -> str:
    rest = [v.rjust(w) for v, w in zip(row[1:], widths[1:], strict=True)]
    return ("  " + "  ".join([row[0].ljust(widths[0]), *rest])).rstrip()


def _digits(value: float, error: float) -> int:
    """Digits of an estimate: three into its standard error, six at least."""
    if not (error > 0 and np.isfinite(error) and value and np.isfinite(value)):
        return 6
    return int(np.clip(np.ceil(np.log10(abs(value) / error)) + 3, 6, 15))


def below(u: Any) -> list[tuple[str, str]]:
    """What the table rests on: (word, text)."""
    said = []
    if u.s2 is not None and u.distribution == "t":
        said.append(("residuals", f"s = {np.sqrt(u.s2):.6g}, s^2 = {u.s2:.6g}"))
    elif u.s2 is not None:
        text = (
            f"reduced chi-square {u.s2:.4g}, {u.degrees_of_freedom} degrees of "
            f"freedom; 1 is expected, so much or more has a chance of {u.misfit:.2g}"
        )
        said.append(("residuals", text))
    worth = "at most " if u.solver_error_is == "bound" else ""
    order = "" if u.solver_error_is == "bound" else ", to first order"
    said += [
        (
            "solver",
            f"{worth}{up(u.solver_error, 2)} of a standard error from the "
            f"minimiser{order}",
        ),
        (
            "digits",
            f"{u.digits} of a standard error are left by rounding and "
            f"solver; condition {u.condition:.2g}",
        ),
    ]
    return said + [
        ("holds if" if i == 0 else "", c) for i, c in enumerate(u.conditions)
    ]

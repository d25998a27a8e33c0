"""An Uncertainty as a printed table."""

from typing import Any

import numpy as np

from banach.core.printing import up

SHOWN = 60


def plain(u: Any) -> str:
    """The table of parameters, and below it what it rests on."""
    return "\n".join([_title(u), *_rows(u), *_below(u)])


def _title(u: Any) -> str:
    sort = "the model" if u.kind == "model" else f"the sandwich {u.kind}"
    law = "normal"
    if u.distribution == "t":
        law = f"t with {u.degrees_of_freedom} degrees of freedom"
    mark = "" if u.certified else "NOT CERTIFIED: "
    return f"{mark}{100 * u.level:.6g}% intervals by {sort}, {law}"


def _rows(u: Any) -> list[str]:
    errors, ends = np.asarray(u.standard_errors), np.asarray(u.intervals)
    ratio = np.asarray(u.ratios)
    head = ["", "estimate", "std error", "lower", "upper",
            "t" if u.distribution == "t" else "z"]  # fmt: skip
    if u.beside is not None:
        head.append(f"{u.beside_kind} error")
    rows = [head]
    for i, name in enumerate(u.names):
        digits = _digits(np.asarray(u.estimates)[i], errors[i])
        row = [str(name), *(f"{v:.{digits}g}" for v in
               (np.asarray(u.estimates)[i],)), f"{errors[i]:.4g}",
               *(f"{v:.{digits}g}" for v in ends[i]), f"{ratio[i]:.4g}"]  # fmt: skip
        if u.beside is not None:
            row.append(f"{np.asarray(u.beside)[i]:.4g}")
        rows.append(row)
    if len(rows) > SHOWN:
        left = len(rows) - SHOWN + 10
        middle = [f"... {left} more", *[""] * (len(head) - 1)]
        rows = [*rows[: SHOWN // 2], middle, *rows[-(SHOWN // 2 - 11) :]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths) for row in rows]


def _line(row: list[str], widths: list[int]) -> str:
    rest = [v.rjust(w) for v, w in zip(row[1:], widths[1:], strict=True)]
    return ("  " + "  ".join([row[0].ljust(widths[0]), *rest])).rstrip()


def _digits(value: float, error: float) -> int:
    """Digits of an estimate: three into its standard error, six at least."""
    if not (error > 0 and np.isfinite(error) and value and np.isfinite(value)):
        return 6
    return int(np.clip(np.ceil(np.log10(abs(value) / error)) + 3, 6, 15))


def _below(u: Any) -> list[str]:
    lines = []
    if u.s2 is not None and u.distribution == "t":
        lines.append(f"  residuals   s = {np.sqrt(u.s2):.6g}, s^2 = {u.s2:.6g}")
    elif u.s2 is not None:
        lines.append(
            f"  residuals   reduced chi-square {u.s2:.4g}, {u.degrees_of_freedom} "
            "degrees of freedom; 1 is expected"
        )
    worth = "at most " if u.solver_error_is == "bound" else ""
    order = "" if u.solver_error_is == "bound" else ", to first order"
    lines += [
        f"  solver      {worth}{up(u.solver_error, 2)} of a standard error from the "
        f"minimiser{order}",
        f"  digits      {u.digits} of a standard error are left by rounding and "
        f"solver; condition {u.condition:.2g}",
    ]
    words = [f"  {'holds if' if i == 0 else '':<11} {c}"
             for i, c in enumerate(u.conditions)]  # fmt: skip
    return lines + words

"""A problem in one line: what it is called, its formula and its size."""

from typing import Any

LONGEST = 140  # of a formula, in characters


def one_line(problem: Any) -> str:
    """`Lasso(sum_i 1/2 (z_i - y_i)^2 + L1(lam=10)(c), z = A c + b, A 200 x 50)`.

    A repr prints in error messages and in debuggers, of problems with traced leaves
    and of ones that no constructor has finished: what cannot be told is left out.
    """
    name = _told(problem.title) or type(problem).__name__
    formula = " ".join((_told(problem.formula) or "").split())
    size = _told(problem.size)
    unknowns = "" if size is None else f"{size} unknowns"
    if len(formula) > LONGEST:
        formula = formula[: LONGEST - 3].rstrip(" ,;+") + "..."
    if formula and (f" {unknowns}" in formula or _sized(formula)):
        return f"{name}({formula})"
    return f"{name}({'; '.join(filter(None, (formula, unknowns)))})"


def _sized(formula: str) -> bool:
    """Whether a formula ends with the size of its data, `A 200 x 50`."""
    words = formula.replace(",", " ").split()
    return any(
        words[i].isdigit() and words[i + 1] == "x" and words[i + 2].isdigit()
        for i in range(len(words) - 2)
    )


def _told(say: Any) -> Any:
    try:
        return say()
    except Exception:
        # A repr that raises hides the error that it was to stand in.
        return None

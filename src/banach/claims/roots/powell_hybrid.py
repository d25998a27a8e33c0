"""Powell's hybrid method solves the classical systems with few Jacobians.

Powell (1970) and MINPACK's guide (More, Garbow and Hillstrom 1980): by carrying a
matrix along with Broyden's update the method needs a Jacobian, worth n evaluations,
only where steps fail, and the trust region makes it converge from poor starts. Tried
on eleven systems of More, Garbow and Hillstrom (1981, and the H-equation) from the
papers' starts, to ||F|| <= 1e-6; baseline: damped Newton, a Jacobian a step.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "all 11 systems reach ||F|| <= 1e-6 within 300 steps, and on those with 10 "
    "unknowns and more evaluations, n a Jacobian, are below damped Newton's on at "
    "least 6 of 7"
)


def measure() -> dict[str, Any]:
    """Evaluations of both on each system."""
    from banach.claims.roots._shared import CLASSICS, price
    from banach.kinds.root import zoo as roots
    from banach.methods.roots.newton_root import NewtonRoot
    from banach.methods.roots.powell_hybrid import PowellHybrid

    rows = {}
    with jax.enable_x64(True):
        for name in CLASSICS:
            problem = roots.load(f"root:{name}")
            rows[name] = {
                "n": problem.size(),
                "hybrid": price(problem, PowellHybrid(100.0), 1e-6),
                "newton": price(problem, NewtonRoot(1e-4), 1e-6),
            }
    return rows


def _large(rows: dict[str, Any]) -> list[dict[str, float]]:
    return [r for r in rows.values() if r["n"] >= 10]


def verdict(numbers: dict[str, Any]) -> bool:
    """Everything solved, and cheaper than Newton where Jacobians are dear."""
    solved = all(np.isfinite(_known(r["hybrid"])) for r in numbers.values())
    return solved and _cheaper(numbers) >= 6


def _cheaper(rows: dict[str, Any]) -> int:
    return sum(_known(r["hybrid"]) < _known(r["newton"]) for r in _large(rows))


def _known(value: Any) -> float:
    return np.inf if value is None else value


def measured(numbers: dict[str, Any]) -> str:
    """Evaluations beside Newton's."""
    each = ", ".join(
        f"{name} {_known(r['hybrid']):.0f}/{_known(r['newton']):.0f}"
        for name, r in numbers.items()
    )
    few, all_ = _cheaper(numbers), len(_large(numbers))
    return f"evaluations beside Newton's: {each}; fewer on {few} of {all_} with n >= 10"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Evaluations of both, problem by problem."""
    from banach.claims.figures import curves

    place = list(range(1, len(numbers) + 1))
    lines = {
        who: (place, [_known(r[who]) for r in numbers.values()])
        for who in ("hybrid", "newton")
    }
    curves(path, {"classical systems": lines}, "system", "evaluations", top=1e4)

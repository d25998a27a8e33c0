"""Broyden's method with a derivative-free search converges superlinearly.

Li and Fukushima (2000): where the Jacobian is regular at the root the
whole sequence converges, t = 1 is taken in the end, and convergence is q-superlinear.
Broyden (1965): with one Jacobian, worth n evaluations, it takes fewer evaluations than
Newton's method. Tried on five regular systems from the papers' starts; baseline:
damped Newton.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "on each of five systems the error falls below 1e-9 of the first one, the last "
    "quotient e+ / e above that is at most 0.1 and below the first quotient; "
    "evaluations to ||F|| <= 1e-8, n a Jacobian, are below Newton's on at least 4 of 5"
)
NAMES = (
    "discrete_boundary discrete_integral broyden_tridiagonal broyden_banded "
    "chandrasekhar"
).split()


def measure() -> dict[str, Any]:
    """Errors of the course, and evaluations of both."""
    from banach.claims.roots._shared import course, price
    from banach.kinds.root import zoo as roots
    from banach.methods.roots.broyden import Broyden
    from banach.methods.roots.newton_root import NewtonRoot

    rows = {}
    with jax.enable_x64(True):
        for name in NAMES:
            problem = roots.load(f"root:{name}")
            method = Broyden(1e-3, 0.1)
            xs, _, _ = course(problem, method, 40)
            best = course(problem, NewtonRoot(1e-4), 40)[0][-1]
            errors = np.linalg.norm(xs - best, axis=1)
            errors = errors[: np.argmax(errors < 1e-9 * errors[0]) + 1]
            rows[name] = {
                "errors": [float(v) for v in errors],
                "broyden": price(problem, method, 1e-8),
                "newton": price(problem, NewtonRoot(1e-4), 1e-8),
            }
    return rows


def _fast(row: dict[str, Any]) -> bool:
    e = np.array(row["errors"])
    if len(e) < 3 or e[-1] >= 1e-9 * e[0]:
        return False
    quotients = e[1:] / e[:-1]
    return bool(quotients[-1] <= 0.1 and quotients[-1] < quotients[0])


def _cheaper(numbers: dict[str, Any]) -> int:
    return sum(r["broyden"] < r["newton"] for r in numbers.values())


def verdict(numbers: dict[str, Any]) -> bool:
    """Superlinear everywhere, and fewer evaluations."""
    return all(map(_fast, numbers.values())) and _cheaper(numbers) >= 4


def measured(numbers: dict[str, Any]) -> str:
    """Last quotients and evaluations."""
    each = "; ".join(
        f"{name}: last quotient {r['errors'][-1] / r['errors'][-2]:.2g}, "
        f"{r['broyden']:.0f} evaluations against {r['newton']:.0f}"
        for name, r in numbers.items()
    )
    return f"{each}; fewer on {_cheaper(numbers)} of {len(numbers)}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Errors against steps."""
    from banach.claims.figures import curves

    lines = {
        name: (list(range(1, len(r["errors"]) + 1)), r["errors"])
        for name, r in numbers.items()
    }
    curves(path, {"Broyden": lines}, "step", "||x - x*||", top=1e2)

"""Barzilai-Borwein steps are R-linear on quadratics, far from steepest descent.

Proved: on any strictly convex quadratic the method without a search is R-linear (Dai
and Liao 2002). Reported: with the nonmonotone search it competes with conjugate
gradients, here Polak-Ribiere-plus, in more gradients, but fewer where the problem is
well conditioned (Raydan 1997, section 4); on quadratics it beats steepest descent by
far (Barzilai and Borwein 1988). Measured on five quadratics of 50 unknowns with
condition numbers 10 to 1e4, one of them of a seed drawn last, as steps until the
gradient norm fell by 1e-5 and by 1e-10, and in evaluations of grad f until it fell by
1e-6, Raydan's tolerance. Baselines: gradient descent with 1 / L, and with an exact
search; SciPy's CG. Reduced: at most 650 unknowns, his had up to 10,000.
"""

from typing import Any

import jax

REQUIRED = (
    "quadratics: 1e-10 reached with 0.5 to 2.5 times as many steps for the second half "
    "of the digits as for the first, and with less than a third of the gradients of "
    "gradient descent, by 1 / L or an exact search, where the condition is 100 or "
    "more; 1e-6 reached on every problem, in geometric mean with at most 2 times the "
    "gradients of SciPy's CG"
)
QUADRATICS = {0: 10.0, 1: 100.0, 2: 1e3, 3: 1e4, 20261128: 300.0}
PROBLEMS = (
    "logistic:breast_cancer",
    "logistic:digits",
    "rosenbrock:100",
    "dixon_price:20",
    "powell_singular:40",
    "quadratic:50",
    "trigonometric:10",
)
TOL, CAP = 1e-6, 20_000


def measure() -> dict[str, Any]:
    """Steps on quadratics, and evaluations."""
    from banach.claims.smooth import _shared as run
    from banach.methods.smooth.barzilai_borwein import (
        BarzilaiBorwein,
        BarzilaiBorweinDirection,
    )
    from banach.methods.smooth.gradient_descent import GradientDescent
    from banach.parts.line_search_methods import Fixed, Searched, Steepest, UnitWolfe

    out: dict[str, Any] = {"quadratics": {}}
    with jax.enable_x64(True):
        bare = Searched(BarzilaiBorweinDirection(), Fixed(1.0))
        exact = Searched(Steepest(), UnitWolfe(**run.EXACT))
        for seed, condition in QUADRATICS.items():
            problem = run.bowl(seed, 50, condition)
            half, whole = (run.count(bare, problem, t, CAP) for t in (1e-5, 1e-10))
            fixed = run.count(GradientDescent(1.0, False), problem, 1e-10, 200_000)
            cauchy = run.count(exact, problem, 1e-10, 200_000)
            out["quadratics"][f"{condition:g}"] = {
                "reached": whole["reached"],
                "halves": [half["steps"], whole["steps"] - half["steps"]],
                "1 / L": fixed["steps"],
                "exact search": cauchy["steps"],
            }
        methods = {"barzilai_borwein": lambda p: BarzilaiBorwein(10)}
        out["race"] = run.evaluations(
            methods, {"SciPy CG": "CG"}, PROBLEMS, TOL, CAP, of="grad"
        )
    return out


def verdict(numbers: dict[str, Any]) -> bool:
    """Every requirement."""
    from banach.claims.smooth._shared import ratio

    steady, far = True, True
    for condition, r in numbers["quadratics"].items():
        first, second = r["halves"]
        steady &= r["reached"] and 0.5 * first <= second <= 2.5 * first
        if float(condition) >= 100:
            far &= 3 * (first + second) < min(r["1 / L"], r["exact search"])
    race = numbers["race"]
    arrived = all(r["reached"] for r in race.values())
    return steady and far and arrived and ratio(race, *race_of()) <= 2


def race_of() -> tuple[str, str]:
    """Whose gradients are divided by whose."""
    return "barzilai_borwein", "SciPy CG"


def measured(numbers: dict[str, Any]) -> str:
    """Steps by condition, and the counts."""
    from banach.claims.smooth._shared import ratio, told

    rows = "; ".join(
        f"condition {c}: {r['halves'][0]} + {r['halves'][1]}, gradient descent "
        f"{r['1 / L']} by 1 / L and {r['exact search']} by exact search"
        for c, r in numbers["quadratics"].items()
    )
    race = numbers["race"]
    share = ratio(race, *race_of())
    return f"steps: {rows}; {share:.2f} of the gradients of SciPy's CG: {told(race)}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Gradients."""
    from banach.claims.figures import bars

    rows = {name: r["evaluations"] for name, r in numbers["race"].items()}
    bars(path, rows, "gradients to 1e-6")

"""One evaluation a step and no constant: the adaptive golden ratio algorithm.

Malitsky (2020): aGRAAL converges for monotone F that is Lipschitz only near the
iterates, without its constant and without a search, and his experiments find it
ahead of methods with a line search. Tried where steps along F diverge (rotations by
10 speeds from 0.5 to 2; the work of such methods grows like the square of that
spread), where no constant exists (z^3 and a rotation, from distance 20), and on the
matrix game of the zoo; baseline: extragradient with backtracking.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "on all three problems the residual falls to 1e-6 of the first within 20000 "
    "evaluations of F, fewer than extragradient with backtracking takes on at least 2; "
    "on the rotations 100 plain steps along F of length 0.1 end farther than they began"
)


def measure() -> dict[str, Any]:
    """Evaluations to 1e-6 of both, and what plain steps do."""
    from banach.claims.minimax._shared import (
        ForwardBackward,
        course,
        reached,
        thin,
    )
    from banach.methods.minimax.backtracking_extragradient import (
        BacktrackingExtragradient,
    )
    from banach.methods.minimax.golden_ratio import GoldenRatio

    rows = {}
    with jax.enable_x64(True):
        for name, problem in problems().items():
            row = {"n": problem.n, "curves": {}}
            for who, method in (
                ("golden ratio", GoldenRatio(1.5)),
                ("backtracking", BacktrackingExtragradient(0.9, 0.7, 1.5)),
            ):
                run = course(problem, method, target=1e-6, every=4, rows=5000)
                spent = reached(run, 1e-6)
                row[who] = None if spent is None else spent / problem.n
                row["curves"][who] = thin(run)
            rows[name] = row
        plain = course(problems()["rotations"], ForwardBackward(0.1), rows=100)
        rows["rotations"]["plain"] = float(plain["ratio"][-1])
    return rows


def problems() -> dict[str, Any]:
    """Rotations, a cubic, and the game."""
    import jax.numpy as jnp

    from banach.kinds.inclusion import zoo as inclusions
    from banach.kinds.inclusion.problem import Inclusion

    speeds = np.geomspace(0.5, 2, 10)

    def turns(z):
        return jnp.stack([speeds * z[1], -speeds * z[0]])

    def cubic(z):
        return z**3 + 4 * jnp.stack([z[1], -z[0]]) - 1

    return {
        "rotations": Inclusion(turns, np.ones((2, 10)), monotone=True),
        "cubic": Inclusion(cubic, np.array([12.0, -16.0]), monotone=True),
        "game": inclusions.load("saddle:matrix_game"),
    }


def _fewer(numbers: dict[str, Any]) -> int:
    inf = float("inf")
    return sum(
        (r["golden ratio"] or inf) < (r["backtracking"] or inf)
        for r in numbers.values()
    )


def verdict(numbers: dict[str, Any]) -> bool:
    """Every problem solved, two of them cheaper, and plain steps diverge."""
    solved = all((r["golden ratio"] or np.inf) <= 20000 for r in numbers.values())
    return solved and _fewer(numbers) >= 2 and numbers["rotations"]["plain"] > 1


def measured(numbers: dict[str, Any]) -> str:
    """Evaluations of both."""
    each = "; ".join(
        f"{name}: {_count(r['golden ratio'])} evaluations against "
        f"{_count(r['backtracking'])}"
        for name, r in numbers.items()
    )
    return f"{each}; plain steps reach {numbers['rotations']['plain']:.2g} of the start"


def _count(value: float | None) -> str:
    return "none reached" if value is None else f"{value:.0f}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Residuals against evaluations."""
    from banach.claims.figures import curves

    panels = {name: row["curves"] for name, row in numbers.items()}
    curves(path, panels, "components of F", "residual / first residual", top=1e3)

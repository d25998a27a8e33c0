"""Extragradient with backtracking: Fejer steps where no constant exists.

Khobotov (1987), Marcotte (1991): with s found by s ||F(z) - F(v)|| <= share ||z - v||
the distance to the solution falls at every step, for any monotone continuous F; the
step adapts to where the iterate is. Tried on z^3 and a rotation from distance 20,
where extragradient needs a constant of the whole ball, and on rotations by 10 speeds,
where that constant serves. Baseline: extragradient with the constant of the ball.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "the distance to the solution never rises on either problem (to rounding, 1e-12 of "
    "the first), and on the cubic evaluations to 1e-6 of the first residual are at "
    "most a third of those of extragradient with the constant of the ball"
)


def measure() -> dict[str, Any]:
    """Largest rise of the distance, and evaluations of both."""
    from banach.claims.minimax._shared import course, reached, thin
    from banach.claims.minimax.golden_ratio import problems
    from banach.methods.minimax.backtracking_extragradient import (
        BacktrackingExtragradient,
    )
    from banach.methods.minimax.extragradient import Extragradient

    rows = {}
    with jax.enable_x64(True):
        found = problems()
        # 3 z^2 <= 3 * 16^2 on the box of the start, which the ball exceeds.
        constants = {"rotations": 2.0, "cubic": 3 * 20.0**2 + 4}
        for name, L in constants.items():
            problem = found[name]
            method = BacktrackingExtragradient(0.9, 0.7, 1.5)
            run = course(problem, method, target=1e-6)
            fixed = course(problem, Extragradient(0.5**0.5 / L), target=1e-6)
            rows[name] = {
                "rise": _rise(problem, method, len(run["steps"]) - 1),
                "spent": reached(run, 1e-6),
                "fixed": reached(fixed, 1e-6),
                "curves": {"backtracking": thin(run), "fixed step": thin(fixed)},
            }
    return rows


def _rise(problem: Any, method: Any, steps: int) -> float:
    """The largest rise of ||z - z*|| over a step, relative to the first distance.

    z* is where four times as many steps end, which is exact to rounding.
    """
    import jax.numpy as jnp

    from banach.core import tree

    start = jax.tree.map(jnp.asarray, problem.start())

    @jax.jit
    def go(problem, method):
        key = jax.random.key(0)

        def one(state, _):
            new = method.step(problem, state, key)
            new = jax.tree.map(lambda v, m: jnp.asarray(v, m.dtype), new, state)
            return new, tree.ravel(method.point(state).x)[0]

        state = method.init(problem, start, key)
        return jax.lax.scan(one, state, None, length=4 * steps)[1]

    xs = np.asarray(go(problem, method))
    away = np.linalg.norm(xs[: steps + 1] - xs[-1], axis=1)
    return float(np.max(np.diff(away)) / away[0])


def verdict(numbers: dict[str, Any]) -> bool:
    """No rise, and a third of the evaluations on the cubic."""
    still = all(r["rise"] <= 1e-12 for r in numbers.values())
    row = numbers["cubic"]
    return still and 3 * (row["spent"] or np.inf) <= (row["fixed"] or np.inf)


def measured(numbers: dict[str, Any]) -> str:
    """Rises and evaluations."""
    return "; ".join(
        f"{name}: largest rise {r['rise']:.1e}, {_count(r['spent'])} evaluations "
        f"against {_count(r['fixed'])}"
        for name, r in numbers.items()
    )


def _count(value: float | None) -> str:
    return "none reached" if value is None else f"{value:.0f}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Residuals against evaluations."""
    from banach.claims.figures import curves

    panels = {name: row["curves"] for name, row in numbers.items()}
    curves(path, panels, "evaluations of F", "residual / first residual", top=1e3)

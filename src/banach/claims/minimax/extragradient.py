"""Extragradient converges on games where gradient steps spiral out.

Korpelevich (1976): for monotone L-Lipschitz F and s < 1/L the iterates converge to a
solution and come closer to every one of them at each step. Measured with
s = 1 / (sqrt(2) L): a bilinear game without bounds (20 + 20 unknowns, singular values
from 1 to 0.05), and the matrix game of the zoo over two simplices. Baseline: gradient
steps of both players at once (projected on the simplices) with the same s. The bound
2 L R / sqrt(k+1) of the least residual is what the falling distance gives; R is the
distance to the solution of the bilinear game, and on the simplices 2, their diameter.

What is seen: everything but one number. The residual of the bilinear game is at 2e-2
after 2,000 steps, not at 1e-3: a plane of singular value a contracts by
sqrt(1 - a^2 s^2 (1 - a^2 s^2)) a step, which for a = 0.05 leaves a factor of 0.3. That
number was required by us, not by the paper, without this sum, and stays as written.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "over 2,000 steps the bound of the least residual holds on both; on the bilinear "
    "game the distance to the saddle falls at every step and the residual ends below "
    "1e-3 of the first while gradient steps end above it; on the matrix game the "
    "residual ends at most a tenth of that of projected gradient steps"
)
STEPS = 2000


def measure() -> dict[str, Any]:
    """Residuals and distances of both methods, and the bound."""
    from banach.claims.minimax._shared import (
        ForwardBackward,
        course,
        residual,
        thin,
    )
    from banach.kinds.inclusion import zoo as inclusions
    from banach.methods.minimax.extragradient import Extragradient

    rows = {}
    with jax.enable_x64(True):
        cases = {
            "bilinear": (_bilinear(), 40**0.5),
            "saddle:matrix_game": (inclusions.load("saddle:matrix_game"), 2.0),
        }
        for name, (problem, radius) in cases.items():
            facts = problem.facts()
            method = Extragradient.suggest(problem, facts)
            ours = course(problem, method, rows=STEPS)
            plain = course(problem, ForwardBackward(method.step_size), rows=STEPS)
            first = float(residual(problem, problem.start().x))
            least = np.minimum.accumulate(ours["ratio"])
            bound = 2 * float(facts.L) * radius / np.sqrt(ours["steps"] + 1) / first
            rows[name] = {
                "worst": float(np.max(least / bound)),
                "last": float(ours["ratio"][-1]),
                "gradient_last": float(plain["ratio"][-1]),
                "curves": {
                    "extragradient": _steps(thin(ours), 2 * problem.n),
                    "gradient steps": _steps(thin(plain), problem.n),
                    "bound": (ours["steps"][1:].tolist(), bound[1:].tolist()),
                },
            }
        rows["bilinear"]["rise"] = _rise(*cases["bilinear"])
    return rows


def verdict(numbers: dict[str, Any]) -> bool:
    """Every requirement."""
    free, game = numbers["bilinear"], numbers["saddle:matrix_game"]
    held = all(row["worst"] <= 1 for row in numbers.values())
    outward = free["gradient_last"] > 1 or not np.isfinite(free["gradient_last"])
    good = held and outward and free["last"] <= 1e-3 and free["rise"] <= 0
    return bool(good and game["last"] <= 0.1 * game["gradient_last"])


def measured(numbers: dict[str, Any]) -> str:
    """Final residuals."""
    said = "; ".join(
        f"{name}: residual {r['last']:.1e} of the first against "
        f"{r['gradient_last']:.1e} of gradient steps, at most {r['worst']:.2f} of the "
        "bound"
        for name, r in numbers.items()
    )
    return f"{said}; largest rise of the distance {numbers['bilinear']['rise']:.1e}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Residual against steps with the bound."""
    from banach.claims.figures import curves

    panels = {name: row["curves"] for name, row in numbers.items()}
    curves(path, panels, "step", "residual / first residual", top=1e3)


def _bilinear() -> Any:
    """x' B y with the saddle at 0, from the point of ones."""
    from banach.kinds.inclusion.problem import saddle

    rng = np.random.default_rng(2)
    left, right = (np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(2))
    B = left @ np.diag(np.geomspace(1, 0.05, 20)) @ right
    ones = np.ones(20)
    return saddle(lambda x, y: x @ (B @ y), ones, ones, monotone=True, L=1.0 + 1e-12)


def _rise(problem: Any, radius: float) -> float:
    """The largest change of ||z|| in a step, relative to the first; z* = 0."""
    import jax.numpy as jnp

    from banach.core import tree
    from banach.engine.loop import leaves_in
    from banach.methods.minimax.extragradient import Extragradient

    method = leaves_in(np.float64, Extragradient.suggest(problem, problem.facts()))
    start = jax.tree.map(jnp.asarray, problem.start())
    key = jax.random.key(0)

    @jax.jit
    def go(problem, method):
        def one(state, _):
            state = method.step(problem, state, key)
            return state, tree.norm(method.point(state).x)

        first = method.init(problem, start, key)
        return jax.lax.scan(one, first, None, length=STEPS)[1]

    far = np.concatenate([[radius], np.asarray(go(problem, method))])
    return float(np.max(np.diff(far)) / radius)


def _steps(line: tuple[list, list], spent: int) -> tuple[list, list]:
    return [v / spent for v in line[0]], line[1]

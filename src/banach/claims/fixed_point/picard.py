"""The contraction principle: q^k, and an error known from the last step taken.

Banach (1922): a contraction has one fixed point, x_k -> x* from everywhere, and
||x_k - x*|| <= q^k / (1 - q) ||x_1 - x_0||,  ||x_k - x*|| <= q / (1 - q) ||x_k -
x_{k-1}||. Krasnoselskii (1955) and Mann (1953): where T is only nonexpansive, averaged
steps find a fixed point though plain ones may circle; their residual is at most
||x_0 - x*|| / sqrt((k + 1) lam (1 - lam)) in Hilbert space.
Measured on PageRank over the ten nearest neighbours of 500 digits (damping 0.85 and
0.99, 1-norm; the answer by a direct solve), and on T = I - (2/L) grad f for the
logistic loss of breast_cancer with l2 penalty, which is nonexpansive, and on rotations
by 40 angles, where plain steps never come closer. Baseline: the plain steps.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "both bounds hold at each of 300 steps for both dampings, and the a-posteriori "
    "bound is at most 100 times the error at damping 0.85; averaged residuals below "
    "2 R / sqrt(k + 1) at each of 2,000 steps of both nonexpansive maps; on the "
    "rotations plain steps end as far away as they began (to 1e-9)"
)
STEPS, LONG = 300, 2000


def measure() -> dict[str, Any]:
    """Errors and bounds of the contractions, residuals of the nonexpansive maps."""
    from banach.methods.fixed_point.picard import Picard

    with jax.enable_x64(True):
        rows = {f"damping {q}": _contraction(q) for q in (0.85, 0.99)}
        maps = {}
        for name, (problem, best) in _nonexpansive().items():
            k = np.arange(LONG + 1)
            radius = float(np.linalg.norm(np.ravel(problem.start().x - best)))
            bound = 2 * radius / np.sqrt(k + 1)
            rest, _ = _run(problem, Picard(0.5), LONG, best)
            plain, away = _run(problem, Picard(1.0), LONG, best)
            maps[name] = {
                "worst": float(np.max(rest / bound)),
                "away": float(away[-1] / away[0]),
                "curves": {
                    "averaged": rest.tolist(),
                    "plain": plain.tolist(),
                    "bound": bound.tolist(),
                },
            }
    return {"contractions": rows, "maps": maps}


def verdict(numbers: dict[str, Any]) -> bool:
    """Bounds everywhere; plain rotations stay away."""
    rows, maps = numbers["contractions"], numbers["maps"]
    held = all(max(r["prior"], r["posterior"]) <= 1 for r in rows.values())
    close = rows["damping 0.85"]["loose"] <= 100
    below = all(m["worst"] <= 1 for m in maps.values())
    return held and close and below and abs(maps["rotations"]["away"] - 1) <= 1e-9


def measured(numbers: dict[str, Any]) -> str:
    """Shares of the bounds."""
    rows = "; ".join(
        f"{name}: error at most {r['prior']:.2f} of the a-priori and "
        f"{r['posterior']:.2f} of the a-posteriori bound, which is at most "
        f"{r['loose']:.3g} times the error"
        for name, r in numbers["contractions"].items()
    )
    maps = "; ".join(
        f"{name}: averaged residual at most {m['worst']:.2f} of its bound, plain steps "
        f"end at {m['away']:.2g} of the first distance"
        for name, m in numbers["maps"].items()
    )
    return f"{rows}; {maps}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Errors with both bounds, residuals with theirs."""
    from banach.claims.figures import curves

    rows = {**numbers["contractions"], **numbers["maps"]}
    panels = {name: row["curves"] for name, row in rows.items()}
    curves(path, panels, "steps", "error (dampings), residual (maps)")


def _run(problem: Any, method: Any, steps: int, best: Any) -> tuple[Any, Any]:
    """Residual ||T(x_k) - x_k|| and distance to `best`, k = 0 .. steps (2-norms)."""
    xs, after = _path(problem, method, steps)
    flat = lambda v: v.reshape(len(v), -1)  # noqa: E731
    rest = np.linalg.norm(flat(after - xs), axis=1)
    return rest, np.linalg.norm(flat(xs - best), axis=1)


def _path(problem: Any, method: Any, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """x_k and T(x_k) for k = 0 .. steps."""
    import jax.numpy as jnp

    from banach.engine.loop import leaves_in

    key = jax.random.key(0)

    @jax.jit
    def run(problem, method):
        def look(state):
            x = method.point(state).x
            return x, problem.map(x)

        def one(state, _):
            return method.step(problem, state, key), look(state)

        start = jax.tree.map(jnp.asarray, problem.start())
        state = method.init(problem, start, key)
        return jax.lax.scan(one, state, None, steps + 1)[1]

    xs, after = run(problem, leaves_in(np.float64, method))
    return np.asarray(xs), np.asarray(after)


def _contraction(q: float) -> dict[str, Any]:
    """PageRank with damping q: errors over bounds, in the 1-norm."""
    from banach.claims.fixed_point._graphs import digits_pagerank
    from banach.kinds.fixed_point.problem import FixedPoint
    from banach.methods.fixed_point.picard import Picard

    n = 500
    M, b = digits_pagerank(n, q)
    best = np.linalg.solve(np.eye(n) - M, b)
    start = np.zeros(n)
    start[0] = 1.0
    problem = FixedPoint(lambda x, M, b: M @ x + b, start, (M, b))
    xs, after = _path(problem, Picard(1.0), STEPS)
    # Below this the direct solve and the sums are rounding, not error.
    floor = 1e-13
    error = np.abs(xs - best).sum(axis=1)[1:]
    moved = np.abs(after - xs).sum(axis=1)
    k = np.arange(1, STEPS + 1)
    prior = q**k / (1 - q) * moved[0]
    posterior = q / (1 - q) * moved[:-1]
    sure = error > floor
    return {
        "prior": float(np.max((error - floor) / prior)),
        "posterior": float(np.max((error[sure] - floor) / posterior[sure])),
        "loose": float(np.max(posterior[sure] / error[sure])),
        "curves": {
            "error": error.tolist(),
            "a priori": prior.tolist(),
            "a posteriori": posterior.tolist(),
        },
    }


def _nonexpansive() -> dict[str, Any]:
    """Name -> (problem, a fixed point)."""
    import jax.numpy as jnp

    import banach as bn
    from banach.kinds.fixed_point.problem import FixedPoint
    from banach.zoo import datasets

    data = datasets.breast_cancer()
    glm = bn.LogisticRegression(
        datasets.standardised(data.A), data.y, 1.0, intercept=False
    )
    best = bn.solve(glm, "lazy_newton", tol=1e-9).x
    L = float(glm.facts().L)

    def descent(x, glm):
        return x - 2 / L * glm.grad(x)

    angles = np.geomspace(1e-3, 1.0, 40)
    c, s = np.cos(angles), np.sin(angles)

    def turn(z):
        x, y = z[:, 0], z[:, 1]
        return jnp.stack([c * x - s * y, s * x + c * y], axis=1)

    z0 = np.full((40, 2), np.sqrt(0.5 / 40))
    start = np.asarray(glm.start().x)
    return {
        "logistic": (
            FixedPoint(descent, start, (glm,), nonexpansive=True),
            np.asarray(best),
        ),
        "rotations": (FixedPoint(turn, z0, nonexpansive=True), np.zeros((40, 2))),
    }

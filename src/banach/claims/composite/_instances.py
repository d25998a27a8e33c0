"""What this family is tried on, and ISTA and FISTA as published.

F* is the least value that restarted FISTA reaches in 15,000 steps.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen
from banach.kinds.composite.problem import Composite
from banach.methods.composite.fista import Fista
from banach.methods.composite.proximal_gradient import ProximalGradient
from banach.terms.sets import Simplex

STEPS = 1000


def ista(L: Any) -> ProximalGradient:
    """Steps of 1 / L."""
    return ProximalGradient(L, backtrack=False)


def fista(L: Any) -> Fista:
    """Without the restart of O'Donoghue and Candes."""
    return Fista(L, restart=False)


def backtracking(_: Any) -> ProximalGradient:
    """From L = 1e-3, far below the true ones."""
    return ProximalGradient(1e-3, backtrack=True)


def problems() -> dict[str, Any]:
    """A deblurring and five Lassos."""
    return {**instances.deblurring(1), **instances.lassos()}


def portfolios(losses: bool = False) -> dict[str, Composite]:
    """-sum_t log (r_t' x) over the simplex: 400 days of 300 assets, five drawn.

    Begun at a vertex; with `losses` each asset loses all on a tenth of the days, so
    that vertices lie outside the domain, and the start is the centre.
    """
    start = np.full(300, 1 / 300) if losses else np.eye(300)[0]
    found = {}
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        R = 1 + 0.1 * rng.standard_normal((400, 300))
        R = R * (rng.random(R.shape) > 0.1) if losses else R
        found[name + ", losses" * losses] = Composite(
            _utility, Simplex(), start, (R,), convex=True
        )
    return found


def _utility(x, R):
    return -jnp.sum(jnp.log(R @ x))


def gap(problem: Any, point: Any) -> Any:
    """max_v <grad f(x), x - v>, which f - f* does not exceed."""
    g = problem.grad(point.x)
    return jnp.vdot(g, point.x - problem.lmo(g))


def second_order(R: np.ndarray, x: np.ndarray, steps: int) -> np.ndarray:
    """Gaps on a portfolio of Frank-Wolfe steps by Dvurechensky et al. (2020)."""
    gaps = []
    for _ in range(steps):
        g = -R.T @ (1 / (R @ x))
        d = np.eye(x.size)[np.argmin(g)] - x
        gaps.append(-g @ d)
        e = np.linalg.norm(R @ d / (R @ x))
        x = x + min(1, gaps[-1] / (e * (gaps[-1] + e))) * d
    return np.array(gaps)


def values(problem: Any, make: Callable[[float], Any]) -> dict[str, np.ndarray]:
    """F after each of 1,000 steps, and the calls so far."""
    method = make(float(problem.facts().L))
    return runs.trace(problem, method, STEPS, f=runs.objective)


def against(methods: Mapping[str, tuple[Callable, Callable]]) -> Seen:
    """F(x_k) - F* over its bound, the largest of 1,000 steps.

    `methods`: a label -> what makes a method from L, its bound from L R^2 and k.
    """
    worst, curves = {}, {}
    for name, problem in problems().items():
        L = float(problem.facts().L)
        watch = {"f": runs.objective, "x": runs.where}
        best = runs.trace(problem, Fista(L), 15 * STEPS, every=15, **watch)
        square = L * np.sum((best["x"][0] - best["x"][-1]) ** 2)
        curves[name] = {}
        for label, (make, bound) in methods.items():
            f = values(problem, make)["f"]
            # Below the rounding of F itself, a sum over the data, nothing is seen.
            gap = np.maximum(f[1:] - best["f"].min(), 1e-13 * f[0])
            limit = bound(square, np.arange(1, STEPS + 1))
            worst[f"{name}, {label}"] = np.max(gap / limit)
            curves[name] |= {label: gap, f"bound, {label}": limit}
    few = {k: curves[k] for k in ("image 0", "diabetes")}
    return Seen(worst, few, ("steps", "F - F*"))


def prices(problems: Mapping[str, Any], make: Callable) -> dict[str, float]:
    """Gradients to the value of 1,000 steps of ISTA, to rounding, over its own."""
    found = {}
    for name, problem in problems.items():
        rows = values(problem, make), values(problem, ista)
        target = rows[1]["f"][-1] + 1e-12 * rows[1]["f"][0]
        paid, own = (np.append(r["grad"][r["f"] <= target], np.inf)[0] for r in rows)
        found[name] = paid / own
    return found

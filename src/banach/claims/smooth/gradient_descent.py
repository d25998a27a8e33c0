"""Gradient descent with step 1 / L: f(x_t) - f* <= L R^2 / (4 t + 2), and no less.

The rate of the method as Drori and Teboulle (2014, theorems 1 and 2) made it exact: it
holds for every convex f with L-Lipschitz gradient and is attained, for each t, by a
Huber function of one variable. Measured on logistic regression (breast_cancer, and
the digits 5-9 against 0-4) over 1,000 steps with the L that the problem knows by
construction, and on the worst functions of t = 1, 10, 100. Baseline: the textbook
bound 2 L R^2 / (t + 4) (Nesterov 2018, corollary 2.1.2), which must be the larger.
Reduced: nothing.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

REQUIRED = (
    "gap / bound <= 1 at each of 1,000 steps on both data sets; on the worst functions "
    "gap / bound = 1 to 1e-9"
)
STEPS = 1000
DATA = ("logistic:breast_cancer", "logistic:digits")
WORST = (1, 10, 100)


def measure() -> dict[str, Any]:
    """Gap over bound at every step, and at the last step of the worst functions."""
    from banach import zoo
    from banach.claims.smooth import _shared as run
    from banach.core.problem import Problem
    from banach.kinds.smooth.problem import Smooth
    from banach.methods.smooth.gradient_descent import GradientDescent
    from banach.methods.smooth.trust_region_newton import TrustRegionNewton

    def huber(x, width):
        size = jnp.abs(x[0])
        return jnp.where(size > width, width * size - width**2 / 2, size**2 / 2)

    out: dict[str, Any] = {"data": {}, "worst": {}}
    with jax.enable_x64(True):
        for name in DATA:
            problem: Problem = zoo.load(name)
            exact = TrustRegionNewton(np.inf)
            best = run.history(exact, problem, 30)
            method = GradientDescent.suggest(problem, problem.facts())
            rows = run.history(method, problem, STEPS)
            radius = np.linalg.norm(best["x"][-1] - rows["x"][0])
            t = np.arange(STEPS + 1)
            square = float(problem.facts().L) * radius**2
            out["data"][name] = {
                "gap": (rows["f"] - best["f"].min()).tolist(),
                "bound": (square / (4 * t + 2)).tolist(),
                "textbook": (2 * square / (t + 4)).tolist(),
            }
        for n in WORST:
            width = np.array(1 / (2 * n + 1))
            problem = Smooth(huber, np.ones(1), (width,), L=1.0, convex=True)
            rows = run.history(GradientDescent(1.0, search=False), problem, n)
            out["worst"][str(n)] = float(rows["f"][-1] * (4 * n + 2))
    return out


def verdict(numbers: dict[str, Any]) -> bool:
    """Whether the bound holds everywhere and is attained."""
    held = all(
        g <= b <= u * (1 + 1e-12)
        for row in numbers["data"].values()
        for g, b, u in zip(row["gap"], row["bound"], row["textbook"], strict=True)
    )
    return held and all(abs(v - 1) <= 1e-9 for v in numbers["worst"].values())


def measured(numbers: dict[str, Any]) -> str:
    """The largest gap over bound on data, and the worst functions' distance from 1."""
    largest = {
        name: max(g / b for g, b in zip(row["gap"], row["bound"], strict=True))
        for name, row in numbers["data"].items()
    }
    off = max(abs(v - 1) for v in numbers["worst"].values())
    text = ", ".join(f"{k} {v:.3f}" for k, v in largest.items())
    return f"largest gap / bound: {text}; worst functions: 1 to {off:.0e}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Gap and bounds against steps."""
    from banach.claims.figures import curves

    curves(path, numbers["data"], "gradients", "f(x) - f*")

"""Adaptive restart gives the speed of the optimal momentum without knowing mu.

O'Donoghue and Candes (2015): restarting when the momentum points uphill recovers the
linear rate of about sqrt(L / mu) steps a digit that Nesterov's constant momentum
(1 - sqrt(mu / L)) / (1 + sqrt(mu / L)) has when it is told mu. Measured as gradients
until f - f* <= 1e-12 (f_0 - f*) on a quadratic of condition 1e4 and on logistic
regression (breast_cancer, digits). Baselines: no restart; the constant momentum, told
the least eigenvalue of the Hessian at the solution; gradient descent. Reduced: 200
unknowns instead of 200 to 2,000, and data sets instead of generated ones. The factor 2
asked here is stricter than the paper's analysis, in which even the best fixed restart
interval, e sqrt(8 L / mu), costs e sqrt(2) = 3.8 times the momentum that is told mu.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

REQUIRED = (
    "on each problem at most 2 times the gradients of the momentum that is told mu, at "
    "most 1/2 of those without restart, at most 1/5 of those of gradient descent"
)
PROBLEMS = ("quadratic:200", "logistic:breast_cancer", "logistic:digits")
TOL = 1e-12
STEPS = 40_000


def measure() -> dict[str, Any]:
    """Gradients of the four methods on the three problems."""
    from banach import zoo
    from banach.claims.smooth import _shared as run
    from banach.methods.smooth.accelerated_gradient import AcceleratedGradient
    from banach.methods.smooth.gradient_descent import GradientDescent
    from banach.methods.smooth.trust_region_newton import TrustRegionNewton
    from banach.parts.momentum import constant_weight

    out = {}
    with jax.enable_x64(True):
        for name in PROBLEMS:
            problem = zoo.load(name)
            best = run.history(TrustRegionNewton(np.inf), problem, 30)
            step = 1 / float(problem.facts().L)
            mu = float(jnp.linalg.eigvalsh(problem.hess(best["x"][-1]))[0])
            values = {
                "restart": run.history(AcceleratedGradient(step, True), problem, STEPS),
                "none": run.history(AcceleratedGradient(step, False), problem, STEPS),
                "descent": run.history(GradientDescent(step, False), problem, STEPS),
            }
            gaps = {k: v["f"] - best["f"].min() for k, v in values.items()}
            f = _constant(problem, step, float(constant_weight(mu * step)))
            gaps["told mu"] = f - best["f"].min()
            gaps = {k: v / gaps["restart"][0] for k, v in gaps.items()}
            out[name] = {
                "condition": 1 / (mu * step),
                "steps": {k: _first(v) for k, v in gaps.items()},
                "gaps": {k: v[:3000].tolist() for k, v in gaps.items()},
            }
    return out


def _constant(problem, step, weight):
    """Values of Nesterov's constant-momentum scheme (2004, scheme 2.2.11)."""

    @jax.jit
    def program(problem):
        def one(c, _):
            x, y = c
            new = y - step * problem.grad(y)
            return (new, new + weight * (new - x)), problem.value(new)

        x0 = jnp.asarray(problem.start().x)
        f = jax.lax.scan(one, (x0, x0), None, STEPS)[1]
        return jnp.concatenate([problem.value(x0)[None], f])

    return np.asarray(program(problem))


def _first(gaps):
    """Steps until the gap is below TOL; the whole budget where it never is."""
    below = gaps <= TOL
    return int(np.argmax(below)) if below.any() else STEPS


def verdict(numbers: dict[str, Any]) -> bool:
    """The three ratios on every problem; a budget used up is a lower bound."""
    rows = [row["steps"] for row in numbers.values()]
    return all(
        r["restart"] < STEPS
        and r["restart"] <= 2 * r["told mu"]
        and 2 * r["restart"] <= r["none"]
        and 5 * r["restart"] <= r["descent"]
        for r in rows
    )


def measured(numbers: dict[str, Any]) -> str:
    """Gradients of all methods."""
    return "; ".join(
        f"{name} (condition {row['condition']:.0e}): "
        + ", ".join(f"{k} {v}" for k, v in row["steps"].items())
        for name, row in numbers.items()
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Relative gap against gradients."""
    from banach.claims.figures import curves

    panels = {name: row["gaps"] for name, row in numbers.items()}
    curves(path, panels, "gradients", "(f(x) - f*) / (f(x0) - f*)")

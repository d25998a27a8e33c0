"""Conjugate gradients end after n steps, and meet their bound before.

Hestenes and Stiefel (1952): in exact arithmetic x_n = x*, and the error falls at
every step; with the condition number k its energy norm is at most
2 ((sqrt(k) - 1) / (sqrt(k) + 1))^t of the first. Measured on a dense matrix of ten
distinct eigenvalues among 60 unknowns (ten steps must do), on the normal equations
of ridge regression on digits, and on Poisson around obstacles at 64 x 64, where the
preconditioners are compared. The errors are against NumPy's LU factorisation.

What is seen: the bound and the order of the preconditioners hold. The ten steps do
not: rounding leaves 5e-8 of the error after ten and 1e-10 after eleven. The 1e-8 was
required by us, the paper speaks of exact arithmetic; it stays as it was written.
"""

from typing import Any

import jax
import numpy as np

from banach.claims.linear import _poisson

REQUIRED = (
    "10 distinct eigenvalues: 10 steps leave 1e-8 of the error; the bound holds at "
    "every step on all three problems; on Poisson, steps to 1e-8 with Multigrid <= "
    "with IncompleteCholesky <= with Jacobi"
)
TOL = 1e-8


def measure() -> dict[str, Any]:
    """Energy errors step by step, and steps by preconditioner."""
    from banach.kinds.linear import zoo
    from banach.kinds.linear.problem import Linear
    from banach.methods.linear.conjugate_gradient import ConjugateGradient
    from banach.parts.preconditioners import (
        IncompleteCholesky,
        Jacobi,
        Multigrid,
        Plain,
    )

    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((60, 60)))
    values = np.repeat(np.logspace(0, 2, 10), 6)
    A = (Q * values) @ Q.T
    poisson = _poisson.problem(64, 1)
    with jax.enable_x64(True):
        cases = {
            "ten values": (Linear((A + A.T) / 2, rng.standard_normal(60)), 12),
            "digits": (zoo.load("linear:digits"), 120),
            "poisson": (_poisson.problem(24, 1), 80),
        }
        rows = {
            name: _errors(p, ConjugateGradient(Plain()), steps)
            for name, (p, steps) in cases.items()
        }
        recipes = {
            "Plain": Plain(),
            "Jacobi": Jacobi(),
            "IncompleteCholesky": IncompleteCholesky(),
            "modified": IncompleteCholesky(0.97),
            "Multigrid": Multigrid(),
        }
        steps = {}
        for name, recipe in recipes.items():
            out = _poisson.until(poisson, ConjugateGradient(recipe), TOL, 1000)
            steps[name] = out["steps"] if out["reached"] else -1
    return {"errors": rows, "steps": steps}


def verdict(numbers: dict[str, Any]) -> bool:
    """Every requirement."""
    rows, steps = numbers["errors"], numbers["steps"]
    ten = rows["ten values"]["errors"]
    order = [steps[k] for k in ("Multigrid", "IncompleteCholesky", "Jacobi")]
    return bool(
        ten[10] <= 1e-8 * ten[0]
        and all(r["worst"] <= 1 for r in rows.values())
        and min(steps.values()) > 0
        and order == sorted(order)
    )


def measured(numbers: dict[str, Any]) -> str:
    """Error after ten steps, share of the bound, steps by preconditioner."""
    rows = numbers["errors"]
    ten = rows["ten values"]["errors"]
    worst = ", ".join(f"{k} {r['worst']:.2f}" for k, r in rows.items())
    steps = ", ".join(f"{k} {v}" for k, v in numbers["steps"].items())
    return (
        f"ten values: {ten[10] / ten[0]:.1e} of the error after 10 steps; largest "
        f"share of the bound: {worst}; Poisson 64 x 64 to {TOL:.0e}: {steps} steps"
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Energy errors with their bounds."""
    from banach.claims.figures import canvas

    rows = numbers["errors"]
    with canvas(path, 1, len(rows), figsize=(11, 3.4)) as axes:
        for ax, (name, row) in zip(axes, rows.items(), strict=True):
            ax.semilogy(row["errors"], label="error")
            ax.semilogy(row["bound"], "k--", lw=1, label="bound")
            ax.set(title=name, xlabel="step")
        axes[0].set_ylabel("energy norm of the error")
        axes[0].legend()


def _errors(problem, method, steps):
    """Energy errors against LU, the bound, and the largest share of it."""
    from types import SimpleNamespace

    K = np.asarray(problem.matrix())
    best = np.linalg.solve(K, np.ravel(problem.b))
    start = problem.start()
    key = jax.random.key(0)

    @jax.jit
    def run(problem):
        def body(state, _):
            state = method.step(problem, state, key)
            return state, state.x

        return jax.lax.scan(body, method.init(problem, start, key), None, steps)[1]

    xs = np.concatenate([np.asarray(start.x)[None], np.asarray(run(problem))])
    e = xs.reshape(steps + 1, -1) - best
    errors = np.sqrt(np.maximum(np.einsum("ti,ij,tj->t", e, K, e), 0))
    values = np.linalg.eigvalsh(K)
    known = SimpleNamespace(condition=values[-1] / values[0], energy=errors[0])
    bound = np.array([method.card.rate(known, t) for t in range(steps + 1)])
    # The rounding of x itself.
    noise = 1e-13 * errors[0] * np.sqrt(known.condition)
    return {
        "errors": errors.tolist(),
        "bound": bound.tolist(),
        "worst": float(np.max((errors - noise) / bound)),
    }

"""Newton with a line search: global where plain Newton diverges, quadratic at the end.

Kelley (2003): arctan(x) = 0 from x = 10 is his example of a plain Newton iteration
that diverges and of Armijo's rule that repairs it; near a root with a regular Jacobian
convergence is q-quadratic, here on Chandrasekhar's H-equation with c = 0.9 on 100
points. Beside the book, and no part of the verdict: how many of the classical systems
of More, Garbow and Hillstrom, from their starts and ten and a hundred times those,
reach ||F|| <= 1e-6 within 300 steps, beside plain Newton.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "arctan from 10: plain Newton exceeds 1e50 within 10 steps, the damped one has "
    "|F| <= 1e-12 within 15; H-equation: e+ <= 10 e^2 at every step with e >= 1e-6, "
    "and an error of 1e-12 after at most 6 steps"
)


def measure() -> dict[str, Any]:
    """Courses of the two examples, and the count."""
    from banach.claims.roots._shared import CLASSICS, course, plain_newton, starts
    from banach.kinds.root.problem import Root
    from banach.kinds.root.zoo import chandrasekhar
    from banach.methods.roots.newton_root import NewtonRoot

    with jax.enable_x64(True):
        import jax.numpy as jnp

        x, plain = 10.0, []
        while abs(x) < 1e100 and len(plain) < 10:
            x = x - np.arctan(x) * (1 + x * x)
            plain.append(abs(x))
        bend = Root(lambda x: jnp.arctan(x), np.array([10.0]))
        _, damped, _ = course(bend, NewtonRoot(1e-4), 15)
        h = chandrasekhar(100, 0.9)
        xs, sizes, _ = course(h, NewtonRoot(1e-4), 10)
        errors = np.linalg.norm(xs - xs[-1], axis=1)
        solved = {"newton": 0, "plain": 0}
        for name in CLASSICS:
            for problem in starts(name):
                _, ours, _ = course(problem, NewtonRoot(1e-4), 300)
                solved["newton"] += bool(np.nanmin(ours) <= 1e-6)
                solved["plain"] += bool(plain_newton(problem, 300) <= 1e-6)
    e = errors[errors >= 1e-6]
    return {
        "escape": float(np.nanmax(plain)),
        "damped": [float(v) for v in damped],
        "rate": float(np.max(errors[1 : len(e) + 1] / e**2)),
        "steps": int(np.argmax(errors <= 1e-12)),
        "sizes": [float(v) for v in sizes],
        "solved": solved,
    }


def verdict(numbers: dict[str, Any]) -> bool:
    """The book's two examples."""
    bent = numbers["escape"] >= 1e50 and numbers["damped"][-1] <= 1e-12
    fast = numbers["rate"] <= 10 and 0 < numbers["steps"] <= 6
    return bent and fast


def measured(numbers: dict[str, Any]) -> str:
    """The worst quotient of errors, and both counts."""
    solved = numbers["solved"]
    return (
        f"arctan: plain Newton reaches {numbers['escape']:.1e}, damped ends at "
        f"{numbers['damped'][-1]:.1e}; H-equation: e+ <= {numbers['rate']:.2g} e^2, "
        f"1e-12 after {numbers['steps']} steps; beside it, classical runs "
        f"solved: {solved['newton']} of 33, plain Newton {solved['plain']}"
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """||F|| against steps on both examples."""
    from banach.claims.figures import curves

    def line(sizes):
        return list(range(1, len(sizes) + 1)), [max(v, 1e-17) for v in sizes]

    panels = {
        "arctan from 10": {"damped Newton": line(numbers["damped"])},
        "H-equation, c = 0.9": {"damped Newton": line(numbers["sizes"])},
    }
    curves(path, panels, "step", "||F||", top=1e2)

"""Systems that the claims of this family share, and what they cost."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import fresh
from banach.kinds.root import zoo
from banach.kinds.root.problem import Root

SMALL = """rosenbrock powell_singular powell_badly_scaled helical_valley
    brown_almost_linear trigonometric""".split()
REGULAR = """discrete_boundary discrete_integral broyden_tridiagonal broyden_banded
    chandrasekhar""".split()


def systems(*names: str) -> dict[str, Root]:
    """These systems of More, Garbow and Hillstrom (1981), from the paper's starts."""
    return {name: zoo.load(f"root:{name}") for name in names}


def from_far(problem: Root, factor: float) -> Root:
    """The same from a multiple of its start."""
    return Root(problem.fun, problem.x0 * factor, problem.args)


def drawn(n: int = 10, seed: int | None = None) -> Root:
    """x + 0.1 (quadratic forms) = c with a root near 1; by default a fresh one."""
    rng = np.random.default_rng(fresh() if seed is None else seed)
    Q = rng.standard_normal((n, n, n)) / n
    root = 1 + 0.1 * rng.standard_normal(n)
    c = root + 0.1 * np.einsum("ijk,j,k->i", Q, root, root)
    return Root(quadratic, np.zeros(n), (0.1 * Q, c))


def quadratic(x: Any, Q: Any, c: Any) -> Any:
    """x + (x'Q_i x)_i - c."""
    return x + jnp.einsum("ijk,j,k->i", Q, x, x) - c


def price(problem: Root, method: Any, target: float, steps: int = 300) -> float:
    """Evaluations of F until ||F|| <= target, n for a Jacobian; infinite if never."""
    run = runs.until(problem, method, runs.residual_norm, target, steps, relative=False)
    return run.price({"residual": 1, "jacobian": problem.size()})

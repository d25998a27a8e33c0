"""Systems that the claims of this family share, and what they cost."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import fresh
from banach.kinds.root import zoo
from banach.kinds.root.problem import Root
from banach.methods.roots.newton_root import NewtonRoot

SMALL = """rosenbrock powell_singular powell_badly_scaled helical_valley
    brown_almost_linear trigonometric""".split()
REGULAR = """discrete_boundary discrete_integral broyden_tridiagonal broyden_banded
    chandrasekhar""".split()


def systems(*names: str) -> dict[str, Root]:
    """These systems of More, Garbow and Hillstrom (1981), from the paper's starts."""
    return {name: zoo.load(f"root:{name}") for name in names}


def classical() -> dict[str, Root]:
    """All of them, and a drawn one that nobody has seen."""
    return systems(*SMALL, *REGULAR) | {"fresh": drawn()}


def regular() -> dict[str, Root]:
    """Those of regular Jacobian at the root, and a drawn one."""
    return systems(*REGULAR) | {"fresh": drawn()}


def starts(*factors: float) -> dict[str, list[Root]]:
    """All of them from multiples of their starts."""
    return {
        name: [Root(p.fun, p.x0 * factor, p.args) for factor in factors]
        for name, p in classical().items()
    }


def drawn(n: int = 10, seed: int | None = None) -> Root:
    """x + 0.1 (quadratic forms) = c with a root near 1; by default a fresh one."""
    rng = np.random.default_rng(fresh() if seed is None else seed)
    Q = rng.standard_normal((n, n, n)) / n
    root = 1 + 0.1 * rng.standard_normal(n)
    c = root + 0.1 * np.einsum("ijk,j,k->i", Q, root, root)
    return Root(quadratic, np.zeros(n), (0.1 * Q, c))


def quadratics() -> dict[str, Root]:
    """Five drawn ones, the last one fresh."""
    return {f"seed {s}": drawn(seed=s) for s in range(4)} | {"fresh": drawn()}


def bend(problem: Root, x: Any) -> float:
    """gamma ||J(x)^-1|| of a drawn one, gamma the Lipschitz constant of J."""
    Q, inverse = problem.args[0], np.linalg.inv(problem.jacobian(x))
    gamma = np.linalg.norm((Q + Q.transpose(0, 2, 1)).reshape(len(Q), -1), 2)
    return gamma * np.linalg.norm(inverse, 2)


def quadratic(x: Any, Q: Any, c: Any) -> Any:
    """x + (x'Q_i x)_i - c."""
    return x + jnp.einsum("ijk,j,k->i", Q, x, x) - c


def price(problem: Root, method: Any, target: float, steps: int = 300) -> float:
    """Evaluations of F until ||F|| <= target, n for a Jacobian; infinite if never."""
    run = runs.until(problem, method, runs.residual_norm, target, steps, relative=False)
    return run.price({"residual": 1, "jacobian": problem.size()})


def over_newton(method: Any, target: float) -> dict[str, float]:
    """That price of a method over Newton's, on all systems."""
    return {
        name: price(problem, method, target) / price(problem, NewtonRoot(), target)
        for name, problem in classical().items()
    }


def errors(problem: Root, method: Any, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(||x_k - x||, x) of a run, x where it ends."""
    x = runs.trace(problem, method, steps, x=runs.where)["x"]
    return np.linalg.norm(x - x[-1], axis=1), x[-1]

"""What the claims of this family share: a course of F, and starts."""

from typing import Any

import jax
import numpy as np

CLASSICS = (
    "rosenbrock powell_singular powell_badly_scaled helical_valley "
    "brown_almost_linear discrete_boundary discrete_integral trigonometric "
    "broyden_tridiagonal broyden_banded chandrasekhar"
).split()
FACTORS = (1.0, 10.0, 100.0)


def course(problem: Any, method: Any, steps: int) -> tuple[np.ndarray, ...]:
    """Iterates, the start first, their ||F||, and evaluations spent.

    A Jacobian counts as n evaluations of F, as by differences.
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
            return new, look(state)

        def look(state):
            x = method.point(state).x
            calls, n = method.calls(state), problem.size()
            spent = calls["residual"] + n * calls["jacobian"]
            return tree.ravel(x)[0], tree.norm(problem.residual(x)), spent

        state = method.init(problem, start, key)
        state = jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), state)
        return jax.lax.scan(one, state, None, length=steps + 1)[1]

    return tuple(np.asarray(v) for v in go(problem, method))


def price(problem: Any, method: Any, target: float, steps: int = 300) -> float:
    """Evaluations until ||F|| <= target; infinite if never."""
    _, sizes, spent = course(problem, method, steps)
    good = sizes <= target
    return float(spent[np.argmax(good)]) if good.any() else np.inf


def starts(name: str) -> list[Any]:
    """A classical problem from its start and from ten and a hundred times it."""
    from banach.kinds.root import zoo as roots
    from banach.kinds.root.problem import Root

    one = roots.load(f"root:{name}")
    return [Root(one.fun, one.x0 * f, one.args) for f in FACTORS]


def plain_newton(problem: Any, steps: int) -> float:
    """The least ||F|| of full Newton steps."""
    F = jax.jit(lambda x: problem.residual(x))
    J = jax.jit(lambda x: problem.jacobian(x))
    x, least = problem.x0, np.inf
    with np.errstate(all="ignore"):
        for _ in range(steps):
            f = np.asarray(F(x))
            least = np.fmin(least, np.linalg.norm(f))
            try:
                x = x - np.linalg.solve(np.asarray(J(x)), f)
            except np.linalg.LinAlgError:
                break
    return float(least)

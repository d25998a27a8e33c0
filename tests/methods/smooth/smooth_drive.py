"""Small problems with NumPy oracles, and a jitted driver of single steps."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.engine.loop import leaves_in
from banach.kinds.smooth.problem import Smooth
from banach.kinds.smooth.zoo import load


def drive(method, problem, steps):
    """Iterates 1..steps, the last state, and the states themselves."""
    start = problem.start()
    method = leaves_in(tree.dtype(start.x), method)
    key = jax.random.key(0)
    state = jax.jit(lambda m, p: m.init(p, start, key))(method, problem)
    step = jax.jit(lambda m, p, s: m.step(p, s, key))
    xs, states = [], [state]
    for _ in range(steps):
        state = step(method, problem, state)
        states.append(state)
        xs.append(np.asarray(tree.ravel(method.point(state).x)[0]))
    return xs, state, states


def until_stuck(method, problem, cap=500):
    """The last state of a run that ends when the method is stuck, and its steps."""
    start = problem.start()
    method = leaves_in(tree.dtype(start.x), method)
    key = jax.random.key(0)

    def program(m, p):
        def go(c):
            return ~m.stuck(c[0]) & (c[1] < cap)

        def one(c):
            return m.step(p, c[0], key), c[1] + 1

        return jax.lax.while_loop(go, one, (m.init(p, start, key), 0))

    state, steps = jax.jit(program)(method, problem)
    return state, int(steps)


def traces(method, problem, marker):
    """How often a primitive occurs in the traced step."""
    start = problem.start()
    key = jax.random.key(0)
    state = jax.eval_shape(lambda: method.init(problem, start, key))
    jaxpr = jax.make_jaxpr(lambda s: method.step(problem, s, key))(state)
    return str(jaxpr).count(f" {marker} ")


def oracles(problem):
    """NumPy value, grad and hess of a problem of one vector."""
    return SimpleNamespace(
        value=lambda x: float(problem.value(x)),
        grad=lambda x: np.asarray(problem.grad(x)),
        hess=lambda x: np.asarray(problem.hess(x)),
    )


def bowl():
    """A quadratic of 6 unknowns, eigenvalues 0.2 to 4, with exact constants."""
    rng = np.random.default_rng(5)
    Q, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    values = np.array([0.2, 0.5, 1.0, 1.5, 3.0, 4.0])
    H, x0 = (Q * values) @ Q.T, rng.standard_normal(6)
    solution = np.linspace(-1, 1, 6)
    b = H @ solution
    problem = Smooth(lambda x, H, b: x @ H @ x / 2 - b @ x, x0, (H, b), L=4.0, mu=0.2)
    radius = np.linalg.norm(x0 - solution)
    oracle = SimpleNamespace(
        value=lambda x: x @ H @ x / 2 - b @ x, grad=lambda x: H @ x - b
    )
    constants = SimpleNamespace(L=4.0, mu=0.2, radius=radius)
    return SimpleNamespace(
        problem=problem, oracles=oracle, x0=x0, solution=solution, constants=constants
    )


def sinh_bowl(x0=(0.3, -0.4, 0.2)):
    """A convex function whose gradient holds the primitive sinh exactly once."""
    return Smooth(lambda x: x @ x / 2 + jnp.sum(jnp.cosh(x)), np.array(x0))


def noisy():
    """A sum of squares whose values lose four digits: searches must end in it."""
    return load("trigonometric:10")

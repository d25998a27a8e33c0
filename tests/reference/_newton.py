"""What the references of Newton methods are compared on: problems with Hessians."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from banach.kinds.smooth.problem import Smooth

RNG = np.random.default_rng(5)
A = RNG.standard_normal((40, 5)) * np.array([1.0, 2.0, 0.5, 3.0, 1.0])
Y = np.where(A @ RNG.standard_normal(5) + RNG.standard_normal(40) > 0, 1.0, -1.0)


def logistic(start=0.3, **facts):
    """A regularised logistic regression of 5 unknowns: (problem, oracles)."""
    problem = Smooth(_logistic, np.full(5, start), (A,), **facts)

    def hess(x):
        s = _sigmoid(A @ x)
        return A.T @ ((s * (1 - s))[:, None] * A) + 0.1 * np.eye(5)

    return problem, SimpleNamespace(
        value=lambda x: np.sum(np.logaddexp(0, -Y * (A @ x))) + 0.05 * x @ x,
        grad=lambda x: A.T @ (-Y * _sigmoid(-Y * (A @ x))) + 0.1 * x,
        hess=hess,
    )


def steep(x0, **facts):
    """sum sqrt(1 + x^2), where full Newton steps overshoot: (problem, oracles)."""
    problem = Smooth(lambda x: jnp.sum(jnp.sqrt(1 + x**2)), np.array(x0), **facts)
    return problem, SimpleNamespace(
        value=lambda x: np.sum(np.sqrt(1 + x**2)),
        grad=lambda x: x / np.sqrt(1 + x**2),
        hess=lambda x: np.diag((1 + x**2) ** -1.5),
    )


def rosenbrock(x0, **facts):
    """Rosenbrock's chain, indefinite in places: (problem, oracles)."""

    def value(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    def grad(x):
        bend, out = x[1:] - x[:-1] ** 2, np.zeros(x.size)
        out[:-1] = -400 * x[:-1] * bend - 2 * (1 - x[:-1])
        out[1:] += 200 * bend
        return out

    def hess(x):
        out = np.diag(-400 * x[:-1], 1) + np.diag(-400 * x[:-1], -1)
        out[np.arange(x.size - 1), np.arange(x.size - 1)] += (
            1200 * x[:-1] ** 2 - 400 * x[1:] + 2
        )
        out[np.arange(1, x.size), np.arange(1, x.size)] += 200
        return out

    problem = Smooth(value, np.array(x0), **facts)
    return problem, SimpleNamespace(value=value, grad=grad, hess=hess)


def _logistic(x, a):
    return jnp.sum(jax.nn.softplus(-Y * (a @ x))) + 0.05 * jnp.sum(x**2)


def _sigmoid(t):
    return np.exp(-np.logaddexp(0, -t))

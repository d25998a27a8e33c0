"""Functions that benchmarks minimise or solve, in JAX."""

import jax.numpy as jnp


def misra(b, t, y):
    """Residuals of NIST's Misra1a."""
    return b[0] * (1 - jnp.exp(-b[1] * t)) - y


def rosen(x):
    """Rosenbrock's function of any number of variables."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def equations(x):
    """A discrete boundary-value problem, u'' = (u + t + 1)^3 / 2 (More and Cosnard)."""
    n = x.size
    h = 1 / (n + 1)
    t = h * jnp.arange(1, n + 1)
    left, right = jnp.append(0.0, x[:-1]), jnp.append(x[1:], 0.0)
    return 2 * x - left - right + h**2 / 2 * (x + t + 1) ** 3


def decay(b, t, y):
    """Residuals of one."""
    return b[0] * jnp.exp(-b[1] * t) - y

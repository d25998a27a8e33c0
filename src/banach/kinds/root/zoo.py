"""Ready systems of equations by name; listing them imports no jax.

Those of More, Garbow and Hillstrom (1981, "Testing unconstrained optimization
software", ACM Transactions on Mathematical Software 7) have as many equations as
unknowns there, and are taken with the paper's starts.
"""

from typing import Any

import numpy as np

from banach.zoo.registry import Shelf

_shelf = Shelf("Root")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def _stated(equations: Any, x0: Any, *args: Any) -> Any:
    from banach.kinds.root.problem import Root

    return Root(equations, np.asarray(x0, float), args)


@_named("root:rosenbrock", "Rosenbrock's valley as two equations")
def _rosenbrock():
    import jax.numpy as jnp

    def rosenbrock(x):
        return jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    return _stated(rosenbrock, [-1.2, 1.0])


@_named("root:powell_singular", "Powell's singular system, 4 unknowns, a double root")
def _powell_singular():
    import jax.numpy as jnp

    def powell_singular(x):
        a, b, c, d = x
        return jnp.stack(
            [
                a + 10 * b,
                5**0.5 * (c - d),
                (b - 2 * c) ** 2,
                10**0.5 * (a - d) ** 2,
            ]
        )

    return _stated(powell_singular, [3.0, -1.0, 0.0, 1.0])


@_named("root:powell_badly_scaled", "Powell's badly scaled system: 1e-5 against 9")
def _powell_badly_scaled():
    import jax.numpy as jnp

    def powell_badly_scaled(x):
        first = 1e4 * x[0] * x[1] - 1
        return jnp.stack([first, jnp.exp(-x[0]) + jnp.exp(-x[1]) - 1.0001])

    return _stated(powell_badly_scaled, [0.0, 1.0])


@_named("root:helical_valley", "Fletcher and Powell's helical valley, 3 unknowns")
def _helical():
    import jax.numpy as jnp

    def helical_valley(x):
        a, b, c = x
        side = jnp.where(a < 0, 0.5, 0.0)
        angle = jnp.arctan(b / a) / (2 * np.pi) + side
        radius = jnp.sqrt(a**2 + b**2)
        return jnp.stack([10 * (c - 10 * angle), 10 * (radius - 1), c])

    return _stated(helical_valley, [-1.0, 0.0, 0.0])


@_named("root:brown_almost_linear", "Brown's almost linear system, 10 unknowns")
def _brown():
    import jax.numpy as jnp

    def brown_almost_linear(x):
        linear = x + jnp.sum(x) - (x.size + 1)
        return linear.at[-1].set(jnp.prod(x) - 1)

    return _stated(brown_almost_linear, np.full(10, 0.5))


@_named("root:discrete_boundary", "u'' = (u + t + 1)^3 / 2 by differences, 10 points")
def _discrete_boundary():
    import jax.numpy as jnp

    n = 10
    h, t = 1 / (n + 1), np.arange(1, n + 1) / (n + 1)

    def discrete_boundary(x):
        u = jnp.pad(x, 1)
        return 2 * x - u[:-2] - u[2:] + h**2 * (x + t + 1) ** 3 / 2

    return _stated(discrete_boundary, t * (t - 1))


@_named("root:discrete_integral", "the same as an integral equation, 10 points")
def _discrete_integral():
    n = 10
    h, t = 1 / (n + 1), np.arange(1, n + 1) / (n + 1)
    kernel = h / 2 * np.minimum.outer(t, t) * (1 - np.maximum.outer(t, t))

    def discrete_integral(x, kernel):
        return x + kernel @ (x + t + 1) ** 3

    return _stated(discrete_integral, t * (t - 1), kernel)


@_named("root:trigonometric", "Spedicato's trigonometric system, 10 unknowns")
def _trigonometric():
    import jax.numpy as jnp

    n = 10
    i = np.arange(1.0, n + 1)

    def trigonometric(x):
        cos = jnp.cos(x)
        return n - jnp.sum(cos) + i * (1 - cos) - jnp.sin(x)

    return _stated(trigonometric, np.full(n, 1 / n))


@_named("root:broyden_tridiagonal", "Broyden's tridiagonal system, 10 unknowns")
def _broyden_tridiagonal():
    import jax.numpy as jnp

    def broyden_tridiagonal(x):
        u = jnp.pad(x, 1)
        return (3 - 2 * x) * x - u[:-2] - 2 * u[2:] + 1

    return _stated(broyden_tridiagonal, -np.ones(10))


@_named("root:broyden_banded", "Broyden's banded system, 10 unknowns")
def _broyden_banded():
    n = 10
    i, j = np.indices((n, n))
    band = ((j >= i - 5) & (j <= i + 1) & (i != j)).astype(float)

    def broyden_banded(x, band):
        return x * (2 + 5 * x**2) + 1 - band @ (x * (1 + x))

    return _stated(broyden_banded, -np.ones(n), band)


@_named("root:chandrasekhar", "Chandrasekhar's H-equation, c = 0.9, 50 points")
def _chandrasekhar():
    return chandrasekhar(50, 0.9)


@_named("root:chandrasekhar_singular", "the H-equation at its fold, c = 1, 50 points")
def _chandrasekhar_singular():
    return chandrasekhar(50, 1.0)


def chandrasekhar(n: int, c: float) -> Any:
    """H(m) (1 - c/2 int_0^1 m H(v) / (m + v) dv) = 1 by the midpoint rule, from 1."""
    m = (np.arange(n) + 0.5) / n
    kernel = c / (2 * n) * m[:, None] / (m[:, None] + m)

    def chandrasekhar(x, kernel):
        return x - 1 / (1 - kernel @ x)

    return _stated(chandrasekhar, np.ones(n), kernel)

"""Ready elliptic energies by name; listing them imports no jax."""

from typing import Any

import numpy as np

from banach.zoo.registry import Shelf

_shelf = Shelf("EllipticEnergy")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def nonlinear_poisson(n: int) -> tuple[Any, np.ndarray]:
    """The problem on n x n inner nodes and the nodal values of its PDE's solution.

    -div((1 + 1 / (1 + |grad u|^2)) grad u) + u = f with the manufactured solution
    u = sin(pi x) sin(2 pi y) + x (1 - x) y (1 - y). The Hessian of
    A(|p|^2) = (|p|^2 + log(1 + |p|^2)) / 2 has eigenvalues in [7/8, 2].
    """
    import jax.numpy as jnp

    from banach.kinds.elliptic.manufactured import manufactured
    from banach.kinds.elliptic.problem import EllipticEnergy

    def density(s):
        return (s + jnp.log1p(s)) / 2

    def potential(u):
        return u**2 / 2

    def exact(x):
        wave = jnp.sin(np.pi * x[0]) * jnp.sin(2 * np.pi * x[1])
        return wave + jnp.prod(x * (1 - x))

    f, u = manufactured(density, exact, n, potential=potential)
    problem = EllipticEnergy(
        density, f, lower=0.875, upper=2.0, potential=potential, curvature=(1.0, 1.0)
    )
    return problem, u


@_named("pde:nonlinear_poisson", "quasilinear diffusion with reaction, 23 x 23 nodes")
def _nonlinear_poisson():
    return nonlinear_poisson(23)[0]


@_named("pde:nonlinear_poisson_fine", "the same on 127 x 127 nodes")
def _nonlinear_poisson_fine():
    return nonlinear_poisson(127)[0]


@_named("pde:reaction", "-u'' + 50 tanh(u) = 30 sign changes, interval, 255 nodes")
def _reaction():
    """F = 50 log cosh u, F'' in [0, 50]; a load that jumps."""
    import jax.numpy as jnp

    from banach.kinds.elliptic.problem import EllipticEnergy

    x = np.arange(1, 256) / 256
    f = 30 * np.sign(np.sin(3 * np.pi * x) + 0.3)

    def log_cosh(u):
        return 50 * (jnp.logaddexp(2 * u, 0.0) - u)

    return EllipticEnergy(
        lambda s: s / 2, f, lower=1.0, upper=1.0, potential=log_cosh,
        curvature=(0.0, 50.0),
    )  # fmt: skip

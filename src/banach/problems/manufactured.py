"""Loads for which the solution of a PDE is known, by automatic differentiation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from banach.core import compat


def manufactured(
    density: Callable[..., Any],
    exact: Callable[..., Any],
    n: int,
    *,
    dims: int = 2,
    potential: Callable[..., Any] | None = None,
    args: tuple = (),
) -> tuple[Float[np.ndarray, "*grid"], Float[np.ndarray, "*grid"]]:
    """(load, nodal values of u) with -div(2 A'(|grad u|^2) grad u) + F'(u) = f.

    `exact(x)` maps a point (dims,) of the unit interval or square to u(x), which
    should vanish at the border. The load makes u solve the PDE, not the discrete
    problem: the discrete minimiser differs by the discretisation error, so that u
    certifies nothing.
    """
    with compat.double():
        slope = jax.grad(lambda s: density(s, *args))
        du = jax.grad(exact)

        def flux(x):
            p = du(x)
            return 2 * slope(jnp.vdot(p, p)) * p

        def load(x):
            f = -jnp.trace(jax.jacfwd(flux)(x))
            if potential is not None:
                f = f + jax.grad(lambda u: potential(u, *args))(exact(x))
            return f

        axis = np.arange(1, n + 1) / (n + 1)
        mesh = np.stack(np.meshgrid(*[axis] * dims, indexing="ij"), -1)
        points = jnp.asarray(mesh.reshape(-1, dims))
        values = [jax.jit(jax.vmap(g))(points) for g in (load, exact)]
        shape = (n,) * dims
        return tuple(np.asarray(v).reshape(shape) for v in values)

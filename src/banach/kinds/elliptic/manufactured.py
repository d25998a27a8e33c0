"""Loads for which the solution of a PDE is known, by automatic differentiation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from banach.core import compat, validation
from banach.core.door import door
from banach.kinds import inputs
from banach.kinds.bases import check_scalar


@door
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

    Args:
        density: A(s, *args), entry by entry.
        exact: u(x), of a point (dims,) to a number.
        n: inner nodes along each side.
        dims: 1 or 2.
        potential: F(u, *args), entry by entry; None: none.
        args: further arguments of both.

    Raises:
        Misuse: functions that JAX cannot differentiate, or sizes out of range.

    Example:
        >>> load, u = bn.manufactured(
        ...     lambda s: s / 2, lambda x: jnp.sin(jnp.pi * x[0]), 3, dims=1
        ... )
        >>> load.round(3), u.round(3)
        (array([6.979, 9.87 , 6.979]), array([0.707, 1.   , 0.707]))
    """
    n = validation.integer(n, "n", low=1)
    dims = validation.integer(dims, "dims", low=1, high=2)
    args = inputs.arguments(args)
    _functions(density, exact, potential, dims, args)
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
        given, nodal = (np.asarray(v).reshape(shape) for v in values)
        return given, nodal


def _functions(
    density: Any, exact: Any, potential: Any, dims: int, args: tuple
) -> None:
    """Each function maps one number or one point to one real number."""
    one = np.ones(())
    asked = [("density", density, one, args), ("exact", exact, np.ones(dims), ())]
    if potential is not None:
        asked.append(("potential", potential, one, args))
    for name, fun, at, rest in asked:
        check_scalar(inputs.function(fun, at, rest, name).narrow, name)

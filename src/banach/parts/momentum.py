"""Nesterov's momentum sequences, and tests that restart them."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree

Scalar = Float[Array, ""]


def gradient_restart(g: PyTree, x_new: PyTree, x_old: PyTree) -> Bool[Array, ""]:
    """Whether the momentum points uphill: g.(x_new - x_old) > 0.

    g is the gradient (or gradient mapping) at the extrapolated point from which
    x_new was computed. Works at the noise floor, where values do not.

    Source: O'Donoghue and Candes (2015), section 3.2.
    """
    return tree.vdot(g, tree.sub(x_new, x_old)) > 0


def function_restart(f_new: Scalar, f_old: Scalar) -> Bool[Array, ""]:
    """Whether the value rose, f_new > f_old, or is not finite.

    Source: O'Donoghue and Candes (2015), section 3.2.
    """
    return ~(f_new <= f_old)


def nesterov_theta(theta: Scalar) -> Scalar:
    """Next term of theta+^2 - theta+ = theta^2, from theta_0 = 1.

    theta_k >= (k + 2) / 2. The weight of the extrapolation is `weight`.

    Source: Nesterov (1983); Beck and Teboulle (2009).
    """
    return (1 + jnp.sqrt(1 + 4 * jnp.square(theta))) / 2


def weight(theta: Scalar, theta_next: Scalar) -> Scalar:
    """The extrapolation weight (theta - 1) / theta_next."""
    return (theta - 1) / theta_next


def constant_weight(q: Scalar) -> Scalar:
    """The constant weight (1 - sqrt q) / (1 + sqrt q) for q = mu / L.

    Source: Nesterov (2004), scheme 2.2.11.
    """
    root = jnp.sqrt(q)
    return (1 - root) / (1 + root)

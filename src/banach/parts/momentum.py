"""Nesterov's momentum sequences, and tests that restart them."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

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


def convergent_theta(step: Int[Array, ""], decay: Scalar) -> Scalar:
    """The sequence (step + decay - 1) / decay for steps 1, 2, ...

    For decay > 2 the iterates themselves converge; decay = 2 is Nesterov's growth.

    Source: Chambolle and Dossal (2015).
    """
    decay = jnp.asarray(decay)
    return (jnp.asarray(step).astype(decay.dtype) + decay - 1) / decay


def strong_alpha(alpha: Scalar, q: Scalar) -> Scalar:
    """Next term in (0, 1) of alpha+^2 = (1 - alpha+) alpha^2 + q alpha+.

    q = mu / L in [0, 1]. With alpha_0 = sqrt(q) it is constant; q = 0 gives
    alpha = 1 / theta of `nesterov_theta`; q = 1 gives gradient descent.

    Source: Nesterov (2004), scheme 2.2.9.
    """
    square = jnp.square(alpha)
    bend = q - square
    root = jnp.sqrt(jnp.square(bend) + 4 * square)
    # The positive root; the second form has no cancellation where bend < 0.
    return jnp.where(bend > 0, (bend + root) / 2, 2 * square / (root - bend))


def strong_weight(alpha: Scalar, alpha_next: Scalar) -> Scalar:
    """The weight alpha (1 - alpha) / (alpha^2 + alpha_next).

    Source: Nesterov (2004), scheme 2.2.9.
    """
    return alpha * (1 - alpha) / (jnp.square(alpha) + alpha_next)


def constant_weight(q: Scalar) -> Scalar:
    """The constant weight (1 - sqrt q) / (1 + sqrt q) for q = mu / L.

    Source: Nesterov (2004), scheme 2.2.11.
    """
    root = jnp.sqrt(q)
    return (1 - root) / (1 + root)

"""A two-layer ReLU network without biases, and how a convex solution becomes one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core import tree, validation
from banach.core.problem import Misuse, in_own_precision


class ReluNetwork(eqx.Module):
    """z(a) = sum_j output_j relu(<a, hidden_j>), hidden (m, d), output (m,).

    Args:
        hidden: (m, d), the weights of the first layer.
        output: (m,), those of the second.

    Example:
        >>> net = bn.ReluNetwork(
        ...     np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, -2.0])
        ... )
        >>> net(np.array([[3.0, 1.0], [-1.0, 2.0]]))
        array([ 1., -4.])
    """

    hidden: Float[Array, "m d"] | np.ndarray
    output: Float[Array, " m"] | np.ndarray

    def __check_init__(self):
        hidden, output = (
            validation.array(v, f"ReluNetwork {name}")
            for name, v in (("hidden", self.hidden), ("output", self.output))
        )
        if hidden.ndim != 2 or output.shape != hidden.shape[:1]:
            raise Misuse(
                "ReluNetwork needs hidden (m, d) and output (m,), got shapes "
                f"{hidden.shape} and {output.shape}; give one output weight a unit"
            )

    @in_own_precision
    def __call__(self, X: Float[Array, "n d"] | np.ndarray) -> Float[Array, " n"]:
        """Predictions at the rows of X."""
        X = jnp.asarray(X, self.hidden.dtype)
        units = jax.nn.relu(jnp.matmul(X, self.hidden.T, precision=tree.PRECISION))
        return jnp.matmul(units, self.output, precision=tree.PRECISION)


def from_groups(x: Float[Array, "2 P d"]) -> ReluNetwork:
    """v -> (v / sqrt||v||, sqrt||v||), w the same with output -sqrt||w||.

    Units are balanced, ||h_j|| = |c_j|: of all scalings of a unit that compute the
    same function this one has the least weight decay, ||v||. Zero groups are units
    of weight zero.
    """
    size = jax.vmap(jax.vmap(tree.norm))(x)
    root = jnp.sqrt(jnp.where(size > 0, size, 1))
    live = size > 0
    hidden = jnp.where(live[..., None], x / root[..., None], 0)
    signs = jnp.asarray([1, -1], x.dtype)[:, None]
    output = jnp.where(live, root, 0) * signs
    return ReluNetwork(hidden.reshape(-1, x.shape[-1]), output.reshape(-1))

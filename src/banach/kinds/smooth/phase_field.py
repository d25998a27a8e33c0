"""Two classes on a graph, told apart by a Ginzburg-Landau energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from banach.kinds.smooth.problem import Smooth


def laplacian(A: np.ndarray, neighbours: int = 10) -> np.ndarray:
    """I - D^-1/2 W D^-1/2 of the nearest neighbours of rows, eigenvalues in [0, 2].

    W_ij = exp(-|a_i - a_j|^2 / (s_i s_j)), s_i the distance of the last neighbour of i,
    where j is a neighbour of i or i of j (Zelnik-Manor and Perona 2004).
    """
    sizes = np.sum(A**2, axis=1)
    square = np.maximum(sizes[:, None] + sizes - 2 * A @ A.T, 0)
    np.fill_diagonal(square, np.inf)
    nearest = np.argsort(square, axis=1)[:, :neighbours]
    rows = np.arange(len(A))[:, None]
    reach = np.sqrt(square[rows[:, 0], nearest[:, -1]])
    near = np.zeros(square.shape, bool)
    near[rows, nearest] = True
    weight = np.where(near | near.T, np.exp(-square / np.outer(reach, reach)), 0)
    root = np.sqrt(weight.sum(axis=1))
    return np.eye(len(A)) - weight / np.outer(root, root)


def ginzburg_landau(
    A: np.ndarray, labels: np.ndarray, *, eps: float = 1.0, fidelity: float = 10.0
) -> Smooth:
    """eps/2 <u, L u> + sum W(u) / eps + fidelity/2 sum (u - y)^2 over what is labelled.

    `labels` are -1 or 1, and 0 where unknown; the sign of u classifies. W is
    (u^2 - 1)^2 / 4 within [-1, 1] and (|u| - 1)^2 outside, so that -1 <= W'' <= 2:
    the Hessian at u = 1 is a convex part whose rest is concave (everywhere).
    """
    import jax.numpy as jnp

    from banach.kinds.smooth.problem import Smooth

    y = np.asarray(labels, float)

    def energy(u: Any, L: Any, y: Any) -> Any:
        size = jnp.abs(u)
        well = jnp.where(size <= 1, (u**2 - 1) ** 2 / 4, (size - 1) ** 2)
        misfit = jnp.sum(jnp.where(y != 0, (u - y) ** 2, 0))
        bend = jnp.vdot(u, jnp.matmul(L, u, precision="highest"))
        return eps / 2 * bend + jnp.sum(well) / eps + fidelity / 2 * misfit

    constant = (2 * eps + 2 / eps + fidelity) * (1 + 1e-9)
    # The labels are where a run begins; 0 is where nothing is known.
    return Smooth(energy, y, (laplacian(A), y), L=constant, reference=0 * y)

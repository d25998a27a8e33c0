"""Weighted Laplacians on a rectangular grid, and Poisson problems with obstacles."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import ArrayLike

from banach.core import compat, validation
from banach.core.door import door
from banach.core.problem import Misuse
from banach.parts.operators import Operator, Scalar, _up

Grid = Float[Array, "n m"] | np.ndarray


def _weights(name: str) -> Any:
    return eqx.field(converter=lambda v: validation.array(v, name, ndim=2))


def _one_shape(*weights: Any) -> None:
    shapes = [tuple(v.shape) for v in weights]
    if len(set(shapes)) != 1:
        raise Misuse(
            "right, down and extra must be arrays of one shape (n, m), got "
            f"{', '.join(map(str, shapes))}"
        )


class GridLaplacian(Operator):
    """(A x)_i = extra_i x_i + sum over the neighbours j of w_ij (x_i - x_j).

    `right[i, j]` is the weight between (i, j) and (i, j + 1), `down[i, j]` that
    between (i, j) and (i + 1, j); the last column of `right` and the last row of
    `down` are not read. Weights and `extra` are at least 0: A is symmetric and
    positive semidefinite, and definite where every connected part of the grid has
    some extra > 0. A cell without neighbours is a row of its own.

    Args:
        right, down, extra: (n, m), at least 0, as said above.

    Source: LeVeque, Finite Difference Methods for Ordinary and Partial Differential
    Equations (2007), section 3.2, with weights.

    Example:
        >>> one = np.ones((2, 2))
        >>> (
        ...     bn.grid_laplacian(one, one, one).matvec(
        ...         np.array([[1.0, 0.0], [0.0, 0.0]])
        ...     )
        ... )
        Array([[ 3., -1.],
               [-1.,  0.]], dtype=float32)
    """

    entrywise: ClassVar[bool] = True
    symmetric: ClassVar[bool] = True

    right: Grid = _weights("right")
    down: Grid = _weights("down")
    extra: Grid = _weights("extra")

    def __check_init__(self):
        _one_shape(self.right, self.down, self.extra)

    def definite(self) -> bool:
        """Where every connected part has some extra > 0."""
        leaves = [np.asarray(v) for v in (self.right, self.down, self.extra)]
        return all((v >= 0).all() for v in leaves) and bool(_grounded(self).all())

    def matvec(self, x: Grid) -> Grid:
        """A x, by fluxes."""
        across = self.right[:, :-1] * (x[:, :-1] - x[:, 1:])
        along = self.down[:-1] * (x[:-1] - x[1:])
        y = self.extra * x
        y = y + jnp.pad(across, ((0, 0), (0, 1))) - jnp.pad(across, ((0, 0), (1, 0)))
        return y + jnp.pad(along, ((0, 1), (0, 0))) - jnp.pad(along, ((1, 0), (0, 0)))

    def absolute(self, x: Grid) -> Grid:
        """|A| x."""
        across = jnp.abs(self.right[:, :-1]) * (x[:, :-1] + x[:, 1:])
        along = jnp.abs(self.down[:-1]) * (x[:-1] + x[1:])
        y = jnp.abs(self.extra) * x
        y = y + jnp.pad(across, ((0, 0), (0, 1))) + jnp.pad(across, ((0, 0), (1, 0)))
        return y + jnp.pad(along, ((0, 1), (0, 0))) + jnp.pad(along, ((1, 0), (0, 0)))

    def terms(self) -> int:
        """Difference, product and five summands."""
        return 8

    def diagonal(self) -> Grid:
        """Extra and the weights of the neighbours."""
        across, along = self.right[:, :-1], self.down[:-1]
        y = self.extra + jnp.pad(across, ((0, 0), (0, 1)))
        y = y + jnp.pad(across, ((0, 0), (1, 0)))
        return y + jnp.pad(along, ((0, 1), (0, 0))) + jnp.pad(along, ((1, 0), (0, 0)))

    def norm(self) -> Scalar:
        """The largest absolute row sum, rounded up."""
        ones = jnp.ones(self.extra.shape, jnp.result_type(self.extra))
        return _up(jnp.max(self.absolute(ones)), self.terms())

    def describe(self) -> str:
        """Kind and size as text."""
        return "grid {} x {}".format(*self.extra.shape)

    def isolated(self) -> Bool[Array, "n m"]:
        """Cells without neighbours: obstacles."""
        across, along = self.right[:, :-1] != 0, self.down[:-1] != 0
        tied = jnp.pad(across, ((0, 0), (0, 1))) | jnp.pad(across, ((0, 0), (1, 0)))
        tied = tied | jnp.pad(along, ((0, 1), (0, 0)))
        return ~(tied | jnp.pad(along, ((1, 0), (0, 0))))


@door
def grid_laplacian(
    right: ArrayLike, down: ArrayLike, extra: ArrayLike
) -> GridLaplacian:
    """A GridLaplacian from checked weights, each an array (n, m).

    Raises Misuse for other shapes, for negative or non-finite weights, and for a
    connected part without any extra > 0, on which A would be singular.

    Args:
        right, down: (n, m), weights of the edges, at least 0.
        extra: (n, m), at least 0, added to the diagonal.

    Source: LeVeque, Finite Difference Methods for Ordinary and Partial Differential
    Equations (2007), section 3.2, with weights.

    Example:
        >>> one = np.ones((2, 2))
        >>> bn.solve(bn.Linear(bn.grid_laplacian(one, one, one), one)).x.round(4)
        array([[1., 1.],
               [1., 1.]])
    """
    weights: Any = right, down, extra
    made = GridLaplacian(*weights)
    for name in ("right", "down", "extra"):
        validation.array(getattr(made, name), name, low="nonnegative")
    n, m = made.extra.shape
    if min(n, m) < 2:
        raise Misuse(f"a grid needs at least 2 x 2 cells, got {n} x {m}")
    if compat.any_tracer(made):
        return made
    lost = ~_grounded(made)
    if lost.any():
        i, j = np.argwhere(lost)[0]
        raise Misuse(
            f"the {lost.sum()} cells connected with ({i}, {j}) have extra = 0, so that "
            "A is singular there; give one of them extra > 0, or fill the pocket"
        )
    return made


@door
def poisson_grid(solid: ArrayLike) -> GridLaplacian:
    """The 5-point Laplacian (4 on the diagonal, unit spacing) around obstacles.

    `solid` is a boolean array (n, m). x = 0 on the ring outside the grid; no flux
    crosses the face of an obstacle (walls of a fluid); solid cells are rows x = b of
    their own. Multiply b by the squared spacing of a physical grid. Raises Misuse
    where a pocket of free cells is closed off by solid ones.

    Args:
        solid: (n, m), booleans, true inside an obstacle.

    Raises:
        Misuse: no boolean array of two axes, or a pocket of free cells that is closed
            off.

    Source: Bridson, Fluid Simulation for Computer Graphics, 2nd edition (2015), chapter
    5.

    Example:
        >>> bn.solve(
        ...     bn.Linear(bn.poisson_grid(np.zeros((2, 2), bool)), np.ones((2, 2)))
        ... ).x.round(4)
        array([[0.5, 0.5],
               [0.5, 0.5]])
    """
    good = not (validation.masked(solid) or compat.is_tracer(solid))
    cells = np.zeros(0, bool)
    if good:
        try:
            cells = np.asarray(solid)
        except (ValueError, TypeError):
            good = False
    if not good or cells.ndim != 2 or cells.dtype != bool:
        raise Misuse(
            f"solid must be a boolean array (n, m), got {validation.shown(solid)}; "
            "np.zeros((n, m), bool) is a grid without obstacles"
        )
    free = ~cells
    right, down, extra = (np.zeros(cells.shape) for _ in range(3))
    right[:, :-1] = free[:, :-1] & free[:, 1:]
    down[:-1] = free[:-1] & free[1:]
    extra[0] += 1
    extra[-1] += 1
    extra[:, 0] += 1
    extra[:, -1] += 1
    return grid_laplacian(right, down, np.where(cells, 1.0, extra))


def obstacles(n: int, seed: int, count: int = 5) -> np.ndarray:
    """Rectangles, a sixteenth to a fifth of the side long, and one disc: (n, n).

    They stay off the outer ring, and leave no closed pocket: each is kept only where
    it touches none of the others.
    """
    rng = np.random.default_rng(seed)
    solid = np.zeros((n, n), bool)
    i, j = np.indices((n, n))
    y, x = rng.uniform(0.3 * n, 0.7 * n, 2)
    solid |= (i - y) ** 2 + (j - x) ** 2 <= (0.1 * n) ** 2
    for _ in range(count):
        height, width = rng.integers(max(n // 16, 1), n // 5 + 1, 2)
        top, left = (rng.integers(2, n - 2 - k) for k in (height, width))
        around = solid[top - 1 : top + height + 1, left - 1 : left + width + 1]
        if not around.any():
            solid[top : top + height, left : left + width] = True
    return solid


def _grounded(A: GridLaplacian) -> np.ndarray:
    """Cells connected with one of extra > 0, by sweeping until nothing changes."""
    right, down = np.asarray(A.right) > 0, np.asarray(A.down) > 0
    ground = np.asarray(A.extra) > 0
    while True:
        before = ground.sum()
        for _ in range(8):
            ground[:, 1:] |= ground[:, :-1] & right[:, :-1]
            ground[:, :-1] |= ground[:, 1:] & right[:, :-1]
            ground[1:] |= ground[:-1] & down[:-1]
            ground[:-1] |= ground[1:] & down[:-1]
        if ground.sum() == before:
            return ground

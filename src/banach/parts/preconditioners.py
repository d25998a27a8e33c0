"""Preconditioners: recipes that become symmetric approximate inverses of an operator.

A recipe is a hyperparameter; `build(A)` computes what it needs from the operator,
and the result is applied by `apply(r)`. All of them are symmetric and positive
definite, as conjugate gradients require.
"""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import compat, tree
from banach.core.annotations import Real
from banach.core.door import Made
from banach.core.method import Refusal
from banach.core.problem import Misuse
from banach.core.validated_fields import count, number
from banach.parts.grid_laplacians import Grid, GridLaplacian
from banach.parts.operators import FunctionOperator, Operator


class Applied(eqx.Module):
    """A preconditioner that was built; arrays alone, so that a state may hold it."""

    @abc.abstractmethod
    def apply(self, r: PyTree) -> PyTree:
        """The approximation of A^-1 r."""


class Preconditioner(eqx.Module, metaclass=Made):
    """The recipe."""

    @abc.abstractmethod
    def build(self, A: Operator) -> Applied:
        """Everything that depends on A alone."""

    @abc.abstractmethod
    def label(self) -> str:
        """Its key in RECIPES."""

    def refuses(self, A: Operator) -> str | None:
        """Why this A does not fit, with the cure, or None."""
        return None

    def made(self, A: Operator) -> Applied:
        """`build`, or Misuse where A does not fit."""
        no = self.refuses(A)
        if no is not None:
            raise Misuse(no)
        return self.build(A)


class Plain(Preconditioner):
    """The identity: conjugate gradients as they were published.

    Source: Hestenes and Stiefel, J. Research of the National Bureau of Standards 49
    (1952).

    Example:
        >>> A = bn.poisson_grid(np.zeros((3, 3), bool))
        >>> fluid = bn.Linear(A, np.ones((3, 3)))
        >>> bn.solve(fluid, bn.ConjugateGradient(bn.Plain())).status
        'certified'
    """

    def label(self) -> str:
        """Its key in RECIPES."""
        return "plain"

    def build(self, A: Operator) -> Applied:
        """Nothing."""
        return Same()


class Same(Applied):
    """The identity, built."""

    def apply(self, r: PyTree) -> PyTree:
        """R itself."""
        return r


class Jacobi(Preconditioner):
    """The inverse of the diagonal.

    Source: Saad, Iterative Methods for Sparse Linear Systems (2003), section 10.2.

    Example:
        >>> A = bn.poisson_grid(np.zeros((3, 3), bool))
        >>> fluid = bn.Linear(A, np.ones((3, 3)))
        >>> bn.solve(fluid, bn.ConjugateGradient(bn.Jacobi())).status
        'certified'
    """

    def label(self) -> str:
        """Its key in RECIPES."""
        return "jacobi"

    def build(self, A: Operator) -> Applied:
        """One division an entry."""
        return Scaled(jax.tree.map(lambda d: 1 / d, A.diagonal()))

    def refuses(self, A: Operator) -> str | None:
        """Functions hide their diagonal."""
        if isinstance(A, FunctionOperator):
            return (
                "Jacobi needs the diagonal, which a function does not show; pass A as "
                "an array, a sparse matrix or an operator, or use bn.Plain()"
            )
        return None


class Scaled(Applied):
    """A diagonal, built."""

    inverse: PyTree

    def apply(self, r: PyTree) -> PyTree:
        """D^-1 r."""
        return jax.tree.map(jnp.multiply, self.inverse, r)


class IncompleteCholesky(Preconditioner):
    """(D + L) D^-1 (D + L)', L the lower triangle of a GridLaplacian.

    D is chosen so that the product equals A on the pattern of A: IC(0). With
    `modified` = t > 0 the fill that is dropped is taken off the diagonal, t times:
    MIC(0), whose condition grows like h^-1 instead of h^-2; t = 0.97 is usual
    (Bridson, Fluid Simulation for Computer Graphics, 2nd edition, section 5.5).
    Both triangular solves go over the n + m - 1 antidiagonals, one after another.

    Args:
        modified: the share t of the dropped fill, in [0, 1].

    Source: Meijerink and van der Vorst, Mathematics of Computation 31 (1977);
    Gustafsson, BIT 18 (1978).

    Example:
        >>> A = bn.poisson_grid(np.zeros((3, 3), bool))
        >>> fluid = bn.Linear(A, np.ones((3, 3)))
        >>> bn.solve(
        ...     fluid, bn.ConjugateGradient(bn.IncompleteCholesky(0.97))
        ... ).status
        'certified'
    """

    modified: Real = number("IncompleteCholesky modified", "nonnegative", default=0.0)

    def __check_init__(self):
        if not compat.is_tracer(self.modified) and float(self.modified) > 1:
            raise Misuse(
                "IncompleteCholesky modified is the share of the dropped fill, 0 to 1, "
                f"got {float(self.modified):g}"
            )

    def label(self) -> str:
        """Its key in RECIPES."""
        return "modified_cholesky" if self.modified > 0 else "incomplete_cholesky"

    def build(self, A: Operator) -> Applied:
        """D along the antidiagonals."""
        right, down, full = _edges(A)
        ahead, below, diagonal = _skew(right), _skew(down), _skew(full, 1)
        t = jnp.asarray(self.modified, full.dtype)

        def front(before, now):
            d_before, a_before, b_before = before
            a, b, f = now
            left = a_before * (a_before + t * b_before) / d_before
            above = _shift(b_before * (b_before + t * a_before) / d_before)
            d = f - left - above
            # A pivot lost to rounding or to dropped fill is replaced (Bridson).
            d = jnp.where(d > f / 4, d, f)
            return (d, a, b), d

        one = jnp.ones(diagonal.shape[1:], full.dtype)
        first = (one, 0 * one, 0 * one)
        _, pivots = jax.lax.scan(front, first, (ahead, below, diagonal))
        return Factored(ahead, below, pivots)

    def refuses(self, A: Operator) -> str | None:
        """Only grids: a general factor would be solved entry by entry."""
        return _grid_only("IncompleteCholesky", A)


class Factored(Applied):
    """An incomplete factorisation in skewed storage: row k is antidiagonal k."""

    ahead: Float[Array, "k n"]
    below: Float[Array, "k n"]
    pivots: Float[Array, "k n"]

    def apply(self, r: Grid) -> Grid:
        """Forward and backward substitution."""

        def forward(before, now):
            y, a_before, b_before = before
            r, a, b, d = now
            y = (r + a_before * y + _shift(b_before * y)) / d
            return (y, a, b), y

        def backward(z, now):
            y, a, b, d = now
            z = y + (a * z + b * _shift_back(z)) / d
            return z, z

        zero = jnp.zeros(self.pivots.shape[1:], r.dtype)
        rows = (_skew(r), self.ahead, self.below, self.pivots)
        _, y = jax.lax.scan(forward, (zero, zero, zero), rows)
        rows = (y, self.ahead, self.below, self.pivots)
        _, z = jax.lax.scan(backward, zero, rows, reverse=True)
        return _unskew(z, r.shape)


class Multigrid(Preconditioner):
    """One symmetric V-cycle of a GridLaplacian, coarsened 2 x 2 to about 8 x 8.

    Piecewise constant interpolation; a coarse edge is half the sum of the fine edges
    that it replaces, which is the operator of the coarser grid; `sweeps` of Jacobi,
    damped by `damping`, before and after; a dense solve at the bottom. Obstacles are
    cells without neighbours: they drop out of the coarse grids, and are solved
    exactly by their diagonal.

    Source: McAdams, Sifakis and Teran, "A parallel multigrid Poisson solver for
    fluids simulation on large grids", 2010, from whose boundary treatment this
    differs (their coarse cells at a boundary are voxelised again).

    Args:
        sweeps: of Jacobi, before and after, at least 1.
        damping: in (0, 1].

    Example:
        >>> A = bn.poisson_grid(np.zeros((3, 3), bool))
        >>> fluid = bn.Linear(A, np.ones((3, 3)))
        >>> bn.solve(fluid, bn.ConjugateGradient(bn.Multigrid())).status
        'certified'
    """

    sweeps: int = count("Multigrid sweeps", default=2)
    damping: Real = number("Multigrid damping", "positive", default=0.8)

    def label(self) -> str:
        """Its key in RECIPES."""
        return "multigrid"

    def build(self, A: Operator) -> Applied:
        """The operators of all levels."""
        level, levels = _even(A), []
        while min(level.extra.shape) > 8:
            levels.append(level)
            level = _even(_coarse(level))
        levels.append(level)
        like = jnp.zeros(level.extra.shape, level.extra.dtype)
        inverse = jnp.linalg.inv(level.matrix(like))
        diagonals = tuple(1 / g.diagonal() for g in levels)
        apart = tuple(g.isolated() for g in levels)
        omega = jnp.asarray(self.damping, like.dtype)
        return Cycle(
            tuple(levels),
            diagonals,
            apart,
            (inverse + inverse.T) / 2,
            omega,
            self.sweeps,
        )

    def refuses(self, A: Operator) -> str | None:
        """Only grids."""
        return _grid_only("Multigrid", A)


class Cycle(Applied):
    """A V-cycle, built."""

    levels: tuple[GridLaplacian, ...]
    inverses: tuple[Grid, ...]
    apart: tuple[Bool[Array, "n m"], ...]
    bottom: Float[Array, "k k"]
    damping: Float[Array, ""]
    sweeps: int = eqx.field(static=True)

    def apply(self, r: Grid) -> Grid:
        """The V-cycle from zero."""
        n, m = r.shape
        return self._down(0, _padded(r, self.levels[0].extra.shape))[:n, :m]

    def _down(self, k: int, r: Grid) -> Grid:
        if k == len(self.levels) - 1:
            out = jnp.matmul(self.bottom, r.ravel(), precision=tree.PRECISION)
            return out.reshape(r.shape)
        A, inverse = self.levels[k], self.inverses[k]

        # A loop, and not its body written out: fused stencils would be evaluated
        # again for each of their neighbours, and those again (17 times slower).
        def smooth(x):
            def sweep(_, x):
                return x + self.damping * inverse * (r - A.matvec(x))

            return jax.lax.fori_loop(0, self.sweeps, sweep, x)

        x = smooth(jnp.zeros_like(r))
        below = self.levels[k + 1].extra.shape
        left = jnp.where(self.apart[k], 0, r - A.matvec(x))
        up = self._down(k + 1, _padded(_blocks(left), below))
        n, m = r.shape[0] // 2, r.shape[1] // 2
        x = smooth(x + jnp.where(self.apart[k], 0, _spread(up[:n, :m])))
        return jnp.where(self.apart[k], inverse * r, x)


def _modified() -> Preconditioner:
    return IncompleteCholesky(0.97)


RECIPES: dict[str, Callable[[], Preconditioner]] = {
    "plain": Plain,
    "jacobi": Jacobi,
    "incomplete_cholesky": IncompleteCholesky,
    "modified_cholesky": _modified,
    "multigrid": Multigrid,
}


def fitting(A: Operator) -> tuple[str, ...]:
    """The keys of those that fit A."""
    return tuple(k for k, r in RECIPES.items() if r().refuses(A) is None)


def named(name: str, A: Operator) -> Preconditioner | Refusal:
    """The recipe of this key, or why it does not fit A."""
    if name not in RECIPES:
        raise Misuse(
            f"no preconditioner is called {name!r}; it is one of {', '.join(RECIPES)}"
        )
    recipe = RECIPES[name]()
    no = recipe.refuses(A)
    return recipe if no is None else Refusal("preconditioner", no)


def suggested(A: Operator) -> Preconditioner:
    """Multigrid for grids, Jacobi where the diagonal is known, else none."""
    for recipe in (Multigrid(), Jacobi()):
        if recipe.refuses(A) is None:
            return recipe
    return Plain()


def _grid_only(name: str, A: Operator) -> str | None:
    if isinstance(A, GridLaplacian):
        return None
    return (
        f"{name} is written for grids (bn.poisson_grid, bn.grid_laplacian); this A is "
        f"{A.describe()}. Use bn.Jacobi()"
    )


def _edges(A: GridLaplacian) -> tuple[Grid, Grid, Grid]:
    """Weights with what is not read set to zero, and the diagonal."""
    right = jnp.asarray(A.right).at[:, -1].set(0)
    return right, jnp.asarray(A.down).at[-1].set(0), A.diagonal()


def _coarse(A: GridLaplacian) -> GridLaplacian:
    """The operator of the 2 x 2 blocks; blocks of obstacles stay apart."""
    right, down, _ = _edges(A)
    free = ~A.isolated()
    half = jnp.asarray(0.5, right.dtype)
    extra = half * _blocks(jnp.where(free, A.extra, 0))
    tied = _blocks(free.astype(right.dtype)) > 0
    return GridLaplacian(
        half * (right[::2, 1::2] + right[1::2, 1::2]),
        half * (down[1::2, ::2] + down[1::2, 1::2]),
        jnp.where(tied, extra, 1),
    )


def _even(A: GridLaplacian) -> GridLaplacian:
    """Padded to even sides by cells of their own."""
    n, m = A.extra.shape
    right, down, _ = _edges(A)
    pad = ((0, n % 2), (0, m % 2))
    return GridLaplacian(
        jnp.pad(right, pad),
        jnp.pad(down, pad),
        jnp.pad(jnp.asarray(A.extra), pad, constant_values=1),
    )


def _padded(x: Grid, shape: tuple[int, ...]) -> Grid:
    return jnp.pad(x, [(0, s - v) for v, s in zip(x.shape, shape, strict=True)])


def _blocks(x: Grid) -> Grid:
    return x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]


def _spread(x: Grid) -> Grid:
    return jnp.repeat(jnp.repeat(x, 2, axis=0), 2, axis=1)


def _places(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Column of entry (k, i) in skewed storage, and whether it is in the grid."""
    n, m = shape
    column = np.arange(n + m - 1)[:, None] - np.arange(n)[None, :]
    return np.clip(column, 0, m - 1), (column >= 0) & (column < m)


def _skew(x: Grid, outside: float = 0) -> Float[Array, "k n"]:
    """s[i + j, i] = x[i, j], and `outside` elsewhere."""
    column, inside = _places(x.shape)
    return jnp.where(inside, x[np.arange(x.shape[0])[None, :], column], outside)


def _unskew(s: Float[Array, "k n"], shape: tuple[int, ...]) -> Grid:
    rows, columns = np.indices(shape)
    return s[rows + columns, rows]


def _shift(v: Array) -> Array:
    return jnp.concatenate([jnp.zeros_like(v[:1]), v[:-1]])


def _shift_back(v: Array) -> Array:
    return jnp.concatenate([v[1:], jnp.zeros_like(v[:1])])

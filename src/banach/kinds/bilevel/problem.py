"""Bilevel problems: an upper objective over the minimiser of a lower one."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree, validation
from banach.core.annotations import Real
from banach.core.facts import CONSTRUCTION, DECLARED, ESTIMATED, Fact, Facts, given
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Problem
from banach.kinds import inputs
from banach.kinds.bases import structs
from banach.kinds.bilevel import inputs as bilevel_inputs
from banach.parts import bilevel_solves

Scalar = Float[Array, ""]


@kind(
    name="Bilevel",
    oracles="""upper_value upper_grad lower_grad lower_hvp cross sample_upper_grad
    sample_lower_grad sample_lower_hvp sample_cross""",
    checks="hypergradient",
    prefers={"": "hypergradient_descent bo_rep"},
    zoo="bilevel",
)
class Bilevel(Problem):
    """minimise Phi(x) = F(x, y*(x)) over x, where y*(x) = argmin_y g(x, y).

    The variable of a Point is the pair (x, y): two pytrees. Plain form: `upper` and
    `lower` are JAX functions of (x, y, *args) to a real scalar.

    Data form: `upper_rows`, `lower_rows` are pytrees of arrays with a leading axis of
    n rows; the function then takes (x, y, row, *args) and the objective is its mean
    over the rows, so that a mean over sampled rows is unbiased:

        F(x, y) = 1/n sum_j upper(x, y, row_j),  g likewise.

    Many lower problems: with `blocks` true every leaf of y0 has a leading axis of m
    blocks, rows have the two leading axes (m, n), the functions see y_i and a row of
    block i, and

        F = 1/m sum_i F_i(x, y_i),  g = sum_i g_i(x, y_i).

    A row may be an index into arrays in `args`, where blocks share data.

    The hypergradient  grad Phi = F_x - G_xy v,  G_yy v = F_y,  exists where g is
    strongly convex in y: declare `lower_strongly_convex`, or `lower_mu`, its constant
    (for each g_i, at every x). `lower_L` bounds ||G_yy||; where it is not declared it
    is estimated by power iteration at the start. `smoothness` declares what the
    bound of the hypergradient's error needs: Lipschitz constants in y of F_x, F_y,
    G_xy and G_yy, by the names upper_x, upper_y, cross, hess.

    Raises Misuse for functions that are not real scalars, rows or blocks whose
    leading axes disagree, no rows, NaN in the rows, or constants out of range.

    Args:
        upper: F, upper(x, y, *args), or upper(x, y, row, *args) with rows.
        lower: g, in the same form.
        x0, y0: the starts, pytrees of floating arrays.
        args: further arguments of both.
        upper_rows, lower_rows: pytrees of arrays (n, ...), or (m, n, ...) with blocks.
        blocks: whether there are m lower problems.
        lower_strongly_convex: whether g is strongly convex in y.
        lower_mu: its constant, > 0.
        lower_L: a bound of ||G_yy||, > 0.
        smoothness: Lipschitz constants in y by the names upper_x, upper_y, cross, hess.

    Example:
        >>> two = bn.Bilevel(
        ...     lambda x, y: (y - 1.0) ** 2,
        ...     lambda x, y: (y - x) ** 2,
        ...     0.0,
        ...     0.0,
        ...     lower_mu=2.0,
        ... )
        >>> x, y = bn.solve(two).x
        >>> np.round([x, y], 4)
        array([1., 1.])
    """

    upper: inputs.Function
    lower: inputs.Function
    x0: PyTree
    y0: PyTree
    args: tuple
    upper_rows: PyTree
    lower_rows: PyTree
    lower_mu: Any
    lower_L: Any
    smoothness: dict[str, Any] | None
    blocks: bool = eqx.field(static=True)
    lower_strongly_convex: bool = eqx.field(static=True)

    def __init__(
        self,
        upper: Callable[..., Scalar],
        lower: Callable[..., Scalar],
        x0: PyTree,
        y0: PyTree,
        args: tuple = (),
        *,
        upper_rows: PyTree = None,
        lower_rows: PyTree = None,
        blocks: bool = False,
        lower_strongly_convex: bool = False,
        lower_mu: Real | None = None,
        lower_L: Real | None = None,
        smoothness: Mapping[str, Real] | None = None,
    ):
        self.blocks = blocks = validation.flag(blocks, "blocks")
        start = (inputs.variable(x0, "x0"), inputs.variable(y0, "y0"))
        rows = (
            bilevel_inputs.rows(upper_rows, "upper_rows", start[1], blocks),
            bilevel_inputs.rows(lower_rows, "lower_rows", start[1], blocks),
        )
        start, data = inputs.canonical(start, (inputs.arguments(args), *rows))
        self.x0, self.y0 = start
        self.args, self.upper_rows, self.lower_rows = data
        one = bilevel_inputs.first(self.y0, 1 if blocks else 0)
        self.upper, self.lower = (
            bilevel_inputs.function(
                fun, self.x0, one, taken, self.blocks, self.args, f"Bilevel's {name}"
            )
            for fun, taken, name in (
                (upper, self.upper_rows, "upper"),
                (lower, self.lower_rows, "lower"),
            )
        )
        self.lower_mu = inputs.constant(lower_mu, "lower_mu")
        self.lower_L = inputs.constant(lower_L, "lower_L")
        names = ("lower_mu", "lower_L")
        inputs.ordered(self.lower_mu, self.lower_L, names, inputs.CURVATURES)
        self.smoothness = bilevel_inputs.smoothness(smoothness)
        strong = validation.flag(lower_strongly_convex, "lower_strongly_convex")
        self.lower_strongly_convex = strong or lower_mu is not None

    def restated(self) -> "Bilevel":
        """Through the constructor, both functions as traced."""
        return self.through_constructor()

    def space(self) -> PyTree:
        """Structure of (x0, y0)."""
        return structs((self.x0, self.y0))

    def start(self) -> Point:
        """The start (x0, y0)."""
        return Point((self.x0, self.y0))

    def facts(self) -> Facts:
        """What was declared; upper_L, the curvature of Phi, and an undeclared lower_L
        are estimated at the start."""
        properties = {"smooth": CONSTRUCTION}
        if self.lower_strongly_convex:
            properties["lower_strongly_convex"] = DECLARED
        constants = given({"lower_mu": self.lower_mu, "lower_L": self.lower_L})
        if self.lower_L is None:
            top = lambda: bilevel_solves.lower_curvature(self)  # noqa: E731
            constants["lower_L"] = Fact(top, ESTIMATED)
        steep = lambda: bilevel_solves.upper_curvature(self)  # noqa: E731
        constants["upper_L"] = Fact(steep, ESTIMATED)
        return Facts(properties, constants)

    def counts(self) -> tuple[int, int, int]:
        """Blocks, rows of upper and rows of lower in each; 1 where there are none."""
        m = jax.tree.leaves(self.y0)[0].shape[0] if self.blocks else 1
        axis = 1 if self.blocks else 0
        upper, lower = (
            1 if rows is None else jax.tree.leaves(rows)[0].shape[axis]
            for rows in (self.upper_rows, self.lower_rows)
        )
        return m, upper, lower

    def in_blocks(self, y: PyTree) -> PyTree:
        """The lower variable with its axis of blocks (one block if there is none)."""
        return y if self.blocks else jax.tree.map(lambda v: jnp.asarray(v)[None], y)

    def unstack(self, y: PyTree) -> PyTree:
        """The inverse of `in_blocks`."""
        return y if self.blocks else jax.tree.map(lambda v: v[0], y)

    # Full passes.

    def upper_value(self, z: PyTree) -> Scalar:
        """F(x, y)."""
        return self._total(self.upper, z[0], z[1], self.upper_rows, jnp.mean)

    def upper_grad(self, z: PyTree) -> PyTree:
        """(F_x, F_y)."""
        return jax.grad(self.upper_value)(z)

    def upper_value_and_grad(self, z: PyTree) -> tuple[Scalar, PyTree]:
        """F and (F_x, F_y) in one pass."""
        return jax.value_and_grad(self.upper_value)(z)

    def lower_value(self, z: PyTree) -> Scalar:
        """g(x, y), summed over the blocks."""
        return self._total(self.lower, z[0], z[1], self.lower_rows, jnp.sum)

    def lower_grad(self, z: PyTree) -> PyTree:
        """grad_y g(x, y), like y."""
        return jax.grad(lambda y: self.lower_value((z[0], y)))(z[1])

    def lower_hvp(self, z: PyTree, v: PyTree) -> PyTree:
        """G_yy v, like y."""
        return jax.jvp(lambda y: self.lower_grad((z[0], y)), (z[1],), (v,))[1]

    def cross(self, z: PyTree, v: PyTree) -> PyTree:
        """G_xy v = grad_x <grad_y g(x, y), v>, like x."""
        return self.lower_products(z, v)[1]

    def lower_products(self, z: PyTree, v: PyTree) -> tuple[PyTree, PyTree]:
        """(G_yy v, G_xy v) in one pass."""

        def slope(z):
            at = lambda y: self.lower_value((z[0], y))  # noqa: E731
            return jax.jvp(at, (z[1],), (v,))[1]

        across, own = jax.grad(slope)(z)
        return own, across

    # Sampled passes: I blocks, B rows of each. Lower quantities come block by block,
    # (I, ...) as `stack` has them; quantities in x are means over the I blocks. The
    # functions are F_i and g_i: v_i of a block solves (G_i)_yy v_i = (F_i)_y.

    def sample_upper_grad(
        self, z: PyTree, blocks: Int[Array, " I"], rows: Int[Array, "I B"]
    ) -> tuple[PyTree, PyTree]:
        """Mean over the blocks of (F_i)_x, and each (F_i)_y."""
        value = self._sampled(self.upper, self.upper_rows, blocks, rows)
        gx, gy = jax.grad(lambda x, y: jnp.sum(value(x, y)), (0, 1))(
            z[0], self._taken(z[1], blocks)
        )
        return tree.scale(1 / blocks.shape[0], gx), gy

    def sample_lower_grad(
        self, z: PyTree, blocks: Int[Array, " I"], rows: Int[Array, "I B"]
    ) -> PyTree:
        """grad_y g_i of each sampled block."""
        value = self._sampled(self.lower, self.lower_rows, blocks, rows)
        return jax.grad(lambda y: jnp.sum(value(z[0], y)))(self._taken(z[1], blocks))

    def sample_lower_hvp(
        self, z: PyTree, v: PyTree, blocks: Int[Array, " I"], rows: Int[Array, "I B"]
    ) -> PyTree:
        """(G_i)_yy v_i of each sampled block, v with axis I."""
        return self.sample_lower_products(z, v, blocks, rows)[0]

    def sample_cross(
        self, z: PyTree, v: PyTree, blocks: Int[Array, " I"], rows: Int[Array, "I B"]
    ) -> PyTree:
        """Mean over the sampled blocks of (G_i)_xy v_i, like x."""
        return self.sample_lower_products(z, v, blocks, rows)[1]

    def sample_lower_products(
        self, z: PyTree, v: PyTree, blocks: Int[Array, " I"], rows: Int[Array, "I B"]
    ) -> tuple[PyTree, PyTree]:
        """Both products with the same rows in one pass."""
        value = self._sampled(self.lower, self.lower_rows, blocks, rows)

        def slope(x, y):
            return jax.jvp(lambda w: jnp.sum(value(x, w)), (y,), (v,))[1]

        gx, gy = jax.grad(slope, (0, 1))(z[0], self._taken(z[1], blocks))
        return gy, tree.scale(1 / blocks.shape[0], gx)

    def objective(self, x: PyTree) -> Scalar:
        """F(x, y) at the pair; below the optimum where y is not yet y*(x)."""
        return self.upper_value(x)

    def undefined(self, x: PyTree) -> Any:
        """Whether F or g is not a number."""
        return jnp.isnan(self.upper_value(x)) | jnp.isnan(self.lower_value(x))

    def optimality(self, point: Point) -> Point:
        """(F_x - G_xy v, grad_y g) with G_yy v = F_y solved at the pair."""
        z = point.x
        fx, fy = self.upper_grad(z)
        v = bilevel_solves.exact_adjoint(self, z, fy)
        return Point((tree.sub(fx, self.cross(z, v)), self.lower_grad(z)))

    def formula(self) -> str:
        """Both levels as text."""
        names = [f.narrow.program.name for f in (self.upper, self.lower)]
        many = f", {self.counts()[0]} lower problems" if self.blocks else ""
        return (
            f"minimise F = {names[0]}(x, y*(x)), y*(x) = argmin_y g = {names[1]}(x, y)"
            f", {tree.size(self.x0)} + {tree.size(self.y0)} unknowns{many}"
        )

    def stronger(self) -> str | None:
        """The bound of the hypergradient, where its constants are declared."""
        known = self.lower_mu is not None and self.smoothness is not None
        return "hypergradient_bound" if known else None

    def untried(self, x: PyTree) -> str | None:
        """A hypergradient also vanishes where Phi is flat."""
        return (
            "nothing was tried: the start passes as it stands. A hypergradient "
            "vanishes on flat regions, at saddles and maxima of Phi as well, far above "
            "the best F: start elsewhere (start=(x, y)) and compare F"
        )

    def beside(self) -> Point | None:
        """x0 moved by a tenth of its size, with the same y0."""
        return Point((inputs.moved(self.x0), self.y0))

    def _total(self, fun, x, y, rows, reduce):
        if not self.blocks:
            return _mean(fun, x, y, rows, self.args)
        axes = (0, None if rows is None else 0)
        each = jax.vmap(lambda w, r: _mean(fun, x, w, r, self.args), axes)
        return reduce(each(y, rows))

    def _taken(self, y, blocks):
        return jax.tree.map(lambda v: jnp.asarray(v)[blocks], self.in_blocks(y))

    def _sampled(self, fun, data, blocks, rows):
        """Values of the sampled blocks at (x, their y)."""
        axes = (0, None)
        taken = None
        if data is not None:
            at = (blocks[:, None], rows) if self.blocks else (rows,)
            taken, axes = jax.tree.map(lambda v: jnp.asarray(v)[at], data), (0, 0)
        one = lambda x: lambda y, r: _mean(fun, x, y, r, self.args)  # noqa: E731
        return lambda x, y: jax.vmap(one(x), axes)(y, taken)


def _mean(fun, x, y, rows, args):
    if rows is None:
        return fun(x, y, *args)
    return jnp.mean(jax.vmap(lambda row: fun(x, y, row, *args))(rows))

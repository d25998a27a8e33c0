"""Minimise half a sum of squared residuals: nonlinear least squares."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.door import door
from banach.core.facts import CONSTRUCTION, Facts
from banach.core.fitted import Fitted
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds import bounds, diagnoses, inputs
from banach.kinds.bases import Differentiable, Started, check_floating, within
from banach.kinds.least_squares import fits
from banach.parts.sparse import SparseMatrix
from banach.terms.sets import Box

Scalar = Float[Array, ""]
DENSE_JACOBIAN_UP_TO = 2000
# Entries of a dense Jacobian for each that sparse data store (ours).
DENSER = 16
_TERM = frozenset({"prox", "project", "lmo"})


@kind(
    name="NonlinearLeastSquares",
    oracles="value grad hvp hess residual jacobian prox project lmo",
    checks="projected_residual stationarity step",
    views="without_term root_of_gradient inclusion_of_gradient forward_backward",
    term="the bounds",
    prefers={
        "term, size<=2000": "bounded_levenberg_marquardt scipy:L-BFGS-B",
        "term": "lbfgsb scipy:L-BFGS-B proximal_gradient",
        "size<=2000": "levenberg_marquardt trust_region_newton lbfgs",
        "": "lbfgs",
    },
    cures={"residual": "State residuals as bn.least_squares(r, x0), F = 0 as bn.Root"},
    public={"problem": "least_squares"},
    zoo="fit",
)
class NonlinearLeastSquares(Differentiable, Started):
    """minimise f(x) = 1/2 ||r(x)||^2, r any JAX function to a pytree of arrays.

    The gradient is J'r; `hvp` and `hess` include the second derivatives of r. SciPy's
    `least_squares` has the same factor 1/2; its gtol bounds the max-norm of J'r.

    `data` are the observations that r = model - data is made from, shaped like r and
    in its units (divided by sigma where r is). Only their norm is used, as the size
    that an exact fit is small against; without them the residual at `reference` is.

    With `lower` and `upper` the least one within these bounds is sought, and value,
    grad, hvp and hess are of the sum of squares alone. A start outside is moved to the
    nearest point inside.

    Args:
        residual: residual(x, *args), a JAX function to a pytree of arrays.
        x0: the start, a pytree of floating arrays.
        args: further arguments of residual, pytrees of arrays.
        data: the observations, shaped like the residual.
        lower, upper: numbers, or like x; -inf and inf, or None, where there is none.
            Of a dict the names that have one are enough.
        reference: the point whose residual "small" is relative to, like x.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real arrays, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> t, y = np.arange(4.0), np.array([1.0, 2.0, 4.1, 8.0])
        >>> grow = bn.NonlinearLeastSquares(
        ...     lambda p: p[0] * jnp.exp(p[1] * t) - y, np.ones(2), data=y
        ... )
        >>> bn.solve(grow).x.round(3)
        array([1.027, 0.685])
    """

    fun: inputs.Function
    x0: PyTree
    args: tuple
    data: PyTree
    reference: PyTree
    term: Box | None

    def __init__(
        self,
        residual: Callable[..., PyTree],
        x0: PyTree,
        args: tuple = (),
        *,
        data: PyTree = None,
        lower: PyTree = None,
        upper: PyTree = None,
        reference: PyTree = None,
    ):
        self.x0, self.args = inputs.read(x0, args)
        name = "NonlinearLeastSquares' residual"
        self.fun = inputs.function(residual, self.x0, self.args, name)
        check_floating(self.fun.narrow, name)
        inputs.differentiable(self.fun, self.x0, self.args, name)
        self.data = None if data is None else _observed(data, self.fun, self.x0)
        self.reference = inputs.reference(self.x0, reference)
        low, high = bounds.read(self.x0, lower, upper)
        self.term = None if low is None else Box(low, high)

    def restated(self) -> "NonlinearLeastSquares":
        """Through the constructor, the function as traced."""
        sides = (
            (None, None) if self.term is None else (self.term.lower, self.term.upper)
        )
        return self.through_constructor(
            residual=self.fun, lower=sides[0], upper=sides[1]
        )

    def oracles(self) -> frozenset[str]:
        """Those of the card; no dense ones where data are sparse, see `affordable`."""
        dense = frozenset() if self.affordable() else frozenset({"hess", "jacobian"})
        return super().oracles() - dense - (_TERM - self.essential())

    def essential(self) -> frozenset[str]:
        """What the bounds offer: ignoring all of it solves another problem."""
        return frozenset() if self.term is None else _TERM & self.term.offers()

    def start(self) -> Point:
        """x0, moved within the bounds."""
        return Point(self.x0 if self.term is None else within(self.term, self.x0))

    def bounds(self) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Lower and upper bounds as vectors, infinite where there is none."""
        flat, _ = tree.ravel(self.x0)
        if self.term is None:
            return jnp.full_like(flat, -jnp.inf), jnp.full_like(flat, jnp.inf)
        return tree.ravel(self.term.lower)[0], tree.ravel(self.term.upper)[0]

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The nearest point within the bounds, whatever t."""
        return self.project(v)

    def project(self, v: PyTree) -> PyTree:
        """The nearest point within the bounds."""
        return v if self.term is None else self.term.project(v)

    def lmo(self, g: PyTree) -> PyTree:
        """A corner that minimises <g, x>, where all bounds are finite."""
        if self.term is None:
            raise Misuse("without bounds there is no corner: state lower= and upper=")
        return self.term.lmo(g)

    def residual_step(self) -> Scalar:
        """The t of the prox residual: 1."""
        return jnp.ones((), tree.dtype(self.x0))

    def optimality(self, point: Point) -> Point:
        """The gradient; with bounds x - P(x - grad f(x)), 0 at stationary points."""
        g = self.grad(point.x)
        if self.term is None:
            return Point(g)
        return Point(tree.sub(point.x, self.project(tree.sub(point.x, g))))

    def affordable(self) -> bool:
        """Whether a dense Jacobian is of one size with the data.

        Beside a sparse matrix it may be a hundred times as large, and is not offered.
        """
        leaves = jax.tree.leaves(self.args, is_leaf=_is_sparse)
        stored = [v.nnz for v in leaves if _is_sparse(v)]
        entries = self.size() * self.residual_size()
        return not stored or entries <= DENSER * sum(stored) + 2**20

    def prices(self) -> Mapping[str, float]:
        """A Jacobian is as many passes as it has columns, or rows where few."""
        few = min(self.size(), self.residual_size())
        return {"residual": 1.0, "jacobian": 1.0 + few}

    def facts(self) -> Facts:
        """Differentiable by construction."""
        return Facts({"smooth": CONSTRUCTION})

    def residual(self, x: PyTree) -> Float[Array, " m"]:
        """r(x), flattened to one vector."""
        return tree.ravel(self.fun(x, *self.args))[0]

    def jacobian(self, x: PyTree) -> Float[Array, "m n"]:
        """The dense Jacobian of r in the order of tree.ravel."""
        flat, back = tree.ravel(x)
        wide = self.residual_size() < flat.size
        jac = jax.jacrev if wide else jax.jacfwd
        return jac(lambda v: self.residual(back(v)))(flat)

    def gauss_newton(self, x: PyTree) -> Float[Array, "n n"]:
        """J'J at x, positive semidefinite."""
        J = self.jacobian(x)
        return jnp.matmul(J.T, J, precision=tree.PRECISION)

    def residual_size(self) -> int:
        """Number of residuals."""
        return sum(v.aval.size for v in self.fun.narrow.program.jaxpr.outvars)

    def value(self, x: PyTree) -> Scalar:
        """1/2 ||r(x)||^2."""
        r = self.residual(x)
        return jnp.vdot(r, r, precision=tree.PRECISION) / 2

    def formula(self) -> str:
        """The objective as text."""
        name = self.fun.narrow.program.name
        within = "" if self.term is None else " over lower <= x <= upper"
        return f"minimise 1/2 ||{name}(x)||^2{within}, {self.residual_size()} residuals"

    def default_check(self) -> str:
        """The projected residual; stationarity where J is too large to factorise."""
        if self.size() <= DENSE_JACOBIAN_UP_TO and self.affordable():
            return "projected_residual"
        return "stationarity" if self.term is None else "step"

    def fitted(self, x: PyTree) -> Fitted:
        """x as an estimate, by the Jacobian and the second derivatives at x."""
        if not self.affordable() or self.size() > DENSE_JACOBIAN_UP_TO:
            raise Misuse(
                f"a dense Jacobian of {self.residual_size()} residuals and "
                f"{self.size()} parameters is too large for standard errors; fix "
                "parameters that are not asked about"
            )
        return fits.fitted(self, x)

    def diagnosis(self, x: PyTree) -> str | None:
        """Parameters that r does not feel at x, where a Jacobian can say so."""
        return diagnoses.without_effect(self, x) if self.affordable() else None


@door
def least_squares(
    residual: Callable[..., PyTree],
    x0: PyTree,
    args: tuple = (),
    *,
    data: PyTree = None,
    lower: PyTree = None,
    upper: PyTree = None,
) -> NonlinearLeastSquares:
    """State 1/2 ||residual(x, *args)||^2 as a problem; `data` are its observations.

    Args:
        residual: residual(x, *args), a JAX function to a pytree of arrays.
        x0: the start, a pytree of floating arrays.
        args: further arguments of residual, pytrees of arrays.
        data: the observations, shaped like the residual and in its units.
        lower, upper: bounds of x: numbers, or like x; -inf and inf, or None, where
            there is none. Of a dict the names that have one are enough.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real arrays, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> t, y = np.arange(4.0), np.array([1.0, 2.9, 5.2, 7.0])
        >>> line = bn.least_squares(
        ...     lambda p: p["a"] + p["b"] * t - y, {"a": 0.0, "b": 0.0}, data=y
        ... )
        >>> result = bn.solve(line)
        >>> {name: round(float(v), 3) for name, v in result.x.items()}
        {'a': 0.98, 'b': 2.03}
    """
    return NonlinearLeastSquares(
        residual, x0, args, data=data, lower=lower, upper=upper
    )


def _observed(data: PyTree, fun: inputs.Function, x0: PyTree) -> PyTree:
    """Observations in the structure and shapes of the residuals, or Misuse."""
    program = fun.narrow.program
    data = inputs.variable(data, "data")
    got = inputs.shapes(data)
    want = [tuple(v.aval.shape) for v in program.jaxpr.outvars]
    if jax.tree.structure(data) != program.out_tree or got != want:
        raise Misuse(
            f"data must have the structure and shapes of the residuals, {want}; got "
            f"shapes {got}: give the observations that r = model - data is made from"
        )
    return jax.tree.map(lambda v: inputs.narrowed(v, tree.dtype(x0), "data"), data)


def _is_sparse(value: Any) -> bool:
    return isinstance(value, SparseMatrix)

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
from banach.core.problem import Misuse
from banach.kinds import diagnoses, inputs
from banach.kinds.bases import Differentiable, Started, check_floating
from banach.kinds.least_squares import fits
from banach.parts.sparse import SparseMatrix

Scalar = Float[Array, ""]
DENSE_JACOBIAN_UP_TO = 2000
# Entries of a dense Jacobian for each that sparse data store (ours).
DENSER = 16


@kind(
    name="NonlinearLeastSquares",
    oracles="value grad hvp hess residual jacobian",
    checks="projected_residual stationarity",
    views="without_term root_of_gradient inclusion_of_gradient forward_backward",
    prefers={
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

    Args:
        residual: residual(x, *args), a JAX function to a pytree of arrays.
        x0: the start, a pytree of floating arrays.
        args: further arguments of residual, pytrees of arrays.
        data: the observations, shaped like the residual.
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

    def __init__(
        self,
        residual: Callable[..., PyTree],
        x0: PyTree,
        args: tuple = (),
        *,
        data: PyTree = None,
        reference: PyTree = None,
    ):
        self.x0, self.args = inputs.read(x0, args)
        name = "NonlinearLeastSquares' residual"
        self.fun = inputs.function(residual, self.x0, self.args, name)
        check_floating(self.fun.narrow, name)
        inputs.differentiable(self.fun, self.x0, self.args, name)
        self.data = None if data is None else _observed(data, self.fun, self.x0)
        self.reference = inputs.reference(self.x0, reference)

    def restated(self) -> "NonlinearLeastSquares":
        """Through the constructor, the function as traced."""
        return self.through_constructor(residual=self.fun)

    def oracles(self) -> frozenset[str]:
        """Those of the card; no dense ones where data are sparse, see `affordable`."""
        dense = frozenset() if self.affordable() else frozenset({"hess", "jacobian"})
        return super().oracles() - dense

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
        return f"minimise 1/2 ||{name}(x)||^2, {self.residual_size()} residuals"

    def default_check(self) -> str:
        """The projected residual; stationarity where J is too large to factorise."""
        small = self.size() <= DENSE_JACOBIAN_UP_TO and self.affordable()
        return "projected_residual" if small else "stationarity"

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
) -> NonlinearLeastSquares:
    """State 1/2 ||residual(x, *args)||^2 as a problem; `data` are its observations.

    Args:
        residual: residual(x, *args), a JAX function to a pytree of arrays.
        x0: the start, a pytree of floating arrays.
        args: further arguments of residual, pytrees of arrays.
        data: the observations, shaped like the residual and in its units.

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
    return NonlinearLeastSquares(residual, x0, args, data=data)


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

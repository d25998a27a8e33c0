"""Minimise a differentiable function, and nonlinear least squares."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import reading, tree
from banach.core.door import door
from banach.core.facts import CONSTRUCTION, DECLARED, Facts, given
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.kinds import diagnoses, inputs
from banach.kinds.smooth import unbounded
from banach.parts.sparse import SparseMatrix

Scalar = Float[Array, ""]
_ORACLES = frozenset({"value", "grad", "hvp", "hess"})
DENSE_JACOBIAN_UP_TO = 2000
# Entries of a dense Jacobian for each that sparse data store (ours).
DENSER = 16


class Started(Problem):
    """A problem stated with a start `x0` and a `reference` (None: absolute)."""

    x0: eqx.AbstractVar[PyTree]
    reference: eqx.AbstractVar[PyTree]

    def space(self) -> PyTree:
        """Structure of x0."""
        return structs(self.x0)

    def start(self) -> Point:
        """The start x0."""
        return Point(self.x0)

    def reference_point(self) -> Point | None:
        """The declared reference."""
        return None if self.reference is None else Point(self.reference)


class Differentiable(Problem):
    """A problem whose derivatives are those of `value`, taken by JAX."""

    @abc.abstractmethod
    def value(self, x: PyTree) -> Scalar:
        """f(x)."""

    def grad(self, x: PyTree) -> PyTree:
        """The gradient, a pytree like x."""
        return jax.grad(self.value)(x)

    def value_and_grad(self, x: PyTree) -> tuple[Scalar, PyTree]:
        """f(x) and its gradient in one pass."""
        return jax.value_and_grad(self.value)(x)

    def hvp(self, x: PyTree, v: PyTree) -> PyTree:
        """The Hessian at x applied to v."""
        return jax.jvp(self.grad, (x,), (v,))[1]

    def hess(self, x: PyTree) -> Float[Array, "n n"]:
        """The dense Hessian in the order of tree.ravel."""
        return dense_hessian(self.value, x)

    def objective(self, x: PyTree) -> Scalar:
        """f(x)."""
        return self.value(x)

    def optimality(self, point: Point) -> Point:
        """The gradient."""
        return Point(self.grad(point.x))


class Minimised(Differentiable):
    """A differentiable objective: what there is to say where a run has no answer."""

    def untried(self, x: PyTree) -> str | None:
        """Whether a start that is stationary is a saddle, a maximum or flat."""
        if self.facts().has("convex"):
            return None
        return diagnoses.untried(self, x)

    def beside(self) -> Point | None:
        """x0 moved by a tenth of its size, in one fixed direction."""
        if self.facts().has("convex"):
            return None
        return Point(inputs.moved(self.start().x))

    def diagnosis(self, x: PyTree) -> str | None:
        """Whether f keeps falling along a ray from x."""
        return diagnoses.falling(self, x)


class Smooth(Minimised, Started):
    """minimise f(x) over a pytree x, f any JAX function that jax.grad accepts.

    `fun(x, *args)` returns a real scalar. It is traced once; arrays that it captured
    and `args` are leaves, so that vmap and grad over the data are free. "smooth"
    means differentiable; L, mu, M (self_concordant) and radius, a bound on
    ||x0 - x*||, are believed as declared and named in every certificate that relies
    on them. `reference` is the point that "small" is relative to (None: absolute).

    Against SciPy: `scipy.optimize.minimize(fun, x0, args)` minimises the same f; its
    gtol bounds the max-norm of the gradient, `Absolute` stationarity the 2-norm.
    """

    kind: ClassVar[str] = "Smooth"

    fun: inputs.Function
    x0: PyTree
    args: tuple
    L: Any
    mu: Any
    M: Any
    radius: Any
    reference: PyTree
    convex: bool = eqx.field(static=True)

    def __init__(
        self,
        fun: Callable[..., Scalar],
        x0: PyTree,
        args: tuple = (),
        *,
        convex: bool = False,
        L: Any = None,
        mu: Any = None,
        self_concordant: Any = None,
        radius: Any = None,
        reference: PyTree = None,
    ):
        self.x0, self.args = inputs.read(x0, args)
        self.fun = inputs.function(fun, self.x0, self.args, "Smooth's fun")
        check_scalar(self.fun.narrow, "Smooth's fun")
        inputs.differentiable(self.fun, self.x0, self.args, "Smooth's fun")
        self.L = inputs.constant(L, "L")
        self.mu = inputs.constant(mu, "mu")
        self.M = inputs.constant(self_concordant, "self_concordant")
        self.radius = inputs.constant(radius, "radius")
        inputs.ordered(self.mu, self.L, ("mu", "L"), inputs.CURVATURES)
        self.reference = inputs.reference(self.x0, reference)
        self.convex = reading.flag(convex, "convex") or mu is not None

    def unsolvable(self) -> tuple[str, str] | None:
        """Unbounded where f is affine, by its program, and not constant."""
        proof = unbounded.affine(self.fun, self.x0, self.args)
        return None if proof is None else ("unbounded", proof)

    def stronger(self) -> str | None:
        """A gap by mu, or by a ball that holds a minimiser."""
        if self.mu is not None:
            return "strong_gap"
        return "ball_gap" if self.convex and self.radius is not None else None

    def restated(self) -> "Smooth":
        """Through the constructor, the function as traced."""
        return Smooth(
            self.fun,
            self.x0,
            self.args,
            convex=self.convex,
            L=self.L,
            mu=self.mu,
            self_concordant=self.M,
            radius=self.radius,
            reference=self.reference,
        )

    def oracles(self) -> frozenset[str]:
        """Value, gradient, Hessian products and the dense Hessian."""
        return _ORACLES

    def facts(self) -> Facts:
        """What was declared; differentiability by construction."""
        properties = {"smooth": CONSTRUCTION}
        if self.convex:
            properties["convex"] = DECLARED
        if self.mu is not None:
            properties["strongly_convex"] = DECLARED
        if self.M is not None:
            properties["self_concordant"] = DECLARED
        constants = {"L": self.L, "mu": self.mu, "M": self.M, "radius": self.radius}
        return Facts(properties, given(constants))

    def value(self, x: PyTree) -> Scalar:
        """f(x)."""
        return self.fun(x, *self.args)

    def formula(self) -> str:
        """The objective as text."""
        return f"minimise {self.fun.narrow.program.name}(x), {self.size()} unknowns"

    def default_check(self) -> str:
        """Stationarity."""
        return "stationarity"

    def as_root(self) -> Problem:
        """grad f(x) = 0."""
        from banach.kinds.root.problem import Root

        return Root(jax.grad(self.value), self.x0)

    def as_composite(self) -> Problem:
        """f plus the zero term."""
        from banach.kinds.composite.problem import Composite
        from banach.terms.norms import Zero

        return Composite(self, Zero())


class NonlinearLeastSquares(Differentiable, Started):
    """minimise f(x) = 1/2 ||r(x)||^2, r any JAX function to a pytree of arrays.

    The gradient is J'r; `hvp` and `hess` include the second derivatives of r. SciPy's
    `least_squares` has the same factor 1/2; its gtol bounds the max-norm of J'r.

    `data` are the observations that r = model - data is made from, shaped like r and
    in its units (divided by sigma where r is). Only their norm is used, as the size
    that an exact fit is small against; without them the residual at `reference` is.
    """

    kind: ClassVar[str] = "NonlinearLeastSquares"

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
        return NonlinearLeastSquares(
            self.fun, self.x0, self.args, data=self.data, reference=self.reference
        )

    def oracles(self) -> frozenset[str]:
        """The oracles of a smooth function, the residual and its Jacobian.

        Not the dense ones where sparse data are so much smaller, see `affordable`.
        """
        if not self.affordable():
            return _ORACLES - {"hess"} | {"residual"}
        return _ORACLES | {"residual", "jacobian"}

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

    def diagnosis(self, x: PyTree) -> str | None:
        """Parameters that r does not feel at x, where a Jacobian can say so."""
        return diagnoses.without_effect(self, x) if self.affordable() else None


def _is_sparse(value: Any) -> bool:
    return isinstance(value, SparseMatrix)


@door
def least_squares(
    residual: Callable[..., PyTree],
    x0: PyTree,
    args: tuple = (),
    *,
    data: PyTree = None,
) -> NonlinearLeastSquares:
    """State 1/2 ||residual(x, *args)||^2 as a problem; `data` are its observations."""
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


def dense_hessian(value: Callable[[PyTree], Scalar], x: PyTree) -> Float[Array, "n n"]:
    """Hessian of a function of a pytree, in the order of tree.ravel."""
    flat, back = tree.ravel(x)
    return jax.hessian(lambda v: value(back(v)))(flat)


def structs(x: PyTree) -> PyTree:
    """Shapes and dtypes of a pytree of arrays."""
    return jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), x)


def check_floating(fun: Any, name: str) -> None:
    """Refuse results that are not real floating numbers."""
    if not fun.program.jaxpr.outvars:
        raise Misuse(
            f"{name} returns no numbers\n  return an array, e.g. jnp.sum(x**2)"
        )
    for v in fun.program.jaxpr.outvars:
        kind = v.aval.dtype
        if jnp.issubdtype(kind, jnp.complexfloating):
            raise Misuse(
                f"{name} returns {kind} numbers, where real ones are minimised or "
                "solved\n  return their real part, .real, or jnp.abs(value) ** 2"
            )
        if not jnp.issubdtype(kind, jnp.floating):
            raise Misuse(
                f"{name} returns {kind}, which cannot be differentiated; "
                "return real floating numbers, e.g. (1.0 * result)"
            )


def check_scalar(fun: Any, name: str) -> None:
    """Refuse results that are not one real floating number."""
    outs = fun.program.jaxpr.outvars
    shapes = [v.aval.shape for v in outs]
    if shapes != [()]:
        raise Misuse(
            f"{name} must return one scalar, got shapes {shapes}; reduce it, e.g. "
            "with jnp.sum, or state residuals as bn.least_squares"
        )
    check_bare(fun, name)
    check_floating(fun, name)


def check_bare(fun: Any, name: str) -> None:
    """Refuse one number inside a list, tuple or dict, which JAX does not derive."""
    tree = fun.program.out_tree
    if not jax.tree_util.treedef_is_leaf(tree):
        raise Misuse(
            f"{name} returns its number inside a container, {tree}; return the number "
            "itself, e.g. value in place of [value]"
        )

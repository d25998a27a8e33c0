"""Systems of equations F(x) = 0."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.facts import CONSTRUCTION, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.view import Way
from banach.kinds import diagnoses, inputs
from banach.kinds.bases import check_floating, structs


@kind(
    name="Root",
    oracles="residual jacobian",
    checks="residual",
    views="least_squares",
    prefers={"": "newton_root powell_hybrid broyden"},
    zoo="root",
)
class Root(Problem):
    """Find x with F(x) = 0, F a JAX function to a pytree shaped like x.

    Each equation is small in its own unit. `scale`, one positive number or a pytree
    like x, gives these units. Without it they are the sizes of the terms of F_i at
    `reference`, a point like x, or else at x0, which then can only be believed as far
    as the terms at the judged point agree (see the check "residual"). SciPy's `root`
    solves the same equations.

    Args:
        fun: fun(x, *args), a JAX function to a pytree shaped like x.
        x0: the start, a pytree of floating arrays.
        args: further arguments of fun, pytrees of arrays.
        scale: the unit of each equation, one number > 0 or a pytree like x.
        reference: a point like x at which the sizes of the terms are taken.

    Raises:
        Misuse: a function that JAX cannot trace or that returns something not shaped
            like x, a start that is not floating, constants out of range, each with the
            cure.

    Example:
        >>> square = bn.Root(lambda x: x**2 - 2.0, np.ones(1))
        >>> bn.solve(square).x.round(6)
        array([1.414214])
    """

    fun: inputs.Function
    x0: PyTree
    args: tuple
    scale: PyTree
    reference: PyTree

    def __init__(
        self,
        fun: Callable[..., PyTree],
        x0: PyTree,
        args: tuple = (),
        *,
        scale: PyTree = None,
        reference: PyTree = None,
    ):
        self.x0, self.args = inputs.read(x0, args)
        self.fun = inputs.function(fun, self.x0, self.args, "Root's fun")
        check_floating(self.fun.narrow, "Root's fun")
        got = [v.aval.shape for v in self.fun.narrow.program.jaxpr.outvars]
        want = [v.shape for v in jax.tree.leaves(self.x0)]
        if got != want:
            raise Misuse(
                f"Root's fun returns shapes {got} for a variable of shapes {want}; as "
                "many equations as unknowns are needed, or state bn.least_squares"
            )
        self.scale = None
        if scale is not None:
            self.scale = inputs.weights(self.x0, scale, "scale", "positive")
        self.reference = inputs.reference(self.x0, reference)

    def restated(self) -> "Root":
        """Through the constructor, the function as traced."""
        return self.through_constructor()

    def prices(self) -> Mapping[str, float]:
        """A Jacobian is n directional derivatives."""
        return {"residual": 1.0, "jacobian": 2.0 * self.size()}

    def space(self) -> PyTree:
        """Structure of x0."""
        return structs(self.x0)

    def start(self) -> Point:
        """The start x0."""
        return Point(self.x0)

    def facts(self) -> Facts:
        """Differentiable by construction."""
        return Facts({"smooth": CONSTRUCTION})

    def reference_point(self) -> Point | None:
        """The declared reference."""
        return None if self.reference is None else Point(self.reference)

    def residual(self, x: PyTree) -> PyTree:
        """F(x), in the structure of x."""
        out = jax.tree.leaves(self.fun(x, *self.args))
        return jax.tree.unflatten(jax.tree.structure(x), out)

    def jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """The dense Jacobian in the order of tree.ravel."""
        flat, back = tree.ravel(x)
        return jax.jacfwd(lambda v: tree.ravel(self.residual(back(v)))[0])(flat)

    def objective(self, x: PyTree) -> Float[Array, ""]:
        """The merit 1/2 ||F(x)||^2."""
        r = self.residual(x)
        return tree.vdot(r, r) / 2

    def optimality(self, point: Point) -> Point:
        """F(x)."""
        return Point(self.residual(point.x))

    def formula(self) -> str:
        """The equations as text."""
        return f"{self.fun.narrow.program.name}(x) = 0, {self.size()} unknowns"

    def undefined(self, x: PyTree) -> Bool[Array, ""]:
        """Whether F has no value at x."""
        leaves = jax.tree.leaves(self.residual(x))
        return jnp.any(jnp.stack([jnp.any(jnp.isnan(v)) for v in leaves]))

    def diagnosis(self, x: PyTree) -> str | None:
        """Whether ||F|| is stationary at x, or the Jacobian singular there."""
        return diagnoses.no_descent(self, x)

    def views(self) -> tuple[Way, ...]:
        """As least squares."""
        from banach.kinds.root import views

        return views.of(self)

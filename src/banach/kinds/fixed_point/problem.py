"""Fixed points x = T(x), with what is known of T as a contraction."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.facts import DECLARED, Facts, given
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.view import Way
from banach.kinds import inputs
from banach.kinds.bases import Started, check_floating

Scalar = Float[Array, ""]
NORMS = ("2", "inf")


@kind(
    name="FixedPoint",
    oracles="map",
    checks="fixed_point contraction",
    views="inclusion_of_map root_of_map",
    prefers={"": "anderson picard"},
    zoo="fixed_point",
)
class FixedPoint(Started):
    """Find x with x = T(x, *args), T a JAX function to a pytree shaped like x.

    `contraction` = q in (0, 1) declares ||T(a) - T(b)|| <= q ||a - b|| for all a, b
    in the norm `norm`: "2", sqrt(sum (w x)^2), or "inf", max |w x|, over all leaves,
    with positive `weights` w like x (1 where omitted). Then the fixed point is one,
    and ||x - x*|| <= ||x - T(x)|| / (1 - q) in that norm, which is what the default
    check certifies. A q that holds in another norm is a wrong q here. It is believed
    as declared, printed among the assumptions, and refuted by sampled pairs.

    `nonexpansive=True` declares q = 1: then, and with nothing declared, the check
    speaks of ||x - T(x)|| alone and of no distance. `reference` is the point that
    "small" is relative to (None: absolute).

    Against peers: `scipy.optimize.fixed_point(func, x0)` iterates the same T for
    vectors, with an xtol on the last step; Optimistix's FixedPointIteration likewise.

    Args:
        fun: fun(x, *args), a JAX function to a pytree shaped like x.
        x0: the start, a pytree of floating arrays.
        args: further arguments of fun, pytrees of arrays.
        contraction: q in (0, 1), in the norm `norm`.
        norm: "2" or "inf".
        weights: positive, like x; None: 1.
        nonexpansive: whether q = 1 holds.
        reference: the point that "small" is relative to, like x.

    Raises:
        Misuse: a function that JAX cannot trace or that returns something not shaped
            like x, a start that is not floating, constants out of range, each with the
            cure.

    Example:
        >>> half = bn.FixedPoint(lambda x: x / 2 + 1, np.zeros(2), contraction=0.5)
        >>> bn.solve(half).x.round(4)
        array([2., 2.])
    """

    fun: inputs.Function
    x0: PyTree
    args: tuple
    q: Any
    weights: PyTree
    reference: PyTree
    norm: str = eqx.field(static=True)
    nonexpansive: bool = eqx.field(static=True)

    def __init__(
        self,
        fun: Callable[..., PyTree],
        x0: PyTree,
        args: tuple = (),
        *,
        contraction: Real | None = None,
        norm: str = "2",
        weights: PyTree = None,
        nonexpansive: bool = False,
        reference: PyTree = None,
    ):
        self.x0, self.args = inputs.read(x0, args)
        self.fun = inputs.function(fun, self.x0, self.args, "FixedPoint's fun")
        check_floating(self.fun.narrow, "FixedPoint's fun")
        got = [v.aval.shape for v in self.fun.narrow.program.jaxpr.outvars]
        want = [v.shape for v in jax.tree.leaves(self.x0)]
        if got != want:
            raise Misuse(
                f"FixedPoint's fun returns shapes {got} for a variable of shapes "
                f"{want}; T must map a point to a point of the same shapes"
            )
        self.q = contraction_factor(contraction)
        self.norm = validation.choice(norm, "norm", NORMS)
        self.weights = None
        if weights is not None:
            self.weights = inputs.weights(self.x0, weights, "weights", "positive")
        declared = validation.flag(nonexpansive, "nonexpansive")
        self.nonexpansive = declared or self.q is not None
        self.reference = inputs.reference(self.x0, reference)

    def restated(self) -> "FixedPoint":
        """Through the constructor, the map as traced."""
        return self.through_constructor(contraction=self.q)

    def facts(self) -> Facts:
        """Contraction factor q and nonexpansiveness, as declared."""
        properties = {}
        if self.nonexpansive:
            properties["nonexpansive"] = DECLARED
        if self.q is not None:
            properties["contractive"] = DECLARED
        return Facts(properties, given({"q": self.q}))

    def map(self, x: PyTree) -> PyTree:
        """T(x), in the structure of x."""
        out = jax.tree.leaves(self.fun(x, *self.args))
        return jax.tree.unflatten(jax.tree.structure(x), out)

    def weighted(self, x: PyTree) -> PyTree:
        """Each entry times its weight."""
        if self.weights is None:
            return x
        return jax.tree.map(lambda v, w: v * jnp.asarray(w, v.dtype), x, self.weights)

    def objective(self, x: PyTree) -> Scalar:
        """The merit 1/2 ||x - T(x)||_2^2."""
        r = tree.sub(x, self.map(x))
        return tree.vdot(r, r) / 2

    def optimality(self, point: Point) -> Point:
        """x - T(x)."""
        return Point(tree.sub(point.x, self.map(point.x)))

    def undefined(self, x: PyTree) -> Any:
        """Whether T(x) is not finite."""
        return ~tree.all_finite(self.map(x))

    def formula(self) -> str:
        """The equations as text."""
        name = self.fun.narrow.program.name
        return f"x = {name}(x), {self.size()} unknowns"

    def default_check(self) -> str:
        """The distance where T contracts, else the residual."""
        return "contraction" if self.q is not None else "fixed_point"

    def views(self) -> tuple[Way, ...]:
        """As an inclusion, and as equations."""
        from banach.kinds.fixed_point import views

        return views.of(self)


def contraction_factor(q: Any, name: str = "contraction") -> Any:
    """A contraction factor as a leaf: None, or a number in (0, 1)."""
    q = inputs.constant(q, name)
    if q is None or compat.is_tracer(q) or float(q) < 1:
        return q
    raise Misuse(
        f"{name} must be below 1, got {float(q)}: no bound follows from such a map. "
        "Declare nonexpansive=True if it is 1, use the norm in which T contracts, "
        "iterate a contractive map (scale the weights, T applied several times), or "
        "state bn.Root(lambda x: x - T(x), x0)"
    )

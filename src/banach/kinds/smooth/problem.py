"""Minimise a differentiable function."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from banach.core import validation
from banach.core.annotations import Real
from banach.core.facts import CONSTRUCTION, DECLARED, Facts, given
from banach.core.kind import cure, kind
from banach.kinds import inputs
from banach.kinds.bases import Minimised, Started, check_scalar
from banach.kinds.smooth import unbounded

Scalar = Float[Array, ""]


@kind(
    name="Smooth",
    oracles="value grad hvp hess",
    checks="stationarity",
    views="without_term root_of_gradient inclusion_of_gradient forward_backward",
    prefers={
        "size<=2000, fact:convex": "lazy_newton trust_region_newton lbfgs",
        "size<=19": "newton_cg trust_region_newton lbfgs nonlinear_cg",
        "size<=2000": "lbfgs trust_region_newton newton_cg nonlinear_cg",
        "": "lbfgs newton_cg gradient_descent",
    },
    cures={"hess hvp": "State a problem with second derivatives (bn.Smooth or bn.GLM)"},
    zoo="""beale brown_badly_scaled dixon_price ginzburg_landau logistic monkey_saddle
    powell_singular quadratic rosenbrock trigonometric""",
)
class Smooth(Minimised, Started):
    """minimise f(x) over a pytree x, f any JAX function that jax.grad accepts.

    `fun(x, *args)` returns a real scalar. It is traced once; arrays that it captured
    and `args` are leaves, so that vmap and grad over the data are free. "smooth"
    means differentiable; L, mu, M (self_concordant) and radius, a bound on
    ||x0 - x*||, are believed as declared and named in every certificate that relies
    on them. `reference` is the point that "small" is relative to (None: absolute).

    Against SciPy: `scipy.optimize.minimize(fun, x0, args)` minimises the same f; its
    gtol bounds the max-norm of the gradient, `Absolute` stationarity the 2-norm.

    Args:
        fun: fun(x, *args), a JAX function to one real number.
        x0: the start, a pytree of floating arrays.
        args: further arguments of fun, pytrees of arrays.
        convex: whether f is convex.
        L: a Lipschitz constant of its gradient, in 2-norms.
        mu: its constant of strong convexity; implies convex.
        self_concordant: M with |f'''| <= 2 M f''^(3/2) along every line.
        radius: a bound of ||x0 - x*||.
        reference: the point that "small" is relative to, like x.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real number, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> bowl = bn.Smooth(
        ...     lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2), convex=True, L=2.0
        ... )
        >>> bn.solve(bowl).x.round(6)
        array([1., 1.])
    """

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
        L: Real | None = None,
        mu: Real | None = None,
        self_concordant: Real | None = None,
        radius: Real | None = None,
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
        self.convex = validation.flag(convex, "convex") or mu is not None

    def unsolvable(self) -> tuple[str, str] | None:
        """Unbounded where f is affine, by its program, and not constant."""
        proof = unbounded.affine(self.fun, self.x0, self.args)
        return None if proof is None else ("unbounded", proof)

    def stronger(self) -> str | None:
        """A gap by mu, or by a ball that holds a minimiser."""
        if self.mu is not None:
            return "strong_gap"
        return "ball_gap" if self.convex and self.radius is not None else None

    def instead(self, oracle: str) -> str | None:
        """Stochastic methods take sums; those of optax take a whole function."""
        if oracle not in ("sample", "stochastic_grad"):
            return None
        whole = "of a whole function, bn.Optax('sgd', learning_rate=0.01)"
        return f"{cure(oracle)}; {whole}"

    def restated(self) -> "Smooth":
        """Through the constructor, the function as traced."""
        return self.through_constructor(self_concordant=self.M)

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

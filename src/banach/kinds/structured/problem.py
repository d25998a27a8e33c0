"""Minimise f(x) + g(x) + h(K x): smooth, a term, and a term of a linear map."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core import compat, tree, validation
from banach.core.annotations import Matrix, Real, Reals
from banach.core.facts import CONSTRUCTION, DECLARED, Fact, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.estimate import spectrum
from banach.kinds import inputs, sparse_input
from banach.kinds.bases import Started, check_scalar
from banach.kinds.smooth.problem import Smooth
from banach.parts.operators import DenseMatrix, Operator
from banach.terms.norms import Zero
from banach.terms.term import Term

Scalar = Float[Array, ""]


@kind(
    name="Structured",
    oracles="value grad hess prox outer_prox forward adjoint",
    checks="primal_dual",
    prefers={"": "chambolle_pock davis_yin restarted_pdhg"},
    term="h(K x)",
    cures={
        "outer_prox forward adjoint": """State the problem as \
bn.Structured(f, g, h, K, x0)""",
    },
    public={"models": "TotalVariation GeneralizedLasso"},
    zoo="structured",
)
class Structured(Started):
    """minimise f(x) + g(x) + h(K x) over one array x, in any shape.

    f is smooth, or None; g and h are Terms of banach.terms with a prox (g None: 0);
    K is an array or a sparse matrix (m, n) that acts on x.ravel(), or None, the
    identity. Total variation, the fused and the generalised lasso are of this form.
    Where f has a mu, check="primal_dual_gap" bounds F(x) - F*.
    At a solution there is a y, one number a row of K, with

        0 in grad f(x) + subgradients of g at x + K'y,   y in subgradients of h at K x.

    A method hands y over as `Point.dual`; the check judges and returns both, as
    result.x and result.point.dual.

    Facts: L and mu of f as declared, norm >= ||K||.
    `steps` are those of the check, t = `step` if given, else 1 / L, else 1, and
    s = 1 / (t norm^2). A quadratic f is declared as such, tried at three points, and
    then offers its Hessian to methods that factorise.

    Args:
        f: f(x, *args), a JAX function to one real number, a `bn.Smooth`, or None.
        g: a Term with a prox, or None.
        h: a Term with a prox.
        K: (m, n), an array or a sparse matrix; None: the identity.
        x0: the start, one floating array of n entries; None: that of a `bn.Smooth`.
        args: further arguments of f, pytrees of arrays.
        L: a Lipschitz constant of the gradient of f.
        convex: whether f is convex.
        mu: the constant of strong convexity of f.
        quadratic: whether f is one.
        step: the t of the check.
        reference: the point that "small" is relative to, like x.

    Raises:
        Misuse: a term without a prox, a K that does not fit, and what `bn.Smooth`
            refuses, each with the cure.

    Example:
        >>> jump, D = np.array([0.0, 0.2, 3.0, 3.2]), np.diff(np.eye(4), axis=0)
        >>> steps = bn.Structured(
        ...     lambda x: jnp.sum((x - jump) ** 2) / 2,
        ...     None,
        ...     bn.L1(0.5),
        ...     D,
        ...     np.zeros(4),
        ...     convex=True,
        ...     L=1.0,
        ...     reference=np.zeros(4),
        ... )
        >>> bn.solve(steps).x.round(4)
        array([0.35, 0.35, 2.85, 2.85])
    """

    f: Smooth | None
    g: Term
    h: Term
    K: Operator | None
    x0: Array
    step: Any
    reference: Any
    quadratic: bool = eqx.field(static=True)

    def __init__(
        self,
        f: Callable[..., Scalar] | Smooth | None,
        g: Term | None,
        h: Term,
        K: Matrix | Operator | None = None,
        x0: Reals | None = None,
        args: tuple = (),
        *,
        L: Real | None = None,
        convex: bool | None = None,
        mu: Real | None = None,
        quadratic: bool = False,
        step: Real | None = None,
        reference: Reals | None = None,
    ):
        inputs.optional(convex, "convex")
        given = {"args": args or None, "L": L, "convex": convex, "mu": mu}
        extra = [k for k, v in given.items() if v is not None]
        if (f is None or isinstance(f, Smooth)) and extra:
            raise Misuse(
                f"{', '.join(extra)} belong to a function f; declare them on the "
                "Smooth that you pass, or leave them out where f is None"
            )
        if x0 is None:
            if not isinstance(f, Smooth):
                raise Misuse("Structured needs x0, the start; pass x0=np.zeros(n)")
            x0 = f.x0
        x0, args = inputs.read(x0, args)
        if not hasattr(x0, "shape"):
            raise Misuse("Structured's x0 must be one array; ravel the variable first")
        if isinstance(f, Smooth):
            inputs.like(f.x0, x0, "x0")
        elif f is not None:
            fun = inputs.function(f, x0, args, "Structured's f")
            check_scalar(fun.narrow, "Structured's f")
            f = Smooth(fun, x0, args, L=L, mu=mu, convex=bool(convex))
        kind = tree.dtype(x0)
        at_start: Any = x0
        self.f, self.x0 = f, at_start
        self.K = None if K is None else _operator(K, x0)
        terms = {"g": Zero() if g is None else g, "h": h}
        for name, term in terms.items():
            inputs.is_term(term, f"Structured's {name}")
            if "prox" not in term.offers():
                raise Misuse(
                    f"{type(term).__name__} has no prox, which {name} must have; use "
                    "a term that offers one"
                )
        self.g, self.h = (inputs.in_dtype(v, kind) for v in terms.values())
        with inputs.context(x0, ()):
            inputs.acts(lambda v: self.g.prox(v, 1.0), x0, "the term g")
            at = self.zero_dual()
            inputs.acts(lambda v: self.h.prox(v, 1.0), at, "the term h")
        self.step = inputs.constant(step, "step")
        self.quadratic = validation.flag(quadratic, "quadratic") or f is None
        if self.quadratic and f is not None:
            _tried(f)
        self.reference = inputs.reference(x0, reference)

    def restated(self) -> "Structured":
        """Through the constructor; the smooth part validates itself."""
        if self.f is not None:
            self.f.validate()
        return self.through_constructor()

    def oracles(self) -> frozenset[str]:
        """Those of the card; the Hessian only of a quadratic."""
        own = self._carded().oracles
        return own if self.quadratic else own - {"hess"}

    def essential(self) -> frozenset[str]:
        """The prox of h: ignoring it solves another problem."""
        return frozenset({"outer_prox"})

    def zero_dual(self) -> Any:
        """0 in the shape of y and of K x."""
        if self.K is None:
            return np.zeros(self.x0.shape, self.x0.dtype)
        return np.zeros(_shape(self.K)[0], self.x0.dtype)

    def facts(self) -> Facts:
        """Those of f, and norm >= ||K||; nothing is convex where a term is not."""
        nothing = Facts(
            {"convex": CONSTRUCTION, "smooth": CONSTRUCTION},
            {"L": Fact(np.zeros((), self.x0.dtype), CONSTRUCTION)},
        )
        own = nothing if self.f is None else self.f.facts()
        properties = dict(own.properties)
        properties.pop("self_concordant", None)
        if not (self.g.is_convex() and self.h.is_convex()):
            for name in ("convex", "strongly_convex"):
                properties.pop(name, None)
        constants = {
            k: Fact(own.get(k), own.provenance(k) or DECLARED)
            for k in ("L", "mu")
            if own.get(k) is not None
        }
        if self.K is None:
            norm = Fact(np.ones((), self.x0.dtype), CONSTRUCTION)
        else:
            how = spectrum.known_how(min(_shape(self.K)), self.K)
            norm = Fact(lambda: spectrum.norm(self.K), how)
        return Facts(properties, constants | {"norm": norm})

    def is_quadratic(self) -> bool:
        """Whether f is, as declared, or absent."""
        return self.quadratic

    def steps(self) -> tuple[Scalar, Scalar]:
        """The steps (t, s) of the check, from the problem alone; s t ||K||^2 <= 1."""
        kind = self.x0.dtype
        if self.step is not None:
            t = jnp.asarray(self.step, kind)
        else:
            L = None if self.f is None else self.f.L
            t = 1 / jnp.asarray(1 if L is None else L, kind)
        return t, 1 / (t * self.bound() ** 2)

    def bound(self) -> Scalar:
        """sqrt(||K||_1 ||K||_inf) >= ||K||, inside a trace too; 1 where it is 0."""
        one = jnp.ones(self.x0.size, self.x0.dtype)
        rows, columns = self.absolute(one), self.absolute_back(self.zero_dual() + 1)
        top = jnp.sqrt(jnp.max(rows)) * jnp.sqrt(jnp.max(columns))
        return jnp.where(top > 0, top, 1)

    def absolute(self, x: Array) -> Any:
        """|K| x."""
        return x if self.K is None else self.K.absolute(jnp.ravel(x))

    def absolute_back(self, y: Array) -> Array:
        """|K|'y, in the shape of x."""
        if self.K is None:
            return y
        like = jax.ShapeDtypeStruct((self.x0.size,), y.dtype)
        return jax.linear_transpose(self.K.absolute, like)(y)[0].reshape(self.x0.shape)

    def terms(self) -> tuple[int, int]:
        """Roundings of one entry of K x, and of K'y."""
        return (0, 0) if self.K is None else (self.K.terms(), self.K.back_terms())

    def value(self, x: Array) -> Scalar:
        """f(x), the smooth part; 0 without one."""
        return jnp.zeros((), x.dtype) if self.f is None else self.f.value(x)

    def grad(self, x: Array) -> Array:
        """The gradient of f; 0 without one."""
        return jnp.zeros_like(x) if self.f is None else self.f.grad(x)

    def hess(self, x: Array) -> Float[Array, "n n"]:
        """The dense Hessian of f; 0 without one."""
        if self.f is None:
            return jnp.zeros((self.size(), self.size()), x.dtype)
        return self.f.hess(x)

    def matrix(self) -> Float[Array, "m n"]:
        """K as a dense array."""
        if self.K is None:
            return jnp.eye(self.size(), dtype=self.x0.dtype)
        return jnp.asarray(self.K.matrix(jnp.zeros(self.size(), self.x0.dtype)))

    def prox(self, v: Array, t: Any) -> Array:
        """argmin g(x) + ||x - v||^2 / (2 t)."""
        return self.g.prox(v, t)

    def outer_prox(self, w: Array, t: Any) -> Array:
        """argmin h(z) + ||z - w||^2 / (2 t)."""
        return self.h.prox(w, t)

    def forward(self, x: Array) -> Array:
        """K x."""
        return x if self.K is None else self.K.matvec(jnp.ravel(x))

    def adjoint(self, y: Array) -> Array:
        """K'y, in the shape of x."""
        if self.K is None:
            return y
        like = jax.ShapeDtypeStruct((self.x0.size,), y.dtype)
        return self.K.rmatvec(y, like).reshape(self.x0.shape)

    def objective(self, x: Array) -> Scalar:
        """f(x) + g(x) + h(K x)."""
        return self.value(x) + self.g.value(x) + self.h.value(self.forward(x))

    def term_value(self, x: Array) -> Scalar:
        """g(x) + h(K x)."""
        return self.g.value(x) + self.h.value(self.forward(x))

    def optimality(self, point: Point) -> Point:
        """(x - x+, y - y+) of one step of the check; zero exactly at solutions.

        NaN without y: x alone has no residual here, and its derivative is NaN.
        """
        if point.dual is None:
            return Point(point.x * jnp.nan)
        x, y = point.x, point.dual
        t, s = self.steps()
        w = self.forward(x) + y / s
        after = s * (w - self.outer_prox(w, 1 / s))
        v = x - t * (self.grad(x) + self.adjoint(after))
        return Point(x - self.prox(v, t), y - after)

    def formula(self) -> str:
        """The objective as text."""
        g, h = type(self.g).__name__, type(self.h).__name__
        first = "minimise " if self.f is None else self.f.formula().split(", ")[0]
        first += "" if isinstance(self.g, Zero) else f" + {g}(x)"
        first = first.replace("minimise  + ", "minimise ")
        inner = "x" if self.K is None else "K x"
        where = "" if self.K is None else f", K {self.K.describe()}"
        joint = "" if first == "minimise " else " + "
        return f"{first}{joint}{h}({inner}), {self.size()} unknowns{where}"


def _tried(f: Smooth) -> None:
    """Refuse what is declared a quadratic and has a third difference."""
    if compat.any_tracer(f):
        return
    with inputs.context(f.x0, ()):
        d = inputs.moved(f.x0) - f.x0
        one, two, three = (f.grad(f.x0 + k * d) for k in (0.0, 1.0, 2.0))
        bend = float(jnp.max(jnp.abs(three - 2 * two + one)))
        size = sum(float(jnp.max(jnp.abs(v))) for v in (one, two, three))
    if not bend <= 1e4 * float(jnp.finfo(f.x0.dtype).eps) * size:
        raise Misuse(
            "f was declared quadratic, and its gradient is not affine between x0 and "
            "points beside it; leave quadratic out"
        )


def _shape(K: Any) -> tuple[int, int]:
    height, width = K.entries.shape if isinstance(K, DenseMatrix) else K.shape
    return height, width


def _operator(K: Any, x0: Any) -> Operator:
    """An array or a sparse matrix that fits x0, in its dtype."""
    if isinstance(K, DenseMatrix):
        K = K.entries
    if sparse_input.is_sparse(K):
        made: Operator = sparse_input.sparse(K, "K")
    else:
        made = DenseMatrix(validation.array(K, "K", ndim=2))
    height, width = _shape(made)
    if width != np.size(x0) or height == 0:
        raise Misuse(
            f"K is {height} x {width}, and x has {np.size(x0)} entries; K acts on "
            "x.ravel()"
        )
    return inputs.in_dtype(inputs.canonical(made, ())[0], tree.dtype(x0))

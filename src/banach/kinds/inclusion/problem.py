"""Monotone inclusions 0 in F(z) + G(z) with F a finite sum, and saddle points."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import compat, trace_errors, tree, validation
from banach.core.annotations import Real
from banach.core.door import door
from banach.core.facts import DECLARED, Facts, given
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.traced_function import trace
from banach.core.view import Way
from banach.kinds import inputs
from banach.kinds.bases import check_bare, check_floating, structs, within
from banach.terms.term import Term

Scalar = Float[Array, ""]


@kind(
    name="Inclusion",
    oracles="operator component resolvent",
    checks="inclusion variational_gap",
    views="forward_backward root_of_operator",
    prefers={
        "": """extragradient backtracking_extragradient golden_ratio halpern
        vr_halpern"""
    },
    cures={
        "component": "State F as a finite sum: bn.Inclusion(components, z0, data)",
        "operator resolvent": "State bn.Inclusion(F, z0) or bn.saddle(phi, x0, y0)",
    },
    public={"problem": "saddle"},
    zoo="saddle",
)
class Inclusion(Problem):
    """Find z with 0 in F(z) + G(z), F(z) = (1/n) sum_i F_i(z), G = subgradients of g.

    `components(z, datum)` is F_i, a JAX function to a pytree like z; `data` is a
    pytree of arrays whose leading axis has length n, or None where components(z) is
    F itself. `term` is g, a Term of banach.terms (an indicator makes this a
    variational inequality), or None for the equation F(z) = 0. Believed as declared,
    named by the checks that rely on it, and refuted where sampled pairs contradict:

    monotone            <F(z) - F(v), z - v> >= 0
    cocoercive          beta, <F(z) - F(v), z - v> >= beta ||F(z) - F(v)||^2
    cocoercive_average  beta, <F(z) - F(v), z - v> >= beta mean_i ||F_i(z) - F_i(v)||^2
    L                   ||F(z) - F(v)|| <= L ||z - v||
    L_average           mean_i ||F_i(z) - F_i(v)||^2 <= L_average^2 ||z - v||^2
    mu                  <F(z) - F(v), z - v> >= mu ||z - v||^2
    radius              ||z0 - z*|| <= radius for a solution z*

    for all z, v (in the set, where the term is one). Where one implies another by
    Jensen or Cauchy-Schwarz, it is inferred. The step of the residual
    ||z - J_t(z - t F(z))|| / t is t = 1/L if L is known, else 1. The resolvent of no
    term is the identity, so that one method serves both cases. `is_saddle` says that
    F comes from a saddle function: see `saddle`.

    Args:
        components: F_i(z, datum) or, without data, F(z): a JAX function to a pytree
            like z.
        z0: the start, a pytree of floating arrays.
        data: a pytree of arrays (n, ...), one entry a component.
        term: g, a Term of banach.terms.
        monotone, cocoercive, cocoercive_average, L, L_average, mu, radius: what is
            declared, as above; numbers > 0.
        reference: the point that "small" is relative to, like z.
        is_saddle: whether F comes from a saddle function.

    Raises:
        Misuse: a function that JAX cannot trace or that returns something not shaped
            like z, a start that is not floating, constants out of range, each with the
            cure.

    Example:
        >>> turn = lambda z: jnp.stack([z[0] + z[1] - 3.0, z[1] - z[0] - 1.0])
        >>> bn.solve(
        ...     bn.Inclusion(turn, np.zeros(2), monotone=True, L=1.5, mu=1.0)
        ... ).x.round(4)
        array([1., 2.])
    """

    fun: inputs.Function
    z0: PyTree
    data: PyTree
    term: Term | None
    constants: dict[str, Any]
    reference: PyTree
    monotone: bool = eqx.field(static=True)
    is_saddle: bool = eqx.field(static=True)

    def __init__(
        self,
        components: Callable[..., PyTree],
        z0: PyTree,
        data: PyTree = None,
        *,
        term: Term | None = None,
        monotone: bool = False,
        cocoercive: Real | None = None,
        cocoercive_average: Real | None = None,
        L: Real | None = None,
        L_average: Real | None = None,
        mu: Real | None = None,
        radius: Real | None = None,
        reference: PyTree = None,
        is_saddle: bool = False,
    ):
        z0 = inputs.variable(z0, "z0")
        if not callable(components):
            raise Misuse(
                "Inclusion's components must be a function of (z, datum), got "
                f"{validation.shown(components)}; pass e.g. lambda z, d: d * z"
            )
        if data is None:
            trace_errors.arity(components, (z0,), "Inclusion's components")
            components = _Single(components)
            data = np.zeros((1, 0), tree.dtype(z0))
        z0, (data,) = inputs.canonical(z0, (inputs.data(data, "data"),))
        _count(data)
        one = jax.tree.map(lambda v: v[0], data)
        self.z0, self.data = z0, data
        self.fun = inputs.function(components, z0, (one,), "Inclusion's components")
        _check_like(self.fun.narrow, z0)
        if term is not None:
            inputs.is_term(term, "Inclusion")
        if term is not None and not term.is_convex():
            raise Misuse(
                f"{type(term).__name__} is not convex, and its subgradients are not "
                "monotone; state the sum as bn.Composite, or use a convex term"
            )
        if term is not None and "prox" not in term.offers():
            raise Misuse(
                f"{type(term).__name__} has no prox, and the resolvent of its "
                "subgradient is its prox; use a term that offers one"
            )
        if term is not None:
            term = inputs.in_dtype(term, tree.dtype(z0))
            name = f"the term {type(term).__name__}"
            with inputs.context(z0, (data,)):
                inputs.acts(lambda v: term.prox(v, 1.0), z0, name)
        self.term = term
        self.is_saddle = validation.flag(is_saddle, "is_saddle")
        given = {
            "cocoercive": cocoercive,
            "cocoercive_average": cocoercive_average,
            "L": L,
            "L_average": L_average,
            "mu": mu,
            "radius": radius,
        }
        known = {k: inputs.constant(v, k) for k, v in given.items()}
        self.constants = {k: v for k, v in known.items() if v is not None}
        _consistent(self.constants)
        implied = {"cocoercive", "cocoercive_average", "mu"} & self.constants.keys()
        self.monotone = validation.flag(monotone, "monotone") or bool(implied)
        self.reference = inputs.reference(z0, reference)

    def restated(self) -> "Inclusion":
        """Through the constructor, the components as traced."""
        return self.through_constructor(components=self.fun, **self.constants)

    @property
    def n(self) -> int:
        """Number of components (static)."""
        return jax.tree.leaves(self.data)[0].shape[0]

    def essential(self) -> frozenset[str]:
        """The resolvent where there is a term."""
        return frozenset() if self.term is None else frozenset({"resolvent"})

    def space(self) -> PyTree:
        """Structure of z0."""
        return structs(self.z0)

    def start(self) -> Point:
        """z0, projected where the term is a set that z0 lies outside of."""
        if self.term is None or "project" not in self.term.offers():
            return Point(self.z0)
        return Point(within(self.term, self.z0))

    def facts(self) -> Facts:
        """What was declared, and what follows from it."""
        properties = {"monotone": DECLARED} if self.monotone else {}
        c = dict(self.constants)
        _infer(c, "cocoercive", "cocoercive_average", lambda v: v)
        _infer(c, "L_average", "cocoercive_average", lambda v: 1 / v)
        _infer(c, "L", "cocoercive", lambda v: 1 / v)
        _infer(c, "L", "L_average", lambda v: v)
        return Facts(properties, given(c))

    def operator(self, z: PyTree) -> PyTree:
        """F(z), every component once."""
        return self._mean(z, self.data)

    def component(self, z: PyTree, batch: Int[Array, " b"]) -> PyTree:
        """(1/b) sum of F_i(z) over the indices of the batch, repetitions counted."""
        return self._mean(z, jax.tree.map(lambda v: jnp.asarray(v)[batch], self.data))

    def resolvent(self, v: PyTree, t: Any) -> PyTree:
        """J_t(v), the z with v in z + t G(z): the prox of the term, or v."""
        return v if self.term is None else self.term.prox(v, t)

    def _mean(self, z: PyTree, data: PyTree) -> PyTree:
        parts = jax.vmap(lambda datum: self.fun(z, datum))(data)
        means = [jnp.mean(v, axis=0) for v in jax.tree.leaves(parts)]
        return jax.tree.unflatten(jax.tree.structure(z), means)

    def residual_step(self) -> Scalar:
        """The t of the residual, from the problem alone."""
        L = self.facts().L
        return jnp.asarray(1 if L is None else 1 / L, tree.dtype(self.z0))

    def undefined(self, x: PyTree) -> Bool[Array, ""]:
        """Whether F has no value at x."""
        leaves = jax.tree.leaves(self.operator(x))
        return jnp.any(jnp.stack([jnp.any(jnp.isnan(v)) for v in leaves]))

    def optimality(self, point: Point) -> Point:
        """F(z) without a term, else z - J_t(z - t F(z))."""
        z = point.x
        if self.term is None:
            return Point(self.operator(z))
        t = self.residual_step()
        after = self.resolvent(tree.axpy(-t, self.operator(z), z), t)
        return Point(tree.sub(z, after))

    def objective(self, x: PyTree) -> Scalar:
        """The merit 1/2 ||residual||^2; an inclusion has no objective."""
        r = self.optimality(Point(x)).x
        return tree.vdot(r, r) / 2

    def reference_point(self) -> Point | None:
        """The declared reference."""
        return None if self.reference is None else Point(self.reference)

    def formula(self) -> str:
        """The inclusion as text."""
        name, size = self.fun.narrow.program.name, self.size()
        body = f"mean of {self.n} {name}(z)"
        if self.term is None:
            return f"{body} = 0, {size} unknowns"
        return (
            f"0 in {body} + subgradients of {type(self.term).__name__}, {size} unknowns"
        )

    def default_check(self) -> str:
        """The gap over a compact set where F is monotone, else the residual."""
        compact = self.term is not None and "lmo" in self.term.offers()
        return "variational_gap" if compact and self.monotone else "inclusion"

    def views(self) -> tuple[Way, ...]:
        """As a fixed point, and as equations."""
        from banach.kinds.inclusion import views

        return views.of(self)


class _Single:
    """F as the only component of its sum."""

    def __init__(self, fun: Callable):
        self.fun = fun
        self.__name__ = getattr(fun, "__name__", type(fun).__name__)

    def __call__(self, z: PyTree, datum: Array) -> PyTree:
        return self.fun(z)


class _Field:
    """F_i = (grad_x phi_i, -grad_y phi_i) of a saddle function."""

    def __init__(self, phi: Callable):
        self.phi = phi
        self.__name__ = getattr(phi, "__name__", type(phi).__name__)

    def __call__(self, z: tuple[PyTree, PyTree], *datum: PyTree) -> tuple:
        gx, gy = jax.grad(self.phi, argnums=(0, 1))(*z, *datum)
        return gx, tree.neg(gy)


@door(options_of=Inclusion)
def saddle(
    phi: Callable[..., Scalar],
    x0: PyTree,
    y0: PyTree,
    data: PyTree = None,
    **facts: Any,
) -> Inclusion:
    """min over x, max over y of (1/n) sum_i phi(x, y, datum_i), as an Inclusion.

    z = (x, y) and F = (grad_x, -grad_y); declare monotone=True where phi is
    convex in x and concave in y. Without data, phi(x, y) is the only component.
    `facts` are those of Inclusion, the term among them: bn.Product(X, Y) for x in a
    set X and y in a set Y.

    Args:
        phi: phi(x, y), or phi(x, y, datum) with data: a JAX function to one real
            number.
        x0, y0: the starts, pytrees of floating arrays.
        data: a pytree of arrays (n, ...), one entry a component.
        facts: what `bn.Inclusion` may be told: term, monotone, L, mu, radius and so on.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real number, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> pay = np.array([[0.0, 2.0], [1.0, 0.0]])
        >>> game = bn.saddle(
        ...     lambda x, y: x @ pay @ y,
        ...     np.ones(2) / 2,
        ...     np.ones(2) / 2,
        ...     term=bn.Product(bn.Simplex(), bn.Simplex()),
        ...     monotone=True,
        ...     L=2.0,
        ... )
        >>> x, y = bn.solve(game).x
        >>> x.round(3), y.round(3)
        (array([0.333, 0.667]), array([0.667, 0.333]))
    """
    if not callable(phi):
        raise Misuse(
            f"saddle needs a function phi(x, y, datum), got {validation.shown(phi)}; "
            "pass e.g. lambda x, y: x @ y"
        )
    z0 = (inputs.variable(x0, "x0"), inputs.variable(y0, "y0"))
    one: tuple = ()
    if data is not None:
        data = inputs.data(data, "data")
        _count(data)
        one = (jax.tree.map(lambda v: v[0], data),)
    z0, (one,) = inputs.canonical(z0, (one,))
    with inputs.context(z0, (data,)):
        traced = trace(phi, *z0, *one, name="saddle's phi")
    got = [v.aval.shape for v in traced.program.jaxpr.outvars]
    if got != [()]:
        raise Misuse(
            f"phi must return one scalar, got shapes {got}; reduce it, e.g. with "
            "jnp.sum; the mean over data is taken for you"
        )
    check_bare(traced, "saddle's phi")
    check_floating(traced, "saddle's phi")
    return Inclusion(_Field(phi), z0, data, is_saddle=True, **facts)


def _count(data: PyTree) -> int:
    leaves = jax.tree.leaves(data)
    sizes = {v.shape[0] if v.ndim else None for v in leaves}
    if len(sizes) != 1 or None in sizes or 0 in sizes:
        raise Misuse(
            f"data must be arrays with one common leading axis of length n >= 1 (one "
            f"entry a component), got shapes {[v.shape for v in leaves]}; constants "
            "that all components share belong inside the function"
        )
    return sizes.pop()


def _check_like(fun: Any, z0: PyTree) -> None:
    check_floating(fun, "Inclusion's components")
    got = [v.aval.shape for v in fun.program.jaxpr.outvars]
    want = [v.shape for v in jax.tree.leaves(z0)]
    if got != want:
        raise Misuse(
            f"Inclusion's components return shapes {got} for a variable of shapes "
            f"{want}; F_i(z) must look like z. A function to minimise and maximise is "
            "stated as bn.saddle(phi, x0, y0, data)"
        )


def _consistent(c: dict[str, Any]) -> None:
    """Refuse constants that contradict one another."""
    if compat.any_tracer(c):
        return
    top = 1 + 1e-9
    if "mu" in c and "L" in c and c["mu"] > top * c["L"]:
        raise Misuse(
            f"mu = {c['mu']} exceeds L = {c['L']}; a Lipschitz constant cannot"
        )
    if "L" in c and "L_average" in c and c["L"] > top * c["L_average"]:
        raise Misuse(
            f"L = {c['L']} exceeds L_average = {c['L_average']}, but the components' "
            "mean-square constant bounds that of their mean; declare L = L_average"
        )
    if {"cocoercive", "mu"} <= c.keys() and c["mu"] * c["cocoercive"] > top:
        raise Misuse("mu * cocoercive exceeds 1; no operator has both")


def _infer(c: dict[str, Any], name: str, source: str, rule: Callable) -> None:
    if name not in c and source in c:
        c[name] = rule(c[source])

"""Nonlinear elliptic variational problems on the unit interval and square."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.facts import CONSTRUCTION, DECLARED, Fact, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, in_own_precision
from banach.kinds import inputs
from banach.kinds.bases import Differentiable, check_floating
from banach.kinds.elliptic import sine

Grid = Float[Array, "*grid"]
Scalar = Float[Array, ""]


@kind(
    name="EllipticEnergy",
    oracles="value grad hvp hess riesz",
    checks="energy_distance",
    views="without_term root_of_gradient inclusion_of_gradient forward_backward",
    prefers={"": "sobolev_gradient_flow lbfgs"},
    public={"manufactured": "manufactured"},
    zoo="pde",
)
class EllipticEnergy(Differentiable):
    """minimise E(u) = int A(|grad u|^2) + F(u) - f u over u that vanish at the border.

    The domain is the unit interval or square, by the shape of `load`: the values of
    f at the inner nodes i h, h = 1 / (n + 1), (n,) or (n, n). Linear finite elements
    (the square's cells are cut along one diagonal): the first term is integrated
    exactly, the others with the weight h^d at every node, so that

        E(u) = h^d [ mean of A(|grad u|^2) over the 1 or 2 elements of each cell
                     + sum over nodes of F(u_i) - f_i u_i ]

    `density(s, *args)` is A and `potential(u, *args)` is F, both entry by entry.
    Declared: lower <= upper bound the eigenvalues of the Hessian of
    p -> A(|p|^2), and curvature = (m, M) bounds F''. The Euler-Lagrange equation is
    -div(2 A'(|grad u|^2) grad u) + F'(u) = f; for -laplace u = f, A(s) = s / 2 and
    lower = upper = 1. Derivatives are those of E in the nodal values: f appears in
    them as h^d f.

    The default check bounds the distance to the *discrete* minimiser in the norm
    |v|_H1 = (int |grad v|^2)^(1/2); the distance to the solution of the PDE is that
    plus the discretisation error, of which nothing is said.

    Args:
        density: A(s, *args), entry by entry, of s = |grad u|^2.
        load: f at the inner nodes, (n,) or (n, n).
        lower, upper: bounds > 0 of the eigenvalues of the Hessian of p -> A(|p|^2).
        potential: F(u, *args), entry by entry; None: none.
        curvature: (m, M), bounds of F''; needed with a potential.
        args: further arguments of both, pytrees of arrays.
        x0: the start, like the load; None: 0.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real number, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> heat = bn.EllipticEnergy(
        ...     lambda s: s / 2, np.ones(7), lower=1.0, upper=1.0
        ... )
        >>> bn.solve(heat).x.round(4)
        array([0.0547, 0.0937, 0.1172, 0.125 , 0.1172, 0.0937, 0.0547])
    """

    load: Grid
    args: tuple
    x0: Grid
    lower: Any
    upper: Any
    curvature: tuple[Any, Any]
    density: inputs.Function
    potential: inputs.Function | None

    def __init__(
        self,
        density: Callable[..., Grid],
        load: ArrayLike,
        *,
        lower: Real,
        upper: Real,
        potential: Callable[..., Grid] | None = None,
        curvature: tuple[Real, Real] | None = None,
        args: tuple = (),
        x0: ArrayLike | None = None,
    ):
        load = inputs.variable(load, "load")
        if np.ndim(load) not in (1, 2) or len(set(np.shape(load))) != 1:
            raise Misuse(
                f"load must be (n,) or (n, n), one value for each inner node, got "
                f"shape {np.shape(load)}; sample f at i / (n + 1), i = 1..n"
            )
        (self.load,), self.args = inputs.canonical((load,), inputs.arguments(args))
        zero = _zeros(self.load)
        self.x0 = zero if x0 is None else inputs.like(zero, x0, "x0")
        self.lower = _needed(lower, "lower")
        self.upper = _needed(upper, "upper")
        self.curvature = _curvature(curvature, potential)
        cells = self._slopes_struct()
        self.density = inputs.function(density, cells, self.args, "density")
        _entrywise(self.density, cells, "density")
        inputs.differentiable(self.density, cells, self.args, "density")
        self.potential = None
        if potential is not None:
            self.potential = inputs.function(potential, zero, self.args, "potential")
            _entrywise(self.potential, zero, "potential")
            inputs.differentiable(self.potential, zero, self.args, "potential")
        self._usable()

    def restated(self) -> "EllipticEnergy":
        """Through the constructor, the functions as traced."""
        return self.through_constructor()

    def _slopes_struct(self) -> Any:
        n, d = self.load.shape[0], self.load.ndim
        shape = (n + 1,) if d == 1 else (2, n + 1, n + 1)
        zeros = np.zeros if isinstance(self.load, np.ndarray) else jnp.zeros
        return zeros(shape, self.load.dtype)

    def _usable(self) -> None:
        if any(compat.is_tracer(v) for v in jax.tree.leaves(self._declared())):
            return
        low, high = (float(v) for v in self.ellipticity(0))
        m, M = (float(v) for v in self.curvature)
        if not float(self.lower) <= float(self.upper) or not m <= M:
            raise Misuse(
                f"lower <= upper and m <= M are needed, got lower={self.lower}, "
                f"upper={self.upper}, curvature=({m}, {M})"
            )
        if not low > 0:
            raise Misuse(
                f"the energy may be nonconvex: curvature F'' >= {m} outweighs lower = "
                f"{self.lower} on this domain (their sum is {low:.3g}); raise the "
                "bounds if they are loose, or state bn.Smooth(E, u0), where a "
                "stationary point is all that is claimed"
            )
        assert high >= low

    def _declared(self) -> tuple:
        return (self.lower, self.upper, *self.curvature)

    def space(self) -> jax.ShapeDtypeStruct:
        """The inner nodes."""
        return jax.ShapeDtypeStruct(self.load.shape, self.load.dtype)

    def start(self) -> Point:
        """The start x0, 0 by default."""
        return Point(self.x0)

    def cell(self) -> float:
        """h^d, the volume of a cell and the weight of a node."""
        return (self.load.shape[0] + 1.0) ** -self.load.ndim

    def stiff(self) -> float:
        """h^(d-2), what differences squared are multiplied with."""
        return (self.load.shape[0] + 1.0) ** (2 - self.load.ndim)

    def poincare(self) -> float:
        """The least |v|_H1^2 / ||v||^2 over grid functions, ||v||^2 = h^d sum v^2."""
        n, d = self.load.shape[0], self.load.ndim
        return d * float(sine.second_differences(n)[0]) * self.stiff() / self.cell()

    def ellipticity(self, shift: Any) -> tuple[Any, Any]:
        """Bounds of <E'' v, v> / (|v|_H1^2 + shift ||v||^2), from what is declared."""
        (m, M), first = self.curvature, self.poincare()
        low = (self.lower * first + m) / (first + shift)
        # A difference where m < 0, rounded down: its error is relative to its terms.
        size = (self.lower * first - m) / (first + shift)
        low = low - (m < 0) * (32 * float(np.finfo(float).eps) * size)
        high = (self.upper * first + M) / (first + shift)
        # In NumPy where nothing is traced: a bound must not be rounded to float32.
        known = isinstance(low, np.ndarray | np.generic)
        lib: Any = np if known else jnp
        return lib.minimum(self.lower, low), lib.maximum(self.upper, high)

    def facts(self) -> Facts:
        """Convexity and Euclidean constants, from the declared bounds."""
        n, d = self.load.shape[0], self.load.ndim
        properties = {
            "smooth": CONSTRUCTION,
            "convex": DECLARED,
            "strongly_convex": DECLARED,
        }
        _, M = self.curvature
        widest = 4.0 * d * self.stiff()
        narrow = d * float(sine.second_differences(n)[0]) * self.stiff()
        low, _ = self.ellipticity(0)
        constants = {
            "L": Fact(self.upper * widest + M * self.cell(), DECLARED),
            "mu": Fact(low * narrow * (1 - 1e-12), DECLARED),
            "lower": Fact(low, DECLARED),
        }
        return Facts(properties, constants)

    def slopes(self, u: Grid) -> Grid:
        """|grad u|^2 on every element, (n + 1,) or (2, n + 1, n + 1)."""
        width = self.load.shape[0] + 1
        v = jnp.pad(u, 1)
        if u.ndim == 1:
            return (width * (v[1:] - v[:-1])) ** 2
        down, right = width * (v[1:] - v[:-1]), width * (v[:, 1:] - v[:, :-1])
        one = down[:, :-1] ** 2 + right[:-1] ** 2
        two = down[:, 1:] ** 2 + right[1:] ** 2
        return jnp.stack([one, two])

    def value(self, x: Grid) -> Scalar:
        """E(u)."""
        elements = self.density(self.slopes(x), *self.args)
        share = 1 if x.ndim == 1 else 2
        nodes = -self.load * x
        if self.potential is not None:
            nodes = nodes + self.potential(x, *self.args)
        return self.cell() * (jnp.sum(elements) / share + jnp.sum(nodes))

    def stiffness(self, v: Grid) -> Grid:
        """K v with v' K v = |v|_H1^2."""
        w = jnp.pad(v, 1)
        if v.ndim == 1:
            return self.stiff() * (2 * v - w[:-2] - w[2:])
        near = w[:-2, 1:-1] + w[2:, 1:-1] + w[1:-1, :-2] + w[1:-1, 2:]
        return self.stiff() * (4 * v - near)

    @in_own_precision
    def h1(self, v: Grid) -> Scalar:
        """|v|_H1, a sum of squares."""
        w = jnp.pad(v, 1)
        pieces = [w[1:] - w[:-1]]
        if v.ndim == 2:
            pieces.append(w[:, 1:] - w[:, :-1])
        return self.stiff() ** 0.5 * tree.norm(pieces)

    @in_own_precision
    def riesz(self, r: Grid, shift: Any = 0.0) -> Grid:
        """(K + shift h^d)^-1 r: the Sobolev gradient of a derivative r.

        In the continuum (shift - laplace)^-1 with Dirichlet data; here exactly, by
        sine transforms (matrix products).
        """
        values = self.stiff() * sine.grid_eigenvalues(r.shape[0], r.ndim)
        values = jnp.asarray(values, r.dtype)
        values = values + jnp.asarray(shift, r.dtype) * self.cell()
        return sine.transform(sine.transform(r) / values)

    def reference_point(self) -> Point:
        """u = 0, where the derivative is the load."""
        return Point(_zeros(self.load))

    def formula(self) -> str:
        """The energy as text."""
        name = self.density.narrow.program.name
        grid = " x ".join(str(k) for k in self.load.shape)
        more = "" if self.potential is None else " + F(u)"
        return f"minimise int {name}(|grad u|^2){more} - f u, {grid} inner nodes"


def _zeros(load: Any) -> Any:
    zeros = np.zeros if isinstance(load, np.ndarray) else jnp.zeros
    return zeros(load.shape, load.dtype)


def _needed(value: Any, name: str) -> Any:
    value = inputs.constant(value, name)
    if value is None:
        raise Misuse(
            f"{name} must be a positive number, got None: it bounds the eigenvalues "
            "of the Hessian of p -> A(|p|^2)"
        )
    return value


def _curvature(pair: Any, potential: Any) -> tuple[Any, Any]:
    if pair is None:
        if potential is not None:
            raise Misuse(
                "a potential needs curvature=(m, M) with m <= F'' <= M, e.g. (0, 1)"
            )
        pair = (0.0, 0.0)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise Misuse(
            f"curvature must be a pair (m, M), "
            f"got {validation.shown(pair)}; e.g. (0, 1)"
        )
    for v in pair:
        if v is None:
            raise Misuse("curvature must be two numbers (m, M), got None; e.g. (0, 1)")
    m, M = (inputs.constant(v, "curvature", low=None) for v in pair)
    return m, M


def _entrywise(fun: inputs.Function, like: Any, name: str) -> None:
    check_floating(fun.narrow, name)
    outs = [v.aval.shape for v in fun.narrow.program.jaxpr.outvars]
    if outs != [like.shape]:
        raise Misuse(
            f"{name} must act entry by entry: for shape {like.shape} it returns "
            f"{outs}; do not sum inside"
        )

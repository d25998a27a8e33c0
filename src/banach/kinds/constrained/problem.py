"""Minimise a differentiable function under equations, inequalities and bounds."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.core import compat, tree, validation
from banach.core.annotations import Column, Matrix
from banach.core.facts import CONSTRUCTION, DECLARED, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.view import Way
from banach.kinds import affine_detection, bounds, diagnoses, inputs
from banach.kinds.bases import (
    Differentiable,
    Started,
    check_floating,
    check_scalar,
    dense_hessian,
)
from banach.kinds.constrained import contradictions
from banach.kinds.constrained import inputs as stated
from banach.kinds.constrained import rational_systems as exact
from banach.kinds.smooth import unbounded
from banach.parts import multiplier_estimates

Scalar = Float[Array, ""]
Rows = Float[Array, " m"]
MOST_TOLD = 5  # constraints that a printed answer calls by name (ours)


class Evaluation(NamedTuple):
    """f, its gradient, the constraints and their Jacobian at one point, as vectors."""

    f: Scalar
    g: Float[Array, " n"]
    c: Rows
    J: Float[Array, "m n"]


@kind(
    name="Constrained",
    oracles="value grad hvp hess constraints jacobian",
    checks="kkt",
    views="bounds_as_term kkt_inclusion kkt_system",
    prefers={"": "lbfgsb adasketch_newton scipy:trust-constr"},
    term="the constraints",
    cures={
        "constraints": "State the problem as bn.Constrained(f, x0, eq=c)",
        "jacobian": """State the problem as bn.Constrained(f, x0, eq=c), or residuals \
as bn.least_squares(r, x0)""",
    },
    zoo="constrained",
)
class Constrained(Differentiable, Started):
    """minimise f(x) subject to eq(x) = 0, A x = b, ineq(x) <= 0, lower <= x <= upper.

    `fun`, `eq` and `ineq` are JAX functions of (x, *args); x is any pytree; eq and
    ineq return any pytree of real arrays. `linear` is (A, b), the columns of A in the
    order of `tree.ravel(x)`: only equations stated so can be proved inconsistent.
    A bound is a number or a pytree like x, infinite where there is none.

    `constraints(x)` is one vector: eq, then A x - b, then ineq. Multipliers, offered
    as `Point.dual`, are a vector in that order with the Lagrangian

        L(x, lam) = f(x) + lam . c(x),  lam >= 0 for the inequalities

    and bounds have none: the check projects. `value`, `grad`, `hvp` and `hess` are
    those of f, and so is `objective`: an infeasible x may lie below every feasible
    one. Jacobians are dense.

    `convex=True` declares that f and every inequality are convex; it is a fact of the
    problem where the equations are affine, by the structure of their program.

    `reference` is the point that "small" is relative to, for the gradient and for each
    row of the constraints (None: absolute; then the units of each row are yours).

    Against SciPy: `NonlinearConstraint(ineq, -inf, 0)`; the dictionary form of SLSQP
    has the opposite sign, ineq(x) >= 0. Its gtol of trust-constr bounds max-norms of
    the same Lagrangian gradient and of the constraints.

    Args:
        fun: fun(x, *args), a JAX function to one real number.
        x0: the start, a pytree of floating arrays; it need not be feasible.
        args: further arguments of fun, eq and ineq.
        eq: eq(x, *args), which is to be 0; any pytree of real arrays. By a dict, or a
            dict of functions, constraints have names, by which answers call them.
        ineq: ineq(x, *args), which is to be <= 0; likewise.
        linear: (A, b) with A (m, n) and b (m,), for A x = b.
        lower, upper: numbers or pytrees like x; None: none.
        convex: whether f and every inequality are convex.
        reference: the point that "small" is relative to, like x.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real number, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> disk = bn.Constrained(
        ...     lambda x: x[0] + x[1],
        ...     np.zeros(2),
        ...     ineq=lambda x: jnp.sum(x**2) - 2.0,
        ... )
        >>> bn.solve(disk).x.round(4)
        array([-1., -1.])
    """

    fun: inputs.Function
    eq: inputs.Function | None
    ineq: inputs.Function | None
    linear: tuple[Any, Any] | None
    lower: PyTree
    upper: PyTree
    x0: PyTree
    args: tuple
    reference: PyTree
    convex: bool = eqx.field(static=True)

    def __init__(
        self,
        fun: Callable[..., Scalar],
        x0: PyTree,
        args: tuple = (),
        *,
        eq: Callable[..., PyTree] | Mapping[str, Callable[..., PyTree]] | None = None,
        ineq: Callable[..., PyTree] | Mapping[str, Callable[..., PyTree]] | None = None,
        linear: tuple[Matrix, Column] | None = None,
        lower: PyTree = None,
        upper: PyTree = None,
        convex: bool = False,
        reference: PyTree = None,
    ):
        self.x0, self.args = inputs.read(x0, args)
        self.fun = inputs.function(fun, self.x0, self.args, "Constrained's fun")
        check_scalar(self.fun.narrow, "Constrained's fun")
        inputs.differentiable(self.fun, self.x0, self.args, "Constrained's fun")
        self.eq = self._traced(eq, "eq")
        self.ineq = self._traced(ineq, "ineq")
        self.linear = stated.equations(self.x0, linear)
        self.lower, self.upper = bounds.read(self.x0, lower, upper)
        self.reference = inputs.reference(self.x0, reference)
        self.convex = validation.flag(convex, "convex")
        if self.convex and not self._affine_equations():
            raise Misuse(
                "Constrained was declared convex, and its equations eq are not affine "
                "by the structure of their program: drop convex=True, or state affine "
                "equations as linear=(A, b)"
            )
        if self.rows() == 0 and not self.bounded():
            raise Misuse(
                "Constrained was given no constraint; pass eq=, ineq=, linear=(A, b), "
                "lower= or upper=, or state f alone as bn.Smooth(f, x0)"
            )

    def restated(self) -> "Constrained":
        """Through the constructor, the functions as traced."""
        return self.through_constructor()

    def _traced(self, fun: Any, name: str) -> inputs.Function | None:
        if fun is None:
            return None
        title = f"Constrained's {name}"
        fun = stated.together(fun, name)
        traced = inputs.function(fun, self.x0, self.args, title)
        if not _count(traced):
            raise Misuse(f"{title} returns no numbers; leave {name} out instead")
        check_floating(traced.narrow, title)
        inputs.differentiable(traced, self.x0, self.args, title)
        return traced

    def equations(self) -> int:
        """Number of equations (static); the first rows of `constraints`."""
        linear = 0 if self.linear is None else self.linear[1].shape[0]
        return _count(self.eq) + linear

    def inequalities(self) -> int:
        """Number of inequalities without bounds (static); the last rows."""
        return _count(self.ineq)

    def rows(self) -> int:
        """Number of rows of `constraints` and of multipliers (static)."""
        return self.equations() + self.inequalities()

    def bounded(self) -> bool:
        """Whether bounds were stated (static)."""
        return self.lower is not None

    def bounds(self) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Lower and upper bounds as vectors, infinite where there is none."""
        dtype = tree.dtype(self.x0)
        if not self.bounded():
            far = jnp.full(self.size(), jnp.inf, dtype)
            return -far, far
        lower, upper = tree.ravel(self.lower)[0], tree.ravel(self.upper)[0]
        return lower.astype(dtype), upper.astype(dtype)

    def essential(self) -> frozenset[str]:
        """The constraints."""
        return frozenset({"constraints"})

    def start(self) -> Point:
        """x0, clipped to the bounds."""
        return Point(self.clipped(self.x0))

    def clipped(self, x: PyTree) -> PyTree:
        """The nearest point within the bounds."""
        if not self.bounded():
            return x
        # Outside of a program each operation of jnp would be a program of its own.
        parts = (x, self.lower, self.upper)
        plain = all(isinstance(v, np.ndarray) for v in jax.tree.leaves(parts))
        return jax.tree.map((np if plain else jnp).clip, *parts)

    def facts(self) -> Facts:
        """Differentiable by construction; convex where that was declared."""
        convex = {"convex": DECLARED} if self.convex else {}
        return Facts({"smooth": CONSTRUCTION, **convex})

    def _affine_equations(self) -> bool:
        """Whether eq is affine by its program; what cannot be looked at is believed."""
        if self.eq is None or compat.any_tracer((self.eq, self.args)):
            return True
        rows = self._affine_rows(self.eq)
        return rows is not None and len(rows.which) == _count(self.eq)

    def value(self, x: PyTree) -> Scalar:
        """f(x)."""
        return self.fun(x, *self.args)

    def constraints(self, x: PyTree) -> Rows:
        """eq(x), A x - b and ineq(x) as one vector."""
        parts = [] if self.eq is None else [_vector(self.eq(x, *self.args))]
        if self.linear is not None:
            A, b = self.linear
            flat = tree.ravel(x)[0]
            A, b = jnp.asarray(A, flat.dtype), jnp.asarray(b, flat.dtype)
            parts.append(jnp.matmul(A, flat, precision=tree.PRECISION) - b)
        if self.ineq is not None:
            parts.append(_vector(self.ineq(x, *self.args)))
        return jnp.concatenate(parts) if parts else jnp.zeros(0, tree.dtype(x))

    def jacobian(self, x: PyTree) -> Float[Array, "m n"]:
        """The dense Jacobian of `constraints`, columns in the order of tree.ravel."""
        return self.linearized(x)[1]

    def linearized(self, x: PyTree) -> tuple[Rows, Float[Array, "m n"]]:
        """The constraints and their Jacobian, of one evaluation."""
        flat, back = tree.ravel(x)

        def twice(v: Array) -> tuple[Rows, Rows]:
            c = self.constraints(back(v))
            return c, c

        jac = jax.jacrev if self.rows() < flat.size else jax.jacfwd
        J, c = jac(twice, has_aux=True)(flat)
        return c, J

    def jacobian_transpose_product(self, x: PyTree, y: Rows) -> PyTree:
        """The transposed Jacobian applied to y, a pytree like x."""
        return jax.vjp(self.constraints, x)[1](y)[0]

    def evaluate(self, x: PyTree) -> Evaluation:
        """Value, gradient, constraints and Jacobian at once, as vectors."""
        f, g = self.value_and_grad(x)
        return Evaluation(f, tree.ravel(g)[0], *self.linearized(x))

    def lagrangian_hess(self, x: PyTree, lam: Rows) -> Float[Array, "n n"]:
        """The dense Hessian of L(., lam)."""
        return dense_hessian(lambda v: self.value(v) + lam @ self.constraints(v), x)

    def constraint_hess(self, x: PyTree, v: Rows) -> Float[Array, "n n"]:
        """The dense Hessian of v . c, without f."""
        return dense_hessian(lambda y: v @ self.constraints(y), x)

    def lagrangian_grad(self, x: PyTree, lam: Rows) -> PyTree:
        """grad f(x) + J(x)'lam, a pytree like x."""
        return tree.add(self.grad(x), self.jacobian_transpose_product(x, lam))

    def undefined(self, x: PyTree) -> Any:
        """Whether f or a constraint is not a number."""
        return jnp.isnan(self.value(x)) | jnp.any(jnp.isnan(self.constraints(x)))

    def optimality(self, point: Point) -> Point:
        """x - P(x - grad f - J'(lam(x) + w)), a pytree like x.

        P projects onto the bounds, lam(x) is the multiplier function of `parts.kkt`
        and w is c_i for equations, max(c_i, -lam_i) for inequalities. Zero at KKT
        points with independent active gradients; where there are only equations,
        zero nowhere else.
        """
        x, back = tree.ravel(point.x)
        lower, upper = self.bounds()
        e = self.evaluate(point.x)
        inner = jnp.arange(self.rows()) < self.equations()
        lam = multiplier_estimates.function(
            e.g,
            e.J,
            jnp.where(inner, 0, e.c),
            multiplier_estimates.freedom(x, lower, upper),
        )
        w = jnp.where(inner, e.c, jnp.maximum(e.c, -lam))
        h = e.g + jnp.matmul(lam + w, e.J, precision=tree.PRECISION)
        if not self.bounded():
            return Point(back(h))
        return Point(back(x - jnp.clip(x - h, lower, upper)))

    def formula(self) -> str:
        """The problem as text."""
        said = [f"minimise {self.fun.narrow.program.name}(x), {self.size()} unknowns"]
        if self.equations():
            said.append(f"{self.equations()} equations = 0")
        if self.inequalities():
            said.append(f"{self.inequalities()} inequalities <= 0")
        if self.bounded():
            said.append("lower <= x <= upper")
        return ", ".join(said)

    def unsolvable(self) -> tuple[str, str] | None:
        """Infeasible where affine rows and bounds are proved to contradict each other.

        Affine by the structure of the program, in rational arithmetic or intervals:
        `contradictions`.
        """
        if compat.any_tracer(self):
            return None
        if self.linear is not None:
            y = exact.inconsistent(*(np.asarray(v) for v in self.linear))
            if y is not None:
                used = [i for i, v in enumerate(y) if v]
                return "infeasible", (
                    f"the linear equations {used} of A x = b contradict each other: a "
                    "combination of these rows has left side 0 and right side 1, "
                    "exactly"
                )
        if not self.rows():
            lower, upper = (np.asarray(v) for v in self.bounds())
            said = unbounded.affine(self.fun, self.x0, self.args, lower, upper)
            return None if said is None else ("unbounded", said)
        system = self._affine()
        found = None if system is None else contradictions.contradiction(
            system, np.asarray(tree.ravel(self.start().x)[0], float)
        )  # fmt: skip
        if system is None or found is None or found.radius < np.inf:
            return None
        return "infeasible", found.words(system)

    def diagnosis(self, x: PyTree) -> str | None:
        """What contradicts in the affine rows, or a stationary violation at x."""
        if not self.rows():
            return None
        system = self._affine()
        if system is not None:
            at = np.asarray(tree.ravel(self.clipped(x))[0], float)
            found = contradictions.contradiction(system, at)
            if found is not None:
                return found.words(system)
        return diagnoses.contradiction(self, x)

    def untried(self, x: PyTree) -> str | None:
        """A KKT point that nobody looked for."""
        return (
            "nothing was tried: the start passes as it stands. KKT points may be "
            "saddles and maxima: start elsewhere, and compare f"
        )

    def row_names(self) -> list[str]:
        """What each row of `constraints` is called: the user's names, or eq[0], ..."""
        names = [] if self.eq is None else stated.row_names(self.eq, "eq")
        if self.linear is not None:
            names += [f"linear[{i}]" for i in range(self.linear[1].shape[0])]
        return names + (
            [] if self.ineq is None else stated.row_names(self.ineq, "ineq")
        )

    def told_at(self, x: PyTree) -> list[tuple[str, str]]:
        """The constraints that are violated most."""
        if not self.rows():
            return []
        with compat.double():
            c = np.asarray(self.constraints(x))
        inner = np.arange(c.size) < self.equations()
        v = np.where(inner, np.abs(c), np.maximum(c, 0))
        least = float(np.sqrt(np.finfo(v.dtype).eps))
        worst = [int(i) for i in np.argsort(-v, kind="stable") if v[i] > least]
        if not worst:
            return []
        names = self.row_names()
        said = [f"{names[i]} by {v[i]:.3g}" for i in worst[:MOST_TOLD]]
        more = [f"{len(worst) - MOST_TOLD} more"] if len(worst) > MOST_TOLD else []
        return [("violated", ", ".join(said + more))]

    def _affine(self) -> contradictions.System | None:
        """The affine rows and the bounds, as judged: float32 in float64."""
        parts = [
            (self._affine_rows(self.eq), _count(self.eq), True),
            (None if self.linear is None else
             affine_detection.of_matrix(*map(np.asarray, self.linear)),
             self.equations() - _count(self.eq), True),
            (self._affine_rows(self.ineq), _count(self.ineq), False),
        ]  # fmt: skip
        names, known = self.row_names(), []
        for rows, count, equal in parts:
            if rows is not None:
                known.append((rows, names[:count], equal))
            names = names[count:]
        if not any(len(rows.which) for rows, _, _ in known):
            return None
        with compat.double():
            lower, upper = (np.asarray(v) for v in self.bounds())
        return contradictions.joined(known, lower, upper)

    def _affine_rows(self, fun: inputs.Function | None) -> affine_detection.Rows | None:
        if fun is None:
            return None
        return affine_detection.of_function(fun, self.x0, self.args)

    def views(self) -> tuple[Way, ...]:
        """As a sum, and by its KKT conditions."""
        from banach.kinds.constrained import views

        return views.of(self)


def _vector(out: PyTree) -> Rows:
    return tree.ravel(out)[0]


def _count(fun: inputs.Function | None) -> int:
    if fun is None:
        return 0
    return sum(v.aval.size for v in fun.narrow.program.jaxpr.outvars)

"""Systems of linear equations A x = b."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.annotations import Column, Matrix, Real
from banach.core.door import door
from banach.core.facts import CONSTRUCTION, DECLARED, Fact, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.view import Way
from banach.estimate import spectrum
from banach.kinds import diagnoses, inputs
from banach.kinds.bases import structs
from banach.kinds.linear import inputs as given
from banach.parts.operators import NormalOperator, Operator


@kind(
    name="Linear",
    oracles="matvec residual",
    checks="linear_residual",
    views="quadratic root least_squares",
    prefers={"": "conjugate_gradient"},
    cures={
        "matvec": "State the system as bn.Linear(A, b)",
        "positive_definite": """otherwise bn.normal_equations(A, b) is a system that \
has it""",
    },
    public={"problem": "normal_equations"},
    zoo="linear",
)
class Linear(Problem):
    """Find x with A x = b.

    `A` is a square array, a sparse matrix (SciPy's or JAX's BCOO, read once), an
    operator of banach.parts (`bn.poisson_grid(solid)` is one) or a linear JAX function
    `A(x, *args)` of any pytree; b has the structure of x. Start: `x0`, else 0.

    Symmetry is found for arrays and sparse matrices (exact equality with the
    transpose), known for operators, and must be declared of a function.
    `positive_definite` is proved by a Cholesky factorisation for symmetric arrays of
    at most 1000 unknowns, known for operators, and declared otherwise. `sigma` > 0
    declares a lower bound of the least singular value of A. What is declared is
    tried where that is cheap, and refuted by a `Misuse`.

    Against SciPy: `scipy.sparse.linalg.cg(A, b, rtol=tol)` stops at the same
    ||b - A x|| <= tol ||b||, read from its recurrence; here it is recomputed from A.

    Args:
        A: (n, n), as said above.
        b: like x.
        x0: the start, like x; None: 0.
        args: further arguments of a function A.
        symmetric: whether A is; None: found, of a function False.
        positive_definite: whether A is; None: found.
        sigma: a lower bound > 0 of the least singular value.

    Raises:
        Misuse: shapes that do not fit, NaN, a declaration that is refuted, each with
            the cure.

    Example:
        >>> A, b = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
        >>> bn.solve(bn.Linear(A, b)).x.round(4)
        array([0.0909, 0.6364])
    """

    A: Operator
    b: PyTree
    x0: PyTree
    sigma: Any
    symmetry: str | None = eqx.field(static=True)
    definiteness: str | None = eqx.field(static=True)

    def __init__(
        self,
        A: Matrix | Operator | Callable[..., PyTree],
        b: PyTree,
        x0: PyTree = None,
        *,
        args: tuple = (),
        symmetric: bool | None = None,
        positive_definite: bool | None = None,
        sigma: Real | None = None,
    ):
        b = given.right_side(b)
        self.A, self.b = given.operator(A, b, args)
        self.sigma = given.lower_bound(sigma)
        self.x0 = None if x0 is None else inputs.like(self.b, x0, "x0")
        self.symmetry, self.definiteness = given.structure(
            self.A, self.b, symmetric, positive_definite
        )

    def restated(self) -> "Linear":
        """Through the constructor; what was declared is declared again."""
        again = {None: False, DECLARED: True, CONSTRUCTION: None}
        made = self.through_constructor(
            symmetric=again[self.symmetry], positive_definite=again[self.definiteness]
        )
        # Declared while it was traced, provable now: less is claimed, rightly.
        for name in ("symmetry", "definiteness"):
            if getattr(self, name) == DECLARED and getattr(made, name) is not None:
                object.__setattr__(made, name, DECLARED)
        return made

    def space(self) -> PyTree:
        """Structure of b."""
        return structs(self.b)

    def start(self) -> Point:
        """x0, else zero."""
        if self.x0 is not None:
            return Point(self.x0)
        return self.reference_point()

    def facts(self) -> Facts:
        """Symmetry, definiteness; L >= ||A||_2 and mu <= its least singular value."""
        properties = {}
        if self.symmetry is not None:
            properties["symmetric"] = self.symmetry
        if self.definiteness is not None:
            properties["positive_definite"] = self.definiteness
        return Facts(properties, {"L": self._norm(), "mu": self._least()})

    def _norm(self) -> Fact | None:
        if not self.A.entrywise:
            return None
        how = spectrum.known_how(self.size(), self.A)
        return Fact(lambda: spectrum.norm(self.A), how)

    def _least(self) -> Fact | None:
        if self.sigma is not None:
            return Fact(self.sigma, DECLARED)
        if isinstance(self.A, NormalOperator) and self.definiteness == CONSTRUCTION:
            return Fact(self.A.ridge, CONSTRUCTION)
        return None

    def matvec(self, x: PyTree) -> PyTree:
        """A x."""
        return self.A.matvec(x)

    def residual(self, x: PyTree) -> PyTree:
        """b - A x."""
        return tree.sub(self.b, self.A.matvec(x))

    def objective(self, x: PyTree) -> Float[Array, ""]:
        """The merit 1/2 ||b - A x||^2."""
        r = self.residual(x)
        return tree.vdot(r, r) / 2

    def optimality(self, point: Point) -> Point:
        """A x - b."""
        return Point(tree.neg(self.residual(point.x)))

    def undefined(self, x: PyTree) -> Any:
        """Whether the residual is not a number."""
        return jnp.isnan(self.objective(x))

    def reference_point(self) -> Point:
        """Zero, where the residual is b."""
        return Point(jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), self.space()))

    def formula(self) -> str:
        """The equations as text."""
        return f"A x = b, {self.size()} unknowns, A {self.A.describe()}"

    def unsolvable(self) -> tuple[str, str] | None:
        """A row of zeros whose right side is not zero."""
        return given.empty_row(self.A, self.b)

    def diagnosis(self, x: PyTree) -> str | None:
        """Whether A x = b has no solution at all."""
        return diagnoses.inconsistent(self)

    def matrix(self) -> Float[Array, "n n"]:
        """A as a dense array in the order of tree.ravel."""
        return self.A.matrix(self.reference_point().x)

    def views(self) -> tuple[Way, ...]:
        """As a quadratic, as equations and as least squares."""
        from banach.kinds.linear import views

        return views.of(self)


@door
def normal_equations(
    A: Matrix, y: Column, ridge: Real = 0.0, *, positive_definite: bool | None = None
) -> Linear:
    """(A'A + ridge I) x = A'y: symmetric, positive definite for ridge > 0.

    The solution minimises ||A x - y||^2 + ridge ||x||^2, bn.Ridge's with
    l2 = ridge and without intercept; for ridge = 0 and an invertible A it solves
    A x = y, with the square of its condition number. `A` is an array or a sparse
    matrix, of any shape. With ridge = 0 definiteness is proved for at most 1000
    columns, and declared otherwise. Raises Misuse for a negative ridge, or shapes that
    do not fit.

    Args:
        A: (n, p), an array or a sparse matrix.
        y: (n,).
        ridge: a number >= 0, in the unit of A'A.
        positive_definite: whether A'A + ridge I is; None: found.

    Raises:
        Misuse: a negative ridge, or shapes that do not fit.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.normal_equations(A, b, ridge=0.1)).x.round(4)
        array([1.1454, 1.4831])
    """
    inner, b = given.tall(A, y)
    columns = given.width(inner)
    operator = NormalOperator(inner, given.ridge(ridge, b.dtype), columns)
    return Linear(
        operator, given.pulled_back(inner, b), positive_definite=positive_definite
    )

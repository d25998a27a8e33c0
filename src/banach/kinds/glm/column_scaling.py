"""A linear model in other units: columns scaled to one size and, with an intercept,
centred.

First-order methods are as slow as the columns are unequal: sizes of 1 and 3e4 make a
condition number of 1e9. With c = D c' and b = d b' - m'D c' the model in (c', b') has
columns of curvature 1, orthogonal to the intercept where the losses are squares. The
term must act coordinate by coordinate, for then its prox is one in any units:

    prox of t g(d .) at v  =  prox of (t d^2) g at d v, divided by d.

The certificate is of the original problem, at the point taken home.
"""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from banach.core import tree
from banach.core.facts import CONSTRUCTION, SEEN, Fact, Facts
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.view import View, Way
from banach.estimate import spectrum
from banach.kinds.glm import bounds as glm_bounds
from banach.kinds.glm import design
from banach.kinds.glm.inputs import known, without_term
from banach.parts.sparse import SparseMatrix
from banach.terms.norms import ElasticNet, SquaredL2

# Curvatures of the coordinates further apart than this make a view worth having: three
# times in the size of a column, or a mean of three spreads. Ours: the view costs a
# product of length p a call, and steps grow with the quotient (a survey of 3,000 rows
# with means of 3 to 8 spreads took fista 2,528 steps, and 48 through the view).
UNEQUAL = 10.0


class Columns(View):
    """c = D c', b = d b' - m'D c'; without an intercept level and mean are None."""

    name: ClassVar[str] = "columns"

    scale: Any  # D, shape (p,)
    level: Any  # d
    mean: Any  # m, shape (p,)

    @classmethod
    def of(cls, problem: Any) -> "Columns":
        """The view of a model, whether or not it would change much."""
        made = of(problem, always=True)
        if made is None:
            raise Misuse(f"{type(problem.term).__name__} has no view of scaled columns")
        return made

    def there(self, problem: Problem) -> "InColumns":
        """The model in (c', b')."""
        return InColumns(problem, self)

    def to(self, point: Point, problem: Problem | None = None) -> Point:
        """(c / D, (b + m'c) / d)."""
        x = jnp.asarray(point.x)
        D = self.over(x, self.scale)
        if self.mean is None:
            return Point(x / D, point.dual)
        c, b = x[:-1], x[-1]
        lifted = (b + self._mean(c)) / jnp.asarray(self.level, x.dtype)
        return Point(jnp.concatenate([c / D, lifted[None]]), point.dual)

    def back(self, point: Point, problem: Problem | None = None) -> Point:
        """(D c', d b' - m'D c')."""
        x = jnp.asarray(point.x)
        return Point(self.home(x), point.dual)

    def home(self, x: Array) -> Array:
        """T x', a linear map."""
        D = self.over(x, self.scale)
        if self.mean is None:
            return D * x
        c = D * x[:-1]
        b = jnp.asarray(self.level, x.dtype) * x[-1] - self._mean(c)
        return jnp.concatenate([c, b[None]])

    def transposed(self, g: Array) -> Array:
        """T' g."""
        D = self.over(g, self.scale)
        if self.mean is None:
            return D * g
        c, b = g[:-1], g[-1]
        m = jnp.asarray(self.mean, g.dtype)
        moved = c - (jnp.outer(m, b) if g.ndim == 2 else m * b)
        level = jnp.asarray(self.level, g.dtype)
        return jnp.concatenate([D * moved, (level * b)[None]])

    def fits(self, problem: Problem) -> bool:
        """Columns and intercept are as many."""
        A = getattr(problem, "A", None)
        own = (np.shape(self.scale)[0], self.mean is not None)
        return A is not None and own == (
            A.shape[1],
            getattr(problem, "intercept", None),
        )

    def text(self) -> str:
        """columns scaled, or columns scaled and centred."""
        return "columns scaled" + (" and centred" if self.mean is not None else "")

    def over(self, x: Array, v: Any) -> Array:
        """One number a column as it multiplies an array like x."""
        v = jnp.asarray(v, x.dtype)
        return v[:, None] if x.ndim == 2 else v

    def _mean(self, c: Array) -> Array:
        return jnp.matmul(jnp.asarray(self.mean, c.dtype), c, precision=tree.PRECISION)


class InColumns(Problem):
    """The model of `base` in the variable of `view`; oracles as in GLM."""

    kind: ClassVar[str] = "GLM"

    base: Any
    view: Columns

    def oracles(self) -> frozenset[str]:
        """The derivatives, prox and project of the base."""
        return self.base.oracles() - {"lmo", "dual"}

    def essential(self) -> frozenset[str]:
        """That of the base, without its vertices."""
        return self.base.essential() - {"lmo"}

    def space(self) -> Any:
        """That of the base."""
        return self.base.space()

    def start(self) -> Point:
        """The base's start."""
        return self.view.to(self.base.start())

    def value(self, x: Array) -> Array:
        """The base's value at T x."""
        return self.base.value(self.view.home(jnp.asarray(x)))

    def grad(self, x: Array) -> Array:
        """T' grad at T x."""
        x = jnp.asarray(x)
        return self.view.transposed(self.base.grad(self.view.home(x)))

    def value_and_grad(self, x: Array) -> tuple[Array, Array]:
        """Both in one pass over A and one over A'."""
        value, g = self.base.value_and_grad(self.view.home(jnp.asarray(x)))
        return value, self.view.transposed(g)

    @property
    def n(self) -> int:
        """Number of rows (static)."""
        return self.base.n

    def stochastic_grad(
        self, x: Array, index: Array, mask: Any = None, key: Any = None
    ) -> Array:
        """n times the mean gradient of the indexed rows."""
        from banach.kinds.glm import views

        return views.drawn_gradient(self, x, index, mask)

    def hvp(self, x: Array, v: Array) -> Array:
        """T' H T v."""
        home = self.view.home
        x, v = jnp.asarray(x), jnp.asarray(v)
        return self.view.transposed(self.base.hvp(home(x), home(v)))

    def hess(self, x: Array) -> Array:
        """T' H T, in the order of `tree.ravel`."""
        x = jnp.asarray(x)
        turn = jax.vmap(lambda row: self.view.transposed(row.reshape(x.shape)).ravel())
        half = turn(self.base.hess(self.view.home(x)))
        return turn(half.T)

    def prox(self, v: Array, t: Any) -> Array:
        """The prox of the term, coordinate by coordinate; the intercept stays."""
        v = jnp.asarray(v)
        c, D = self._coef(v)
        near = self.base.term.prox(D * c, jnp.asarray(t, v.dtype) * D**2) / D
        return self._with(near, v)

    def project(self, v: Array) -> Array:
        """The projection of the coefficients."""
        v = jnp.asarray(v)
        c, D = self._coef(v)
        return self._with(self.base.term.project(D * c) / D, v)

    def undefined(self, x: Array) -> Any:
        """Whether the margins overflow."""
        return self.base.undefined(self.view.home(jnp.asarray(x)))

    def objective(self, x: Array) -> Array:
        """F at T x."""
        return self.base.objective(self.view.home(jnp.asarray(x)))

    def views(self) -> tuple[Way, ...]:
        """Those of the model."""
        from banach.kinds.glm import views

        return views.of(self)

    def is_quadratic(self) -> bool:
        """As the base."""
        return self.base.is_quadratic()

    def smooth_facts(self) -> Facts:
        """Of the losses, and of the term where it is smooth."""
        known = self.facts()
        return known if self.base.folded else without_term(known)

    def term_value(self, x: Array) -> Array:
        """The base's term at T x."""
        return self.base.term_value(self.view.home(jnp.asarray(x)))

    def prices(self) -> Any:
        """Those of the base."""
        return self.base.prices()

    def pass_bytes(self) -> int:
        """That of the base."""
        return self.base.pass_bytes()

    def instead(self, oracle: str) -> str | None:
        """That of the base."""
        return self.base.instead(oracle)

    def facts(self) -> Facts:
        """Of the base, with constants for these columns."""
        base = self.base.facts()
        constants = {}
        if base.provenance("L") is not None:
            constants["L"] = Fact(self._lipschitz, base.provenance("L"))
        if base.provenance("curvature") is not None:
            constants["curvature"] = Fact(self._seen, SEEN)
        if base.provenance("rho") is not None:
            constants["rho"] = Fact(self._weak, base.provenance("rho"))
        if base.provenance("M") is not None:
            constants["M"] = Fact(self._quasi, CONSTRUCTION)
        if base.provenance("mu") is not None:
            constants["mu"] = Fact(self._curvature, CONSTRUCTION)
        properties = {k: v for k, v in base.properties.items() if k != "compact"}
        return Facts(properties, constants)

    def residual_step(self) -> Any:
        """1 / L where there is one; the base's knows nothing of these columns."""
        L = self.facts().L
        return 1.0 if L is None else 1 / L

    def optimality(self, point: Point) -> Point:
        """The gradient, or x - prox(x - t grad, t)."""
        x = jnp.asarray(point.x)
        g = self.grad(x)
        if self.base.folded:
            return Point(g)
        t = jnp.asarray(self.residual_step(), g.dtype)
        return Point(x - self.prox(x - t * g, t))

    def formula(self) -> str:
        """The base's, and the view."""
        return f"{self.base.formula()}; {self.view.text()}"

    def default_check(self) -> str:
        """The residual of the kind; runs are judged by the original's."""
        return "stationarity" if self.base.folded else "step"

    def _coef(self, v: Array) -> tuple[Array, Array]:
        c = v[:-1] if self.base.intercept else v
        return c, jnp.broadcast_to(self.view.over(v, self.view.scale), c.shape)

    def _with(self, c: Array, v: Array) -> Array:
        return jnp.concatenate([c, v[-1:]]) if self.base.intercept else c

    def matrix(self) -> Any:
        """[(A - 1 m') D, d 1], the matrix of this model, of a dense A."""
        xp = np if known(self.base.A, self.view) else jnp
        A = xp.asarray(self.base.A)
        A = A.astype(np.float64) if xp is np else A
        view = self.view
        if view.mean is None:
            return A * xp.asarray(view.scale)
        B = (A - xp.asarray(view.mean)) * xp.asarray(view.scale)
        level = xp.full((A.shape[0], 1), 1.0, B.dtype) * xp.asarray(view.level)
        return xp.concatenate([B, level], axis=1)

    def _lipschitz(self) -> Any:
        base = self.base
        if isinstance(base.A, SparseMatrix):
            A, seen = self._factors()
        else:
            A, seen = self.matrix(), None
        L = glm_bounds.gradient_lipschitz(
            A, base.weight, False, base.loss.curvature_bound, seen
        )
        # The matrix was rounded once more.
        L = L * (1 + 1e-6)
        if isinstance(base.term, SquaredL2):
            xp = np if known(base.term, self.view) else jnp
            D = self._spread(xp, base.term.lam)
            L = (L + xp.max(xp.asarray(base.term.lam) * D**2)) * (1 + 1e-6)
        return L

    def _seen(self) -> float | None:
        """Curvature along a few directions of this model."""
        base, view = self.base, self.view
        A = design.host(base.A)
        kind = A.dtype
        D = np.asarray(view.scale, kind)
        w = None if base.weight is None else np.asarray(base.weight, kind)
        ahead, back = glm_bounds.rows_times, glm_bounds.times_rows
        if view.mean is None:
            product = lambda v: ahead(A, D * v)  # noqa: E731
            adjoint = lambda u: D * back(u, A)  # noqa: E731
        else:
            m, d = np.asarray(view.mean, kind), np.asarray(view.level, kind)

            def product(v):
                c = D * v[:-1]
                return ahead(A, c) - m @ c + d * v[-1]

            def adjoint(u):
                return np.append(D * (back(u, A) - m * u.sum()), d * u.sum())

        lam = base._l2()
        return base.seen_by(product, adjoint, w, self._spread(np, lam) ** 2)

    def _weak(self) -> Any:
        """rho D^2 is the largest that any column has."""
        xp = np if known(self.base.term, self.view) else jnp
        D = xp.asarray(self.view.scale)
        return self.base.term.rho() * xp.max(D) ** 2 * (1 + 1e-6)

    def _quasi(self) -> Any:
        xp = np if known(self.base.A, self.view) else jnp
        rows = self.row_squares(xp)
        return self.base.loss.self_concordance * xp.sqrt(xp.max(rows)) * (1 + 1e-5)

    def _factors(self) -> tuple[SparseMatrix, spectrum.Columns | None]:
        """A D, or A and how it is seen in these columns: a sparse A stays sparse."""
        A, view = self.base.A, self.view
        xp = np if known(A, view) else jnp
        scale = xp.asarray(view.scale, xp.float64 if xp is np else A.dtype)
        if view.mean is None:
            values = xp.asarray(A.values) * scale[xp.asarray(A.columns)]
            return A.with_values(values), None
        mean, level = xp.asarray(view.mean, scale.dtype), xp.asarray(view.level)
        return A, spectrum.Columns(scale, mean, level)

    def row_squares(self, xp: Any) -> Any:
        """The squared rows of [(A - 1 m') D, d 1]; of a sparse A a little more."""
        if not isinstance(self.base.A, SparseMatrix):
            return xp.sum(xp.square(self.matrix()), axis=1)
        A, seen = self._factors()
        if seen is None:
            return design.row_squares(A, xp)
        columns = xp.asarray(A.columns)
        moved = seen.scale * seen.mean
        apart = xp.asarray(A.values) * seen.scale[columns] - moved[columns]
        stored = design.row_squares(A.with_values(apart), xp)
        # What is not stored is -m D, and none of what is.
        whole = xp.sum(xp.square(moved))
        theirs = design.row_squares(A.with_values(moved[columns]), xp)
        rest = xp.maximum(whole - theirs, 0) + A.width * whole * np.finfo(A.dtype).eps
        return stored + rest + xp.square(seen.level)

    def _curvature(self) -> Any:
        lam = self.base._l2()
        xp = np if known(lam, self.view) else jnp
        D = self._spread(xp, lam)
        return xp.min(xp.asarray(lam) * D**2) * (1 - 1e-6)

    def _spread(self, xp: Any, lam: Any) -> Any:
        D = xp.asarray(self.view.scale)
        return D[:, None] if np.ndim(lam) == 2 else D


def of(problem: Any, always: bool = False) -> Columns | None:
    """The view of a model with unequal columns; None where it would change little.

    None too for a term that does not act coordinate by coordinate, and for traced
    data unless `always`: whether columns are unequal depends on their values.
    """
    if not problem.term.separable:
        return None
    concrete = known(problem.A, problem.weight, problem.term, problem.offset)
    if not (concrete or always):
        return None
    xp = np if concrete else jnp
    if isinstance(problem.A, SparseMatrix):
        A, kind = problem.A, problem.A.dtype
        if concrete:
            A = A.with_values(np.asarray(A.values, np.float64))
    else:
        if concrete and not always and _alike(problem):
            return None
        A = xp.asarray(problem.A)
        kind = A.dtype
        A = A.astype(np.float64) if concrete else A
    n = A.shape[0]
    w = xp.ones(n, A.dtype) if problem.weight is None else xp.asarray(problem.weight)
    w = w.astype(A.dtype)
    big = design.column_sizes(A, xp)
    unit = xp.where(big > 0, big, 1)
    total = xp.sum(w)
    mean, square = design.moments(A, w, unit, problem.intercept, xp)
    c = problem.loss.curvature_bound or 1.0
    penalty = _quadratic(problem.term, xp, A.dtype)
    # Squares of unit beside the penalty: sizes are added, not squares of sizes.
    size = xp.hypot(unit * xp.sqrt(c * square), xp.sqrt(penalty))
    low, high = (1e-140, 1e140) if np.dtype(kind) == np.float64 else (1e-17, 1e17)
    size = xp.clip(xp.where(size > 0, size, 1), low, high)
    level = None if mean is None else xp.clip(xp.sqrt(c * total), low, high)
    if concrete and not always and not _unequal(size, level, mean, square, total):
        return None
    mean = None if mean is None else (mean * unit).astype(kind)
    level = None if level is None else xp.asarray(1 / level, kind)
    return Columns((1 / size).astype(kind), level, mean)


def uneven(problem: Any, stack: Any) -> int | None:
    """The first lane of a stack of models that has a view, or None; see `of`.

    Two passes over the data of all lanes tell which of them surely need none.
    """
    if not problem.term.separable:
        return None
    whole = jax.tree.unflatten(stack.treedef, stack.leaves)
    if isinstance(whole.A, SparseMatrix):
        own = jax.tree.unflatten(stack.treedef, stack.shared)
        alike = all(jax.tree.leaves((own.A, own.weight, own.term)))
        lanes = range(1 if alike else len(stack))
        return next((i for i in lanes if stack.view(i).view() is not None), None)
    shared = jax.tree.unflatten(stack.treedef, stack.shared)
    term, own = _quadratic_field(whole.term), _quadratic_field(shared.term)
    penalty = np.zeros(())
    if term is not None:
        penalty = np.asarray(term, np.float64)
        # One a lane, one a column, or (softmax) one a coefficient.
        if penalty.ndim - (not own) == 2:
            penalty = penalty.max(axis=-1)
        if not own and penalty.ndim == 1:
            penalty = penalty[:, None]
    c = whole.loss.curvature_bound or 1.0
    alike = _even(np.asarray(whole.A), whole.weight, penalty, c, whole.intercept)
    doubted = np.flatnonzero(~np.broadcast_to(alike, len(stack)))
    return next((int(i) for i in doubted if stack.view(i).view() is not None), None)


def _alike(problem: Any) -> bool:
    """Whether two passes over A already tell that its columns need no view.

    Sums of squares as they are: where they may have left the range, or a variance is
    small beside them, this says no, and the careful way decides.
    """
    A = np.asarray(problem.A)
    if not A.size:
        return True
    c = problem.loss.curvature_bound or 1.0
    penalty = _quadratic(problem.term, np, np.float64)
    return bool(_even(A, problem.weight, penalty, c, problem.intercept))


def _even(
    A: np.ndarray, w: Any, penalty: np.ndarray, c: float, intercept: bool
) -> np.ndarray:
    """The same of arrays whose first axis may be one of lanes."""
    n = A.shape[-2]
    with np.errstate(all="ignore"):
        if w is None:
            total = np.full(A.shape[:-2], float(n))
            square = np.einsum("...ij,...ij->...j", A, A)
        else:
            total = np.sum(np.asarray(w, np.float64), axis=-1)
            square = np.einsum("...i,...ij,...ij->...j", np.asarray(w, A.dtype), A, A)
        size = square = square.astype(np.float64)
        far, good = np.finfo(A.dtype), True
        if intercept:
            one = np.ones(n, A.dtype) if w is None else np.asarray(w, A.dtype)
            mean = np.matmul(one[..., None, :], A)[..., 0, :]
            drift = mean.astype(np.float64) ** 2 / total[..., None]
            size = square - drift
            good = ~np.any(drift > UNEQUAL / 4 * size, axis=-1)
            last = np.broadcast_to(total[..., None], (*size.shape[:-1], 1))
            size = np.concatenate([size, last], axis=-1)
        size = c * size
        width = A.shape[-1]
        lanes = np.broadcast_shapes(size.shape[:-1], penalty.shape[:-1])
        size = np.array(np.broadcast_to(size, (*lanes, size.shape[-1])))
        size[..., :width] += penalty
        low, high = np.min(size, axis=-1), np.max(size, axis=-1)
        inside = (np.min(square, axis=-1) > far.tiny / far.eps) & (
            np.max(square, axis=-1) < far.max / 4
        )
    return good & inside & (low > 0) & (high <= UNEQUAL / 2 * low)


def unscaled(problem: Any) -> str | None:
    """What would help a model with unequal columns whose term couples them."""
    if problem.term.separable or not known(problem.A):
        return None
    A = problem.A
    A = A if isinstance(A, SparseMatrix) else np.asarray(A, np.float64)
    size = design.column_sizes(A, np)
    size = size[size > 0].astype(np.float64)
    if not size.size or np.max(size) <= math.sqrt(UNEQUAL) * np.min(size):
        return None
    apart = np.max(size) / np.min(size)
    return (
        f"the columns of A differ in size by {apart:.2g}, which slows first-order "
        f"methods down, and {type(problem.term).__name__} allows no scaling of single "
        "coordinates: state the model in units that make the columns alike (A / s, "
        "with s = numpy.abs(A).max(axis=0); the penalty then counts s * x)"
    )


def _unequal(size, level, mean, square, total) -> bool:
    """Whether curvatures, or the means beside the spreads, are far apart."""
    every = size if level is None else np.append(size, level)
    apart = math.sqrt(UNEQUAL)
    if np.max(every) / np.min(every) > apart:
        return True
    if mean is None:
        return False
    # A mean of many spreads makes the intercept and its column nearly parallel.
    return bool(np.any(np.sqrt(total) * np.abs(mean) > apart * np.sqrt(square)))


def _quadratic(term: Any, xp: Any, dtype: Any) -> Any:
    """The curvature of the term, a number or one a column."""
    lam = _quadratic_field(term)
    if lam is None:
        return xp.zeros((), dtype)
    lam = xp.asarray(lam, dtype)
    return xp.max(lam, axis=1) if lam.ndim == 2 else lam


def _quadratic_field(term: Any) -> Any:
    """The weight of the term's square, or None."""
    if isinstance(term, SquaredL2):
        return term.lam
    return term.l2 if isinstance(term, ElasticNet) else None

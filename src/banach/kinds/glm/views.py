"""A linear model seen as a finite sum, and as what sums with a term are seen as.

With a smooth term a model is a smooth function, else a smooth part plus a term: the
views of those are its own. Its rows make it a sum beside that, one loss a row, whether
of the function (`FiniteSumOfModel`) or of its gradient (`ComponentsOfModel`).
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from banach.core.facts import CONSTRUCTION, Fact, Facts
from banach.core.problem import Problem
from banach.core.view import Costs, Seen, View, Way, way
from banach.kinds import view_bases
from banach.kinds.composite import views as composite
from banach.kinds.glm import design
from banach.kinds.glm.inputs import known
from banach.kinds.smooth import views as smooth
from banach.parts import batches
from banach.terms.norms import SquaredL2


class Drawn:
    """The losses of some rows of a model, seen as it stands or in scaled columns."""

    def __init__(self, problem: Any):
        inner = getattr(problem, "base", None)
        self.model = problem if inner is None else inner
        self.view = None if inner is None else problem.view

    def slopes(self, x: Array, index: Int[Array, " m"]) -> tuple[Array, Array]:
        """The rows, and w_i l'(z_i) of each, shape (m,) or (m, K)."""
        model = self.model
        x = jnp.asarray(x)
        home = x if self.view is None else self.view.home(x)
        c, b = model.split(home)
        A = design.picked(model.A, index, x.dtype)
        z = design.times(A, c) + b
        if model.offset is not None:
            z = z + jnp.asarray(model.offset)[index].astype(x.dtype)
        y = jnp.asarray(model.y)[index]
        y = y if model.loss.discrete and z.ndim == 2 else y.astype(x.dtype)
        s = model.loss.derivative(z, y)
        if model.weight is None:
            return A, s
        w = jnp.asarray(model.weight)[index].astype(x.dtype)
        return A, (w[:, None] if s.ndim == 2 else w) * s

    def mean(self, x: Array, index: Int[Array, " m"], mask: Any = None) -> Array:
        """The mean of the gradients of w_i l_i over the rows that the mask keeps."""
        A, s = self.slopes(x, index)
        if mask is None:
            count = jnp.asarray(index.shape[0], s.dtype)
        else:
            keep = mask[:, None] if s.ndim == 2 else mask
            s, count = jnp.where(keep, s, 0), jnp.maximum(jnp.sum(mask), 1)
        g = design.times_back(A, s)
        if self.model.intercept:
            g = jnp.concatenate([g, jnp.sum(s, axis=0, keepdims=True)])
        return self._away(g) / count.astype(g.dtype)

    def each(self, x: Array, index: Int[Array, " m"]) -> Array:
        """The gradients of w_i l_i, one a row of the index."""
        A, s = self.slopes(x, index)
        A = design.entries(A)
        if self.model.intercept:
            A = jnp.concatenate([A, jnp.ones_like(A[:, :1])], axis=1)
        g = A[:, :, None] * s[:, None, :] if s.ndim == 2 else A * s[:, None]
        return g if self.view is None else jax.vmap(self.view.transposed)(g)

    def ridge(self, x: Array) -> Any:
        """The gradient of the term where it is smooth, not divided by n."""
        model = self.model
        if not isinstance(model.term, SquaredL2):
            return 0
        x = jnp.asarray(x)
        home = x if self.view is None else self.view.home(x)
        c = model.split(home)[0]
        g = jnp.asarray(model.term.lam, c.dtype) * c
        if model.intercept:
            g = jnp.concatenate([g, jnp.zeros_like(home[-1:])])
        return self._away(g)

    def largest(self) -> Any:
        """max_i n w_i sup l'' ||(a_i, 1)||^2, and the term's curvature: of one row."""
        model = self.model
        facts = (model.A, model.weight, model.term, self.view)
        xp = np if known(*jax.tree.leaves(facts)) else jnp
        if self.view is None:
            square = design.row_squares(model.A, xp) + model.intercept
        else:
            square = self.view.there(model).row_squares(xp)
        if model.weight is not None:
            square = square * xp.asarray(model.weight)
        top = model.A.shape[0] * model.loss.curvature_bound * xp.max(square)
        if isinstance(model.term, SquaredL2):
            D = 1.0 if self.view is None else self.view.scale
            lam = xp.asarray(model.term.lam)
            D = D[:, None] if np.ndim(lam) == 2 and np.ndim(D) else D
            top = top + xp.max(lam * D**2)
        return top * (1 + 1e-6)

    def _away(self, g: Array) -> Array:
        return g if self.view is None else self.view.transposed(g)


def drawn_gradient(
    problem: Any, x: Array, index: Int[Array, " m"], mask: Any = None
) -> Array:
    """n times the mean gradient of w_i l_i over some rows, and the smooth term's."""
    drawn = Drawn(problem)
    return problem.n * drawn.mean(x, index, mask) + drawn.ridge(x)


class FiniteSumOfModel(View):
    """The mean of the losses, the smooth term with them: the objective over n."""

    name: ClassVar[str] = "finite_sum"

    def there(self, problem: Problem) -> "ModelSum":
        """The sum."""
        return ModelSum(problem)

    def fits(self, problem: Problem) -> bool:
        """A model with a smooth term."""
        return "grad" in problem.oracles() and not problem.essential()

    def text(self) -> str:
        """What is summed."""
        return "the mean of its losses"


class ModelSum(Seen):
    """1/n sum_i w_i l_i + l2 / (2 n) ||c||^2."""

    kind: ClassVar[str] = "FiniteSum"

    @property
    def n(self) -> int:
        """Number of terms (static)."""
        return self.base.n

    def oracles(self) -> frozenset[str]:
        """Gradients of drawn terms."""
        return frozenset({"stochastic_grad"})

    def facts(self) -> Facts:
        """Those of the model, over n."""
        base, n = self.base.facts(), self.n
        constants = {
            name: Fact(lambda name=name: base.get(name) / n, base.provenance(name))
            for name in ("L", "mu")
            if base.provenance(name) is not None
        }
        if "L" in constants:
            largest = Fact(lambda: Drawn(self.base).largest() / n, CONSTRUCTION)
            constants["L_max"] = largest
        kept = ("convex", "smooth", "strongly_convex")
        return Facts({k: v for k, v in base.properties.items() if k in kept}, constants)

    def stochastic_grad(
        self,
        x: Array,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"] | None = None,
        key: Array | None = None,
    ) -> Array:
        """The gradient of the mean of the indexed terms, and of the penalty."""
        drawn = Drawn(self.base)
        return drawn.mean(x, index, mask) + drawn.ridge(x) / self.n

    def gradient_moments(
        self,
        x: Array,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"],
        key: Array | None = None,
    ) -> batches.Moments:
        """Count, mean and scatter of the gradients, term by term."""
        drawn = Drawn(self.base)
        moments = batches.moments(drawn.each(x, index), mask)
        mean = moments.mean + drawn.ridge(x) / self.n
        return batches.Moments(moments.count, mean, moments.scatter)

    def objective(self, x: Array) -> Any:
        """That of the model, over n."""
        return self.base.objective(x) / self.n


class ComponentsOfModel(View):
    """The inclusion of the gradient, as the mean of n times the gradient of a row."""

    name: ClassVar[str] = "inclusion_of_gradient"
    derives: ClassVar[bool] = True

    term: bool = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "ComponentsOfModel":
        """With the resolvent of the term where there is one."""
        return cls(bool(problem.essential()))

    def there(self, problem: Problem) -> "ModelInclusion":
        """The inclusion."""
        return ModelInclusion(problem)

    def costs(self) -> Costs:
        """An operator is a gradient, a component one row's, a resolvent a prox."""
        return {
            "operator": {"grad": 1},
            "component": {"stochastic_grad": 1},
            "resolvent": {"prox": 1} if self.term else {},
        }

    def fits(self, problem: Problem) -> bool:
        """A model whose term is there or not, as it was."""
        return problem.kind == "GLM" and self.term == bool(problem.essential())

    def text(self) -> str:
        """Whose zero is sought."""
        term = " and the term's subgradients" if self.term else ""
        return f"an inclusion of the rows' gradients{term}"


class ModelInclusion(view_bases.AsInclusion):
    """F_i = n w_i l'(z_i) a_i, and the smooth term's gradient."""

    @property
    def n(self) -> int:
        """Number of rows (static)."""
        return self.base.n

    def essential(self) -> frozenset[str]:
        """The resolvent where there is a term."""
        return frozenset({"resolvent"} if self.base.essential() else ())

    def operator(self, z: Array) -> Array:
        """The gradient."""
        return self.base.grad(z)

    def resolvent(self, v: Array, t: Any) -> Array:
        """The prox of t g."""
        return composite.near(self.base, v, t)

    def component(self, z: Array, batch: Int[Array, " b"]) -> Array:
        """The mean of F_i over the batch."""
        return drawn_gradient(self.base, z, batch)

    def facts(self) -> Facts:
        """Each row's F_i is 1/L_i-cocoercive: on average they are by 1/max L_i."""
        known = composite.monotone(self.base)
        if known.provenance("L") is None:
            return known
        each = Fact(lambda: composite.inverse(Drawn(self.base).largest()), CONSTRUCTION)
        return known.extended({"cocoercive_average": each})


def of(problem: Any) -> tuple[Way, ...]:
    """The views of a model, in declared order."""
    rows = sums(problem)
    if not problem.essential():
        return (
            rows,
            smooth.without_term(problem),
            smooth.root_of_gradient(problem),
            components(problem),
            composite.forward_backward(problem),
        )
    return (
        rows,
        components(problem),
        composite.forward_backward(problem),
        composite.envelope(problem),
    )


def sums(problem: Any) -> Way:
    """As a finite sum, where its term is smooth."""
    model, absent = Drawn(problem).model, ""
    if not model.folded:
        name = type(model.term).__name__
        absent = (
            f"a finite sum has smooth terms alone, and {name} is not one; use a model "
            "with SquaredL2 or no term"
        )
    return way(FiniteSumOfModel, "FiniteSum", problem, absent or _rows(model))


def components(problem: Any) -> Way:
    """As an inclusion, one component a row where rows can be drawn."""
    if _rows(Drawn(problem).model):
        return composite.inclusion(problem)
    absent = composite.no_prox(problem) or composite.not_convex(problem)
    return way(ComponentsOfModel, "Inclusion", problem, absent)


def _rows(model: Any) -> str:
    """Why no rows can be drawn, or empty."""
    there = design.has_rows(model.A)
    return "" if there else "rows are drawn from a matrix of numbers alone"

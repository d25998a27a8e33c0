"""Generalised linear models: a loss of A x + b, and a term on the coefficients."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from banach.core import compat, memoised_calls, validation
from banach.core.annotations import Column, Matrix
from banach.core.facts import CONSTRUCTION, SEEN, Fact, Facts
from banach.core.fitted import Fitted
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.stacked import Stacked
from banach.core.view import Way
from banach.estimate import spectrum
from banach.kinds import inputs
from banach.kinds.glm import bounds as glm_bounds
from banach.kinds.glm import column_scaling as glm_columns
from banach.kinds.glm import design, fits, host_model, separable
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.glm import named_columns as labelled
from banach.kinds.glm import stack as glm_stack
from banach.kinds.glm.hessian import scalar_hessian, softmax_hessian
from banach.kinds.glm.inputs import known
from banach.kinds.glm.loss import Loss
from banach.kinds.glm.losses import SoftmaxLoss, SquaredLoss
from banach.kinds.glm.null_model import null_intercept
from banach.terms.norms import L1, ElasticNet, SquaredL2, Zero
from banach.terms.sets import Set
from banach.terms.term import Term

Scalar = Float[Array, ""]
_TERM = frozenset({"prox", "project", "lmo"})
_SMOOTH = frozenset({"value", "grad", "hvp", "hess"})
_ANY_SHAPE = Zero | SquaredL2 | L1 | ElasticNet  # with scalar weights


@kind(
    name="GLM",
    oracles="value grad hvp hess stochastic_grad prox project lmo dual host_model",
    checks="gap step stationarity",
    views="""finite_sum without_term root_of_gradient inclusion_of_gradient
    forward_backward envelope""",
    prefers={
        "term": """working_set_newton fista nonconvex_accelerated_prox
        proximal_gradient frank_wolfe""",
        "size<=2000, fact:convex": "lazy_newton trust_region_newton lbfgs",
        "size<=2000": "trust_region_newton lbfgs nonlinear_cg",
        "": "lbfgs newton_cg gradient_descent",
    },
    cures={
        "dual": "State a linear model (bn.GLM) with a term that has a conjugate",
        "host_model": """State a linear model (bn.GLM) with an l1 norm or elastic net, \
and a loss of one margin a row""",
    },
    public={
        "models": """Ridge Lasso ElasticNetRegression GroupLasso
        SparseGroupLasso SlopeRegression FusedLasso ScadRegression McpRegression
        NonnegativeLeastSquares BoxLeastSquares SimplexLeastSquares LogisticRegression
        SparseLogisticRegression SoftmaxRegression PoissonRegression HuberRegression
        SquaredHingeClassifier""",
    },
    pieces={
        "losses": """SquaredLoss LogisticLoss SoftmaxLoss PoissonLoss HuberLoss
    SquaredHingeLoss"""
    },
    zoo="""logistic sparse_logistic squared_hinge softmax lasso elasticnet grouplasso
    ridge leastsquares huber poisson nnls box simplex""",
)
class GLM(Problem):
    """minimise F(x) = sum_i w_i l(<a_i, c> + b + o_i, y_i) + g(c); no factor 1/n.

    A is an array, or a sparse matrix (any of SciPy's, JAX's BCOO), which stays sparse
    throughout: entries of one place are added up as it is read, stored zeros stay.

    x is one array: the coefficients c, shape (p,) or (p, K) for softmax, and with
    `intercept=True` a last row b, never penalised. w are `sample_weight`, o `offset`.
    Terms Zero and SquaredL2 belong to value, grad, hvp and hess; with any other term
    these are of the losses alone, and prox, project and lmo are the term's.

    Targets: numbers for SquaredLoss and HuberLoss, nonnegative ones for PoissonLoss.
    Labels: -1/+1 for LogisticLoss and SquaredHingeLoss, 0 .. K-1 for SoftmaxLoss. Any
    other labels, text, truth or whole numbers, are sorted and numbered as numpy.unique
    does: `classes` is their tuple in that order (for two classes the first is -1, the
    second +1), empty where y held the codes themselves. Bad data raise Misuse.

    A may be a table of pandas, polars and others: `columns` are its names, empty where
    it has none; for an array they may be given. y, weights and offset may be columns
    of such tables; where row labels differ from those of A, Misuse.

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        y: (n,), targets or labels, as the loss says below.
        loss: such as `bn.LogisticLoss()`.
        term: a Term of banach.terms; None: none.
        intercept: whether a constant is fitted beside, never penalised.
        sample_weight: (n,), weights >= 0.
        offset: (n,), a known part of each prediction.
        columns: p names, where A is an array.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> fit = bn.solve(
        ...     bn.GLM(A, b, bn.HuberLoss(0.5), bn.L1(0.1), columns=["one", "t"])
        ... )
        >>> print(fit.coef)
        one  1.13333
        t        1.5
    """

    A: Any
    y: Any
    weight: Any
    offset: Any
    loss: Loss
    term: Term
    intercept: bool = eqx.field(static=True)
    classes: tuple = eqx.field(static=True)
    columns: tuple = eqx.field(static=True)

    def __init__(
        self,
        A: Matrix,
        y: Column,
        loss: Loss,
        term: Term | None = None,
        *,
        intercept: bool = False,
        sample_weight: Column | None = None,
        offset: Column | None = None,
        columns: Sequence[str] | None = None,
    ):
        if not isinstance(loss, Loss):
            raise Misuse(
                f"GLM needs a loss, got {validation.shown(loss)}; pass e.g. "
                "bn.LogisticLoss()"
            )
        self.intercept = validation.flag(intercept, "intercept")
        term = Zero() if term is None else term
        inputs.is_term(term, "GLM")
        if offset is not None and isinstance(loss, SoftmaxLoss):
            raise Misuse("Softmax takes no offset; leave it out")
        labelled.same_rows(A, y, sample_weight, offset)
        names = labelled.columns(A, columns)
        rows = glm_inputs.matrix(A)
        n = rows.shape[0]
        self.columns = labelled.one_each(names, rows.shape[1])
        read, self.classes = glm_inputs.targets(y, loss, n)
        weight = glm_inputs.weights(sample_weight, n)
        if offset is not None:
            offset = glm_inputs.vector(offset, "offset", n)
        dtype = glm_inputs.common_dtype(
            design.values(rows), None if loss.discrete else read, weight, offset
        )
        self.A = design.narrowed(rows, dtype)
        # A method of a module that is fetched from an instance is a module of its own,
        # 16 us to make; from its class it is a function.
        kind = type(loss)
        read = read if loss.discrete else inputs.cast(read, dtype, "y")
        self.y = kind.labels(loss, read, dtype)
        self.weight = inputs.cast(weight, dtype, "sample_weight")
        self.offset = inputs.cast(offset, dtype, "offset")
        self.loss = inputs.in_dtype(loss, dtype)
        self.term = inputs.in_dtype(term, dtype)
        GLM._check_term(self)
        if self.intercept:
            kind.check_intercept(loss, self.y, self.weight)

    def restated(self) -> "GLM":
        """Through the constructor, labels by the names of their classes."""
        return self.through_constructor(
            y=glm_inputs.named(self.y, self.classes),
            sample_weight=self.weight,
            columns=self.columns or None,
        )

    @property
    def folded(self) -> bool:
        """Whether the term is smooth and part of value, grad, hvp and hess."""
        return isinstance(self.term, Zero | SquaredL2)

    def oracles(self) -> frozenset[str]:
        """Derivatives, what the term offers, and `dual` where a gap is derivable.

        Gradients of rows beside a term; with a smooth term a model is a finite sum.
        """
        dual = frozenset({"dual"} if self.no_gap() is None else ())
        host = frozenset({"host_model"} if self._off_host() is None else ())
        term = self.essential()
        rows = term and design.has_rows(self.A)
        drawn = frozenset({"stochastic_grad"} if rows else ())
        return _SMOOTH | term | drawn | dual | host

    def essential(self) -> frozenset[str]:
        """prox, project and lmo of a term that is not smooth."""
        if self.folded:
            return frozenset()
        offered = _TERM & self.term.offers()
        # A set times the free line of the intercept is not compact.
        return offered - {"lmo"} if self.intercept else offered

    def no_gap(self) -> str | None:
        """Why no duality gap is derivable for this instance, or None."""
        name = type(self.term).__name__
        if "conjugate" not in self.term.offers():
            return f"{name} has no conjugate that a dual point can be repaired for"
        if known(self.term):
            # Concrete weights stay concrete inside a trace.
            with jax.ensure_compile_time_eval():
                free = bool(np.any(np.asarray(self.term.unpenalised)))
            if free:
                return f"{name} leaves coefficients unpenalised"
        return glm_bounds.no_reach(self.term) if self.intercept else None

    def space(self) -> jax.ShapeDtypeStruct:
        """(p,), or (p, K) for softmax; one row more with an intercept."""
        dtype = jax.dtypes.canonicalize_dtype(self.A.dtype)
        return jax.ShapeDtypeStruct(
            self._shape(self.A.shape[1] + self.intercept), dtype
        )

    def start(self) -> Point:
        """Zero, or the centre of the set that the term is."""
        x = np.zeros(self.space().shape, self.A.dtype)
        if not isinstance(self.term, Set):
            return Point(x)
        if not known(self.term, self.A) or design.is_ambient(self.A):
            return Point(self._on_coef(self.term.center, jnp.asarray(x)))
        with compat.double(), jax.ensure_compile_time_eval():
            return Point(np.asarray(self._on_coef(self.term.center, x), x.dtype))

    def split(self, x: Array) -> tuple[Array, Any]:
        """Coefficients and intercept (0 without one)."""
        return (x[:-1], x[-1]) if self.intercept else (x, 0)

    def weights(self, dtype: Any) -> Float[Array, " n"]:
        """The sample weights, ones where none were given."""
        if self.weight is None:
            return jnp.ones(self.A.shape[0], dtype)
        return jnp.asarray(self.weight, dtype)

    def linear(self, x: Array) -> Array:
        """z = A c + b + o, shape (n,) or (n, K)."""
        x = jnp.asarray(x)
        z = self._apply(x)
        return z if self.offset is None else z + jnp.asarray(self.offset, x.dtype)

    def linear_at_zero(self, x: Array) -> Array:
        """b + o, what z is where all of c are 0."""
        x = jnp.asarray(x)
        z = jnp.zeros(self._shape(self.A.shape[0]), x.dtype)
        z = z + self.split(x)[1] if self.intercept else z
        return z if self.offset is None else z + jnp.asarray(self.offset, x.dtype)

    def adjoint(self, th: Array) -> Array:
        """(A' th, 1' th), an array like x."""
        v = design.times_back(self.A, th)
        if not self.intercept:
            return v
        return jnp.concatenate([v, jnp.sum(th, axis=0, keepdims=True)])

    def value(self, x: Array | np.ndarray) -> Scalar:
        """The sum of the losses, and the term if it is smooth."""
        x = jnp.asarray(x)
        return self._value_of(x, self.linear(x))

    def _value_of(self, x: Array, z: Array) -> Scalar:
        losses = self.loss.value(z, self._y(x))
        return jnp.sum(self._weigh(losses)) + self._ridge(x)

    def grad(self, x: Array | np.ndarray) -> Array:
        """A' (w l'(z)), and lam c if the term is smooth."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x: Array | np.ndarray) -> tuple[Scalar, Array]:
        """Both in one pass over A and one over A'."""
        x = jnp.asarray(x)
        z, y = self.linear(x), self._y(x)
        slope = self._weigh(self.loss.derivative(z, y))
        value = jnp.sum(self._weigh(self.loss.value(z, y))) + self._ridge(x)
        return value, self._plus_ridge(self.adjoint(slope), x)

    def companion(self, x: Array) -> Array:
        """|A|' (w |l'(z)|), and lam |c| if the term is smooth: one unit a column."""
        x = jnp.asarray(x)
        slope = jnp.abs(self._weigh(self.loss.derivative(self.linear(x), self._y(x))))
        size = design.times_back(design.mapped(self._A(slope), jnp.abs), slope)
        if self.intercept:
            size = jnp.concatenate([size, jnp.sum(slope, axis=0, keepdims=True)])
        return self._plus_ridge(size, jnp.abs(x))

    def undefined(self, x: Array | np.ndarray) -> Any:
        """Whether the margins overflow; no loss is evaluated."""
        return ~jnp.all(jnp.isfinite(self.linear(x)))

    @property
    def n(self) -> int:
        """Number of rows (static)."""
        return self.A.shape[0]

    def stochastic_grad(
        self,
        x: Array,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"] | None = None,
        key: Array | None = None,
    ) -> Array:
        """n times the mean gradient of the indexed rows: on average the gradient."""
        from banach.kinds.glm import views

        return views.drawn_gradient(self, x, index, mask)

    def hvp(self, x: Array | np.ndarray, v: Array | np.ndarray) -> Array:
        """The Hessian applied to v."""
        x, v = jnp.asarray(x), jnp.asarray(v)
        bent = self.loss.curve(self.linear(x), self._y(x), self._apply(v))
        return self._plus_ridge(self.adjoint(self._weigh(bent)), v)

    def hess(self, x: Array | np.ndarray) -> Float[Array, "d d"]:
        """The dense Hessian; one product B'B with B = sqrt(w l'') A."""
        x = jnp.asarray(x)
        z, y = self.linear(x), self._y(x)
        if isinstance(self.loss, SoftmaxLoss):
            H = softmax_hessian(self._A(z), self._weigh, z, self.intercept)
        else:
            d = self._weigh(self.loss.curvature(z, y))
            H = scalar_hessian(self._A(z), d, self.intercept)
        if not isinstance(self.term, SquaredL2):
            return H
        l2 = self._plus_ridge(jnp.zeros_like(x), jnp.ones_like(x)).ravel()
        return H + jnp.diag(l2)

    def prox(self, v: Array | np.ndarray, t: Any) -> Array:
        """The term's prox on the coefficients; the intercept stays.

        t is a number, or for terms that fall apart by coefficient one a row of v.
        """
        own = self.split(t)[0] if jnp.ndim(t) else t
        return self._on_coef(lambda c: self.term.prox(c, own), v)

    def project(self, v: Array | np.ndarray) -> Array:
        """The term's projection of the coefficients; the intercept stays."""
        return self._on_coef(self.term.project, v)

    def lmo(self, g: Array | np.ndarray) -> Array:
        """The term's vertex; not offered beside an intercept."""
        return self.term.lmo(g)

    def objective(self, x: Array | np.ndarray) -> Scalar:
        """F(x), losses and term."""
        x = jnp.asarray(x)
        return self.objective_of(x, self.linear(x))

    def objective_of(self, x: Array, z: Array) -> Scalar:
        """F(x), given z."""
        extra = 0 if self.folded else self.term.value(self.split(x)[0])
        return self._value_of(x, z) + extra

    def facts(self) -> Facts:
        """All by construction; M is that of |D3f[u, u, v]| <= M ||v|| D2f[u, u].

        Beside a term that is not convex nothing is said to be, the losses neither.
        """
        loss = self.loss
        properties = {"smooth": CONSTRUCTION}
        if self.term.is_convex():
            properties["convex"] = CONSTRUCTION
        constants = {}
        if not self.term.is_convex():
            constants["rho"] = Fact(self.term.rho, CONSTRUCTION)
        if loss.curvature_bound is not None:
            constants["L"] = Fact(self._lipschitz, self._how())
            if known(self.A, self.weight, self.term):
                constants["curvature"] = Fact(self._seen, SEEN)
        if loss.self_concordance is not None:
            properties["self_concordant"] = CONSTRUCTION
            constants["M"] = Fact(self._quasi, CONSTRUCTION)
        if not self.intercept and self._curved():
            properties["strongly_convex"] = CONSTRUCTION
            constants["mu"] = Fact(lambda: glm_inputs.least(self._l2()), CONSTRUCTION)
        if "lmo" in self.essential():
            properties["compact"] = CONSTRUCTION
            like = np.zeros(self.space().shape, self.space().dtype)
            constants["radius"] = Fact(lambda: self.term.diameter(like), CONSTRUCTION)
        return Facts(properties, constants)

    def residual_step(self) -> Array:
        """The t of the prox residual: 1 / (c sum_i w_i (||a_i||^2 + 1)).

        c bounds l''; for Poisson, where nothing does, c w_i is w_i (y_i + 1). Of a
        term that falls apart by coefficient each has its own, in its own units:
        1 / (p c sum_i w_i a_ij^2) with p the number of columns, by Cauchy and Schwarz
        no longer a step than the bound allows. A term that is not convex adds its rho
        to 1 / t, so that the residual is 0 exactly at stationary points.
        """
        dtype = self.space().dtype
        A, w = design.cast(self.A, dtype), self.weights(dtype)
        if self.loss.curvature_bound is None:
            w = w * (jnp.asarray(self.y, dtype) + 1)
        else:
            w = w * self.loss.curvature_bound
        weak = 0 if self.term.is_convex() else jnp.asarray(self.term.rho(), dtype)
        if not self.term.separable:
            return 1 / (jnp.vdot(w, design.row_squares(A) + 1) + weak)
        bent = design.times_back(design.mapped(A, jnp.square), w)
        if self.intercept:
            bent = jnp.append(bent, jnp.sum(w))
        t = 1 / (jnp.where(bent > 0, bent, 1) * bent.shape[0] + weak)
        return t[:, None] if isinstance(self.loss, SoftmaxLoss) else t

    def optimality(self, point: Point) -> Point:
        """The gradient, or x - prox(x - t grad, t) where there is a prox."""
        x = point.x
        g = self.grad(x)
        if self.folded:
            return Point(g)
        t = jnp.asarray(self.residual_step(), g.dtype)
        return Point(x - self.prox(x - t * g, t))

    def reference_point(self) -> Point:
        """The null model: coefficients 0 (the centre of a set), best intercept."""
        x = jnp.asarray(self.start().x, self.space().dtype)
        dtype = x.dtype
        if not self.intercept:
            return Point(x)
        offset = None if self.offset is None else jnp.asarray(self.offset, dtype)
        if isinstance(self.term, Set):
            offset = self.linear(x)
        b = null_intercept(self.loss, self._y(x), self.weights(dtype), offset)
        return Point(x.at[-1].set(b))

    def named(self, x: Any) -> tuple[Any, Any]:
        """The coefficients by column (and class), and the intercept, 0 without one."""
        return labelled.coefficients(self, x)

    def host_model(self) -> host_model.HostModel:
        """The model in NumPy and float64, for methods that run there."""
        return host_model.of(self)

    def instead(self, oracle: str) -> str | None:
        """What keeps a model from NumPy."""
        why = self._off_host() if oracle == "host_model" else None
        return None if why is None else f"{why[0].upper()}{why[1:]}"

    def _off_host(self) -> str | None:
        if not known(self.A, self.y, self.weight, self.offset, self.term):
            return "the data are traced: use a method that runs in XLA, e.g. fista"
        return host_model.without(self)

    def fitted(self, x: Any) -> Fitted:
        """x as an estimate, without a penalty; else Misuse with the cure."""
        return fits.fitted(self, x)

    def predict(self, x: Any, new: Any, *, offset: Any = None) -> np.ndarray:
        """What the model x expects of new rows: means, of classes the labels.

        Args:
            x: coefficients, `result.x`.
            new: rows like those of A; of a table the columns are matched by name.
            offset: the offset of the new rows, where the model was stated with one.

        Returns:
            One mean a row (squared, Huber and Poisson losses), or one label a row.
        """
        return labelled.predict(self, x, new, offset)

    def predict_proba(self, x: Any, new: Any, *, offset: Any = None) -> np.ndarray:
        """The probability of each class, (rows, classes) in the order of `labels()`.

        Misuse where the loss is no probability model (squared hinge, measurements).
        """
        return labelled.predict_proba(self, x, new, offset)

    def told(self) -> list[tuple[str, str]]:
        """The labels of the classes."""
        return labelled.told(self)

    def labels(self) -> tuple:
        """The labels of all classes in order; () where y holds measurements."""
        return labelled.labels(self)

    def title(self) -> str:
        """The usual name of the model (`bn.Lasso`), or GLM."""
        pair = (type(self.loss).__name__, type(self.term).__name__)
        return glm_inputs.USUAL.get(pair, "GLM")

    def formula(self) -> str:
        """The objective as text."""
        weight = "" if self.weight is None else "w_i "
        z = f"A c{' + b' * self.intercept}{'' if self.offset is None else ' + o'}"
        z += "" if self.intercept else " (no intercept)"
        text = glm_inputs.term_text(self.term)
        term = "" if isinstance(self.term, Zero) else f" + {text}"
        names = ", ".join(repr(c) for c in self.classes[:20])
        coded = f", classes {names}" if names else ""
        A = design.text(self.A)
        return f"sum_i {weight}{self.loss.text}{term}, z = {z}, {A}{coded}"

    def default_check(self) -> str:
        """The duality gap where one is derivable, else the residual."""
        if self.no_gap() is None:
            return "gap"
        return "stationarity" if self.folded else "step"

    def unattained(self, x: Array | np.ndarray) -> str | None:
        """A direction that separates the data, without a penalty: no minimiser."""
        return separable.unattained(self, x)

    def diagnosis(self, x: Array | np.ndarray) -> str | None:
        """No minimiser to come to; or unequal columns that no scaling can reach."""
        return self.unattained(x) or glm_columns.unscaled(self)

    @classmethod
    def stack(
        cls,
        A: Any,
        y: Any,
        loss: Loss,
        term: Term | None = None,
        *,
        intercept: bool = False,
        sample_weight: Any = None,
        offset: Any = None,
        columns: Any = None,
    ) -> Stacked:
        """Many models at once, for `bn.solve_many`; all share loss and term.

        A is (lanes, n, p), or (n, p) shared by all and held once; y, sample_weight and
        offset are (lanes, n), or shared. Where a weight differs between lanes use the
        model by its name: `bn.Lasso.stack(A, Y, lam)`.
        """
        options = {"intercept": intercept, "sample_weight": sample_weight}
        options |= {"columns": columns}
        given = {"loss": loss, "term": term, "offset": offset, **options}
        return glm_stack.stack(cls, A, y, given)

    def as_finite_sum(self) -> Problem:
        """This objective over n, as the mean of its losses; smooth terms only."""
        from banach.kinds.finite_sum import problem as finite_sum

        return finite_sum.of_glm(self)

    def view(self, always: bool = False) -> glm_columns.Columns | None:
        """Columns of one size and, with an intercept, centred; see `glm_columns`."""
        return glm_columns.of(self, always)

    def views(self) -> tuple[Way, ...]:
        """As a finite sum, and as what a sum with or without a term is seen as."""
        from banach.kinds.glm import views

        return views.of(self)

    def is_quadratic(self) -> bool:
        """Whether the losses are squares (static)."""
        return isinstance(self.loss, SquaredLoss)

    def smooth_facts(self) -> Facts:
        """Of the losses, and of the term where it is smooth."""
        return (
            glm_inputs.without_term(self.facts()) if not self.folded else self.facts()
        )

    def term_value(self, x: Array) -> Scalar:
        """g of the coefficients."""
        return self.term.value(self.split(jnp.asarray(x))[0])

    def prices(self) -> dict[str, float]:
        """A row's gradient is an n-th of a gradient."""
        n = self.A.shape[0]
        return {"stochastic_grad": 2 / n, "sample": 1 / n}

    def uneven(self, stack: Any) -> int | None:
        """The first lane with unequal columns, or None; all are looked at at once."""
        return glm_columns.uneven(self, stack)

    def data_norms(self, dtype: Any) -> glm_bounds.DataNorms:
        """Row and column norms of A, rounded up."""
        A = design.cast(self.A, dtype)
        return glm_bounds.data_norms(A, self.weights(dtype), self.term, self.intercept)

    def travel(
        self, norms: glm_bounds.DataNorms, x: Array, z: Array, e_z: Array, F: Scalar
    ) -> Array:
        """Upper bound of |b* - b|, one number a class, given F >= F(x)."""
        coef, b = self.split(x)
        w, o = self.weights(x.dtype), self.offset
        offset = None if o is None else jnp.asarray(o, x.dtype)
        return glm_bounds.intercept_travel(
            self.loss, self.term, norms, z, self._y(x), w, offset, coef, b, F, e_z
        )

    def _shape(self, rows: int) -> tuple[int, ...]:
        if isinstance(self.loss, SoftmaxLoss):
            return (rows, self.loss.classes)
        return (rows,)

    def _A(self, like: Array) -> Any:
        return design.cast(self.A, like.dtype)

    def _y(self, x: Array) -> Array:
        if isinstance(self.loss, SoftmaxLoss):
            return jnp.asarray(self.y)
        return jnp.asarray(self.y, x.dtype)

    def _apply(self, x: Array) -> Array:
        coef, b = self.split(x)
        z = design.times(self.A, coef)
        return z + b if self.intercept else z

    def _weigh(self, s: Array) -> Array:
        if self.weight is None:
            return s
        w = jnp.asarray(self.weight, s.dtype)
        return w[:, None] * s if s.ndim == 2 else w * s

    def _ridge(self, x: Array) -> Any:
        if not isinstance(self.term, SquaredL2):
            return 0
        return self.term.value(self.split(x)[0])

    def _plus_ridge(self, g: Array, v: Array) -> Array:
        if not isinstance(self.term, SquaredL2):
            return g
        coef = self.split(v)[0]
        extra = jnp.asarray(self.term.lam, v.dtype) * coef
        if self.intercept:
            extra = jnp.concatenate([extra, jnp.zeros_like(v[-1:])])
        return g + extra

    def _on_coef(self, step: Any, v: Array) -> Array:
        if not self.intercept:
            return step(v)
        return jnp.concatenate([step(v[:-1]), v[-1:]])

    def _how(self) -> str:
        n, p = self.A.shape
        size = min(n, p + self.intercept)
        return spectrum.known_how(size, self.A, self.weight)

    def _lipschitz(self) -> Any:
        L = glm_bounds.gradient_lipschitz(
            self.A, self.weight, self.intercept, self.loss.curvature_bound
        )
        if isinstance(self.term, SquaredL2):
            xp = np if known(self.term) else jnp
            L = (L + xp.max(xp.asarray(self.term.lam))) * (1 + 1e-6)
        return L

    def _seen(self) -> float | None:
        """Curvature along a few directions; see `glm_bounds.curvature_seen`."""
        A, w = design.host(self.A), self.weight
        rows = None if w is None else np.asarray(w, A.dtype)

        def product(v):
            z = glm_bounds.rows_times(A, v[:-1] if self.intercept else v)
            return z + v[-1] if self.intercept else z

        def adjoint(u):
            g = glm_bounds.times_rows(u, A)
            return np.append(g, u.sum()) if self.intercept else g

        return self.seen_by(product, adjoint, rows, 1.0, plain=True)

    def seen_by(
        self, product: Any, adjoint: Any, w: Any, unit: Any, plain: bool = False
    ) -> float | None:
        """The same of a matrix given by its products, l2 in units of `unit`.

        `plain`: the products are those of A, the weights and the intercept alone.
        """
        size = self.A.shape[1] + self.intercept
        bend, dtype = self.loss.curvature_bound, self.A.dtype

        def ritz() -> float | None:
            return glm_bounds.curvature_seen(product, adjoint, w, bend, size, dtype)

        name = "curvature", self.intercept, bend, self.A.shape
        arrays = *jax.tree.leaves(self.A), self.weight
        top = memoised_calls.of_arrays(name, arrays, ritz) if plain else ritz()
        if top is None or not isinstance(self.term, SquaredL2):
            return top
        return top + float(np.max(np.asarray(self.term.lam) * unit))

    def _quasi(self) -> Any:
        xp = np if known(self.A) else jnp
        square = design.row_squares(self.A, xp) + self.intercept
        return self.loss.self_concordance * xp.sqrt(xp.max(square)) * (1 + 1e-5)

    def _l2(self) -> Any:
        term = self.term
        if isinstance(term, SquaredL2):
            return term.lam
        return term.l2 if isinstance(term, ElasticNet) else np.zeros(())

    def _curved(self) -> bool:
        # A traced weight is believed positive; the constant itself is its value.
        if not known(self.term):
            return isinstance(self.term, SquaredL2 | ElasticNet)
        return float(glm_inputs.least(self._l2())) > 0

    def _check_term(self) -> None:
        if isinstance(self.term, _ANY_SHAPE) and glm_inputs.scalars(self.term):
            return
        like = jax.ShapeDtypeStruct(self._shape(self.A.shape[1]), self.A.dtype)
        try:
            with compat.double():
                jax.eval_shape(lambda c: self.term.prox(c, 1.0), like)
                jax.eval_shape(self.term.value, like)
        except (ValueError, TypeError) as e:
            raise Misuse(
                f"{type(self.term).__name__} does not fit coefficients of shape "
                f"{like.shape} (one a column of A, no intercept): {e}"
            ) from e

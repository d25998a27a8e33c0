"""Minimise the mean of many terms, one a datum."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.facts import CONSTRUCTION, DECLARED, LIKELY, Facts, given
from banach.core.kind import kind
from banach.core.problem import Misuse, Problem
from banach.engine.precompute import evaluated
from banach.kinds import inputs
from banach.kinds.bases import Differentiable, Started, check_scalar
from banach.kinds.glm.inputs import known
from banach.parts import batches
from banach.parts.sparse import SparseMatrix

Scalar = Float[Array, ""]
_ORACLES = frozenset({"value", "grad", "hvp", "sample", "stochastic_grad"})
# A dense Hessian holds unknowns times terms numbers at once: no more than these.
DENSE_UP_TO = 2_000_000


@kind(
    name="FiniteSum",
    oracles="value grad hvp hess sample stochastic_grad",
    checks="full_sum",
    views="without_term root_of_gradient inclusion_of_gradient forward_backward",
    cures={
        "stochastic_grad sample": """State the sum with its terms: \
bn.FiniteSum(f, x0, data), or glm.as_finite_sum()"""
    },
    zoo="finite_sum",
)
class FiniteSum(Differentiable, Started):
    """minimise F(x) = 1/n sum_i f(x, d_i) + 1/2 sum_j l2_j x_j^2 over a pytree x.

    `fun(x, datum)` returns one real scalar, the loss of one datum; `data` is a pytree
    of arrays whose leading axis is n (a datum is the pytree of their rows). `l2` is a
    number, or weights >= 0 in the structure of x. value, grad, hvp and hess are those
    of the whole F, every term once.

    `noisy(x, datum, key)`, where given, is the random form of a term (dropout,
    augmentation) that stochastic gradients use; checks see `fun` alone.

    convex, L (of the gradient of F) and mu (of F) are believed as declared; with
    convex=True an l2 > 0 gives mu. `reference` is the point that "small" is relative
    to (None: absolute).

    Against scikit-learn: SGDClassifier's alpha is l2; LogisticRegression(C) minimises
    n C times this mean with l2 = 1 / (n C).

    Args:
        fun: fun(x, datum), a JAX function to one real number.
        x0: the start, a pytree of floating arrays.
        data: a pytree of arrays (n, ...).
        l2: a number >= 0, or weights like x.
        convex: whether F is convex.
        L: a Lipschitz constant of the gradient of F.
        mu: the constant of strong convexity of F.
        reference: the point that "small" is relative to, like x.
        noisy: (x, datum, key), the random form of a term.
        provenance: the word by which certificates say where convex, L and mu come from.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real number, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> mean = bn.FiniteSum(
        ...     lambda x, d: (x - d) ** 2,
        ...     0.0,
        ...     np.array([1.0, 2.0, 6.0]),
        ...     convex=True,
        ... )
        >>> bn.solve(mean).x.round(4)
        np.float64(3.0)
    """

    fun: inputs.Function
    x0: PyTree
    data: PyTree
    l2: PyTree
    L: Any
    mu: Any
    reference: PyTree
    noisy: inputs.Function | None
    n: int = eqx.field(static=True)
    convex: bool = eqx.field(static=True)
    provenance: str = eqx.field(static=True)

    def __init__(
        self,
        fun: Callable[..., Scalar],
        x0: PyTree,
        data: PyTree,
        *,
        l2: PyTree = None,
        convex: bool = False,
        L: Real | None = None,
        mu: Real | None = None,
        reference: PyTree = None,
        noisy: Callable[..., Scalar] | None = None,
        provenance: str = DECLARED,
    ):
        sources = (DECLARED, CONSTRUCTION, LIKELY)
        self.provenance = validation.choice(provenance, "provenance", sources)
        x0 = inputs.variable(x0)
        self.x0, (self.data,) = inputs.canonical(x0, (rows(data),))
        self.n = jax.tree.leaves(self.data)[0].shape[0]
        datum = jax.tree.map(lambda v: v[0], self.data)
        self.fun = inputs.function(fun, self.x0, (datum,), "FiniteSum's fun")
        check_scalar(self.fun.narrow, "FiniteSum's fun")
        inputs.differentiable(self.fun, self.x0, (datum,), "FiniteSum's fun")
        self.noisy = None
        if noisy is not None:
            name = "FiniteSum's noisy"
            args = (datum, jax.random.key(0))
            self.noisy = inputs.function(noisy, self.x0, args, name)
            check_scalar(self.noisy.narrow, name)
        self.l2 = _penalty(l2, self.x0)
        self.L = inputs.constant(L, "L")
        self.mu = inputs.constant(mu, "mu")
        inputs.ordered(self.mu, self.L, ("mu", "L"), inputs.CURVATURES)
        self.reference = inputs.reference(self.x0, reference)
        self.convex = validation.flag(convex, "convex") or mu is not None

    def restated(self) -> "FiniteSum":
        """Through the constructor, the functions as traced."""
        return self.through_constructor()

    def oracles(self) -> frozenset[str]:
        """Those of a smooth function (hess up to DENSE_UP_TO) and of its terms."""
        dense = self.n * self.size() <= DENSE_UP_TO
        return _ORACLES | {"hess"} if dense else _ORACLES

    def prices(self) -> dict[str, float]:
        """One term of a stochastic gradient is an n-th of a gradient."""
        return {"stochastic_grad": 2 / self.n, "sample": 1 / self.n}

    def pass_bytes(self) -> int:
        """The gradients of all terms, where a method asks for them one by one."""
        return self.n * self.size() * tree.dtype(self.x0).itemsize

    def facts(self) -> Facts:
        """What was declared; differentiability by construction."""
        properties = {"smooth": CONSTRUCTION}
        mu = self.mu
        # Of what a model knows, L alone may be known but for a chance.
        source = CONSTRUCTION if self.provenance == LIKELY else self.provenance
        if self.convex:
            properties["convex"] = source
            if mu is None and _positive(self.l2):
                mu = lambda: _least(self.l2)  # noqa: E731
        constants = given({"L": self.L}, self.provenance) | given({"mu": mu}, source)
        if "mu" in constants:
            properties["strongly_convex"] = source
        return Facts(properties, constants)

    def terms(
        self, x: PyTree, index: Int[Array, " m"] | None = None
    ) -> Float[Array, " m"]:
        """f(x, d_i) of the terms of an index array; None: of all n, in order."""
        rows = self.data if index is None else self._rows(index)
        return jax.vmap(lambda d: self.fun(x, d))(rows)

    def every_term(self, x: PyTree) -> tuple[PyTree, Scalar]:
        """The gradient of F, and the number of terms that were added up in it."""

        def total(x: PyTree) -> tuple[Scalar, Scalar]:
            f = self.terms(x)
            return jnp.sum(f) / self.n + self.ridge(x), jnp.sum(jnp.ones_like(f))

        return jax.grad(total, has_aux=True)(x)

    def value(self, x: PyTree) -> Scalar:
        """F(x)."""
        return jnp.sum(self.terms(x)) / self.n + self.ridge(x)

    def grad(self, x: PyTree) -> PyTree:
        """The gradient of F, a pytree like x."""
        return self.every_term(x)[0]

    def sample(self, x: PyTree, key: Array, size: int) -> Float[Array, " size"]:
        """f(x, d_i) of `size` terms drawn uniformly with replacement."""
        return self.terms(x, jax.random.randint(key, (size,), 0, self.n))

    def stochastic_grad(
        self,
        x: PyTree,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"] | None = None,
        key: Array | None = None,
    ) -> PyTree:
        """The gradient of the mean of the indexed terms, and of l2; like x.

        `mask` drops terms without another shape; of no term at all the mean is 0.
        `key` is for the randomness inside the terms: with a key `noisy` is
        evaluated where there is one; terms without it are the same for every key.
        """
        one, rows = self._one(key), self._rows(index)
        keys = self._keys(key, index)
        keep = jnp.ones(index.shape, bool) if mask is None else mask

        def mean(x: PyTree) -> Scalar:
            f = jax.vmap(lambda d, k: one(x, d, k))(rows, keys)
            count = jnp.maximum(jnp.sum(keep), 1).astype(f.dtype)
            return jnp.sum(jnp.where(keep, f, 0)) / count + self.ridge(x)

        return jax.grad(mean)(x)

    def gradient_moments(
        self,
        x: PyTree,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"],
        key: Array | None = None,
    ) -> batches.Moments:
        """Count, mean and scatter of the gradients of f(x, d_i) + l2, term by term.

        Costs as many stochastic gradients as the mask keeps, and memory for all m.
        """
        one, rows = self._one(key), self._rows(index)
        keys = self._keys(key, index)
        g = jax.vmap(lambda d, k: jax.grad(one)(x, d, k))(rows, keys)
        seen = batches.moments(g, mask)
        if self.l2 is None:
            return seen
        mean = tree.add(seen.mean, jax.grad(self.ridge)(x))
        return batches.Moments(seen.count, mean, seen.scatter)

    def formula(self) -> str:
        """The objective as text."""
        ridge = "" if self.l2 is None else " + 1/2 sum_j l2_j x_j^2"
        name = self.fun.narrow.program.name
        return f"1/n sum_i {name}(x, d_i){ridge}, n = {self.n}, {self.size()} unknowns"

    def as_finite_sum(self) -> Problem:
        """Itself."""
        return self

    def _one(self, key: Array | None) -> Callable[..., Scalar]:
        if key is None or self.noisy is None:
            return lambda x, d, k: self.fun(x, d)
        return self.noisy

    def _keys(self, key: Array | None, index: Array) -> Array | None:
        if key is None or self.noisy is None:
            return None
        return jax.random.split(key, index.shape[0])

    def _rows(self, index: Array) -> PyTree:
        return jax.tree.map(lambda v: jnp.asarray(v)[index], self.data)

    def ridge(self, x: PyTree) -> Any:
        """1/2 sum_j l2_j x_j^2, or 0 without l2."""
        if self.l2 is None:
            return 0
        return tree.total(
            jax.tree.map(
                lambda v, w: jnp.asarray(w, v.dtype) / 2 * jnp.square(v),
                x,
                self._per(x),
            )
        )

    def _per(self, x: PyTree) -> PyTree:
        if jax.tree.structure(self.l2) == jax.tree.structure(x):
            return self.l2
        return jax.tree.map(lambda v: self.l2, x)


def of_glm(glm: Any) -> FiniteSum:
    """A generalised linear model over n: 1/n sum_i w_i l(<a_i, c> + b + o_i, y_i) + l2.

    The minimisers, and the ratio of every certificate that is relative to the null
    model, are those of the model itself; values and gradients are divided by n.
    """
    if not glm.folded:
        raise Misuse(
            f"a finite sum has smooth terms alone, and {type(glm.term).__name__} is "
            "not one; use methods for GLM (banach methods --problem glm), or a model "
            "with SquaredL2 or no term"
        )
    n, columns = glm.A.shape
    loss, free = glm.loss, glm.intercept
    x0 = glm.start().x
    x0 = np.asarray(x0) if not compat.is_tracer(x0) else x0
    rows = {**_features(glm.A), "y": glm.y, "w": glm.weight, "o": glm.offset}

    def loss_of(x, d):
        coef, b = (x[:-1], x[-1]) if free else (x, 0)
        seen = coef[d["at"]] if "at" in d else coef
        z = jnp.matmul(d["a"].astype(x.dtype), seen, precision=tree.PRECISION) + b
        if "o" in d:
            z = z + d["o"].astype(x.dtype)
        y = d["y"] if loss.discrete and z.ndim else d["y"].astype(x.dtype)
        f = jnp.sum(loss.value(z[None], y[None]))
        return f * d["w"].astype(x.dtype) if "w" in d else f

    loss_of.__name__ = type(loss).__name__
    lam = getattr(glm.term, "lam", None)
    l2 = None
    if lam is not None:
        xp = np if known(lam) else jnp
        l2 = xp.broadcast_to(xp.asarray(lam) / n, (columns, *x0.shape[1:]))
        if free:
            l2 = xp.concatenate([l2, xp.zeros_like(l2[:1])])
    with inputs.context(x0, (glm.A, glm.y)):
        L, reference = glm.facts().L, evaluated(_reference, glm, data=True)
        L = None if L is None else L / n
        if not compat.any_tracer((reference, L)):
            reference, L = jax.tree.map(np.asarray, (reference, L))
    return FiniteSum(
        loss_of,
        x0,
        {k: v for k, v in rows.items() if v is not None},
        l2=l2,
        convex=True,
        L=L,
        reference=reference,
        provenance=glm.facts().provenance("L") or CONSTRUCTION,
    )


# Padding of short rows up to so many times the entries that are stored.
PADDED = 16


def _features(A: Any) -> dict[str, Any]:
    """The rows of a matrix; of a sparse one as its entries, padded to the longest."""
    if not isinstance(A, SparseMatrix):
        return {"a": A}
    if compat.any_tracer((A.rows, A.columns)):
        raise Misuse(
            "the rows of a traced sparse matrix have no known length; make the finite "
            "sum outside of the traced function"
        )
    n, longest = A.height, A.longest
    if n * longest > PADDED * A.nnz + 2**20:
        raise Misuse(
            f"a finite sum holds every row of A padded to its longest, {longest} "
            f"entries where the mean is {A.nnz / n:.1f}; drop or split the few columns "
            "or rows that are full, or use a method for GLM (banach methods --problem "
            "glm)"
        )
    rows = np.asarray(A.rows)
    first = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])[:-1]
    place = rows, np.arange(A.nnz) - first[rows]
    at = np.zeros((n, longest), np.int32)
    at[place] = A.columns
    xp = np if known(A.values) else jnp
    values = xp.zeros((n, longest), A.dtype)
    if xp is np:
        values[place] = A.values
    else:
        values = values.at[place].set(A.values)
    return {"a": values, "at": at}


def rows(data: PyTree, name: str = "data") -> PyTree:
    """Data whose leaves are arrays with one leading axis, n."""
    data = inputs.data(data, name)
    leaves = jax.tree.leaves(data)
    if not leaves:
        raise Misuse(
            f"{name} has no arrays; pass e.g. (features, labels), one row a term"
        )
    shapes = [np.shape(v) for v in leaves]
    if any(len(s) == 0 for s in shapes):
        raise Misuse(
            f"{name} holds a single number, which has no rows; let the function "
            "capture what all terms share, and give arrays with one row a term"
        )
    lengths = sorted({s[0] for s in shapes})
    if len(lengths) > 1:
        raise Misuse(
            f"the arrays of {name} have {lengths} rows; give every array one row a term"
        )
    if lengths[0] == 0:
        raise Misuse(f"{name} has no rows; a sum needs at least one term")
    return data


def _penalty(l2: Any, x0: PyTree) -> PyTree:
    """None, a nonnegative number, or weights in the structure of x."""
    if l2 is None:
        return None
    if not isinstance(l2, list) and jax.tree.structure(l2) == jax.tree.structure(0):
        one = validation.array(l2, "l2", low="nonnegative")
        l2 = one if one.ndim else validation.number(l2, "l2", low="nonnegative")
    else:
        l2 = inputs.variable(l2, "l2")
    leaves = jax.tree.leaves(l2)
    if jax.tree.structure(l2) == jax.tree.structure(x0):
        fits = [
            np.ndim(w) == 0 or np.shape(w) == v.shape
            for w, v in zip(leaves, jax.tree.leaves(x0), strict=True)
        ]
    else:
        fits = [jax.tree.structure(l2) == jax.tree.structure(0) and np.ndim(l2) == 0]
    if not all(fits):
        raise Misuse("l2 must be one number, or weights in the structure of x0")
    for w in leaves:
        validation.array(w, "l2", low="nonnegative")
    if jax.tree.structure(l2) == jax.tree.structure(x0):
        return jax.tree.map(lambda w, v: inputs.narrowed(w, v.dtype, "l2"), l2, x0)
    return inputs.narrowed(l2, tree.dtype(x0), "l2")


def _least(l2: PyTree) -> Any:
    leaves = jax.tree.leaves(l2)
    xp = np if known(*leaves) else jnp
    return xp.min(xp.stack([xp.min(w) for w in leaves]))


def _positive(l2: PyTree) -> bool:
    # A traced weight is believed positive; the constant itself is its value.
    if l2 is None:
        return False
    return not known(*jax.tree.leaves(l2)) or float(_least(l2)) > 0


def _reference(glm: Any) -> Array:
    return glm.reference_point().x

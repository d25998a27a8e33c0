"""What a user hands over as a linear system, read once and checked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, tree, validation
from banach.core.facts import CONSTRUCTION, DECLARED
from banach.core.problem import Misuse
from banach.core.rounding import gam
from banach.engine.precompute import evaluated
from banach.kinds import inputs, sparse_input
from banach.kinds.bases import check_floating
from banach.parts.operators import (
    DenseMatrix,
    FunctionOperator,
    NormalOperator,
    Operator,
)
from banach.parts.sparse import SparseMatrix

PROVED_UP_TO = 1000
_MATRIX = (
    "a matrix: an array (n, n), a sparse matrix, an operator such as "
    "bn.poisson_grid(solid), or a linear function"
)


def right_side(b: PyTree, name: str = "b") -> PyTree:
    """b as floating arrays; Python numbers and integers become float64."""
    return inputs.canonical(inputs.variable(b, name), ())[0]


def operator(A: Any, b: PyTree, args: tuple) -> tuple[Operator, PyTree]:
    """A as an Operator that fits b, both in one dtype."""
    inputs.arguments(args)
    if isinstance(A, Operator):
        made = _checked(A)
    elif callable(A) and not isinstance(A, type):
        return _function(A, b, args), b
    else:
        made = _matrix(A, "A")
    if args:
        raise Misuse("args are the arguments of a function A; this A is a matrix")
    _fits(made, b)
    kind = _shared_dtype(made, b)
    return _as(made, kind), _as(b, kind)


def structure(
    A: Operator, b: PyTree, symmetric: bool | None, definite: bool | None
) -> tuple[str | None, str | None]:
    """(how symmetry is known, how definiteness is known), declarations tried."""
    symmetric = inputs.optional(symmetric, "symmetric")
    definite = inputs.optional(definite, "positive_definite")
    if definite and symmetric is False:
        raise Misuse(
            "positive_definite=True speaks of a symmetric matrix, and symmetric=False "
            "was declared; drop one of them"
        )
    hidden = compat.any_tracer((A, b))
    symmetry = CONSTRUCTION if A.symmetric else None
    if symmetry is None and not hidden:
        skew = _skew(A)
        if skew == 0:
            symmetry = CONSTRUCTION
        elif (symmetric or definite) and skew is not None and not skew <= 8:
            raise Misuse(
                f"A was declared symmetric, but |A - A'| reaches {skew:.2g} roundings "
                "of its largest entry; pass (A + A.T) / 2 if that is what you mean, or "
                "bn.normal_equations(A, b) for a matrix that is not symmetric"
            )
        elif symmetric or definite:
            _probe(A, b, bool(definite))
    if symmetry is None and (symmetric or definite):
        symmetry = DECLARED
    if symmetric is False:
        symmetry = None
    return symmetry, _definiteness(A, b, symmetry, definite, hidden)


def lower_bound(sigma: Any) -> Any:
    """A declared least singular value: None, or a positive scalar."""
    return inputs.constant(sigma, "sigma")


def empty_row(A: Operator, b: PyTree) -> tuple[str, str] | None:
    """A proof that a row of zeros cannot give its right side."""
    if compat.any_tracer((A, b)):
        return None
    if not A.entrywise:
        return None
    with inputs.context(b, ()):
        sums = evaluated(_row_sums, A, b)
    rows, right = np.ravel(np.asarray(sums)), np.ravel(np.asarray(b))
    bad = np.flatnonzero((rows == 0) & (right != 0))
    if not bad.size:
        return None
    i = bad[0]
    return "infeasible", f"row {i} of A is zero and its right side is {right[i]:.6g}"


def _row_sums(A: Operator, b: PyTree) -> PyTree:
    return A.absolute(jax.tree.map(jnp.ones_like, b))


def tall(A: Any, y: Any) -> tuple[Operator, Any]:
    """A matrix and a vector of its height, for normal equations."""
    made = _matrix(A, "A", square=False)
    y = right_side(y, "y")
    height = made.entries.shape[0] if isinstance(made, DenseMatrix) else made.height
    if inputs.shapes(y) != [(height,)]:
        raise Misuse(
            f"y has {_shapes(y)}, but A has {height} rows; give one number a row"
        )
    kind = _shared_dtype(made, y)
    return _as(made, kind), _as(y, kind)


def width(A: Operator) -> int:
    """The number of columns."""
    return A.entries.shape[1] if isinstance(A, DenseMatrix) else A.width


def pulled_back(A: Operator, y: Any) -> Any:
    """A'y, NumPy for NumPy."""
    with inputs.context((A, y), ()):
        back = evaluated(_pulled_back, A, y, data=True)
        ours = any(isinstance(v, jax.Array) for v in jax.tree.leaves((A, y)))
        return jnp.asarray(back) if ours else back


def _pulled_back(A: Operator, y: Any) -> Any:
    return A.rmatvec(y, jax.ShapeDtypeStruct((width(A),), y.dtype))


def ridge(value: Any, kind: Any) -> Any:
    """A ridge as a scalar of the data's dtype."""
    value = validation.number(value, "ridge", low="nonnegative")
    return inputs.narrowed(value, np.dtype(kind), "ridge")


def _shared_dtype(A: Operator, b: PyTree) -> Any:
    leaves = jax.tree.leaves((A, b))
    with inputs.context(leaves, ()):
        floats = [v for v in leaves if jnp.issubdtype(v.dtype, jnp.floating)]
        return jnp.result_type(*[v.dtype for v in floats])


def _as(value: PyTree, kind: Any) -> PyTree:
    """Floating leaves in one dtype; NumPy stays NumPy."""

    def one(v):
        same = v.dtype == kind or not jnp.issubdtype(v.dtype, jnp.floating)
        return v if same else inputs.narrowed(v, np.dtype(kind), "A x = b")

    return jax.tree.map(one, value)


def _matrix(A: Any, name: str, square: bool = True) -> Operator:
    """An array, a BCOO or one of SciPy's sparse matrices."""
    if sparse_input.is_sparse(A):
        made = sparse_input.sparse(A, name)
        if square and made.height != made.width:
            raise Misuse(_no_square(name, made.shape))
        return _in_place(made)
    if A is None or isinstance(A, dict | tuple | str | bytes):
        raise Misuse(f"{name} must be {_MATRIX}; got {validation.shown(A)}")
    A = validation.array(A, name)
    if np.ndim(A) != 2 or 0 in np.shape(A):
        raise Misuse(f"{name} must be {_MATRIX}; got shape {np.shape(A)}")
    if square and A.shape[0] != A.shape[1]:
        raise Misuse(_no_square(name, A.shape))
    return DenseMatrix(inputs.canonical(A, ())[0])


def _no_square(name: str, shape: tuple[int, ...]) -> str:
    return (
        f"{name} is {shape[0]} x {shape[1]}; a linear system needs a square "
        "matrix. For least squares: bn.normal_equations(A, b, ridge), or bn.Ridge"
    )


def _in_place(A: SparseMatrix) -> SparseMatrix:
    """With leaves in the dtypes that JAX will give them when it runs."""
    values = inputs.canonical(A.values, ())[0]
    return A if values is A.values else A.with_values(values)


def _checked(A: Operator) -> Operator:
    """An operator whose own numbers are real and finite, entries in their places."""
    for part in jax.tree.leaves(A):
        validation.datum(part, "A")
    inner = A.inner if isinstance(A, NormalOperator) else A
    if isinstance(A, NormalOperator):
        validation.number(A.ridge, "ridge", low="nonnegative")
        if A.columns != width(inner):
            raise Misuse(
                f"A'A + ridge I has {A.columns} columns, its A {width(inner)}; state "
                "it by bn.normal_equations"
            )
    if isinstance(inner, DenseMatrix):
        square = A is not inner
        _matrix(inner.entries, "A", square=not square)
    if isinstance(inner, SparseMatrix):
        _matrix(inner, "A", square=A is inner)
    return A


def _function(fun: Any, b: PyTree, args: tuple) -> FunctionOperator:
    args = inputs.canonical(b, inputs.arguments(args))[1]
    traced = inputs.function(fun, b, args, "the function A")
    check_floating(traced.narrow, "the function A")
    made = FunctionOperator(traced, args)
    _fits(made, b)
    if compat.any_tracer((made, b)):
        return made
    with inputs.context(b, args):
        zero = made.matvec(jax.tree.map(jnp.zeros_like, b))
        u, v = _directions(b)
        twice = made.matvec(tree.axpy(-2.0, u, v))
        sum_ = tree.axpy(-2.0, made.matvec(u), made.matvec(v))
        off, size = tree.norm(tree.sub(twice, sum_)), tree.norm(sum_)
        # A rough test: a function that is not linear is wrong by far more.
        if tree.max_abs(zero) != 0 or off > 1e-3 * size:
            raise Misuse(
                "the function A is not linear: A(0) must be 0 and A(u - 2 v) must be "
                "A(u) - 2 A(v); move constants into b, or state bn.Root"
            )
    return made


def _fits(A: Operator, b: PyTree) -> None:
    where = f"A is {A.describe()}"
    space = jax.tree.map(lambda v: jax.ShapeDtypeStruct(np.shape(v), v.dtype), b)
    if isinstance(A, DenseMatrix | SparseMatrix | NormalOperator):
        n = A.columns if isinstance(A, NormalOperator) else width(A)
        if not isinstance(space, jax.ShapeDtypeStruct) or space.shape != (n,):
            raise Misuse(f"{where}, so b must be a vector ({n},), got {_shapes(b)}")
        return
    try:
        with inputs.context(b, ()):
            out = jax.eval_shape(A.matvec, space)
    except (TypeError, ValueError) as error:
        raise Misuse(f"{where} and cannot act on b of {_shapes(b)}: {error}") from None
    same = [v.shape for v in jax.tree.leaves(out)]
    if same != [v.shape for v in jax.tree.leaves(space)]:
        raise Misuse(f"{where}: A x has shapes {same} for b of {_shapes(b)}")


def _shapes(b: PyTree) -> str:
    leaves = [np.shape(v) for v in jax.tree.leaves(b)]
    return f"shape {leaves[0]}" if len(leaves) == 1 else f"shapes {leaves}"


def _skew(A: Operator) -> float | None:
    """max |A - A'| in roundings of the largest entry, 0 only for equality."""
    if isinstance(A, DenseMatrix):
        entries = np.asarray(A.entries)
        off, kind = np.abs(entries - entries.T).max(), entries.dtype
        top = np.abs(entries).max()
    elif isinstance(A, SparseMatrix):
        rows, columns = np.asarray(A.rows, np.int64), np.asarray(A.columns, np.int64)
        values = np.asarray(A.values)
        n = A.width
        places = np.concatenate([rows * n + columns, columns * n + rows])
        _, at = np.unique(places, return_inverse=True)
        off = np.abs(np.bincount(at, np.concatenate([values, -values]))).max(initial=0)
        top, kind = np.abs(values).max(initial=0), values.dtype
    else:
        return None
    return float(off / (np.finfo(kind).eps * top)) if top else 0.0


def _probe(A: Operator, b: PyTree, definite: bool) -> None:
    """Two random products; a false declaration fails for almost every draw."""
    with inputs.context(b, ()):
        u, v = _directions(b)
        Au, Av = A.matvec(u), A.matvec(v)
        left, right = float(tree.vdot(u, Av)), float(tree.vdot(v, Au))
        size = float(tree.norm(u) * tree.norm(Av) + tree.norm(v) * tree.norm(Au))
        rough = 1e3 * float(jnp.finfo(tree.dtype(b)).eps) * size
        if not abs(left - right) <= rough:
            raise Misuse(
                f"A was declared symmetric, but u'(A v) = {left:.6g} and v'(A u) = "
                f"{right:.6g} for random u and v; declare symmetric=False"
            )
        curved = float(tree.vdot(u, Au))
        if definite and not curved > 0:
            raise Misuse(
                f"A was declared positive definite, but u'(A u) = {curved:.6g} for a "
                "random u; pass -A and -b if A is negative definite"
            )


def _directions(b: PyTree) -> tuple[PyTree, PyTree]:
    rng = np.random.default_rng(0)

    def draw(v):
        return jnp.asarray(rng.standard_normal(np.shape(v)), v.dtype)

    return jax.tree.map(draw, b), jax.tree.map(draw, b)


def _definiteness(A, b, symmetry, declared, hidden) -> str | None:
    if declared is False or symmetry is None:
        return None
    if not hidden:
        if A.definite():
            return CONSTRUCTION
        with inputs.context(b, ()):
            diagonal = A.diagonal()
        if declared and diagonal is not None and not np.all(np.asarray(diagonal) > 0):
            raise Misuse(
                "A was declared positive definite, but its diagonal has an entry "
                f"{float(np.min(np.asarray(diagonal))):.6g}; pass -A and -b if A is "
                "negative definite"
            )
        if _proved(A):
            return CONSTRUCTION
    return DECLARED if declared else None


def _proved(A: Operator) -> bool:
    """Whether a Cholesky factorisation proves a small A definite.

    Of dense ones, and of normal equations, whose matrix is dense in any case.
    """
    inner = A.inner if isinstance(A, NormalOperator) else A
    if isinstance(inner, SparseMatrix) and inner is not A:
        return inner.width <= PROVED_UP_TO and _sparse_proof(inner, float(A.ridge))
    if not isinstance(inner, DenseMatrix) or inner.entries.shape[1] > PROVED_UP_TO:
        return False
    H = np.asarray(inner.entries, float)
    if inner is A:
        return _cholesky_proof(H, 0.0)
    rough = np.linalg.norm(np.abs(H).T @ np.abs(H))
    n = H.shape[1]
    gram = H.T @ H + float(A.ridge) * np.eye(n)
    return _cholesky_proof(gram, 1.01 * gam(len(H) + 2, float) * rough)


def _sparse_proof(A: SparseMatrix, ridge: float) -> bool:
    H = A.csr()
    gram = (H.T @ H).toarray() + ridge * np.eye(A.width)
    rough = np.linalg.norm((abs(H).T @ abs(H)).toarray())
    return _cholesky_proof(gram, 1.01 * gam(A.tallest + 2, float) * rough)


def _cholesky_proof(A: np.ndarray, error: float) -> bool:
    """Rump: fl-chol(A - c I) completes, c above every rounding: lambda_min(A) > 0."""
    n = A.shape[0]
    H, d = (A + A.T) / 2, np.diag(A)
    if not np.all(d > 0):
        return False
    c = 1.01 * (gam(n + 2, float) * d.sum() + np.linalg.norm(A - H)) + error
    c += 2 * np.finfo(A.dtype).eps * d.max()
    try:
        np.linalg.cholesky(H - c * np.eye(n))
    except np.linalg.LinAlgError:
        return False
    return True

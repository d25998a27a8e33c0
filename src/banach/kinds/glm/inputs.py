"""Data of generalised linear models, read once: shapes, labels, weights."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import compat, dataframes, validation
from banach.core.facts import Facts
from banach.core.problem import Misuse
from banach.kinds import sparse_input


def matrix(A: Any, name: str = "A", rows: str = "samples by features") -> Any:
    """The data matrix in a floating dtype; NumPy stays NumPy, and sparse sparse."""
    if sparse_input.is_sparse(A):
        return sparse_input.sparse(A, name)
    return dense(A, name, rows)


def dense(A: Any, name: str = "A", rows: str = "samples by features") -> Any:
    """The data matrix of a kind whose work needs all of its entries."""
    if sparse_input.is_sparse(A):
        own = "todense" if validation.is_jax_sparse(A) else "toarray"
        raise Misuse(f"{name} is sparse, and is needed dense; pass {name}.{own}()")
    A = validation.array(A, name)
    if A.ndim != 2:
        raise Misuse(
            f"{name} must be 2-D, {rows}, got shape {A.shape}; "
            f"reshape one column with {name}[:, None]"
        )
    if 0 in A.shape:
        raise Misuse(
            f"{name} is empty, shape {A.shape}; give at least one row and column"
        )
    return A


def vector(v: Any, name: str, n: int, low: str | None = None) -> Any:
    """One real number a sample; whole numbers keep their dtype."""
    kept = validation.datum(v, name)
    read = validation.array(kept, name, low=low)
    return _rows(kept if kept.dtype.kind in "biu" else read, name, n)


def targets(y: Any, loss: Any, n: int) -> tuple[Any, tuple]:
    """What a loss is fitted to, and the names of its classes (none: the codes).

    Numbers of a measuring loss stay. Labels of a discrete one that are its own codes
    (-1/+1; 0 .. K-1) stay too. Any other labels, text, truth or whole numbers, are
    coded by their place among the sorted distinct ones, as numpy.unique does.
    """
    if not loss.discrete:
        return vector(y, "y", n), ()
    classes = getattr(loss, "classes", 2)
    codes, names = labels(y, n, classes, loss)
    return codes, names


def named(codes: Any, classes: tuple) -> Any:
    """The labels that stored codes (-1/+1, or 0 .. K-1) stand for."""
    if not classes or not known(codes):
        return codes
    codes = np.asarray(codes)
    place = codes if codes.dtype.kind == "i" else (codes + 1) / 2
    if not np.isin(place, np.arange(len(classes))).all():
        raise Misuse(f"y holds codes of other classes than {classes}; state it anew")
    return [classes[int(i)] for i in place]


def labels(y: Any, n: int, classes: int, loss: Any) -> tuple[Any, tuple]:
    """Codes of labels as numbers, and the classes in order; () for codes as given."""
    if isinstance(y, Iterator):
        raise Misuse("y is read once and gone; pass a list of labels, one a row")
    if not known(y):
        return _rows(y, "y", n), ()
    a = _rows(_labels(y), "y", n)
    order = dataframes.levels(y)
    if order:
        # What says itself which comes first; what does not occur is no class.
        there = set(a.tolist())
        names = tuple(v for v in order if v in there)
        place = {v: i for i, v in enumerate(names)}
        return _named(np.array([place[v] for v in a.tolist()]), names, classes, loss)
    if a.dtype.kind in "OU":
        found, codes = np.unique(a, return_inverse=True)
        names = tuple(v.item() if isinstance(v, np.generic) else v for v in found)
        return _named(codes, names, classes, loss)
    signed = -1 in loss.codes()
    if a.dtype.kind == "b" and classes == 2:
        return _like(y, a), (False, True)
    if signed and _two(a, -1, 1):
        return _like(y, a), ()
    if signed and _two(a, 0, 1):
        return _like(y, a), (0, 1)
    found, codes = np.unique(a, return_inverse=True)
    if not signed and found[0] >= 0 and found[-1] < classes:
        return _like(y, a), ()
    return _named(codes, tuple(int(v) for v in found), classes, loss)


def _two(a: np.ndarray, low: int, high: int) -> bool:
    """Whether all entries are one of two numbers; sorting would cost a small solve."""
    return bool(((a == low) | (a == high)).all())


def distinct(y: Any) -> int:
    """How many classes labels name."""
    a = _labels(y)
    return len(np.unique(a)) if a.size else 0


def _named(codes: Any, names: tuple, classes: int, loss: Any) -> tuple[Any, tuple]:
    if len(names) != classes:
        shown = ", ".join(repr(v) for v in names[:5])
        more = "..." if len(names) > 5 else ""
        cure = (
            "use SoftmaxRegression for several classes, or recode them (y == positive)"
            if -1 in loss.codes()
            else f"recode them as 0 .. {classes - 1}, or pass classes={len(names)}"
        )
        count = "two" if classes == 2 else str(classes)
        raise Misuse(
            f"{type(loss).__name__} needs labels of {count} classes, got {len(names)}: "
            f"{shown}{more}; {cure}"
        )
    return np.asarray(codes, np.float64), names


def _labels(y: Any) -> np.ndarray:
    """Labels as text, integers or whole floats, exactly; anything else is refused."""
    if isinstance(y, jax.Array):
        half = jnp.issubdtype(y.dtype, jnp.floating) and y.dtype.itemsize < 4
        y = np.asarray(y.astype(np.float32) if half else y)
    kind = validation.labels(y, "y")
    if kind.dtype.kind == "f":
        bad = ~np.isfinite(kind)
        if bad.any():
            where = np.argwhere(bad)[0].tolist()
            raise Misuse(
                f"y holds NaN or infinity, first at index {where}; drop those rows"
            )
        if not np.array_equal(kind, np.floor(kind)):
            raise Misuse(
                f"y holds {kind[kind != np.floor(kind)][0]:g}, which is no label: "
                "classes are whole numbers or text; recode them, or use a model for "
                "measurements, such as bn.Ridge"
            )
    return kind


def _like(y: Any, a: np.ndarray) -> Any:
    """Codes as floats; JAX's stay JAX's."""
    return y if isinstance(y, jax.Array) else a.astype(np.float64)


def _rounds(v: np.ndarray, dtype: Any) -> bool:
    return bool((v.astype(dtype).astype(np.float64) != v).any())


def _rows(v: Any, name: str, n: int) -> Any:
    if v.shape != (n,):
        cure = f"pass {name}[:, 0]" if v.shape == (n, 1) else "give one number a row"
        raise Misuse(
            f"{name} has shape {v.shape} but A has {n} rows; {cure}, shape ({n},)"
        )
    return v


def common_dtype(A: Any, *others: Any) -> Any:
    """The dtype of A, widened where floating data beside it are wider.

    Whole numbers widen it only where it would round them.
    """
    dtype = A.dtype
    for v in others:
        if v is None:
            continue
        if jnp.issubdtype(v.dtype, jnp.floating):
            dtype = jnp.promote_types(dtype, v.dtype)
        elif known(v) and _rounds(np.asarray(v), dtype):
            dtype = jnp.promote_types(dtype, np.float64)
    return jax.dtypes.canonicalize_dtype(dtype) if isinstance(A, jax.Array) else dtype


def weights(w: Any, n: int) -> Any:
    """Nonnegative sample weights, or None."""
    if w is None:
        return None
    w = vector(w, "sample_weight", n)
    if known(w):
        a = np.asarray(w)
        if (a < 0).any():
            raise Misuse(
                f"sample_weight has a negative entry, {a.min()}; weights must be >= 0, "
                "drop the sample with weight 0"
            )
        if not (a > 0).any():
            raise Misuse("sample_weight is 0 everywhere; give some sample weight > 0")
    return w


def known(*values: Any) -> bool:
    """Whether entries can be looked at."""
    return not any(compat.is_tracer(v) for v in jax.tree.leaves(values))


def scalars(*values: Any) -> bool:
    """Whether every leaf is a number."""
    return all(np.ndim(v) == 0 for v in jax.tree.leaves(values))


def least(weights: Any) -> Any:
    """The smallest weight; in NumPy where possible: float32 could round it up."""
    return np.min(np.asarray(weights)) if known(weights) else jnp.min(weights)


# The models of `models.py` by loss and term; tests/core/test_repr.py compares them.
USUAL = {
    ("SquaredLoss", "L1"): "Lasso",
    ("SquaredLoss", "SquaredL2"): "Ridge",
    ("SquaredLoss", "ElasticNet"): "ElasticNetRegression",
    ("LogisticLoss", "SquaredL2"): "LogisticRegression",
    ("LogisticLoss", "L1"): "SparseLogisticRegression",
    ("SoftmaxLoss", "SquaredL2"): "SoftmaxRegression",
    ("PoissonLoss", "SquaredL2"): "PoissonRegression",
    ("HuberLoss", "SquaredL2"): "HuberRegression",
    ("SquaredHingeLoss", "SquaredL2"): "SquaredHingeClassifier",
    ("SquaredLoss", "GroupL2"): "GroupLasso",
    ("SquaredLoss", "SparseGroupL2"): "SparseGroupLasso",
    ("SquaredLoss", "SortedL1"): "SlopeRegression",
    ("SquaredLoss", "FusedL1"): "FusedLasso",
    ("SquaredLoss", "SCAD"): "ScadRegression",
    ("SquaredLoss", "MCP"): "McpRegression",
    ("SquaredLoss", "Nonnegative"): "NonnegativeLeastSquares",
    ("SquaredLoss", "Box"): "BoxLeastSquares",
    ("SquaredLoss", "Simplex"): "SimplexLeastSquares",
}


def term_text(term: Any) -> str:
    """A term and its scalar fields."""
    fields = []
    for name, value in vars(term).items():
        if np.ndim(value) == 0 and known(value) and not isinstance(value, bool):
            fields.append(f"{name}={float(value):.6g}")
    return f"{type(term).__name__}({', '.join(fields)})(c)"


def numbers(y: Any, dtype: Any) -> Any:
    """Real targets."""
    return y.astype(dtype)


def signs(y: Any, dtype: Any, model: str) -> Any:
    """Labels -1 and +1 from these or from 0 and 1; traced labels must be +-1."""
    if not known(y):
        return y.astype(dtype)
    a = np.asarray(y)
    if _two(a, -1, 1):
        return y.astype(dtype)
    if _two(a, 0, 1):
        return 2 * y.astype(dtype) - 1
    found = np.unique(a).astype(float).tolist()
    shown = found[:5]
    raise Misuse(
        f"{model} needs two classes coded -1/+1 or 0/1, got labels {shown}"
        f"{'...' if len(found) > 5 else ''}; recode them (y == positive), or use "
        "SoftmaxRegression for several classes"
    )


def counts(y: Any, dtype: Any) -> Any:
    """Nonnegative targets."""
    if known(y) and (np.asarray(y) < 0).any():
        raise Misuse(
            f"PoissonLoss needs counts y >= 0, got {np.asarray(y).min()}; use "
            "SquaredLoss or HuberLoss for signed targets"
        )
    return y.astype(dtype)


def whole_labels(y: Any, classes: int) -> Any:
    """Integer labels 0 .. K-1."""
    if known(y):
        a = np.asarray(y)
        if not np.array_equal(a, np.floor(a)):
            raise Misuse(
                "Softmax needs integer labels 0 .. K-1, got fractions; recode with "
                "np.unique(y, return_inverse=True)[1]"
            )
        if a.min() < 0 or a.max() >= classes:
            raise Misuse(
                f"Softmax with {classes} classes needs labels 0 .. {classes - 1}, got "
                f"{a.min():g} .. {a.max():g}; recode with "
                "np.unique(y, return_inverse=True)[1]"
            )
    return y.astype(np.int32)


def both_signs(y: Any, w: Any, model: str) -> None:
    """Both classes must carry weight, or a free intercept has no minimiser."""
    if not known(y, w):
        return
    a = np.asarray(y) if w is None else np.asarray(y)[np.asarray(w) > 0]
    if not ((a > 0).any() and (a < 0).any()):
        raise Misuse(
            f"{model} with an intercept needs samples of both classes, got one class; "
            "use intercept=False or give the other class"
        )


def every_class(y: Any, w: Any, classes: int) -> None:
    """Every class must carry weight."""
    if not known(y, w):
        return
    a = np.asarray(y) if w is None else np.asarray(y)[np.asarray(w) > 0]
    absent = sorted(set(range(classes)) - set(a.tolist()))
    if absent:
        raise Misuse(
            "Softmax with an intercept needs samples of every class, got none of "
            f"{absent}, counted in their order; use intercept=False or drop the class"
        )


def some_count(y: Any, w: Any) -> None:
    """Some count must be positive."""
    if not known(y, w):
        return
    a = np.asarray(y) if w is None else np.asarray(y)[np.asarray(w) > 0]
    if not (a > 0).any():
        raise Misuse(
            "Poisson with an intercept needs a positive count, all are 0; "
            "use intercept=False"
        )


def without_term(facts: Facts) -> Facts:
    """Facts of the losses alone: strong convexity is that of the term beside them."""
    names = ("L", "curvature", "M", "radius")
    kept = {k: v for k, v in facts.properties.items() if k != "strongly_convex"}
    return facts.only(kept, names)

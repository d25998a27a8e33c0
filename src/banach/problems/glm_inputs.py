"""Data of generalised linear models, read once: shapes, labels, weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import compat
from banach.core.problem import Misuse


def matrix(A: Any) -> Any:
    """The data matrix in a floating dtype; NumPy stays NumPy."""
    A = _array(A, "A")
    if A.ndim != 2:
        raise Misuse(
            f"A must be 2-D, samples by features, got shape {A.shape}; "
            "reshape one feature with A[:, None]"
        )
    if 0 in A.shape:
        raise Misuse(f"A is empty, shape {A.shape}; give at least one row and column")
    if not jnp.issubdtype(A.dtype, jnp.floating):
        if not (jnp.issubdtype(A.dtype, jnp.integer) or A.dtype == bool):
            raise Misuse(f"A must hold real numbers, got {A.dtype}; cast it to float")
        A = A.astype(jax.dtypes.canonicalize_dtype(float) if _jax(A) else float)
    finite(A, "A")
    return A


def vector(v: Any, name: str, n: int) -> Any:
    """One number a sample."""
    v = _array(v, name)
    if v.shape != (n,):
        raise Misuse(
            f"{name} has shape {v.shape} but A has {n} rows; give one number a row, "
            f"shape ({n},)"
        )
    if jnp.issubdtype(v.dtype, jnp.complexfloating) or v.dtype == object:
        raise Misuse(f"{name} must hold real numbers, got {v.dtype}; convert it")
    if v.dtype.kind not in "biuf" and not jnp.issubdtype(v.dtype, jnp.floating):
        raise Misuse(
            f"{name} must hold numbers, got {v.dtype}; encode labels as numbers"
        )
    if jnp.issubdtype(v.dtype, jnp.floating):
        finite(v, name)
    return v


def common_dtype(A: Any, *others: Any) -> Any:
    """The dtype of A, widened where floating data beside it are wider."""
    dtype = A.dtype
    for v in others:
        if v is not None and jnp.issubdtype(v.dtype, jnp.floating):
            dtype = jnp.promote_types(dtype, v.dtype)
    return dtype


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


def finite(v: Any, name: str) -> None:
    """Misuse where a concrete array holds NaN or infinity."""
    if known(v) and not np.isfinite(np.asarray(v)).all():
        where = np.argwhere(~np.isfinite(np.asarray(v)))[0].tolist()
        raise Misuse(
            f"{name} holds NaN or infinity, first at index {where}; drop or impute it"
        )


def known(*values: Any) -> bool:
    """Whether entries can be looked at."""
    return not any(compat.is_tracer(v) for v in jax.tree.leaves(values))


def scalars(*values: Any) -> bool:
    """Whether every leaf is a number."""
    return all(np.ndim(v) == 0 for v in jax.tree.leaves(values))


def least(weights: Any) -> Any:
    """The smallest weight; in NumPy where possible: float32 could round it up."""
    return np.min(np.asarray(weights)) if known(weights) else jnp.min(weights)


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
    found = set(np.unique(np.asarray(y)).astype(float).tolist())
    if found <= {-1.0, 1.0}:
        return y.astype(dtype)
    if found <= {0.0, 1.0}:
        return 2 * y.astype(dtype) - 1
    shown = sorted(found)[:5]
    raise Misuse(
        f"{model} needs two classes coded -1/+1 or 0/1, got labels {shown}"
        f"{'...' if len(found) > 5 else ''}; recode them (y == positive), or use "
        "SoftmaxRegression for several classes"
    )


def counts(y: Any, dtype: Any) -> Any:
    """Nonnegative targets."""
    if known(y) and (np.asarray(y) < 0).any():
        raise Misuse(
            f"Poisson needs counts >= 0, got {np.asarray(y).min()}; use LeastSquares "
            "or Huber for signed targets"
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
            f"{absent}; use intercept=False or drop the class"
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


def _array(v: Any, name: str) -> Any:
    if _jax(v):
        return v
    try:
        out = np.asarray(v)
    except ValueError as e:
        raise Misuse(f"{name} is not a rectangular array of numbers: {e}") from e
    if out.dtype == object:
        raise Misuse(f"{name} is not a rectangular array of numbers; convert it")
    return out


def _jax(v: Any) -> bool:
    return isinstance(v, jax.Array)

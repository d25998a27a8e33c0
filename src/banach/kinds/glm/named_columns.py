"""Names of columns and classes: read with the data, and given back with the answer."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from banach.core import compat, dataframes, validation
from banach.core.problem import Misuse
from banach.kinds.glm import inputs as glm_inputs


def same_rows(A: Any, y: Any, sample_weight: Any, offset: Any) -> None:
    """Misuse where tables have other row labels, or stand in the place of a column."""
    plain = type(A) is np.ndarray and type(y) is np.ndarray
    if plain and sample_weight is None and offset is None:
        return
    rows = {"y": y, "sample_weight": sample_weight, "offset": offset}
    for name, value in rows.items():
        if dataframes.is_frame(value):
            dataframes.one_column(value, name)
    dataframes.same_rows({"A": A, **rows})


def columns(A: Any, given: Any) -> tuple | None:
    """The names of the columns of A, as it has them or as they were given."""
    if type(A) is np.ndarray and given is None:
        return None
    if dataframes.is_frame(A):
        if given is not None:
            raise Misuse(
                "columns= names the columns of an array, and A is a table with names "
                "of its own; rename its columns, or drop columns="
            )
        return dataframes.columns(A, "A")
    if dataframes.is_column(A) and np.ndim(A) == 1:
        raise Misuse("A is one column, where a table is needed; pass A.to_frame()")
    if isinstance(A, dict) and not validation.is_sparse(A):
        cure = "np.column_stack([*A.values()]) with columns=[*A], or a data frame"
        raise Misuse(
            f"A is a dict with the keys {', '.join(map(str, [*A][:6]))}; pass "
            f"{'A[' + repr('data') + ']' if 'data' in A else cure}"
        )
    return None if given is None else dataframes.checked_names(given, "A", "columns")


def one_each(names: tuple | None, p: int) -> tuple:
    """The names, as many as there are columns."""
    if names and len(names) != p:
        raise Misuse(f"columns has {len(names)} names and A has {p} columns")
    return names or ()


def coefficients(model: Any, x: Any) -> tuple[Any, Any]:
    """(coefficients by name, intercept) of a point of the model."""
    c, b = model.split(_point(model, x))
    classes = labels(model) if c.ndim == 2 else ()
    coef = dataframes.Named(model.columns or range(c.shape[0]), c, classes)
    if c.ndim == 2 and model.intercept:
        return coef, dataframes.Named(classes, b)
    return coef, float(b) if model.intercept else 0.0


def labels(model: Any) -> tuple:
    """The labels of a model's classes, () where there are none."""
    return model.classes or model.loss.codes()


def coefficient(model: Any, j: int, k: int | None = None) -> str:
    """One coefficient in words, by column and class; the last may be an intercept."""
    if j == model.A.shape[1]:
        said = "the intercept"
    elif model.columns:
        said = f"the coefficient of {model.columns[j]!r}"
    else:
        said = f"coefficient {j}"
    return said if k is None else f"{said} of class {labels(model)[k]!r}"


def told(model: Any) -> list[tuple[str, str]]:
    """What a printed answer says of the classes."""
    names = [repr(v) for v in model.classes]
    if not names or names == ["0", "1"]:
        return []
    if len(names) == 2 and not hasattr(model.loss, "classes"):
        return [("classes", f"{names[0]} where z < 0, {names[1]} where z > 0")]
    more = f", ... ({len(names)})" if len(names) > 10 else ""
    return [("classes", ", ".join(names[:10]) + more)]


def predict(model: Any, x: Any, new: Any, offset: Any) -> np.ndarray:
    """Means, or the label of the greater probability (of z > 0 the second)."""
    return expected(model, _linear(model, x, new, offset))


def expected(model: Any, z: np.ndarray) -> np.ndarray:
    """What the loss of a model expects where its linear part is z."""
    if not model.loss.discrete:
        return model.loss.mean(z)
    place = z.argmax(axis=1) if z.ndim == 2 else (z > 0).astype(int)
    return np.asarray(labels(model))[place]


def predict_proba(model: Any, x: Any, new: Any, offset: Any) -> np.ndarray:
    """One column a class, in the order of `labels`."""
    chances = model.loss.chances(_linear(model, x, new, offset))
    if chances is None:
        name = type(model.loss).__name__
        raise Misuse(
            f"{name} gives no probabilities; use predict, or state the model with "
            "LogisticRegression or SoftmaxRegression"
        )
    return chances


def _linear(model: Any, x: Any, new: Any, offset: Any) -> np.ndarray:
    """z of new rows, by the model's own product and in the dtype of x."""
    x = _point(model, x)
    if dataframes.is_frame(new):
        if not model.columns:
            raise Misuse(
                "new is a table with named columns, and the model was stated without "
                "names; pass new.to_numpy() if the columns correspond by place, or "
                "state the model with a table, or with columns="
            )
        new = dataframes.matched(new, model.columns, "new")
    elif np.ndim(new) == 1:
        raise Misuse(
            "new must hold rows like those of A, got one axis; of one row pass "
            "np.asarray(new)[None, :]"
        )
    rows = glm_inputs.matrix(new, "new")
    p = model.A.shape[1]
    if rows.shape[1] != p:
        raise Misuse(f"new has {rows.shape[1]} columns and the model {p}")
    if (model.offset is None) != (offset is None):
        raise Misuse(
            "the model was stated with an offset: give that of the new rows, "
            "offset=...; zeros where there is none"
            if offset is None
            else "the model was stated without an offset; drop offset="
        )
    with compat.double():
        other = eqx.tree_at(lambda m: m.A, model, rows)
        z = np.asarray(other._apply(jnp.asarray(x)))
    if offset is None:
        return z
    return z + np.asarray(glm_inputs.vector(offset, "offset", rows.shape[0]))


def _point(model: Any, x: Any) -> np.ndarray:
    if compat.any_tracer((model, x)):
        raise Misuse("names and predictions need numbers, not traced values")
    x = np.asarray(validation.array(getattr(x, "x", x), "x"))
    if x.shape != model.space().shape:
        raise Misuse(
            f"x has shape {x.shape}, a point of this model {model.space().shape}; "
            "pass result.x"
        )
    return x

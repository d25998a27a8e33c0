"""Many linear models stated at once: one array for all lanes, read as a whole.

Every demand of the constructor holds for every lane. Whole arrays are read at once;
only where something may be wrong are lanes stated one by one, by the constructor
itself, so that the message is its own and names the lane.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, cast

import jax
import numpy as np

from banach.core import compat, dataframes, validation
from banach.core.door import door
from banach.core.problem import Misuse, modules, recheck
from banach.core.stacked import Stacked
from banach.core.validated_fields import keep
from banach.kinds import inputs, sparse_input
from banach.kinds.glm import design
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.glm import named_columns as labelled
from banach.kinds.glm.loss import Loss
from banach.parts.sparse import SparseMatrix
from banach.terms.norms import Zero

if TYPE_CHECKING:
    from banach.kinds.glm.problem import GLM

P = ParamSpec("P")

DATA = ("sample_weight", "offset")
OPTIONS = (*DATA, "columns")
_STATIC = ("classes", "groups", "intercept", "loss", "term")  # never one a lane


class Spec(NamedTuple):
    """What a model by name is made of, beside its data."""

    kind: Any  # the class GLM
    loss: Loss
    term: Any
    options: dict[str, Any]


class Blank:
    """Stands for data where only the loss and the term of a model are asked for."""


class _Leaf:
    """A leaf of all lanes, opaque to JAX's trees, and whether lanes share it."""

    def __init__(self, value: Any, shared: bool):
        self.value, self.shared = value, shared


class _Lanes:
    """Sparse matrices of one pattern, a row of values for each lane."""

    def __init__(self, A: SparseMatrix):
        self.A = A  # its values (lanes, nnz)
        self.shape, self.ndim, self.dtype = (len(A.values), *A.shape), 3, A.dtype

    def __getitem__(self, i: Any) -> SparseMatrix:
        return self.A.with_values(self.A.values[i])


class Model(Protocol[P]):
    """The function of a model by name, and its `stack`."""

    __name__: str

    def __call__(self, *args: P.args, **named: P.kwargs) -> "GLM":
        """The model of these data."""

    def stack(self, *args: P.args, **named: P.kwargs) -> Stacked:
        """Many of them at once, for `bn.solve_many`."""


def stackable(model: "Callable[P, GLM]") -> Model[P]:
    """Give a model's function its `stack`."""
    listed = inspect.signature(model)
    first, second, *rest = listed.parameters.values()
    by_place = [p.name for p in rest if p.kind is p.POSITIONAL_OR_KEYWORD]

    def stack(A: Any, y: Any, *values: Any, **named: Any) -> Stacked:
        given = dict(zip(by_place, values, strict=False)) | named
        return _stacked(model, first.name, A, second.name, y, given)

    stack.__name__ = stack.__qualname__ = f"{model.__name__}.stack"
    stack.__signature__ = listed.replace(return_annotation=Stacked)  # type: ignore[attr-defined]
    stack.__doc__ = f"""Many {model.__name__} models at once, for `bn.solve_many`.

    The arguments are those of {model.__name__}. {first.name} is (lanes, n, p), or
    (n, p) shared by all lanes and held once; sparse, one matrix or a list of matrices
    with entries in the same places. {second.name} is (lanes, n), or shared;
    so are sample_weight and offset. Any other number may be an array whose first
    axis is the lanes, one a lane. All is read once, as a whole; Misuse names the lane.

    Returns:
        Stacked: a sequence of the problems, each made when it is read.
    """
    model.stack = door(stack, also=OPTIONS)  # type: ignore[attr-defined]
    return cast("Model[P]", model)


def stack(cls: Any, A: Any, y: Any, given: dict[str, Any]) -> Stacked:
    """`GLM.stack`: models that share their loss and term."""

    def model(A: Any, y: Any, loss: Any, term: Any, **data: Any) -> Any:
        if isinstance(A, Blank):
            term = Zero() if term is None else term
            inputs.is_term(term, "GLM")
            if not isinstance(loss, Loss):
                raise Misuse(
                    f"GLM needs a loss, got {validation.shown(loss)}; pass e.g. "
                    "bn.LogisticLoss()"
                )
            return Spec(cls, loss, term, {"intercept": data["intercept"]})
        return cls(A, y, loss, term, **data)

    return _stacked(model, "A", A, "y", y, given)


def _stacked(
    model: Any, A_name: str, A: Any, y_name: str, y: Any, given: dict[str, Any]
) -> Stacked:
    """A model of every lane, from arrays of all lanes."""
    data = {k: given.pop(k, None) for k in DATA}
    names = labelled.columns(A, given.pop("columns", None))
    if dataframes.is_frame(A):
        dataframes.same_rows({"A": A, y_name: y, **data})
    arrays = {
        A_name: _matrices(A, A_name),
        y_name: _wide(y, y_name, 1),
        **{k: _wide(v, k, 1) for k, v in data.items() if v is not None},
    }
    lanes = _count(arrays, given)
    numbers = {k: np.asarray(v) for k, v in given.items() if _each(k, v, lanes)}

    def lane(i: int) -> Any:
        """The model of one lane, by its constructor."""
        own = {k: v.value if v.shared else v.value[i] for k, v in arrays.items()}
        own |= {k: v[i, ...] for k, v in numbers.items()}
        return model(**(given | own))

    def together(read: Callable[[], Any]) -> Any:
        """What is read of all lanes at once; a Misuse names the lane."""
        try:
            return read()
        except Misuse as error:
            _name_the_lane(lane, range(lanes))
            raise Misuse(f"the lanes together: {error}") from None

    if "classes" in listed_of(model) and given.get("classes") is None:
        given["classes"] = together(lambda: glm_inputs.distinct(_row(arrays[y_name])))
    together(
        lambda: [validation.array(v, k, infinite=True) for k, v in numbers.items()]
    )
    spec = together(
        lambda: model(
            Blank(), Blank(), **(given | {k: v[0, ...] for k, v in numbers.items()})
        )
    )
    made = together(lambda: _read(spec, arrays, A_name, y_name))
    parts = together(lambda: _parts(model, spec, given, numbers, lanes))
    _name_the_lane(lane, _suspects(spec, made, lanes))
    made["columns"] = labelled.one_each(names, made["A"].value.shape[-1])
    made["intercept"] = validation.flag(spec.options["intercept"], "intercept")
    return _assembled(spec.kind, made, parts, lanes)


def listed_of(model: Any) -> Any:
    """The parameters of a model's function."""
    return inspect.signature(model).parameters


def _wide(
    value: Any, name: str, ndim: int, read: Callable[[Any], Any] = lambda v: v
) -> _Leaf:
    """An array of all lanes, or one that they share."""
    if ndim == 1 and dataframes.is_frame(value):
        raise Misuse(
            f"{name} is a table; with one lane a column pass {name}.to_numpy().T"
        )
    if ndim == 1 and dataframes.is_column(value):
        value = dataframes.labels(value, name)
    if compat.is_tracer(value):
        raise Misuse(f"{name} is traced, and a stack needs its numbers; use bn.run")
    try:
        axes = np.ndim(value)
        value = read(value)
    except (Misuse, ValueError) as error:
        for i, own in enumerate(value if isinstance(error, Misuse) else ()):
            if axes == ndim + 1:
                _name_the_lane(lambda _, own=own: read(own), [i])
        raise Misuse(f"{name}: {error}") from None
    if axes not in (ndim, ndim + 1):
        shape = "(lanes, n, p) or (n, p)" if ndim == 2 else "(lanes, n) or (n,)"
        raise Misuse(f"{name} must have shape {shape}, got {np.shape(value)}")
    return _Leaf(np.asarray(value) if isinstance(value, jax.Array) else value,
                 axes == ndim)  # fmt: skip


def _matrices(A: Any, name: str) -> _Leaf:
    """The matrices of all lanes, or one that they share."""
    if sparse_input.is_sparse(A):
        return _Leaf(sparse_input.sparse(A, name), True)
    several = isinstance(A, list | tuple) and any(map(sparse_input.is_sparse, A))
    if not several:
        return _wide(A, name, 2, lambda v: validation.array(v, name))
    made: list[SparseMatrix] = []
    for i, own in enumerate(A):
        if not sparse_input.is_sparse(own):
            raise Misuse(
                f"lane {i}: {name} is dense where that of another lane is sparse; give "
                "all of them one form"
            )
        _name_the_lane(
            lambda _, own=own: made.append(sparse_input.sparse(own, name)), [i]
        )
        if made[-1].shape != made[0].shape or not _alike(made[-1], made[0]):
            raise Misuse(
                f"lane {i}: {name} has entries in other places than that of lane 0; "
                "lanes share one pattern: store zeros where it differs"
            )
    return _Leaf(_Lanes(made[0].with_values(np.stack([v.values for v in made]))), False)


def _alike(A: SparseMatrix, B: SparseMatrix) -> bool:
    """Whether two have entries in the same places; those read here share the arrays."""
    pairs = ((A.rows, B.rows), (A.columns, B.columns))
    return all(u is v or np.array_equal(u, v) for u, v in pairs)


def _row(leaf: _Leaf) -> Any:
    """All entries in one row; of lists a list."""
    v = leaf.value
    if isinstance(v, list | tuple) and not leaf.shared:
        return [e for lane in v for e in lane]
    return v if isinstance(v, list | tuple) else v.ravel()


def _count(arrays: dict[str, _Leaf], given: dict[str, Any]) -> int:
    """How many lanes there are, or Misuse where that is not one number."""
    counts = {k: np.shape(v.value)[0] for k, v in arrays.items() if not v.shared}
    if not counts:
        free = {k: v for k, v in given.items() if k not in _STATIC}
        counts = {k: np.shape(v)[0] for k, v in free.items() if np.ndim(v)}
    names = ", ".join(f"{k} {n}" for k, n in counts.items())
    if not counts:
        raise Misuse(
            "nothing here differs between lanes; give A of shape (lanes, n, p), y of "
            "shape (lanes, n), or one number a lane for a weight"
        )
    if len(set(counts.values())) > 1:
        raise Misuse(f"the arrays disagree about the number of lanes: {names}")
    lanes = next(iter(counts.values()))
    if not lanes:
        raise Misuse(f"there are no lanes: {names}")
    return int(lanes)


def _each(name: str, value: Any, lanes: int) -> bool:
    """Whether an argument is one number, or array, a lane."""
    if name in _STATIC or isinstance(value, str) or not np.ndim(value):
        return False
    return np.shape(value)[0] == lanes


def _name_the_lane(lane: Callable[[int], Any], which: Any) -> None:
    for i in which:
        try:
            lane(int(i))
        except Misuse as error:
            raise Misuse(f"lane {i}: {error}") from None


def _read(
    spec: Spec, arrays: dict[str, _Leaf], A_name: str, y_name: str
) -> dict[str, Any]:
    """The data in the dtype of the stack, as GLM stores them."""
    A = arrays[A_name]
    loss = spec.loss
    shape = np.shape(A.value)[-2:]
    if 0 in shape:
        raise Misuse(f"A is empty, shape {np.shape(A.value)}")
    n = shape[0]

    def rows(name: str, read: Callable[[_Leaf], Any]) -> _Leaf | None:
        leaf = arrays.get(name)
        if leaf is None:
            return None
        shape = np.shape(leaf.value)
        if shape[-1] != n:
            raise Misuse(
                f"{name} has shape {shape} but A has {n} rows; give one number a row"
            )
        return _Leaf(read(leaf).reshape(shape), leaf.shared)

    def number(name: str) -> Callable[[_Leaf], Any]:
        def read(leaf: _Leaf) -> Any:
            row = _row(leaf)
            return glm_inputs.vector(row, name, len(row))

        return read

    classes: tuple = ()

    def labels(leaf: _Leaf) -> Any:
        nonlocal classes
        row, count = _row(leaf), getattr(loss, "classes", 2)
        codes, classes = glm_inputs.labels(row, len(row), count, loss)
        return np.asarray(codes)

    target = rows(y_name, labels if loss.discrete else number(y_name))
    weight = rows("sample_weight", number("sample_weight"))
    offset = rows("offset", number("offset"))
    others = [
        None if v is None else v.value
        for v in (None if loss.discrete else target, weight, offset)
    ]
    matrix = A.value.A if isinstance(A.value, _Lanes) else A.value
    dtype = glm_inputs.common_dtype(design.values(matrix), *others)
    assert target is not None

    def cast(leaf: _Leaf | None, name: str) -> _Leaf | None:
        if leaf is None:
            return None
        return _Leaf(inputs.cast(leaf.value, dtype, name), leaf.shared)

    coded = target.value if loss.discrete else inputs.cast(target.value, dtype, "y")
    return {
        "A": _Leaf(design.narrowed(matrix, dtype), A.shared),
        "y": _Leaf(loss.labels(coded, dtype), target.shared),
        "weight": cast(weight, "sample_weight"),
        "offset": cast(offset, "offset"),
        "classes": classes,
    }


def _parts(
    model: Any, spec: Spec, given: dict[str, Any], numbers: dict[str, Any], lanes: int
) -> tuple[Any, Any]:
    """Loss and term with a `_Leaf` for each leaf."""

    def inner(*values: Any) -> list[Any]:
        own = model(
            Blank(), Blank(), **(given | dict(zip(numbers, values, strict=True)))
        )
        return jax.tree.leaves((own.loss, own.term))

    one = [np.asarray(v[0, ...]) for v in numbers.values()]
    with compat.double():
        closed = jax.make_jaxpr(inner)(*one)
        made: list[_Leaf] = []
        first = jax.tree.leaves((spec.loss, spec.term))
        for var, own in zip(closed.jaxpr.outvars, first, strict=True):
            if var in closed.jaxpr.invars:
                at = closed.jaxpr.invars.index(var)
                made.append(_Leaf(list(numbers.values())[at], False))
            elif isinstance(var, compat.Literal) or var in closed.jaxpr.constvars:
                made.append(_Leaf(np.asarray(own), True))
            else:
                raise Misuse(
                    f"{type(spec.term).__name__} computes with a number that differs "
                    "between lanes; make a list of problems and use bn.stack"
                )
    structure = jax.tree.structure((spec.loss, spec.term))
    _demanded(made, structure)
    if numbers and any(_statics(part) for part in (spec.loss, spec.term)):
        # What is static in a term may depend on its numbers: whether a box is bounded.
        for i in range(lanes):
            own = model(
                Blank(), Blank(), **(given | {k: v[i, ...] for k, v in numbers.items()})
            )
            if jax.tree.structure((own.loss, own.term)) != structure:
                raise Misuse(
                    f"lane {i}: its {type(own.term).__name__} is of another structure "
                    "than that of lane 0; stack lanes of one structure"
                )
    return jax.tree.unflatten(structure, made)


def _statics(part: Any) -> bool:
    fields = dataclasses.fields(part)
    return any(f.metadata.get("static", False) for f in fields)


def _demanded(leaves: list[_Leaf], structure: Any) -> None:
    """What losses and terms demand of their numbers, made of those of every lane."""

    def parts(values: list[Any]) -> list[Any]:
        whole = jax.tree.unflatten(structure, values)
        whole = whole if isinstance(whole, tuple) else (whole,)
        return [m for part in whole for m in (part, *modules(part))]

    try:
        for module in parts([v.value for v in leaves]):
            _demands(module)
    except Misuse:
        # Numbers one a lane need not fit beside each other: each lane by itself.
        for i in range(max(len(v.value) for v in leaves if not v.shared)):
            own = [v.value if v.shared else v.value[i, ...] for v in leaves]
            _name_the_lane(lambda _, own=own: [*map(recheck, parts(own))], [i])


def _demands(module: Any) -> None:
    """What a constructor demands of its numbers, of those of all lanes at once."""
    for name, field in getattr(module, "__dataclass_fields__", {}).items():
        convert = field.metadata.get("converter")
        if isinstance(convert, functools.partial) and convert.func is keep:
            keep(getattr(module, name), **(convert.keywords | {"scalar": False}))
        elif convert is not None:
            convert(getattr(module, name))
    for cls in type(module).__mro__:
        check = vars(cls).get("__check_init__")
        if check is not None:
            check(module)


def _suspects(spec: Spec, made: dict[str, Any], lanes: int) -> np.ndarray:
    """Lanes whose weights or labels the constructor may refuse."""
    bad = np.zeros(lanes, bool)
    weight = made["weight"]
    if weight is not None:
        w = weight.value
        bad |= (w < 0).any(axis=-1) | ~(w > 0).any(axis=-1)
    loss, y = spec.loss, made["y"].value
    if not spec.options["intercept"] or (
        type(loss).check_intercept is Loss.check_intercept
    ):
        return np.flatnonzero(bad)
    counts = np.ones(1, bool) if weight is None else weight.value > 0
    if loss.discrete:
        codes = range(loss.classes) if hasattr(loss, "classes") else (-1, 1)
        for code in codes:
            bad |= ~((y == code) & counts).any(axis=-1)
    else:
        bad |= ~((y > 0) & counts).any(axis=-1)
    return np.flatnonzero(bad)


def _assembled(cls: Any, made: dict[str, Any], parts: Any, lanes: int) -> Stacked:
    """The stack of instances of GLM with these fields."""
    loss, term = parts
    dtype = made["A"].value.dtype
    blank = object.__new__(cls)
    if isinstance(made["A"].value, SparseMatrix):
        made["A"] = _leaves(made["A"])
    fields = made | {"loss": _cast(loss, dtype), "term": _cast(term, dtype)}
    for name, value in fields.items():
        object.__setattr__(blank, name, value)
    leaves, treedef = jax.tree.flatten(blank)
    stack = Stacked(
        [v.value for v in leaves], [v.shared for v in leaves], treedef, lanes
    )
    stack.view(0)._check_term()
    return stack


def _leaves(A: _Leaf) -> SparseMatrix:
    """A sparse matrix with a `_Leaf` for each leaf; all lanes share the pattern."""
    values, *places = (getattr(A.value, v) for v in ("values", "rows", "columns"))
    leaves = [_Leaf(values, A.shared), *(_Leaf(v, True) for v in places)]
    structure = jax.tree.structure(A.value)
    return jax.tree.unflatten(structure, leaves)


def _cast(part: Any, dtype: Any) -> Any:
    """The numbers of a loss or term in the dtype of the stack, demanded again there."""
    leaves, structure = jax.tree.flatten(part)
    made, changed = [], False
    for leaf in leaves:
        v = np.asarray(leaf.value)
        if v.dtype.kind == "f" and v.dtype != dtype:
            v, changed = inputs.narrowed(v, dtype, type(part).__name__), True
        made.append(_Leaf(v, leaf.shared))
    if changed:
        _demanded(made, structure)
    return jax.tree.unflatten(structure, made)

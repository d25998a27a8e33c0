"""Problems of one structure with their data side by side."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from banach.core.problem import Misuse, Problem, sound
from banach.core.traced_function import one_trace_for_all


class Stacked(Sequence[Problem]):
    """Problems of one kind, structure and shape; a sequence whose items are views.

    Every array of the data has a leading axis, one entry a problem ("lane"), or is
    shared by all of them and held once. The arrays are the stack's own and are never
    written. `stack[i]` is the problem of lane i, made when it is read; a slice, a
    list of indices or a mask gives a smaller stack.

    Args:
        leaves, shared, treedef, size: the arrays, which of them all lanes share, their
            structure, and the number of lanes.
        given: the problems, where they were given one by one.

    Example:
        >>> many = bn.LogisticRegression.stack(
        ...     np.arange(4.0)[:, None], np.array([[0, 1, 0, 1], [0, 0, 1, 1]])
        ... )
        >>> len(many), many[0].kind
        (2, 'GLM')
    """

    def __init__(
        self,
        leaves: Sequence[Any],
        shared: Sequence[bool],
        treedef: Any,
        size: int,
        given: Sequence[Problem] | None = None,
    ):
        self.leaves = [_frozen(v) for v in leaves]
        self.shared = tuple(shared)
        self.treedef = treedef
        self.size = size
        self._given = given

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: Any) -> "Stacked": ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            i = int(index)
            if not -self.size <= i < self.size:
                raise IndexError(f"lane {i} of {self.size}")
            i %= self.size
            return self.view(i) if self._given is None else self._given[i]
        ids = picked(index, self.size)
        leaves = [v if s else v[ids] for v, s in zip(self.leaves, self.shared)]  # noqa: B905
        given = None if self._given is None else [self._given[i] for i in ids]
        return Stacked(leaves, self.shared, self.treedef, len(ids), given)

    def __iter__(self) -> Iterator[Problem]:
        return (self[i] for i in range(self.size))

    def __repr__(self) -> str:
        first = self.view(0)
        return f"<Stacked: {self.size} of {first.kind}, {first.formula()}>"

    def lane(self, i: int) -> list[Any]:
        """The leaves of one lane, as the stack holds them."""
        return [v if s else v[i, ...] for v, s in zip(self.leaves, self.shared)]  # noqa: B905

    def view(self, i: int) -> Problem:
        """The problem of one lane on the stack's own arrays."""
        return jax.tree.unflatten(self.treedef, self.lane(i))


def picked(index: Any, size: int) -> np.ndarray:
    """Lane numbers of a slice, a list of integers or a mask."""
    if isinstance(index, slice):
        return np.arange(size)[index]
    ids = np.asarray(index)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "biu"):
        raise TypeError(
            f"pick lanes by an integer, a slice, integers or a mask, got {index!r}"
        )
    return np.arange(size)[ids if ids.size else ids.astype(int)]


def stack(problems: Iterable[Problem]) -> Stacked:
    """Problems of one structure, side by side: what `solve_many` solves at once.

    An array that is the same object in every problem is held once. To state many
    problems of one class without making each, see its `stack`, e.g.
    `bn.LogisticRegression.stack(A, Y)`.

    Raises:
        Misuse: no problems, or problems that differ in kind, structure, shape or
            dtype; each demand of their terms and losses is made again.

    Example:
        >>> import numpy as np, banach as bn
        >>> A = np.arange(12.0).reshape(4, 3) ** 0.5
        >>> many = bn.stack([bn.Ridge(A, A @ np.eye(3)[i], 0.1) for i in range(3)])
        >>> len(many), many[1].y.shape
        (3, (4,))

    Args:
        problems: of one kind and structure, with equal shapes and dtypes.
    """
    return stacked(problems, "stack")


def of_class(cls: Any, args: tuple, named: dict[str, Any], shared: Any) -> Stacked:
    """`Problem.stack`: the constructor for every lane, on its own rows."""
    listed = inspect.signature(cls).parameters
    keep = {shared} if isinstance(shared, str) else set(shared)
    if not keep <= set(listed):
        raise Misuse(
            f"{cls.__name__} has no argument {min(keep - set(listed))!r} to share; it "
            f"has {', '.join(listed)}"
        )
    places = [*list(listed)[: len(args)], *named]
    if not places or len(args) > len(listed):
        cls(*args, **named)  # says what does not fit
    rows: dict[str, tuple[list[Any], Any]] = {}
    counts: dict[str, int] = {}
    for name, value in zip(places, (*args, *named.values()), strict=True):
        if name in keep or isinstance(value, eqx.Module) or callable(value):
            continue
        leaves, treedef = jax.tree.flatten(value)
        arrays = [np.ndim(v) > 0 for v in leaves if _is_array(v)]
        if any(arrays):
            rows[name] = (leaves, treedef)
            counts |= {
                f"{name}{i or ''}": len(v)
                for i, v in enumerate(leaves)
                if _is_array(v) and np.ndim(v)
            }
    if len(set(counts.values())) != 1:
        said = ", ".join(f"{k} {n}" for k, n in counts.items()) or "no array"
        raise Misuse(
            f"{cls.__name__}.stack needs arrays whose first axis is the lanes, got "
            f"{said}; name what all lanes share, e.g. shared={places[0]!r}"
        )

    def lane(i: int) -> Problem:
        own = {
            name: jax.tree.unflatten(
                treedef,
                [v[i] if _is_array(v) and np.ndim(v) else v for v in leaves],
            )
            for name, (leaves, treedef) in rows.items()
        }
        first = [own.get(k, v) for k, v in zip(places, args, strict=False)]
        try:
            made: Problem = cls(*first, **{k: own.get(k, v) for k, v in named.items()})
        except Misuse as error:
            raise Misuse(f"lane {i}: {error}") from None
        return made

    with one_trace_for_all():
        lanes = [lane(i) for i in range(next(iter(counts.values())))]
    return stacked(lanes, "stack")


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | jax.Array)


def stacked(problems: Any, door: str) -> Stacked:
    """`stack`, in the words of the door that was called."""
    if isinstance(problems, Stacked):
        return problems
    if not isinstance(problems, Iterable) or isinstance(problems, str | Problem):
        raise Misuse(f"{door} takes a list of problems, got {type(problems).__name__}")
    given = list(problems)
    if not given:
        raise Misuse(f"{door} needs at least one problem, got an empty list")
    rows: list[list[Any]] = []
    structure = shapes = None
    for i, p in enumerate(given):
        if not isinstance(p, Problem):
            raise Misuse(f"{door} takes problems, got {type(p).__name__}")
        sound(p)
        leaves, own = jax.tree.flatten(p)
        own_shapes = [(np.shape(v), _dtype(v)) for v in leaves]
        if structure is None:
            structure, shapes = own, own_shapes
        elif own_shapes != shapes or own != structure:
            raise Misuse(
                f"problem {i} differs from problem 0 in kind, structure, shape or "
                "dtype; group problems of one structure and call solve_many once "
                "for each group"
            )
        rows.append(leaves)
    columns = list(zip(*rows, strict=True))
    shared = [all(v is column[0] for v in column) for column in columns]
    leaves = [
        column[0] if same else _beside(column)
        for column, same in zip(columns, shared, strict=True)
    ]
    return Stacked(leaves, shared, structure, len(given), given)


def _dtype(leaf: Any) -> Any:
    return getattr(leaf, "dtype", None) or np.result_type(leaf)


def _beside(column: Sequence[Any]) -> Any:
    if jnp.issubdtype(_dtype(column[0]), jax.dtypes.extended):
        return jnp.stack(column)
    return np.stack([np.asarray(v) for v in column])


def _frozen(leaf: Any) -> Any:
    """The leaf as an array that nobody else can write."""
    if isinstance(leaf, jax.Array):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
            return leaf
        return np.asarray(leaf)
    a = np.asarray(leaf)
    if a.flags.writeable or not a.flags.c_contiguous or _lent(a):
        a = np.array(a, order="C")
    a.flags.writeable = False
    return a


def _lent(a: np.ndarray) -> bool:
    """Whether somebody may write the memory of a read-only array."""
    base = a.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return base is not None

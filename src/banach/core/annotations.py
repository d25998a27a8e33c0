"""What public functions accept, in words that a type checker and an editor know.

Constructors and doors read what they are given into arrays of their own; these are
the types of what may come in, never of what is held.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

import jax
import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from collections.abc import Callable

    from banach.core.check import Absolute, Check
    from banach.core.method import HostMethod, Method
    from banach.core.problem import Problem
    from banach.core.result import Result

Path: TypeAlias = str | os.PathLike[str]
Real: TypeAlias = float | np.number | np.ndarray | jax.Array
"""A real number, or an array of them: a weight for each coordinate, a traced one."""
Whole: TypeAlias = int | np.integer | np.ndarray | jax.Array
Flag: TypeAlias = bool | np.bool | np.ndarray | jax.Array
Reals: TypeAlias = Real | Sequence[float] | Sequence[Sequence[float]]
"""Numbers, an array of them, or lists."""


class Sparse(Protocol):
    """A sparse matrix of SciPy, as it writes itself in coordinates."""

    @property
    def shape(self) -> Any:
        """(rows, columns)."""

    def tocoo(self) -> Any:
        """The entries with their places."""


class Bcoo(Protocol):
    """A sparse matrix of JAX."""

    @property
    def indices(self) -> Any:
        """(entries, 2), the places."""

    def todense(self) -> Any:
        """As one array."""


class Table(Protocol):
    """A table of pandas, polars and others."""

    @property
    def columns(self) -> Any:
        """Names."""

    def to_numpy(self) -> Any:
        """As one array."""


Matrix: TypeAlias = ArrayLike | Sparse | Bcoo | Table
"""Rows of data: an array, lists, a sparse matrix of SciPy or JAX, a table."""
Column: TypeAlias = ArrayLike
"""A number or a label for each row: an array, a list, a column of a table."""

ProblemLike: TypeAlias = "Problem | str"
MethodLike: TypeAlias = (
    "Method | HostMethod | type[Method] | type[HostMethod] | str | None"
)
CheckLike: TypeAlias = "Check | str | None"
Tolerance: TypeAlias = "float | np.number | Absolute"


class RowOptions(TypedDict, total=False):
    """What every linear model may be told of its rows and columns.

    sample_weight: a weight >= 0 for each row.
    offset: a known part of the prediction of each row.
    columns: names of the columns, where A is an array.
    """

    sample_weight: Column | None
    offset: Column | None
    columns: Sequence[str] | None


class SolveOptions(TypedDict, total=False):
    """The arguments of `bn.solve` that other doors pass on; described there."""

    start: Any
    tol: Tolerance
    digits: int | None
    check: CheckLike
    max_steps: int
    time_limit: float | None
    seed: int
    rows: int
    checkpoint: Path | None
    checkpoint_seconds: float | None
    resume: Path | None
    progress: "Callable[[Result], None] | None"
    tier: str | None

"""Tables with named columns, of whichever library: pandas, polars, pyarrow, others.

No such library is imported: a table is known by what its class offers (columns that
are got by name, or one column that turns into NumPy). Columns of numbers and of truth
are read, the nullable ones of pandas and polars too. Whatever needs a decision that
belongs to the caller is refused with the line of code that takes it: text and
categories, dates, missing values, rows in another order than those beside them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from banach.core.misuse import Misuse

_SHOWN = 3  # cells, rows or columns that a message names
# What is read all the time, and is no table.
_PLAIN = (np.ndarray, jax.Array, list, tuple, dict, float, int, str, type(None))
_CATEGORY = re.compile(r"categor|enum|dictionary")


def is_frame(value: Any) -> bool:
    """Whether a value is a table: columns that have names."""
    if type(value) is np.ndarray or isinstance(value, _PLAIN):
        return False
    cls = type(value)
    columns = hasattr(cls, "columns") or hasattr(cls, "column_names")
    return columns and (hasattr(cls, "dtypes") or hasattr(cls, "schema"))


def is_column(value: Any) -> bool:
    """Whether a value is one column of a table (a Series), or what such are made of."""
    if type(value) is np.ndarray or isinstance(value, _PLAIN):
        return False
    cls = type(value)
    typed = hasattr(cls, "dtype") or hasattr(cls, "type")
    return typed and hasattr(cls, "to_numpy") and not hasattr(cls, "dims")


def is_table(value: Any) -> bool:
    """Whether a value is a table or a column of one."""
    if type(value) is np.ndarray or isinstance(value, _PLAIN):
        return False
    return is_column(value) or is_frame(value)


def numbers(value: Any, name: str) -> np.ndarray:
    """A table of numbers as an array (rows, columns), a column as (rows,).

    Booleans count as 0 and 1; columns of several dtypes get the one that holds all.

    Raises:
        Misuse: text, categories, dates and objects, with the line that encodes them;
            missing values, with the first cells; two columns of one name.
    """
    if not is_frame(value):
        return _column(value, name)
    _made(value, name)
    dtypes = list(getattr(value, "dtypes", ()))
    plain = {d for d in dtypes if isinstance(d, np.dtype) and d.kind in "biuf"}
    if len(dtypes) == _width(value) and len(plain) == 1 and len(set(dtypes)) == 1:
        a = np.asarray(value)
        _whole(value, name, {}, np.isnan(a) if a.dtype.kind == "f" else None)
        return a
    return _joined(value, name)


def _dummies(value: Any, missing: list, name: str) -> str:
    """The cure for levels that do not occur in new rows, where names look like them."""
    if _library(value) != "pandas" or not all("_" in str(v) for v in missing):
        return ""
    return (
        f"; where they stand for levels that do not occur here: {name} = "
        f"{name}.reindex(columns=list(problem.columns), fill_value=0.0)"
    )


def levels(value: Any) -> tuple:
    """The categories of an ordered column of pandas in their order, else ()."""
    dtype: Any = getattr(value, "dtype", None)
    if getattr(dtype, "ordered", False) is not True:
        return ()
    return tuple(np.asarray(dtype.categories).tolist())


def labels(value: Any, name: str) -> np.ndarray:
    """A column of names of classes as an array; the codes of categories are undone."""
    if is_frame(value):
        one_column(value, name)
    gone = _missing(value)
    if gone is not None and gone.any():
        raise Misuse(_cells_of_one(value, name, gone))
    return np.asarray(value)


def one_column(value: Any, name: str) -> None:
    """Misuse for a table in the place of one column."""
    names = _names(value)
    shown = ", ".join(map(repr, names[:_SHOWN])) + ", ..." * (len(names) > _SHOWN)
    raise Misuse(
        f"{name} is a table with the columns {shown}, where one number a row is "
        f"needed; pass one column, {name}[{names[0]!r}]"
        if names
        else f"{name} is a table without columns; pass one column"
    )


def columns(value: Any, name: str) -> tuple:
    """The names of a table's columns, text or whole numbers.

    () where they are only numbered 0, 1, 2, ..., as arrays become tables.
    """
    _made(value, name)
    return checked_names(_names(value), name, f"{name}.columns", _library(value))


def checked_names(names: Any, name: str, where: str, library: str = "") -> tuple:
    """Names of columns, each text or a whole number and each once; () for 0, 1, 2."""
    try:
        listed = tuple(v.item() if isinstance(v, np.generic) else v for v in names)
    except TypeError:
        listed = (None,)
    odd = [v for v in listed if not isinstance(v, str | int) or isinstance(v, bool)]
    if odd or isinstance(names, str):
        cure = f"{where} = {where}.map(str)" if library == "pandas" else "a list of str"
        raise Misuse(
            f"{where} must be names, text or whole numbers, got {odd[:1] or names!r}; "
            f"write {cure}"
        )
    twice = sorted({str(v) for v in listed if listed.count(v) > 1}) if (
        len(set(listed)) < len(listed)
    ) else []  # fmt: skip
    if twice:
        cure = f"; keep one: {name}.loc[:, ~{where}.duplicated()]"
        raise Misuse(
            f"{where} names two columns {twice[0]!r}; each needs a name of its own"
            f"{cure if library == 'pandas' else ''}"
        )
    return () if listed == tuple(range(len(listed))) else listed


def matched(value: Any, names: tuple, name: str) -> Any:
    """A table's columns in the order of `names`; those missing or more are refused."""
    _made(value, name)
    found = _names(value)
    if found == names:
        return value
    if len(set(found)) < len(found):
        checked_names(found, name, f"{name}.columns", _library(value))
    missing = [v for v in names if v not in found]
    extra = [v for v in found if v not in set(names)]
    if missing:
        raise Misuse(
            f"{name} lacks the columns {_some(missing)}, which the model was stated "
            f"with; its columns are {_some(found)}{_dummies(value, missing, name)}"
        )
    if extra:
        raise Misuse(
            f"{name} has the columns {_some(extra)}, which the model was not stated "
            f"with; drop them: {name}[list(problem.columns)]"
        )
    return value[list(names)] if _library(value) != "pyarrow" else value.select(names)


def same_rows(given: Mapping[str, Any]) -> None:
    """Misuse where tables and columns carry row labels that differ.

    Order decides which number belongs to which row, so that nothing is realigned
    behind the caller's back. What has no row labels goes by its place.
    """
    first: tuple[str, Any] | None = None
    for name, value in given.items():
        rows = None if value is None else _rows(value)
        if rows is None:
            continue
        if first is None:
            first = (name, rows)
        elif not _equal(first[1], rows):
            raise Misuse(_apart(first, (name, rows)))


def count(n: int, what: str) -> str:
    """3 things, 1 thing."""
    return f"{n} {what}{'s' * (n != 1)}"


def absent(value: Any) -> bool:
    """Whether an object stands for a missing value: None, NaN, NaT, NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    dated = np.datetime64 | np.timedelta64
    return isinstance(value, float | np.floating | dated) and value != value


class Named(Mapping[Any, Any]):
    """Numbers by name, in order: a mapping, an array and a printed table in one.

    `coef["age"]` is a number, of several classes a mapping of theirs; np.asarray(coef)
    has the shape of the numbers. pandas.Series(coef) keeps the names;
    `to_dict()` gives plain Python, of several classes for pandas.DataFrame.
    """

    def __init__(self, names: Sequence[Any], values: Any, classes: Sequence[Any] = ()):
        self._at = {name: i for i, name in enumerate(names)}
        self.values_array = np.asarray(values)
        self.classes = tuple(classes)

    def __getitem__(self, name: Any) -> Any:
        if name not in self._at:
            raise KeyError(f"{name!r}; the names are {_some(list(self._at))}")
        value = self.values_array[self._at[name]]
        return Named(self.classes, value) if value.ndim else float(value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values_array, dtype=dtype, copy=copy)

    def to_dict(self) -> dict[Any, Any]:
        """Plain numbers by name; of several classes a dict of dicts."""
        each = self.items()
        return {k: v.to_dict() if isinstance(v, Named) else v for k, v in each}

    def __repr__(self) -> str:
        rows = [[str(name), *map(_short, np.ravel(self.values_array[i]))]
                for name, i in self._at.items()]  # fmt: skip
        if len(rows) > 60:
            left = len(rows) - 50
            rows[25:-25] = [[f"... {left} more", *[""] * (len(rows[0]) - 1)]]
        if self.classes:
            rows.insert(0, ["", *map(str, self.classes)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]),
                       *(v.rjust(w) for v, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        )  # fmt: skip


def _short(v: Any) -> str:
    return f"{float(v):.6g}"


def _library(value: Any) -> str:
    """The package that a table comes from, which decides how its lines are written."""
    return type(value).__module__.partition(".")[0]


def _made(value: Any, name: str) -> None:
    """Refuse a table that is only planned, not computed."""
    cls = type(value)
    for word in ("collect", "compute"):
        if hasattr(cls, word) and not hasattr(cls, "to_numpy"):
            raise Misuse(
                f"{name} is a plan of a table ({cls.__name__}); compute it first: "
                f"{name}.{word}()"
            )


def _names(value: Any) -> tuple:
    names = value.column_names if hasattr(value, "column_names") else value.columns
    return tuple(v.item() if isinstance(v, np.generic) else v for v in names)


def _width(value: Any) -> int:
    return len(_names(value))


def _rows(value: Any) -> Any:
    """The row labels of a table or column, None where it has none."""
    if not is_table(value) or not hasattr(type(value), "index"):
        return None
    index = value.index
    return None if callable(index) else index


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if len(a) != len(b):
        return True  # said better as a wrong number of rows
    own = getattr(a, "equals", None)
    return bool(own(b)) if own is not None else np.array_equal(a, np.asarray(b))


def _apart(one: tuple[str, Any], other: tuple[str, Any]) -> str:
    (first, a), (second, b) = one, other
    a, b = list(a), list(b)
    at = next((i for i, (u, v) in enumerate(zip(a, b, strict=True)) if _other(u, v)), 0)
    by_place = f"pass {second}.to_numpy() if the rows already correspond by place"
    twice = next((v for v in (_twice(a), _twice(b)) if v), None)
    try:
        same = sorted(a) == sorted(b)
    except TypeError:
        same = set(a) == set(b)
    if twice:
        # No label finds its row any more: .loc would raise, or multiply rows.
        cure = (
            f"the label {_label(twice[0])} names several rows, so that labels cannot "
            f"match them: {by_place}; else give both an index that names each row once"
        )
    elif same:
        by_name = f"{second} = {second}.loc[{first}.index]"
        cure = f"the labels are the same in another order: {by_name}; or {by_place}"
    else:
        cure = (
            f"they are not the same rows: {by_place}, or join the two by their labels"
        )
    return (
        f"{first} and {second} have different row labels, first at row {at}: "
        f"{_label(a[at])} and {_label(b[at])}; {cure}"
    )


def _other(u: Any, v: Any) -> bool:
    """Whether two labels differ; two that are missing do not."""
    return not (absent(u) and absent(v)) and bool(u != v)


def _twice(labels: list) -> tuple:
    """(label,) for the first that comes again, () where each names one row."""
    seen: set = set()
    for label in labels:
        if label in seen:
            return (label,)
        seen.add(label)
    return ()


def _label(v: Any) -> str:
    return repr(v.item() if isinstance(v, np.generic) else v)


def _missing(column: Any) -> np.ndarray | None:
    """Where a column says that it has no value; None where it cannot say."""
    for word in ("isna", "is_null"):
        if hasattr(type(column), word):
            return np.asarray(getattr(column, word)(), bool)
    return None


def _kind(column: Any) -> str:
    """The name of a column's dtype, in small letters."""
    own = column.dtype if hasattr(column, "dtype") else column.type
    return str(own).lower()


def _read(column: Any) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    """A column's numbers, where it lacks one, and else what it holds."""
    if _CATEGORY.match(_kind(column)):
        return None, None, "text"
    a = np.asarray(column)
    if a.ndim != 1:
        return None, None, "objects"  # one row is several numbers
    gone = _missing(column)
    if a.dtype.kind == "f":
        nan = np.isnan(a)
        gone = nan if gone is None else gone | nan
    if a.dtype.kind in "biuf":
        return a, gone, ""
    if a.dtype.kind in "Mm" or _kind(column) in ("date", "time"):
        return None, None, "durations" if a.dtype.kind == "m" else "dates"
    if a.dtype.kind == "c":
        return None, None, "complex numbers"
    if a.dtype.kind in "UST":
        return None, None, "text"
    held = [v for v in a if not absent(v)]
    if any(isinstance(v, str | bytes) for v in held):
        return None, None, "text"
    if not all(isinstance(v, int | float | np.number | np.bool_) for v in held):
        decimal = held and all(type(v).__name__ == "Decimal" for v in held)
        return None, None, "numbers in objects" if decimal else "objects"
    if _kind(column) == "object" and len(held) == len(a):
        return None, None, "numbers in objects"
    gone = np.array([absent(v) for v in a])
    # A typed column that only its holes make objects, or that NumPy has no dtype for.
    return np.asarray(held if not gone.any() else np.zeros(len(a))), gone, ""


def _joined(value: Any, name: str) -> np.ndarray:
    """The columns side by side."""
    read: list[np.ndarray] = []
    gone: list[np.ndarray | None] = []
    refused: dict[str, list] = {}
    names = columns(value, name) or _names(value)
    for own in names:
        a, missing, what = _read(value[own])
        if a is None:
            refused.setdefault(what, []).append(own)
            continue
        read.append(a)
        gone.append(missing)
    n = len(read[0]) if read else 0
    holes = None
    if any(v is not None and v.any() for v in gone) and not refused:
        holes = np.column_stack([np.zeros(n, bool) if v is None else v for v in gone])
    _whole(value, name, refused, holes)
    if not read:
        return np.zeros((n, 0))
    to = np.result_type(*read)
    if to.kind == "f":
        for own, a in zip(names, read, strict=True):
            _exact(a, f"{name}[{own!r}]")
    return np.column_stack([a.astype(to) for a in read])


def _exact(a: np.ndarray, name: str) -> None:
    """Refuse whole numbers that floats beside them would round."""
    if a.dtype.kind not in "iu" or a.dtype.itemsize < 8:
        return
    for v in a[np.abs(a.astype(float)) >= 2.0**53]:
        if int(float(v)) != int(v):
            raise Misuse(
                f"{name} holds the integer {v}, which float64 would round; make it "
                "floating if rounding is meant, or subtract an offset"
            )


def _column(value: Any, name: str) -> np.ndarray:
    a, gone, what = _read(value)
    if what:
        raise Misuse(
            f"{name} holds {_WORDS.get(what, what)}, where numbers are needed; "
            f"{_column_cure(value, name, what)}"
        )
    if gone is not None and gone.any():
        raise Misuse(_cells_of_one(value, name, gone))
    assert a is not None
    return a


def _whole(
    value: Any, name: str, refused: dict[str, list], holes: np.ndarray | None
) -> None:
    """Misuse for columns that are no numbers, and for missing cells."""
    for what, own in refused.items():
        raise Misuse(
            f"{name} has columns of {_WORDS.get(what, what)}, {_some(own)}; "
            f"{_frame_cure(value, name, what, own)}"
        )
    if holes is None or not holes.any():
        return
    names, rows = _names(value), _rows(value)
    cells = [f"row {_at(rows, i)}, column {names[j]!r}"
             for i, j in np.argwhere(holes)[:_SHOWN].tolist()]  # fmt: skip
    raise Misuse(
        f"{name} has {count(int(holes.sum()), 'missing value')}, first at "
        f"{'; '.join(cells)}; impute them, or drop their rows everywhere: "
        f"{_drop(value, name)}"
    )


def _cells_of_one(value: Any, name: str, gone: np.ndarray) -> str:
    rows = _rows(value)
    cells = ", ".join(_at(rows, i) for i in np.flatnonzero(gone)[:_SHOWN].tolist())
    own = getattr(value, "name", None)
    column = f", column {own!r}" if isinstance(own, str) else ""
    return (
        f"{name} has {count(int(gone.sum()), 'missing value')}, first at row "
        f"{cells}{column}; drop those rows everywhere: keep = {_kept(value, name)}"
    )


def _at(rows: Any, i: int) -> str:
    return str(i) if rows is None else _label(rows[i])


def _some(names: Any) -> str:
    names = list(names)
    return ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")


_WORDS = {"text": "text or categories"}


def _drop(value: Any, name: str) -> str:
    if _library(value) == "polars":
        return (
            f"keep = {name}.fill_nan(None).select(pl.all_horizontal("
            f"pl.all().is_not_null())).to_series(), then {name}.filter(keep) and "
            "y.filter(keep)"
        )
    if _library(value) == "pyarrow":
        return f"{name}.to_pandas(), then keep = {name}.notna().all(axis=1)"
    return f"keep = {name}.notna().all(axis=1), then {name}[keep] and y[keep]"


def _kept(value: Any, name: str) -> str:
    """The line that says which entries of a column are there."""
    if _library(value) == "polars":
        nan = ".fill_nan(None)" if _kind(value).startswith("float") else ""
        return f"{name}{nan}.is_not_null()"
    return f"{name}.is_valid()" if _library(value) == "pyarrow" else f"{name}.notna()"


def _frame_cure(value: Any, name: str, what: str, own: list) -> str:
    """The line of code, for the library of the table, that makes numbers of columns."""
    library, c, some = _library(value), own[0], list(own)
    if library == "pyarrow":
        return f"make it a table of pandas, {name} = {name}.to_pandas(), and encode it"
    polars = library == "polars"
    cast = f"{name} = {name}.with_columns(pl.col({some!r}).cast(pl.Float64))"
    lines = {
        "text": f"{name} = {name}.to_dummies({some!r}, drop_first=True)" if polars else
                f"{name} = pd.get_dummies({name}, columns={some!r}, dtype=float, "
                "drop_first=True)",
        "dates": f"{name} = {name}.with_columns((pl.col({c!r}) - pl.col({c!r}).min())"
                 ".dt.total_seconds())" if polars else
                 f"{name}[{c!r}] = ({name}[{c!r}] - {name}[{c!r}].min())"
                 ".dt.total_seconds()",
        "durations": f"{name} = {name}.with_columns(pl.col({c!r}).dt.total_seconds())"
                     if polars else f"{name}[{c!r}] = {name}[{c!r}]"
                     ".dt.total_seconds()",
        "numbers in objects": cast if polars else
                 f"{name} = {name}.astype({dict.fromkeys(own, 'float')!r})",
    }  # fmt: skip
    drop = f"{name}.drop({some!r})" if polars else f"{name}.drop(columns={some!r})"
    verb = {"text": "encode them", "numbers in objects": "make them numbers"}
    line = lines.get(what)
    return f"drop them: {drop}" if line is None else (
        f"{verb.get(what, 'make each a number')}: {line}"
    )  # fmt: skip


def _column_cure(value: Any, name: str, what: str) -> str:
    if what in ("text", "numbers in objects"):
        cast = f"{name}.cast(pl.Float64)" if _library(value) == "polars" else (
            f"{name}.astype(float)"
        )  # fmt: skip
        return f"{cast} if it spells numbers; a classifier takes labels as they are"
    if what == "durations":
        return f"{name}.dt.total_seconds()"
    if what == "dates":
        return f"({name} - {name}.min()).dt.total_seconds()"
    return f"pass numbers, e.g. np.asarray({name}, dtype=float)"

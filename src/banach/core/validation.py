"""What a caller hands over, read once where it first enters (CERTIFICATES 1).

Each reader returns what the library may compute with, or raises one `Misuse` that
says what was given, what is needed and what to do. Traced values cannot be looked
at: of them only dtype and shape are demanded.

A number or array is real, finite and unmasked; integers and booleans become float64
where that is exact; any byte order becomes the machine's; float16 and bfloat16 become
float32, and longdouble becomes float64 with a warning where a value changes.
"""

import math
import numbers
import sys
import warnings
from collections.abc import Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import compat, dataframes
from banach.core.problem import Misuse

_REAL = "biuf"
_LOWS = {
    "positive": (lambda a: a > 0, "positive"),
    "nonnegative": (lambda a: a >= 0, "nonnegative"),
    None: (None, "real"),
}


def array(
    value: Any,
    name: str,
    *,
    low: str | None = None,
    infinite: bool = False,
    ndim: int | None = None,
) -> Any:
    """Real data as a floating NumPy array; a JAX array or a tracer stays one.

    Args:
        value: an array, a number, or nested lists of numbers.
        name: what the message calls it.
        low: None, "nonnegative" or "positive", demanded of every entry.
        infinite: whether +-inf is allowed (bounds).
        ndim: the number of axes demanded.

    Raises:
        Misuse: complex, text, object, None, masked or ragged data, NaN (infinity),
            a wrong sign or number of axes, integers that float64 would round.
    """
    traced = compat.is_tracer(value)
    a = value if traced or isinstance(value, jax.Array) else _numpy(value, name)
    a = _floating(a, name)
    if ndim is not None and a.ndim != ndim:
        raise Misuse(f"{name} must have {ndim} axes, got shape {tuple(a.shape)}")
    if not traced:
        _entries(np.asarray(a), name, low, infinite)
    return a


class Entries(NamedTuple):
    """A sparse matrix by its entries, sorted by row and column, no place twice."""

    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]


def is_sparse(value: Any) -> bool:
    """Whether a value is one of SciPy's sparse matrices or arrays, of any format."""
    return hasattr(value, "tocoo") and not isinstance(value, type)


def is_jax_sparse(value: Any) -> bool:
    """Whether a value is a sparse array of JAX's, of any format."""
    loaded = sys.modules.get("jax.experimental.sparse")
    return loaded is not None and isinstance(value, loaded.JAXSparse)


def entries(value: Any, name: str) -> Entries:
    """A sparse matrix read once: real, finite numbers in their places.

    Every format of SciPy is read by its entries, in any order; those of one place are
    added up, in float64, and stored zeros stay. A matrix without entries holds one 0.

    Raises:
        Misuse: complex, text, object dtypes, NaN, infinity (the first place is named),
            not two axes or none of its sides, more than 2^31 - 1 rows, columns or
            entries; indices that are not those of a matrix.
    """
    shape = tuple(int(v) for v in value.shape)
    if len(shape) != 2:
        raise Misuse(f"{name} must have 2 axes, got a sparse array of shape {shape}")
    if 0 in shape:
        raise Misuse(
            f"{name} is empty, shape {shape}; give at least one row and column"
        )
    kind = np.dtype(getattr(value, "dtype", float))
    if kind.kind not in _REAL:
        raise Misuse(
            f"{name} must hold real numbers, got a sparse matrix of "
            f"{_why(np.zeros(0), kind, name)}"
        )
    data, rows, columns = _coordinates(value, name)
    if max(*shape, data.size) > _MOST_PLACES:
        raise Misuse(
            f"{name} has shape {shape} and {data.size} entries; indices are 32 bits "
            f"wide here, up to {_MOST_PLACES}: split it into blocks of rows"
        )
    if not data.size:
        data, rows, columns = np.zeros(1, kind), np.zeros(1, int), np.zeros(1, int)
    _in_places(rows, columns, shape, name)
    values = _floating(data, name)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        i, j = int(rows[bad[0]]), int(columns[bad[0]])
        raise Misuse(
            f"{name} holds NaN or infinity, first at row {i}, column {j}; drop or "
            "impute it"
        )
    rows, columns = (np.ascontiguousarray(v, np.int32) for v in (rows, columns))
    down, along = np.diff(rows), np.diff(columns)
    if not ((down > 0) | ((down == 0) & (along > 0))).all():
        order = _by_rows(rows, columns, shape)
        values, rows, columns = values[order], rows[order], columns[order]
        first = np.append(True, (np.diff(rows) > 0) | (np.diff(columns) > 0))
        if not first.all():
            values = _added(values, np.flatnonzero(first), kind, name)
            rows, columns = rows[first], columns[first]
    if np.may_share_memory(values, getattr(value, "data", values)):
        values = np.array(values)
    return Entries(values, rows, columns, (shape[0], shape[1]))


def _by_rows(rows: np.ndarray, columns: np.ndarray, shape: tuple) -> np.ndarray:
    """The order by row and then column, of entries as they come where both agree."""
    if sum(shape) > 8 * rows.size:  # mostly empty: counting would visit every row
        return np.lexsort((columns, rows))
    if (np.diff(columns) >= 0).all():  # as in CSC
        return _counted(rows, shape[0])
    order = _counted(columns, shape[1])
    return order[_counted(rows[order], shape[0])]


def _counted(keys: np.ndarray, many: int) -> np.ndarray:
    """The stable order of keys below `many`, by counting.

    It is how compiled code turns a matrix with one entry a row to columns: a tenth of
    what sorting takes.
    """
    from scipy.sparse import csr_array

    places = np.arange(keys.size + 1, dtype=np.int32)
    one = csr_array((places[:-1], keys, places), shape=(keys.size, many))
    return one.tocsc().data


_MOST_PLACES = 2**31 - 1


def _coordinates(value: Any, name: str) -> tuple[np.ndarray, ...]:
    """(values, rows, columns).

    SciPy converts in compiled loops that look at few of the indices they are given:
    what was edited by hand is looked at before.
    """
    if hasattr(value, "indptr"):
        block = getattr(value, "blocksize", (1, 1))
        major = value.shape[1 if getattr(value, "format", "") == "csc" else 0]
        compressed(value, major // block[0], name)
        if value.indptr[-1] < len(value.indices):
            value = value.copy()  # beyond are places that were never filled
            value.prune()
        if getattr(value, "format", "") == "csc" and len(value.indices):
            places = np.asarray(value.indices)
            _in_places(places, places[:0], value.shape, name)
            value = value.tocsr()  # by rows at once, in compiled code
    elif getattr(value, "format", "") == "lil":
        pairs = zip(value.rows, value.data, strict=True)
        if any(len(places) != len(held) for places, held in pairs):
            raise Misuse(_apart(name, "a row holds more places than values, or fewer"))
    elif getattr(value, "format", "") == "dia":
        offsets, held = np.asarray(value.offsets), np.asarray(value.data)
        whole = offsets.dtype.kind in "iu" and held.ndim == 2
        if not whole or offsets.shape != held.shape[:1]:
            raise Misuse(_apart(name, "it needs one offset for each row of its data"))
    try:
        found = value.tocoo()
        parts = tuple(np.asarray(v) for v in (found.data, found.row, found.col))
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise Misuse(_apart(name, str(error))) from None
    if len({v.shape for v in parts}) > 1 or parts[0].ndim != 1:
        raise Misuse(_apart(name, "values, rows and columns are not equally many"))
    return parts


def compressed(value: Any, major: int, name: str) -> None:
    """Misuse where `indptr` does not cut the entries into `major` rows (columns)."""
    starts, places = np.asarray(value.indptr), np.asarray(value.indices)
    n = len(places)
    good = starts.dtype.kind in "iu" and places.dtype.kind in "iu"
    good = good and starts.shape == (major + 1,) and places.ndim == 1
    good = good and bool(starts[0] == 0 and (starts[1:] >= starts[:-1]).all())
    if not good or starts[-1] > n or n != len(value.data):
        raise Misuse(
            _apart(
                name,
                f"its indptr must hold {major + 1} whole numbers that never fall, from "
                f"0 to the number of its entries, {n} by indices and "
                f"{len(value.data)} by data",
            )
        )


def _apart(name: str, why: str) -> str:
    return (
        f"{name} is no matrix as it stands, it was put together wrongly: {why}. Build "
        "it anew from its entries, scipy.sparse.coo_array((values, (rows, columns)), "
        "shape)"
    )


def _in_places(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], name: str
) -> None:
    """Whole numbers within the shape; a matrix may have been edited by hand."""
    for v, size, word in ((rows, shape[0], "row"), (columns, shape[1], "column")):
        whole = v.dtype.kind in "iu"
        if not whole or v.min(initial=0) < 0 or v.max(initial=0) >= size:
            raise Misuse(_apart(name, f"an entry lies in no {word} of 0 .. {size - 1}"))


def _added(
    values: np.ndarray, first: np.ndarray, kind: np.dtype, name: str
) -> np.ndarray:
    """The sums of entries of one place; of booleans whether any is true."""
    if kind.kind == "b":
        return np.maximum.reduceat(values, first)
    with np.errstate(over="ignore"):
        out = np.add.reduceat(values.astype(np.float64), first).astype(values.dtype)
    if not np.isfinite(out).all():
        raise Misuse(
            f"{name} has entries of one place that add up beyond the range of "
            f"{values.dtype}; add them up yourself, A.sum_duplicates()"
        )
    return out


def datum(value: Any, name: str) -> Any:
    """Data for a function: floats as `array` reads them, whole numbers as they are.

    Integers and booleans may index, count or choose, so they keep their dtype, in the
    machine's byte order. JAX's random keys pass.
    """
    if isinstance(value, jax.Array):
        if jnp.issubdtype(value.dtype, jax.dtypes.extended):
            return value
        a: Any = value
    else:
        a = _rectangular(value, name)
    if a.dtype.kind not in "biu":
        return array(value, name)
    if isinstance(value, list | tuple):
        _listed(value, name, exact=True)
    return a if a.dtype.isnative else a.astype(a.dtype.newbyteorder("="))


def labels(value: Any, name: str) -> np.ndarray:
    """Names of classes: text, or real numbers in a dtype that holds them exactly.

    Mixed types, missing, masked and complex labels are refused. Categories are the
    names that they stand for.
    """
    if dataframes.is_table(value):
        value = dataframes.labels(value, name)
    a = _rectangular(value, name)
    if a.dtype.kind in "OMmT":
        _none_absent(a, name)
        if a.size and all(isinstance(v, bool | np.bool_) for v in a.flat):
            a = a.astype(bool)
    if isinstance(value, list | tuple):
        if any(isinstance(v, str) for v in value):
            # NumPy made text of what lies beside text.
            a = np.fromiter(value, object, len(value))
            _none_absent(a, name)
        else:
            _listed(value, name, exact=a.dtype.kind != "f")
    if a.dtype.kind in "OT":
        flat = [v for v in np.ravel(a)]
        whole = all(isinstance(v, int) and not isinstance(v, bool) for v in flat)
        if not (whole or all(isinstance(v, str) for v in flat)):
            raise Misuse(_no_labels(a, name))
        return a.astype(object)
    if a.dtype.kind not in "U" + _REAL:
        raise Misuse(_no_labels(a, name))
    return a if a.dtype.isnative else a.astype(a.dtype.newbyteorder("="))


def _no_labels(a: np.ndarray, name: str) -> str:
    """What these are, and the line that makes text or numbers of them."""
    held = list(np.ravel(a))
    kinds = sorted({type(v).__name__ for v in held})
    shown, word = ", ".join(kinds[:4]), _word(name)
    if a.dtype.kind in "cV":
        return f"{name} must hold text or whole numbers, got {_why(a, a.dtype, name)}"
    if not a.ndim:
        cure = "a list of labels, one a row"
    elif all(isinstance(v, bytes) for v in held):
        shown, cure = "bytes", f"[v.decode() for v in {word}]"
    elif all(isinstance(v, numbers.Real) for v in held):
        cure = f"np.asarray({word}, dtype=float)"
    elif any(isinstance(v, bytes) for v in held):
        decoded = "v.decode() if isinstance(v, bytes) else str(v)"
        cure = f"[{decoded} for v in {word}]"
    else:
        cure = f"[str(v) for v in {word}]"
    mixed = f"a mixture ({shown})" if len(kinds) > 1 else shown
    return f"{name} must hold text or whole numbers, got {mixed}; pass {cure}"


def number(
    value: Any,
    name: str,
    *,
    low: str | None = None,
    infinite: bool = False,
    below: float = math.inf,
) -> Any:
    """One real number: a NumPy scalar array; a JAX array or a tracer stays one.

    Booleans are refused (a flag in the place of a number is a mistake), and so is
    anything with an axis. `below` is an upper limit that must not be reached.
    """
    kind = getattr(value, "dtype", None)
    if isinstance(value, bool | np.bool_) or kind == np.bool_:
        raise Misuse(f"{name} must be a {_LOWS[low][1]} number, got {value}")
    if value is None:
        raise Misuse(f"{name} must be a {_LOWS[low][1]} number, got None")
    a = array(value, name, low=low, infinite=infinite)
    if a.ndim:
        raise Misuse(f"{name} must be one number, got shape {tuple(a.shape)}")
    if not compat.is_tracer(a) and not float(a) < below and below < math.inf:
        raise Misuse(f"{name} must be below {below:g}, got {float(a):g}")
    return a


def probability(value: Any, name: str) -> Any:
    """A number strictly between 0 and 1."""
    return number(value, name, low="positive", below=1.0)


def integer(
    value: Any, name: str, *, low: int | None = None, high: int | None = None
) -> int:
    """A Python int from an integer of any type; booleans and floats are refused."""
    # A Python int within its limits is the usual case, on every call of a door.
    if type(value) is int and _between(value, low, high):
        return value
    ok = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not ok and isinstance(value, np.ndarray | jax.Array):
        ok = value.ndim == 0 and value.dtype.kind in "iu" and not masked(value)
        ok = ok and not compat.is_tracer(value)
    want = "an integer" if low is None else f"an integer >= {low}"
    if not ok:
        cure = ""
        if isinstance(value, float | np.floating) and float(value).is_integer():
            cure = f"; write {int(value)}"
        raise Misuse(f"{name} must be {want}, got {shown(value)}{cure}")
    n = int(value)
    if not _between(n, low, high):
        want += "" if high is None or n <= high else f" and at most {high}"
        raise Misuse(f"{name} must be {want}, got {n}")
    return n


def _between(n: int, low: int | None, high: int | None) -> bool:
    return (low is None or low <= n) and (high is None or n <= high)


def seed(value: Any, name: str = "seed") -> int:
    """An integer that fits a key of 64 bits."""
    return integer(value, name, low=0, high=2**64 - 1)


def key(value: Any, name: str = "key") -> Any:
    """One random key of JAX, typed or raw; a tracer of one stays."""
    kind = getattr(value, "dtype", None)
    raw = kind == np.uint32 and np.shape(value) == (2,)
    typed = kind is not None and jnp.issubdtype(kind, jax.dtypes.prng_key)
    if not (raw or (typed and not np.shape(value))):
        raise Misuse(
            f"{name} must be one random key, got {shown(value)}; e.g. jax.random.key(0)"
        )
    return value


def flag(value: Any, name: str) -> bool:
    """True or False, of Python or of NumPy; nothing else counts as either."""
    if not isinstance(value, bool | np.bool_):
        raise Misuse(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def choice(value: Any, name: str, options: Collection[str]) -> str:
    """One of the words."""
    if not isinstance(value, str) or value not in options:
        words = ", ".join(repr(o) for o in options)
        raise Misuse(f"{name} must be one of {words}, got {shown(value)}")
    return value


def masked(value: Any) -> bool:
    """Whether a value is a masked array (with or without masked entries)."""
    return isinstance(value, np.ma.MaskedArray)


def shown(value: Any) -> str:
    """A value as a message may show it: short, and with its type where that helps."""
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {tuple(value.shape)} and dtype {value.dtype}"
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"{text} ({type(value).__name__})"


def _none_absent(a: np.ndarray, name: str) -> None:
    """Refuse None, NaN and NA among objects, by the place of the first."""
    gone = [i for i, v in enumerate(a.flat) if dataframes.absent(v)]
    if gone:
        first = [int(i) for i in np.unravel_index(gone[0], a.shape)]
        raise Misuse(
            f"{name} has "
            f"{dataframes.count(len(gone), 'missing value')}, first at index "
            f"{first}; drop those rows everywhere, or impute them"
        )


def _word(name: str) -> str:
    """The argument alone of "Class argument", as the caller's code may write it."""
    return name.rpartition(" ")[2]


def _numpy(value: Any, name: str) -> np.ndarray:
    a = _rectangular(value, name)
    if isinstance(value, list | tuple):
        _listed(value, name)
    return a


def _rectangular(value: Any, name: str) -> np.ndarray:
    if dataframes.is_table(value):
        return dataframes.numbers(value, name)
    if masked(value):
        raise Misuse(
            f"{name} is a masked array: banach would read its masked entries as data; "
            f"drop those rows, impute them, or pass {_word(name)}.filled(value)"
        )
    if is_jax_sparse(value):
        flat = ".ravel()" if 1 in value.shape and _word(name) != "A" else ""
        raise Misuse(
            f"{name} is a sparse array, where dense numbers are needed; pass "
            f"{_word(name)}.todense(){flat}"
        )
    if is_sparse(value):
        flat = ".ravel()" if 1 in value.shape and _word(name) != "A" else ""
        raise Misuse(
            f"{name} is a sparse matrix, where dense numbers are needed; pass "
            f"{_word(name)}.toarray(){flat}"
        )
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError) as e:
        raise Misuse(f"{name} is not a rectangular array of real numbers: {e}") from e


def _floating(a: Any, name: str) -> Any:
    kind = a.dtype
    if kind.kind == "f" and kind.itemsize in (4, 8):
        return a if kind.isnative else a.astype(kind.newbyteorder("="))
    if kind.kind not in _REAL and not jnp.issubdtype(kind, jnp.floating):
        raise Misuse(f"{name} must hold real numbers, got {_why(a, kind, name)}")
    if isinstance(a, jax.Array):
        if jnp.issubdtype(kind, jnp.floating):
            return a.astype(np.float32)  # bfloat16 and float16, exactly
        return a.astype(_float_of(a, name))
    if kind.kind in "biu":
        return _whole(a, name)
    if kind.itemsize < 4:
        return a.astype(np.float32)
    with np.errstate(over="ignore"):
        out = a.astype(np.float64)
    lost = np.isfinite(a) & (out.astype(a.dtype) != a)
    if np.any(np.isinf(out) & np.isfinite(a)):
        raise Misuse(f"{name} holds {kind} numbers beyond the range of float64")
    if np.any(lost):
        warnings.warn(
            f"{name} was rounded from {kind} to float64, the widest dtype here",
            stacklevel=4,
        )
    return out


def _float_of(a: jax.Array, name: str) -> Any:
    """JAX's float for whole numbers, where it holds them."""
    to = jax.dtypes.canonicalize_dtype(float)
    if not compat.is_tracer(a):
        host = _whole(np.asarray(a), name)
        if (host.astype(to) != host).any():
            raise Misuse(
                f"{name} holds integers that {np.dtype(to)} would round, and JAX is in "
                f"32 bits; pass NumPy arrays, np.asarray({name})"
            )
    return to


def _whole(a: np.ndarray, name: str) -> np.ndarray:
    """Integers and booleans as float64, exactly or not at all."""
    out = a.astype(np.float64)
    if a.dtype.itemsize >= 8 and a.dtype.kind != "b":
        for index in np.argwhere(np.abs(out) >= 2.0**53):
            _exact(int(a[tuple(index)]), name)
    return out


def _exact(n: int, name: str) -> None:
    if int(float(n)) != n:
        raise Misuse(
            f"{name} holds the integer {n}, which float64 would round; pass "
            f"{_word(name)}.astype(float) if rounding is meant, or subtract an offset"
        )


def _listed(value: Any, name: str, exact: bool = False) -> None:
    """Lists may hide what NumPy swallows: masked arrays, and integers it rounds."""
    for v in value:
        if isinstance(v, list | tuple):
            _listed(v, name, exact)
        elif masked(v):
            raise Misuse(f"{name} holds a masked array; drop or fill masked entries")
        elif not exact and isinstance(v, numbers.Integral):
            if 2**53 <= abs(int(v)) < 2**1023:
                _exact(int(v), name)
        elif not exact and isinstance(v, np.ndarray) and v.dtype.kind in "iu":
            _whole(v, name)


def _why(a: Any, kind: Any, name: str) -> str:
    if kind.kind == "c" or jnp.issubdtype(kind, jnp.complexfloating):
        return f"{kind}; pass {_word(name)}.real, or state real and imaginary parts"
    if kind.kind == "V" and kind.names:
        return (
            f"a structured array with the fields {', '.join(kind.names[:6])}; pass "
            f"numpy.lib.recfunctions.structured_to_unstructured({_word(name)})"
        )
    if kind.kind == "O":
        gone = [i for i, v in enumerate(np.ravel(a)) if dataframes.absent(v)]
        found = {type(v).__name__ for v in np.ravel(a)[:1000]}
        listed = ", ".join(sorted(found)[:4])
        if gone:
            first = [int(i) for i in np.unravel_index(gone[0], np.shape(a))]
            return (
                f"Python objects ({listed}), the first missing value at index {first}; "
                "drop or impute it"
            )
        return (
            f"Python objects ({listed}); pass numbers, e.g. "
            f"np.asarray({_word(name)}, dtype=float)"
        )
    word = _word(name)
    if kind.kind in "SU":
        what = "bytes" if kind.kind == "S" else "text"
        return f"{what}; pass np.asarray({word}, dtype=float) if it spells numbers"
    if kind.kind in "Mm":
        since = word if kind.kind == "m" else f"({word} - {word}.min())"
        return f"{kind}; pass {since} / np.timedelta64(1, 's')"
    return f"{kind}; pass numbers"


def _entries(a: np.ndarray, name: str, low: str | None, infinite: bool) -> None:
    bad = np.isnan(a) if infinite else ~np.isfinite(a)
    if bad.any():
        what = "NaN" if infinite else "NaN or infinity"
        if not a.ndim and infinite:
            raise Misuse(f"{name} is NaN; pass a number, or inf where there is none")
        if not a.ndim:
            raise Misuse(f"{name} must be {_LOWS[low][1]} and finite, got {a}")
        first = np.argwhere(bad)[0].tolist()
        raise Misuse(f"{name} holds {what}, first at index {first}; drop or impute it")
    test, word = _LOWS[low]
    if test is not None and not test(a).all():
        worst = a[~test(a)].ravel()[0]
        raise Misuse(f"{name} must be {word} and finite, got {worst}")

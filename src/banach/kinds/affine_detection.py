"""Which entries of a traced function are affine, and their exact coefficients.

A function is affine where its program is: sums, differences, products with and
quotients by constants, dot products with constant arrays, and whatever only moves
entries. The program is read over the real numbers with its floating literals taken
exactly, as enclosures read it. What has no rule here is not affine; that is never
wrong, it only proves less.

A coefficient is an unevaluated sum of floating-point numbers, so that every sum and
product of two is exact (TwoSum, TwoProduct); quotients by numbers other than powers
of two are kept as a denominator of the whole entry, which moves no zero set.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from banach.core import compat, tree
from banach.engine import interpret

MOST = 5_000_000
"""Products of one dot product up to which its entries are followed."""
# Outside this range a product of two numbers, or its error, may leave the floats.
_LOW, _HIGH = 2.0**-300, 2.0**300
_SPLIT = 2.0**27 + 1


class Rows(NamedTuple):
    """sum_k value_k x[column_k] over the k of each row; column n is the constant 1.

    `which` are the entries of the function that these rows are, in its order; a row is
    its entry times a positive number.
    """

    which: Int[np.ndarray, " m"]
    row: Int[np.ndarray, " k"]
    column: Int[np.ndarray, " k"]
    value: Float[np.ndarray, " k"]


class _Form(NamedTuple):
    """Entries (sum of triplets) / den; those marked bad are not known to be affine.

    The triplets are sorted by their entry.
    """

    shape: tuple[int, ...]
    row: Any
    column: Any
    value: Any
    den: Float[np.ndarray, " N"]
    bad: Bool[np.ndarray, " N"]


class _Unknown(Exception):
    """A primitive without a rule: none of its results is known to be affine."""


def rows(fun: Any, args: tuple, n: int, leaves: int) -> Rows:
    """The affine entries of a traced function of x and of constant arguments.

    `args` are the flat arguments, of which the first `leaves` are x, n numbers.
    """
    with compat.double():
        values: list[Any] = []
        at = 0
        for i, leaf in enumerate(args):
            if i >= leaves:
                values.append(np.asarray(leaf))
                continue
            shape = np.shape(leaf)
            size = math.prod(shape)
            values.append(_variable(shape, at))
            at += size
        program = fun.program
        out = _run(program.jaxpr, list(fun.consts), values, n)
    forms = [_form(v, n) for v in out]
    if not forms:
        empty = np.zeros(0, int)
        return Rows(empty, empty, empty, np.zeros(0))
    whole = _stacked(forms)
    good = np.flatnonzero(~whole.bad)
    number = np.full(len(whole.bad), -1)
    number[good] = np.arange(len(good))
    return Rows(good, number[whole.row], whole.column, whole.value)


def of_function(fun: Any, x0: Any, args: tuple) -> Rows:
    """The affine entries of a stated function, as checks judge it: in float64."""
    double = tree.dtype(x0) == np.float64 or fun.wide is None
    leaves = jax.tree.leaves(x0)
    flat = (*leaves, *jax.tree.leaves(args))
    traced = fun.narrow if double else fun.wide
    return rows(traced, flat, tree.size(x0), len(leaves))


def of_matrix(A: Float[np.ndarray, "p n"], b: Float[np.ndarray, " p"]) -> Rows:
    """The rows A x - b."""
    A, b = np.asarray(A, float), np.asarray(b, float)
    whole = np.column_stack([A, -b])
    row, column = np.nonzero(whole)
    return Rows(np.arange(len(b)), row, column, whole[row, column])


def _variable(shape: tuple[int, ...], at: int) -> _Form:
    size = math.prod(shape)
    index = np.arange(size)
    none = np.zeros(size, bool)
    return _Form(shape, index, at + index, np.ones(size), np.ones(size), none)


def _run(jaxpr: Any, consts: list[Any], args: list[Any], n: int) -> list[Any]:
    env: dict[Any, Any] = {}

    def read(v: Any) -> Any:
        return np.asarray(v.val) if isinstance(v, compat.Literal) else env[v]

    env.update(zip(jaxpr.constvars, map(np.asarray, consts), strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    for eqn in jaxpr.eqns:
        inputs = [read(v) for v in eqn.invars]
        try:
            out = _apply(eqn, inputs, n)
        except _Unknown:
            out = [_nothing(v.aval.shape) for v in eqn.outvars]
        env.update(zip(eqn.outvars, out, strict=True))
    return [read(v) for v in jaxpr.outvars]


_CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat")
_MOVES = frozenset(
    "reshape squeeze expand_dims broadcast_in_dim slice transpose rev concatenate pad "
    "gather dynamic_slice dynamic_update_slice scatter select_n split stack unstack "
    "tile copy copy_p stop_gradient".split()
)


def _apply(eqn: Any, inputs: list[Any], n: int) -> list[Any]:
    name = eqn.primitive.name
    if name in _CALLS:
        inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
        if inner is None:
            raise _Unknown
        closed = isinstance(inner, compat.ClosedJaxpr)
        jaxpr, consts = (inner.jaxpr, inner.consts) if closed else (inner, [])
        return _run(jaxpr, consts, inputs, n)
    known = not any(isinstance(v, _Form) for v in inputs)
    # Choices, integers and what only moves have no roundings.
    whole = all(v.aval.dtype.kind in "biu" for v in eqn.outvars)
    exact = whole or name == "iota" or name in _MOVES
    if known and exact:
        return _applied(eqn, inputs)
    if name == "convert_element_type":
        return [_converted(eqn, inputs[0])]
    if any(v.aval.dtype.kind != "f" for v in eqn.outvars):
        raise _Unknown
    if name in _MOVES:
        return _moved(eqn, inputs, n)
    rule = _RULES.get(name)
    if rule is None:
        raise _Unknown
    return [rule(eqn, [_form(v, n) for v in inputs], n)]


def _applied(eqn: Any, values: list[Any]) -> list[Any]:
    """The primitive applied to numbers, by NumPy: XLA would compile each equation."""
    closed = jax.make_jaxpr(lambda *v: compat.bind(eqn, list(v)))(*values)
    if interpret.refusal(closed) is not None:
        return [np.asarray(v) for v in compat.bind(eqn, values)]
    return list(interpret.compile(closed)(values))


def _converted(eqn: Any, value: Any) -> Any:
    dtype = np.dtype(eqn.outvars[0].aval.dtype)
    if not isinstance(value, _Form):
        out = value.astype(dtype)
        if dtype.kind == "f" and not np.array_equal(out.astype(value.dtype), value):
            raise _Unknown
        return out
    if dtype.kind != "f" or dtype.itemsize < eqn.invars[0].aval.dtype.itemsize:
        raise _Unknown
    return value


def _moved(eqn: Any, inputs: list[Any], n: int) -> list[Any]:
    """The primitive applied to the numbers of the entries, then the entries fetched."""
    parts, numbers, at = [], [], 1
    for v, var in zip(inputs, eqn.invars, strict=True):
        if var.aval.dtype.kind != "f":
            if isinstance(v, _Form):
                raise _Unknown
            numbers.append(v)
            continue
        form = _form(v, n)
        size = len(form.bad)
        parts.append(form)
        numbers.append(np.arange(at, at + size).reshape(form.shape))
        at += size
    whole = _stacked(parts)
    found = _applied(eqn, numbers)
    out = []
    for index in found:
        flat = index.ravel() - 1
        # Entries that a gather or a pad filled with a number of its own.
        lost = (flat < 0) | (flat >= at - 1)
        form = _taken(whole, np.where(lost, 0, flat), index.shape)
        out.append(_marked(form, lost))
    return out


def _nothing(shape: tuple[int, ...]) -> _Form:
    size = math.prod(shape)
    empty = np.zeros(0, int)
    every = np.ones(size, bool)
    return _Form(shape, empty, empty, np.zeros(0), np.ones(size), every)


def _form(value: Any, n: int) -> _Form:
    """A constant array as a form."""
    if isinstance(value, _Form):
        return value
    value = np.asarray(value)
    flat = value.astype(float).ravel()
    index = np.flatnonzero(flat)
    ones = np.ones(flat.size)
    column = np.full(len(index), n)
    made = _Form(value.shape, index, column, flat[index], ones, ~np.isfinite(flat))
    return _checked(made)


def _checked(form: _Form) -> _Form:
    """Entries with coefficients that may not be multiplied exactly are unknown."""
    lost = np.zeros(len(form.bad), bool)
    lost[form.row[_far(form.value)]] = True
    return _marked(form, lost)


def _far(value: Any) -> Any:
    size = np.abs(value)
    return ~((size >= _LOW) & (size <= _HIGH))


def _marked(form: _Form, lost: Any) -> _Form:
    if not np.any(lost):
        return form
    bad = form.bad | lost
    keep = ~bad[form.row]
    return form._replace(
        row=form.row[keep], column=form.column[keep], value=form.value[keep], bad=bad
    )


def _stacked(forms: list[_Form]) -> _Form:
    starts = np.cumsum([0, *(len(f.bad) for f in forms)])
    return _Form(
        (int(starts[-1]),),
        np.concatenate([f.row + s for f, s in zip(forms, starts[:-1], strict=True)]),
        np.concatenate([f.column for f in forms]),
        np.concatenate([f.value for f in forms]),
        np.concatenate([f.den for f in forms]),
        np.concatenate([f.bad for f in forms]),
    )


def _reach(form: _Form, source: Any) -> tuple[Any, Any]:
    """(which wanted entry, which triplet) for the triplets of entries `source`."""
    start = np.searchsorted(form.row, np.arange(len(form.bad) + 1))
    many = np.diff(start)[source]
    wanted = np.repeat(np.arange(len(source)), many)
    first = np.cumsum(many) - many
    triplet = np.arange(len(wanted)) - first[wanted] + start[source][wanted]
    return wanted, triplet


def _taken(form: _Form, source: Any, shape: tuple[int, ...]) -> _Form:
    row, k = _reach(form, source)
    return _Form(
        shape, row, form.column[k], form.value[k], form.den[source], form.bad[source]
    )


def _two_product(a: Any, b: Any) -> tuple[Any, Any]:
    p = a * b
    x, y = a * _SPLIT, b * _SPLIT
    ah, bh = x - (x - a), y - (y - b)
    al, bl = a - ah, b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def _times(row: Any, column: Any, value: Any, factor: Any) -> tuple[Any, Any, Any]:
    """Triplets multiplied exactly: twice as many, less those that are zero."""
    high, low = _two_product(value, factor)
    keep = np.flatnonzero(low)
    return (
        np.concatenate([row, row[keep]]),
        np.concatenate([column, column[keep]]),
        np.concatenate([high, low[keep]]),
    )


def _summed(shape: Any, row: Any, column: Any, value: Any, den: Any, bad: Any) -> _Form:
    """Triplets of one entry and column added pairwise, exactly, while that shortens."""
    keep = ~bad[row]
    row, column, value = row[keep], column[keep], value[keep]
    while True:
        order = np.lexsort((np.abs(value), column, row))
        row, column, value = row[order], column[order], value[order]
        same = (row[1:] == row[:-1]) & (column[1:] == column[:-1])
        start = np.flatnonzero(np.concatenate([[True], ~same])) if len(row) else same
        lengths = np.diff(np.append(start, len(row)))
        within = np.arange(len(row)) - np.repeat(start, lengths)
        left = np.flatnonzero((within % 2 == 0)[:-1] & same) if len(row) else start
        right = left + 1
        a, b = value[left], value[right]
        s = a + b
        z = s - a
        value[left], value[right] = s, (a - (s - z)) + (b - z)
        keep = value != 0
        if keep.all():
            break
        row, column, value = row[keep], column[keep], value[keep]
    return _checked(_Form(tuple(shape), row, column, value, den, bad))


def _add(eqn: Any, inputs: list[_Form], n: int, sign: float = 1.0) -> _Form:
    shape = eqn.outvars[0].aval.shape
    p, q = (_spread(f, shape) for f in inputs)
    # a / d + b / e = (a e + b d) / (d e), the product where it is needed only.
    equal = p.den == q.den
    den, low = _two_product(p.den, np.where(equal, 1.0, q.den))
    bad = p.bad | q.bad | (low != 0) | _far(den)
    first = _times(p.row, p.column, p.value, np.where(equal, 1.0, q.den)[p.row])
    factor = sign * np.where(equal, 1.0, p.den)
    second = _times(q.row, q.column, q.value, factor[q.row])
    row, column, value = (
        np.concatenate([a, b]) for a, b in zip(first, second, strict=True)
    )
    return _summed(shape, row, column, value, den, bad)


def _sub(eqn: Any, inputs: list[_Form], n: int) -> _Form:
    return _add(eqn, inputs, n, -1.0)


def _neg(eqn: Any, inputs: list[_Form], n: int) -> _Form:
    return inputs[0]._replace(value=-inputs[0].value)


def _spread(form: _Form, shape: tuple[int, ...]) -> _Form:
    if form.shape == tuple(shape):
        return form
    return _taken(form, np.zeros(math.prod(shape), int), tuple(shape))


def _numbers(form: _Form, n: int) -> tuple[Any, Any]:
    """(value, whether it is one) of each entry that is one number."""
    count = np.bincount(form.row, minlength=len(form.bad))
    moves = np.zeros(len(form.bad), bool)
    moves[form.row[form.column != n]] = True
    plain = (count <= 1) & ~moves & ~form.bad
    value = np.zeros(len(form.bad))
    one = plain[form.row]
    value[form.row[one]] = form.value[one]
    return value, plain


def _mul(eqn: Any, inputs: list[_Form], n: int) -> _Form:
    shape = eqn.outvars[0].aval.shape
    p, q = (_spread(f, shape) for f in inputs)
    c, plain = _numbers(q, n)
    d, other = _numbers(p, n)
    left = plain  # p by a number of q; else q by a number of p
    right = ~plain & other
    den, low = _two_product(p.den, q.den)
    # Nothing is said of 0 times an entry without a rule: it may be infinite.
    bad = p.bad | q.bad | ~(plain | other) | (low != 0) | _far(den)
    one = left[p.row]
    two = right[q.row]
    first = _times(p.row[one], p.column[one], p.value[one], c[p.row[one]])
    second = _times(q.row[two], q.column[two], q.value[two], d[q.row[two]])
    row, column, value = (
        np.concatenate([a, b]) for a, b in zip(first, second, strict=True)
    )
    return _summed(shape, row, column, value, den, bad)


def _div(eqn: Any, inputs: list[_Form], n: int) -> _Form:
    shape = eqn.outvars[0].aval.shape
    p, q = (_spread(f, shape) for f in inputs)
    c, plain = _numbers(q, n)
    # p / (c / e) = p e / c, by |c| below and its sign above.
    den, low = _two_product(p.den, np.where(c == 0, 1.0, np.abs(c)))
    bad = p.bad | ~plain | (c == 0) | (low != 0) | _far(den)
    factor = np.sign(c) * q.den
    row, column, value = _times(p.row, p.column, p.value, factor[p.row])
    return _summed(shape, row, column, value, den, bad)


def _reduce_sum(eqn: Any, inputs: list[_Form], n: int) -> _Form:
    (form,) = inputs
    axes = eqn.params["axes"]
    shape = eqn.outvars[0].aval.shape
    kept = [1 if i in axes else s for i, s in enumerate(form.shape)]
    size = math.prod(shape)
    target = np.broadcast_to(np.arange(size).reshape(kept), form.shape).ravel()
    return _gathered(form, np.arange(len(form.bad)), target, None, shape)


def _gathered(form: _Form, source: Any, target: Any, factor: Any, shape: Any) -> _Form:
    """Entries `source`, times numbers, added into entries `target`."""
    size = math.prod(shape)
    den, bad = np.ones(size), np.zeros(size, bool)
    den[target] = form.den[source]
    # A common denominator, or none.
    bad[target[form.bad[source] | (den[target] != form.den[source])]] = True
    wanted, k = _reach(form, source)
    row, column, value = target[wanted], form.column[k], form.value[k]
    if factor is not None:
        row, column, value = _times(row, column, value, factor[wanted])
    return _summed(shape, row, column, value, den, bad)


def _dot_general(eqn: Any, inputs: list[_Form], n: int) -> _Form:
    (lc, rc), (lb, rb) = eqn.params["dimension_numbers"]
    left, right = inputs
    shape = eqn.outvars[0].aval.shape
    sizes = []
    for form, contracted, batch in ((left, lc, lb), (right, rc, rb)):
        free = [i for i in range(len(form.shape)) if i not in (*contracted, *batch)]
        ids = np.arange(len(form.bad)).reshape(form.shape)
        ids = ids.transpose([*batch, *free, *contracted])
        many = math.prod(form.shape[i] for i in contracted)
        groups = math.prod(form.shape[i] for i in batch)
        sizes.append(ids.reshape(groups, -1, many))
    L, R = sizes
    if L.shape[0] * L.shape[1] * R.shape[1] * L.shape[2] > MOST:
        raise _Unknown
    c, plain = _numbers(right, n)
    form, fixed = left, right
    if not plain.all():
        c, plain = _numbers(left, n)
        form, fixed = right, left
    if not plain.all() or not np.all(fixed.den == 1):
        raise _Unknown
    grid = (L.shape[0], L.shape[1], R.shape[1], L.shape[2])
    one = np.broadcast_to(L[:, :, None, :], grid).ravel()
    two = np.broadcast_to(R[:, None, :, :], grid).ravel()
    source, number = (one, two) if form is left else (two, one)
    target = np.repeat(np.arange(math.prod(shape)), L.shape[2])
    # 0 times an entry without a rule is not known to be 0: it may be infinite.
    used = (c[number] != 0) | form.bad[source]
    source, number, target = source[used], number[used], target[used]
    return _gathered(form, source, target, c[number], shape)


def _power(eqn: Any, inputs: list[_Form], n: int) -> _Form:
    power = eqn.params.get("y", 2)
    if power == 1:
        return inputs[0]
    if power == 2:
        return _mul(eqn, [inputs[0], inputs[0]], n)
    raise _Unknown


_RULES: dict[str, Callable[[Any, list[_Form], int], _Form]] = {
    "add": _add,
    "add_any": _add,
    "div": _div,
    "dot_general": _dot_general,
    "integer_pow": _power,
    "mul": _mul,
    "neg": _neg,
    "reduce_sum": _reduce_sum,
    "square": _power,
    "sub": _sub,
}

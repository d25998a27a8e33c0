"""Make a failing case smaller: zeros, ones, powers of ten, few digits."""

import dataclasses
from typing import Any

import numpy as np

from fuzz.engine import INSTANCES, Fault, Lanes, at, judge
from fuzz.kind import Kind

ROUNDS = 60


def shrink(kind: Kind, runner: Lanes, fault: Fault, rounds: int = ROUNDS) -> Fault:
    """Greedy: the simplest of all neighbours that fail in the same way, until none.

    Every neighbour has the shapes of the case, so that they are all judged by the
    program that found it, a batch at a time.
    """
    if fault.fault == "crash":
        return fault
    names = [k for k in kind.roundable if k in fault.batch]
    case = {
        k: fault.batch[k] for k in fault.batch if not k.startswith(("best", "null"))
    }
    x, tol = fault.x, fault.tol
    found = _failing(kind, runner, [(case, x, tol)], fault)
    if not found:
        return fault
    for _ in range(rounds):
        now = _cost(case, x, tol, names)
        near = [(c, *n) for n in _neighbours(kind, case, x, tol, names)
                if (c := _cost(n[0], n[1], n[2], names)) < now
                and kind.valid(n[0])]  # fmt: skip
        near.sort(key=lambda n: n[0])
        better = None
        for first in range(0, min(len(near), 4 * INSTANCES), INSTANCES):
            group = [n[1:] for n in near[first : first + INSTANCES]]
            hits = _failing(kind, runner, group, fault)
            if hits:
                better = hits[0]
                break
        if better is None:
            break
        k, said, true = better
        case, x, tol = group[k]
        fault = _with(kind, fault, case, x, tol, said, true)
    return fault


def _with(kind, fault, case, x, tol, said, true):
    solved = kind.solve({k: np.asarray(v)[None] for k, v in case.items()})
    return dataclasses.replace(
        fault, batch=kind.one(solved, 0), x=x, tol=tol, said=said, true=true
    )


def _failing(kind, runner, cases, fault):
    """(index, said, true) of the cases that fail in the same way."""
    import jax

    np.seterr(all="ignore")
    padded = cases + [cases[0]] * (INSTANCES - len(cases))
    batch = {k: np.stack([np.asarray(c[0][k]) for c in padded]) for k in padded[0][0]}
    try:
        batch = kind.solve(batch)
        problem = kind.stack(batch)
    except ValueError:
        return _one_by_one(kind, runner, cases, fault)
    width = kind.width
    x = jax.tree.map(
        lambda *v: np.stack([np.repeat(np.asarray(a)[None], width, 0) for a in v]),
        *[c[1] for c in padded],
    )
    tol = np.array([c[2] for c in padded])
    said = runner.look(problem, x, tol)
    out = []
    for i in range(len(cases)):
        one, met = kind.one(batch, i), set()
        # Copies of one point may round differently: any of them may fail.
        for k in range(width):
            numbers = (said.value[i, k], said.slack[i, k], said.scale[i, k])
            bits = b"".join(v.tobytes() for v in numbers)
            if bits in met:
                continue
            met.add(bits)
            got = judge(kind, one, at(said.x, i, k), tol[i], said, i, k)
            if got is not None and got[0] == fault.fault:
                named = zip(("value", "slack", "scale"), numbers, strict=True)
                out.append((i, {n: v[got[1]] for n, v in named}, got[2]))
                break
    return out


def _one_by_one(kind, runner, cases, fault):
    """Where one of the cases is refused by the constructor, that one is left out."""
    good = []
    for k, (case, _, _) in enumerate(cases):
        try:
            kind.problem(case)
            good.append(k)
        except ValueError:
            continue
    if len(good) == len(cases) or not good:
        return []
    hits = _failing(kind, runner, [cases[k] for k in good], fault)
    return [(good[i], said, true) for i, said, true in hits]


def _neighbours(kind: Kind, case: Any, x: Any, tol: float, names: list[str]):
    """Cases with one number simpler, or one array, or everything."""
    import jax

    if tol != 1e-6:
        yield case, x, 1e-6
    flat, tree = jax.tree.flatten(x)
    for how in _WAYS:
        yield (
            {k: how(v) if k in names else v for k, v in case.items()},
            jax.tree.unflatten(tree, [how(v) for v in flat]),
            tol,
        )
        for name in names:
            yield case | {name: how(case[name])}, x, tol
            for index in np.ndindex(np.shape(case[name])):
                yield case | {name: _set(case[name], index, how)}, x, tol
        for k, leaf in enumerate(flat):
            for index in np.ndindex(np.shape(leaf)):
                new = [*flat[:k], _set(leaf, index, how), *flat[k + 1 :]]
                yield case, jax.tree.unflatten(tree, new), tol
    for name in names:
        v = np.asarray(case[name])
        for index in np.ndindex(v.shape):
            if name in kind.zeroable:
                yield case | {name: _set(v, index, np.zeros_like)}, x, tol
        if v.ndim == 2 and name in kind.zeroable:
            for i in range(v.shape[0]):
                yield case | {name: _set(v, (i,), np.zeros_like)}, x, tol
            for j in range(v.shape[1]):
                yield case | {name: _set(v, (slice(None), j), np.zeros_like)}, x, tol
    for k, leaf in enumerate(flat):
        for index in np.ndindex(np.shape(leaf)):
            new = [*flat[:k], _set(leaf, index, np.zeros_like), *flat[k + 1 :]]
            yield case, jax.tree.unflatten(tree, new), tol


def _set(v, index, how):
    out = np.array(v)
    out[index] = how(np.asarray(out[index]))
    return out


def _rounded(digits: int, multiple: int = 1):
    def how(v):
        v = np.asarray(v)
        if not np.issubdtype(v.dtype, np.floating):
            return v
        out = np.empty(v.shape, v.dtype)
        for index in np.ndindex(v.shape):
            out[index] = _round(float(v[index]), digits, multiple, v.dtype)
        return out

    return how


def _round(v: float, digits: int, multiple: int, dtype: Any) -> float:
    if v == 0 or not np.isfinite(v):
        return v
    mantissa, _, exponent = f"{v:.{digits - 1}e}".partition("e")
    e = round(int(exponent) / multiple) * multiple
    with np.errstate(all="ignore"):
        out = float(np.dtype(dtype).type(f"{mantissa}e{e}"))
    return out if np.isfinite(out) and out != 0 else v


def _power(multiple: int):
    def how(v):
        v = np.asarray(v)
        if not np.issubdtype(v.dtype, np.floating):
            return v
        out = np.empty(v.shape, v.dtype)
        for index in np.ndindex(v.shape):
            u = float(v[index])
            if u == 0 or not np.isfinite(u):
                out[index] = u
                continue
            e = round(np.log10(abs(u)) / multiple) * multiple
            new = v.dtype.type(np.copysign(float(f"1e{e}") if e < 308 else 1e308, u))
            out[index] = new if np.isfinite(new) and new != 0 else u
        return out

    return how


def _one(v):
    v = np.asarray(v)
    return np.where(v != 0, np.sign(v), v).astype(v.dtype)


_WAYS = (_one, _power(10), _power(5), _power(1), _rounded(1), _rounded(2), _rounded(3))


def _cost(case: Any, x: Any, tol: float, names: list[str]) -> float:
    import jax

    arrays = [case[k] for k in names] + jax.tree.leaves(x)
    return sum(_weight(v) for a in arrays for v in np.ravel(a)) + 3 * (tol != 1e-6)


def _weight(v: Any) -> float:
    """Digits that a reader has to read."""
    if v == 0:
        return 0
    if abs(v) == 1:
        return 1
    mantissa, _, exponent = f"{np.format_float_scientific(v, trim='-')}".partition("e")
    e = int(exponent)
    odd = 0 if e == 0 else 0.5 if e % 10 == 0 else 0.7 if e % 5 == 0 else 1
    return 1 + odd + len(mantissa.strip("-").replace(".", "")) - (mantissa == "1") * 0.5

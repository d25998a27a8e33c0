"""Proof that a result does not depend on a subtracted maximum.

logsumexp and softmax subtract m = stop_gradient(max(a)) before exponentiating. In
real arithmetic m cancels, so the derivative with respect to it is zero, although no
interval evaluation can see that. The proof here is syntactic. Each variable v that
depends on m is v = w + k m ("shift") or v = w exp(k m) ("scale"), k an integer and w
free of m; a variable with k = 0 is free of m. Exponentials turn shifts into scales,
logarithms back, products add the k of scales, sums need equal k. `labels` names, for
each axis, the axis of m that it runs along, so that a sum over entries with different
m is not mistaken for one with a common m. Whatever is not listed is a failure.
"""

from dataclasses import dataclass
from typing import Any

from jax.extend.core import Literal

from banach.checks.interval.evaluate import live


@dataclass(frozen=True)
class _Form:
    kind: str
    k: int
    labels: tuple[int | None, ...]


class _Unclear(Exception):
    pass


def invariant(jaxpr: Any) -> set[Any]:
    """Find the stop_gradient results on which no result of the jaxpr depends."""
    eqns = [eqn for eqn, _ in live(jaxpr, [True] * len(jaxpr.outvars))]
    zeros = _zeros(eqns)
    found = set()
    for i, eqn in enumerate(eqns):
        if eqn.primitive.name != "stop_gradient":
            continue
        shape = eqn.outvars[0].aval.shape
        labels = tuple(d if n > 1 else None for d, n in enumerate(shape))
        forms = {eqn.outvars[0]: _Form("shift", 1, labels)}
        try:
            for later in eqns[i + 1 :]:
                _step(later, forms, zeros)
        except _Unclear:
            continue
        if not any(v in forms for v in jaxpr.outvars if not isinstance(v, Literal)):
            found.add(eqn.outvars[0])
    return found


def _zeros(eqns):
    """Variables that are identically zero, a scale of every k."""
    zeros = set()
    for eqn in eqns:
        moved = eqn.primitive.name in ("broadcast_in_dim", "reshape", "neg")
        if moved and _is_zero(eqn.invars[0], zeros):
            zeros.add(eqn.outvars[0])
    return zeros


def _is_zero(atom, zeros):
    if isinstance(atom, Literal):
        return getattr(atom.val, "ndim", 0) == 0 and atom.val == 0
    return atom in zeros


def _step(eqn, forms, zeros):
    ins = [None if isinstance(a, Literal) else forms.get(a) for a in eqn.invars]
    if not any(ins):
        return
    rule = _STEPS.get(eqn.primitive.name)
    if rule is None:
        raise _Unclear
    form = rule(eqn, ins, zeros)
    if form is not None and form.k != 0:
        forms[eqn.outvars[0]] = form


def _need(ok):
    if not ok:
        raise _Unclear


def _labels(eqn, forms):
    """Return the common labels of the dependent operands; scalars broadcast."""
    rank = len(eqn.outvars[0].aval.shape)
    labels = {f.labels or (None,) * rank for f in forms if f is not None}
    _need(len(labels) == 1)
    return labels.pop()


def _spread(eqn, ins, zeros):
    (f,) = ins[:1]
    shape = eqn.params["shape"]
    labels: list[int | None] = [None] * len(shape)
    for d, label in zip(eqn.params["broadcast_dimensions"], f.labels, strict=True):
        labels[int(d)] = label
    return _Form(f.kind, f.k, tuple(labels))


def _reshape(eqn, ins, zeros):
    (f,) = ins
    old, new = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    _need([n for n in old if n > 1] == [n for n in new if n > 1])
    kept = iter([label for label, n in zip(f.labels, old, strict=True) if n > 1])
    return _Form(f.kind, f.k, tuple(next(kept) if n > 1 else None for n in new))


def _transpose(eqn, ins, zeros):
    (f,) = ins
    return _Form(f.kind, f.k, tuple(f.labels[i] for i in eqn.params["permutation"]))


def _sum(eqn, ins, zeros):
    (f,) = ins
    axes = {int(i) for i in eqn.params["axes"]}
    _need(f.kind == "scale" and all(f.labels[i] is None for i in axes))
    return _Form(
        f.kind, f.k, tuple(label for i, label in enumerate(f.labels) if i not in axes)
    )


def _same(eqn, ins, zeros):
    _need(eqn.outvars[0].aval.dtype.kind == "f")
    return ins[0]


def _neg(eqn, ins, zeros):
    (f,) = ins
    return _Form("shift", -f.k, f.labels) if f.kind == "shift" else f


def _add(eqn, ins, zeros):
    a, b = ins
    sign = -1 if eqn.primitive.name == "sub" else 1
    kinds = {f.kind for f in ins if f is not None}
    _need(len(kinds) == 1)
    if kinds == {"shift"}:
        k = (a.k if a else 0) + sign * (b.k if b else 0)
        return _Form("shift", k, _labels(eqn, ins))
    for f, other in ((a, eqn.invars[1]), (b, eqn.invars[0])):
        if f is not None and _is_zero(other, zeros):
            return _Form("scale", f.k, _labels(eqn, ins))
    _need(a is not None and b is not None and a.k == b.k)
    return _Form("scale", a.k, _labels(eqn, ins))


def _mul(eqn, ins, zeros):
    a, b = ins
    _need(all(f is None or f.kind == "scale" for f in ins))
    sign = -1 if eqn.primitive.name == "div" else 1
    k = (a.k if a else 0) + sign * (b.k if b else 0)
    return _Form("scale", k, _labels(eqn, ins))


def _power(eqn, ins, zeros):
    (f,) = ins
    _need(f.kind == "scale")
    y = 2 if eqn.primitive.name == "square" else eqn.params["y"]
    return _Form("scale", y * f.k, f.labels)


def _exp(eqn, ins, zeros):
    (f,) = ins
    _need(f.kind == "shift")
    return _Form("scale", f.k, f.labels)


def _log(eqn, ins, zeros):
    (f,) = ins
    _need(f.kind == "scale")
    return _Form("shift", f.k, f.labels)


def _abs(eqn, ins, zeros):
    (f,) = ins
    _need(f.kind == "scale")
    return f


def _sign(eqn, ins, zeros):
    (f,) = ins
    _need(f.kind == "scale")
    return None


def _compare(eqn, ins, zeros):
    # The order of a positively scaled number and zero does not see the scale.
    a, b = ins
    f, other = (a, eqn.invars[1]) if a is not None else (b, eqn.invars[0])
    if a is not None and b is not None:
        _need(a == b)
        return None
    _need(f.kind == "scale" and _is_zero(other, zeros))
    return None


def _select(eqn, ins, zeros):
    _need(ins[0] is None)
    cases = [
        f
        for f, atom in zip(ins[1:], eqn.invars[1:], strict=True)
        if f is not None or not _is_zero(atom, zeros)
    ]
    _need(all(f is not None for f in cases))
    zero_case = len(cases) < len(ins) - 1
    _need(len(set(cases)) == 1 and not (zero_case and cases[0].kind == "shift"))
    return cases[0]


_STEPS = {
    "broadcast_in_dim": _spread,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "stop_gradient": _same,
    "copy": _same,
    "convert_element_type": _same,
    "neg": _neg,
    "add": _add,
    "add_any": _add,
    "sub": _add,
    "mul": _mul,
    "div": _mul,
    "square": _power,
    "integer_pow": _power,
    "exp": _exp,
    "log": _log,
    "abs": _abs,
    "sign": _sign,
    "reduce_sum": _sum,
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), _compare),
    "select_n": _select,
}

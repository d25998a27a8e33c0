"""Rounding rules of primitives that move, accumulate at indices, or repeat."""

import jax.numpy as jnp
from jax import lax

from banach.checks.rounding.interpreter import (
    Pair,
    bind,
    error,
    evaluate,
    floating,
    is_exact,
    least,
    mask,
    rounded,
    rule,
    solid,
    unit,
    values,
)


@rule(
    "stop_gradient", "optimization_barrier", "device_put", "reshard", "copy_p", "copy"
)
def _identity(eqn, pairs):
    return pairs


@rule(
    "reshape",
    "transpose",
    "squeeze",
    "expand_dims",
    "rev",
    "broadcast_in_dim",
    "slice",
    "concatenate",
    "stack",
    "unstack",
    "split",
    "pad",
)
def _move(eqn, pairs):
    out = _listed(eqn, bind(eqn, *values(pairs)))
    if is_exact(pairs):
        return [Pair(v) for v in out]
    errors = _listed(eqn, bind(eqn, *map(error, pairs)))
    keeps = eqn.primitive.name in ("reshape", "broadcast_in_dim")
    origin = pairs[0].origin if keeps else None
    return [Pair(v, e, origin) for v, e in zip(out, errors, strict=True)]


def _listed(eqn, out):
    return list(out) if eqn.primitive.multiple_results else [out]


@rule("iota", "random_seed", "random_wrap", "rng_bit_generator")
def _source(eqn, pairs):
    return [Pair(v) for v in _listed(eqn, bind(eqn, *values(pairs)))]


@rule(
    "shift_left",
    "shift_right_logical",
    "shift_right_arithmetic",
    "population_count",
    "bitcast_convert_type",
    "random_bits",
    "random_unwrap",
    "random_fold_in",
    "random_split",
    "threefry2x32",
)
def _bits(eqn, pairs):
    out = _listed(eqn, bind(eqn, *values(pairs)))
    if is_exact(pairs):
        return [Pair(v) for v in out]
    return [_spoiled(Pair(v), _wrong(pairs)) for v in out]


def _wrong(pairs):
    """Whether any entry of the given pairs may be wrong, one boolean."""
    flags = [jnp.any(p.error > 0) for p in pairs if p.error is not None]
    return jnp.any(jnp.stack(flags)) if flags else None


def _spoiled(p, wrong):
    """Give up on every entry where a choice behind it may be wrong."""
    if wrong is None:
        return p
    e = error(p)
    if floating(p.value):
        return Pair(p.value, jnp.where(wrong, jnp.inf, e))
    return Pair(p.value, e | wrong)


@rule("dynamic_slice", "dynamic_update_slice")
def _dynamic(eqn, pairs):
    n = 1 if eqn.primitive.name == "dynamic_slice" else 2
    moved, places = pairs[:n], pairs[n:]
    v = bind(eqn, *values(pairs))
    out = Pair(v)
    if not is_exact(moved):
        out = Pair(v, bind(eqn, *map(error, moved), *values(places)))
    return [_spoiled(out, _wrong(places))]


@rule("gather")
def _gather(eqn, pairs):
    source, places = pairs
    v = bind(eqn, *values(pairs))
    out = Pair(v)
    if source.error is not None:
        fill = None if eqn.params["fill_value"] is None else 0
        out = Pair(v, bind(eqn, source.error, places.value, fill_value=fill))
    return [_spoiled(out, _wrong([places]))]


@rule("scatter", "scatter-add", "scatter_add", "scatter-min", "scatter-max")
def _scatter(eqn, pairs):
    operand, places, update = pairs
    name = eqn.primitive.name
    v = bind(eqn, *values(pairs))
    moved = [operand, update]
    if not floating(v):
        return [_spoiled(Pair(v), _wrong(pairs))]
    out = Pair(v)
    if name in ("scatter-add", "scatter_add"):
        size = bind(eqn, jnp.abs(operand.value), places.value, jnp.abs(update.value))
        ones = jnp.ones_like(update.value)
        count = bind(eqn, jnp.zeros_like(operand.value), places.value, ones)
        e = unit(v) * (1 + 2 * count * unit(v)) * count * size + count * least(v)
        if not is_exact(moved):
            e = e + bind(eqn, error(operand), places.value, error(update))
        out = Pair(v, e)
    elif not is_exact(moved):
        spread = bind if name == "scatter" else _scatter_max
        out = Pair(v, spread(eqn, error(operand), places.value, error(update)))
    return [_spoiled(out, _wrong([places]))]


def _scatter_max(eqn, operand, places, update):
    p = eqn.params
    return lax.scatter_max(
        operand,
        places,
        update,
        p["dimension_numbers"],
        indices_are_sorted=p["indices_are_sorted"],
        unique_indices=p["unique_indices"],
        mode=p["mode"],
    )


@rule("reduce_precision")
def _reduce_precision(eqn, pairs):
    (p,) = pairs
    v = bind(eqn, p.value)
    ratio = 2.0 ** -(eqn.params["mantissa_bits"] + 1) / unit(v)
    e = rounded(v, max(ratio, 1))
    return [Pair(v, e if p.error is None else e + p.error)]


def _tuples(pairs):
    return [(p.value, p.error) for p in pairs]


def _pairs(tuples):
    return [Pair(*t) for t in tuples]


@rule("scan")
def _scan(eqn, pairs):
    p, body = eqn.params, eqn.params["jaxpr"]
    n, k = p["num_consts"], p["num_carry"]
    consts, carry, xs = pairs[:n], pairs[n : n + k], pairs[n + k :]

    def step(c, x):
        out = [solid(q) for q in evaluate(body, [*consts, *_pairs(c), *_pairs(x)])]
        return _tuples(out[:k]), _tuples(out[k:])

    carry, ys = lax.scan(
        step,
        _tuples(solid(q) for q in carry),
        _tuples(xs),
        length=p["length"],
        reverse=p["reverse"],
    )
    return [*_pairs(carry), *_pairs(ys)]


@rule("while")
def _while(eqn, pairs):
    p, cond, body = eqn.params, eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
    a, b = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]

    def verdict(carry):
        (go,) = evaluate(cond, [*pairs[:a], *_pairs(carry)])
        return solid(go)

    def step(state):
        carry, unsure = state
        out = [solid(q) for q in evaluate(body, [*pairs[a:b], *_pairs(carry)])]
        carry = _tuples(out)
        return carry, unsure | verdict(carry).error

    carry = _tuples(solid(q) for q in pairs[b:])
    start = (carry, verdict(carry).error)
    carry, unsure = lax.while_loop(lambda s: verdict(s[0]).value, step, start)
    return [_spoiled(q, unsure) for q in _pairs(carry)]


@rule("cond")
def _cond(eqn, pairs):
    def run(branch):
        return lambda operands: _tuples(
            solid(q) for q in evaluate(branch, _pairs(operands))
        )

    branches = [run(b) for b in eqn.params["branches"]]
    out = lax.switch(pairs[0].value, branches, _tuples(pairs[1:]))
    return [_spoiled(q, mask(pairs[:1], ())) for q in _pairs(out)]

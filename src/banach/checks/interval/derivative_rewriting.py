"""Rewriting a traced function so that its traced derivative can be enclosed.

JAX's derivative of a program is not always the derivative of its function:
`stop_gradient` and custom rules may say anything, and the rule of `max` compares the
result with its operands, which intervals cannot decide. `prepared` therefore replays
a jaxpr with

- calls inlined and custom rules dropped: the primal program is differentiated;
- `logaddexp` called afresh, so that its rule is JAX's own;
- `max`, `min` and their reductions differentiated by comparing the operands;
- `stop_gradient` as the identity, unless `shift_invariance.py` proves the results
  independent of the value it wraps, as in logsumexp and softmax; then it stays.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal

from banach.checks.interval.evaluate import inner, live
from banach.checks.interval.shift_invariance import invariant


@jax.custom_jvp
def _max(x, y):
    return lax.max(x, y)


@_max.defjvp
def _max_jvp(primals, tangents):
    x, y = primals
    return lax.max(x, y), lax.select(x >= y, *tangents)


@jax.custom_jvp
def _min(x, y):
    return lax.min(x, y)


@_min.defjvp
def _min_jvp(primals, tangents):
    x, y = primals
    return lax.min(x, y), lax.select(x <= y, *tangents)


def prepared(fun: Callable, *args: Any) -> tuple[ClosedJaxpr, Any]:
    """Trace and rewrite fun; return its jaxpr and the structure of its result."""
    closed, shape = jax.make_jaxpr(fun, return_shape=True)(*args)
    shapes = [_shape(v) for v in closed.jaxpr.invars]
    flat = jax.make_jaxpr(functools.partial(_inlined, closed.jaxpr, closed.consts))
    flat = flat(*shapes)
    kept = invariant(flat.jaxpr)
    final = jax.make_jaxpr(functools.partial(_released, flat, kept))(*shapes)
    return final, jax.tree.structure(shape)


def _shape(v: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype)


def _replay(jaxpr, consts, args, bind):
    env = dict(zip(jaxpr.constvars, consts, strict=True))
    env |= dict(zip(jaxpr.invars, args, strict=True))

    def read(atom):
        return atom.val if isinstance(atom, Literal) else env[atom]

    for eqn, used in live(jaxpr, [True] * len(jaxpr.outvars)):
        # Operands of dead results inside a call may themselves be dead.
        inputs = [None if _dead(a, env) else read(a) for a in eqn.invars]
        env.update(zip(eqn.outvars, bind(eqn, inputs, used), strict=True))
    return [read(v) for v in jaxpr.outvars]


def _dead(atom, env):
    return not isinstance(atom, Literal) and atom not in env


def _bind(eqn, inputs):
    out = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
    return out if eqn.primitive.multiple_results else [out]


def _released(flat, kept, *args):
    def bind(eqn, inputs, used):
        if eqn.primitive.name == "stop_gradient" and eqn.outvars[0] not in kept:
            return inputs
        return _bind(eqn, inputs)

    return _replay(flat.jaxpr, flat.consts, args, bind)


def _inlined(jaxpr, consts, *args, nested=False):
    def bind(eqn, inputs, used):
        name, body = eqn.primitive.name, inner(eqn)
        if name == "custom_jvp_call" and _is_logaddexp(eqn):
            return [jnp.logaddexp(*inputs)]
        if body is not None:
            return _inlined(*body, *_filled(eqn, inputs), nested=nested)
        if nested and name == "stop_gradient":
            return inputs
        if name in _REWRITES:
            return _REWRITES[name](eqn, inputs)
        return _bind(eqn, inputs)

    return _replay(jaxpr, consts, args, bind)


def _filled(eqn, inputs):
    return [
        jnp.zeros(a.aval.shape, a.aval.dtype) if v is None else v
        for v, a in zip(inputs, eqn.invars, strict=True)
    ]


def _is_logaddexp(eqn):
    shapes = [_shape(a) for a in eqn.invars]
    if len(shapes) != 2 or shapes[0].dtype != shapes[1].dtype:
        return False
    pending = list(jax.make_jaxpr(jnp.logaddexp)(*shapes).jaxpr.eqns)
    while pending:
        own = pending.pop()
        if own.primitive.name == "custom_jvp_call":
            return str(own.params["call_jaxpr"]) == str(eqn.params["call_jaxpr"])
        body = inner(own)
        pending += [] if body is None else body[0].eqns
    return False


def _extremum(eqn, inputs):
    x, y = inputs
    if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
        return _bind(eqn, inputs)
    shape = eqn.outvars[0].aval.shape
    x, y = jnp.broadcast_to(x, shape), jnp.broadcast_to(y, shape)
    return [(_max if eqn.primitive.name == "max" else _min)(x, y)]


def _tournament(eqn, inputs):
    (a,) = inputs
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return _bind(eqn, inputs)
    join = _max if eqn.primitive.name == "reduce_max" else _min
    axes = tuple(int(i) for i in eqn.params["axes"])
    rest = [i for i in range(a.ndim) if i not in axes]
    shape = [a.shape[i] for i in rest]
    a = jnp.transpose(a, (*axes, *rest)).reshape(-1, *shape)
    if a.shape[0] == 0:
        return _bind(eqn, inputs)
    while a.shape[0] > 1:
        half = a.shape[0] // 2
        pairs = join(a[:half], a[half : 2 * half])
        a = jnp.concatenate([pairs, a[2 * half :]])
    return [a[0]]


def _scan(eqn, inputs):
    p, body = eqn.params, eqn.params["jaxpr"]
    n, k = p["num_consts"], p["num_carry"]
    consts, carry, xs = inputs[:n], inputs[n : n + k], inputs[n + k :]

    def step(c, x):
        out = _inlined(body.jaxpr, body.consts, *consts, *c, *x, nested=True)
        return out[:k], out[k:]

    carry, ys = lax.scan(step, carry, xs, length=p["length"], reverse=p["reverse"])
    return [*carry, *ys]


def _while(eqn, inputs):
    p, cond, body = eqn.params, eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
    a, b = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]

    def go(c):
        return _inlined(cond.jaxpr, cond.consts, *inputs[:a], *c, nested=True)[0]

    def step(c):
        return _inlined(body.jaxpr, body.consts, *inputs[a:b], *c, nested=True)

    return lax.while_loop(go, step, inputs[b:])


def _cond(eqn, inputs):
    branches = [
        functools.partial(_inlined, b.jaxpr, b.consts, nested=True)
        for b in eqn.params["branches"]
    ]
    return lax.switch(inputs[0], branches, *inputs[1:])


_REWRITES = {
    "max": _extremum,
    "min": _extremum,
    "reduce_max": _tournament,
    "reduce_min": _tournament,
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}

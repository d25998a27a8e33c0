"""One function for many lanes at once: a branch runs only where some lane takes it.

Under `jax.vmap` a condition that differs between lanes computes both of its branches
for every lane: a Hessian that is kept would be made anew at every step, and a slack
behind a screen at every look. Here each branch stands behind "does any lane take it";
what a lane gets is the same computation of the same branch, bit for bit.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from banach.core import compat

_CONDITIONS = frozenset({"cond"})


def lockstep(function: Callable[..., Any], *like: Any) -> Callable[..., Any]:
    """`function`, traced for arguments like these, to stand under `jax.vmap`.

    The result takes and returns flat lists: the leaves of the arguments and results.
    """
    closed = jax.make_jaxpr(function)(*like)

    def flat(*leaves: Any) -> list[Any]:
        return _play(closed.jaxpr, closed.consts, leaves)

    return flat


def _play(jaxpr: Any, consts: Any, args: Any) -> list[Any]:
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

    def read(var: Any) -> Any:
        return var.val if isinstance(var, compat.Literal) else values[var]

    for eqn in jaxpr.eqns:
        given = [read(v) for v in eqn.invars]
        play = _PLAYERS.get(eqn.primitive.name)
        inside = any(compat.holds(j, _CONDITIONS) for j in compat.subjaxprs(eqn))
        if play is None or eqn.effects or not (inside or play is _condition):
            out = compat.bind(eqn, given)
        else:
            out = play(eqn.params, given)
        values.update(zip(eqn.outvars, out, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _closed(closed: Any) -> Callable[..., list[Any]]:
    return lambda *args: _play(closed.jaxpr, closed.consts, args)


def _call(params: Any, given: list[Any]) -> list[Any]:
    return _closed(params["jaxpr"])(*given)


def _while(params: Any, given: list[Any]) -> list[Any]:
    a, b = params["cond_nconsts"], params["body_nconsts"]
    test, body = _closed(params["cond_jaxpr"]), _closed(params["body_jaxpr"])
    tested, used, carry = given[:a], given[a : a + b], given[a + b :]
    return jax.lax.while_loop(
        lambda c: test(*tested, *c)[0], lambda c: body(*used, *c), carry
    )


def _scan(params: Any, given: list[Any]) -> list[Any]:
    a, b = params["num_consts"], params["num_carry"]
    body = _closed(params["jaxpr"])

    def turn(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        out = body(*given[:a], *carry, *x)
        return out[:b], out[b:]

    carry, rows = jax.lax.scan(
        turn, given[a : a + b], given[a + b :], length=params["length"],
        reverse=params["reverse"], unroll=params["unroll"],
    )  # fmt: skip
    return [*carry, *rows]


def _condition(params: Any, given: list[Any]) -> list[Any]:
    branches = params["branches"]
    avals = branches[0].out_avals
    play = [_closed(b) for b in branches]
    if any(jnp.issubdtype(a.dtype, jax.dtypes.extended) for a in avals):
        return jax.lax.switch(given[0], play, *given[1:])

    @custom_vmap
    def choose(index: Any, *args: Any) -> list[Any]:
        return jax.lax.switch(index, play, *args)

    @choose.def_vmap
    def rule(n: int, batched: Any, index: Any, *args: Any) -> Any:
        axes = tuple(0 if b else None for b in batched[1:])
        many = [
            jax.vmap(b, in_axes=axes, axis_size=n) if axes else _spread(b, n)
            for b in play
        ]
        if not batched[0]:
            out = jax.lax.switch(index, many, *args)
            return out, [True] * len(out)
        out = [jnp.zeros((n, *a.shape), a.dtype) for a in avals]
        for i, branch in enumerate(many):
            mine = index == i

            def take(out, args, mine=mine, branch=branch):
                return [_where(mine, a, b) for a, b in zip(branch(*args), out)]  # noqa: B905

            if branches[i].jaxpr.eqns:
                out = jax.lax.cond(jnp.any(mine), take, lambda o, a: o, out, args)
            else:
                out = take(out, args)
        return out, [True] * len(out)

    return choose(*given)


def _spread(branch: Callable[..., list[Any]], n: int) -> Callable[..., list[Any]]:
    return lambda: [jnp.broadcast_to(v, (n, *jnp.shape(v))) for v in branch()]


def _where(mine: Any, new: Any, old: Any) -> Any:
    return jnp.where(jnp.reshape(mine, mine.shape + (1,) * (new.ndim - 1)), new, old)


_PLAYERS: dict[str, Callable[[Any, list[Any]], list[Any]]] = {
    "cond": _condition,
    "jit": _call,
    "pjit": _call,
    "while": _while,
    "scan": _scan,
}

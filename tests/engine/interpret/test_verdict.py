"""What is refused, by name and before anything runs; and that nothing else is known."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_control
import test_elementwise
import test_keys
import test_linalg
import test_moves
import test_sums
from agree import traced
from jax import lax

from banach.core import compat
from banach.engine import interpret

V = np.array([0.5, -1.0, 2.0])


def printed(x):
    jax.debug.print("{}", x)
    return x


def called_back(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((3,), np.float64), x)


def looped(x):
    return lax.fori_loop(0, 3, lambda i, v: called_back(v), x)


def branched(x):
    return lax.cond(x[0] > 0, called_back, lambda v: v, x)


def long(x):
    return lax.scan(lambda c, _: (c, None), x, None, length=1001)


def reduced(x):
    return lax.reduce(x, 0.0, lambda a, b: a * b + 1, (0,))


RBG = jax.random.key(0, impl="rbg")
REFUSED = {
    "callback": (called_back, (V,), "pure_callback"),
    "print": (printed, (V,), "effects"),
    "in a loop": (looped, (V,), "pure_callback"),
    "in a branch": (branched, (V,), "pure_callback"),
    "bfloat16": (lambda x: x.astype(jnp.bfloat16), (V,), "bfloat16"),
    "float16": (lambda x: x.astype(np.float16).astype(float), (V,), "float16"),
    "complex": (lambda x: lax.complex(x, x), (V,), "complex"),
    "long scan": (long, (V,), "1001"),
    "applied": (lambda x: x.at[0].apply(jnp.sin), (V,), "applies"),
    "eigenvalues": (jnp.linalg.eigvals, (np.eye(3),), "eig"),
    "draw": (lambda k: jax.random.bits(k), (RBG,), "rbg"),
    "reduced by a function": (reduced, (V,), "reduce"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_by_name(name):
    fun, args, word = REFUSED[name]
    assert word in interpret.refusal(traced(fun, *args))


def test_a_shard_map_is_refused():
    auto = (jax.sharding.AxisType.Auto,)
    mesh = jax.make_mesh((1,), ("i",), axis_types=auto)
    spec = jax.sharding.PartitionSpec("i")
    mapped = jax.shard_map(lambda x: x * 2, mesh=mesh, in_specs=spec, out_specs=spec)
    assert "shard_map" in interpret.refusal(traced(mapped, V))


def names(jaxpr):
    """Primitives of a jaxpr at every depth."""
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for inner in compat.subjaxprs(eqn):
            yield from names(inner)
        solvers = eqn.params.get("jaxprs")
        if solvers is not None:
            yield from names(solvers.solve.jaxpr)


def test_every_rule_is_held_against_xla():
    """What these tests compare is what is known: no rule without a test, no test
    without its rule.
    """
    tables = [
        *(test_elementwise.float_cases(np.float64), test_elementwise.special_cases()),
        *(test_elementwise.int_cases(np.int32), test_elementwise.choices()),
        *(test_moves.CASES, test_moves.gathers("fill", test_moves.OUT)),
        *(test_moves.scatters("clip", test_moves.OUT), test_sums.reductions()),
        *(test_sums.orders(), test_sums.products(), test_sums.convolutions()),
        *(test_sums.windows(), test_elementwise.orders()),
        *(test_linalg.solves(), test_linalg.factors(), test_keys.draws()),
        test_control.CASES,
    ]
    tried = set()
    for fun, args in itertools.chain.from_iterable(t.values() for t in tables):
        closed = traced(fun, *args)
        assert interpret.refusal(closed) is None
        tried.update(names(closed.jaxpr))
    assert sorted(interpret.NAMES - tried) == []
    assert tried <= interpret.NAMES

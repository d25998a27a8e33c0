"""What every optimiser of `bn.train` must be to whoever knows optax.

One tree of parameters for all: a matrix, a vector, a scalar, an empty leaf, and one in
bfloat16; matrices alone for rules that move nothing else.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import banach as bn
from banach import catalogue

INDEX = catalogue.load_index()
RULES = sorted(name for name, entry in INDEX.items() if entry["rule"])
each = pytest.mark.parametrize("name", RULES)
RATE = 0.05


@functools.cache
def rule(name):
    return catalogue.load_method(name)


def made(name, learning_rate=RATE, **given):
    """The transformation, its weight decay off."""
    if "weight_decay" in {f for f in rule(name).__dataclass_fields__}:
        given.setdefault("weight_decay", 0.0)
    return getattr(bn.train, name)(learning_rate, **given)


@functools.cache
def trees(name):
    """(parameters, gradients) of float32, one leaf of them narrower."""
    rng = np.random.default_rng(3)
    shapes = {"w": (4, 3), "u": (2, 5)}
    if not rule(name).matrices:
        shapes |= {"b": (3,), "s": (), "none": (0,), "narrow": (6,)}

    def drawn():
        tree = {
            k: jnp.asarray(rng.normal(size=s), "float32") for k, s in shapes.items()
        }
        if "narrow" in tree:
            tree["narrow"] = tree["narrow"].astype(jnp.bfloat16)
        return tree

    return drawn(), drawn()


def extra(name, params):
    """The further arguments that a rule asks for: a curvature of ones, a loss."""
    ones = jax.tree.map(jnp.ones_like, params)
    known = {"curvature": ones, "value": jnp.float32(1.0)}
    return {key: known[key] for key in rule(name).extra}


def moves(name, tx, params, grads, steps=3):
    """Parameters after some updates with the same gradient."""
    state, further = tx.init(params), extra(name, params)
    for _ in range(steps):
        u, state = tx.update(grads, state, params, **further)
        params = optax.apply_updates(params, u)
    return params


def wide(tree):
    return [np.asarray(v, np.float64) for v in jax.tree.leaves(tree)]


@each
def test_the_state_keeps_its_structure_and_is_of_float32(name):
    params, grads = trees(name)
    tx = made(name)
    state = jax.eval_shape(tx.init, params)
    u, after = jax.eval_shape(
        lambda g, s, p: tx.update(g, s, p, **extra(name, p)), grads, state, params
    )
    assert jax.tree.structure(after) == jax.tree.structure(state)
    for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert a.dtype not in (jnp.bfloat16, jnp.float64)
    for a, b in zip(jax.tree.leaves(u), jax.tree.leaves(params), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)


@each
def test_it_means_the_same_inside_what_optax_builds(name):
    """One program: alone, and in chain, masked, MultiSteps, multi_transform,
    inject_hyperparams and apply_if_finite."""
    params, grads = trees(name)

    @jax.jit
    def every(params, grads, rate):
        tx = made(name, rate)
        on, labels = jax.tree.map(lambda _: True, params), jax.tree.map(
            lambda _: "it", params
        )  # fmt: skip
        ways = {
            "alone": tx,
            "chain": optax.chain(optax.identity(), tx),
            "masked": optax.masked(tx, on),
            "multi": optax.multi_transform({"it": tx}, labels),
            "finite": optax.apply_if_finite(tx, 3),
        }
        if not rule(name).extra:
            ways["steps"] = optax.MultiSteps(tx, 1).gradient_transformation()
            factory = optax.inject_hyperparams(
                lambda learning_rate: made(name, learning_rate)
            )
            ways["inject"] = factory(learning_rate=rate)
        return {k: moves(name, way, params, grads) for k, way in ways.items()}

    found = every(params, grads, jnp.float32(RATE))
    # XLA may round p + u to bfloat16 once or twice: a unit of its last place.
    near = [1e-5 if v.dtype == "float32" else 2**-7 for v in jax.tree.leaves(params)]
    for way, got in found.items():
        for a, b, rtol in zip(wide(got), wide(found["alone"]), near, strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6, err_msg=way)
    moved = max(
        np.max(np.abs(a - b), initial=0)
        for a, b in zip(wide(found["alone"]), wide(params), strict=True)
    )
    assert moved > 1e-6


@each
def test_rates_are_values_schedules_are_heard_and_zero_gradients_move_nothing(name):
    params, grads = trees(name)
    zero = jax.tree.map(jnp.zeros_like, grads)

    @functools.partial(jax.jit, donate_argnums=2)
    def lanes(rates, params, grads, zero):
        several = jax.vmap(lambda r: moves(name, made(name, r), params, grads))(rates)
        later = made(name, lambda count: jnp.where(count == 0, RATE, 0.0))
        once = moves(name, later, params, grads)
        first = moves(name, made(name), params, grads, 1)
        return several, once, first, moves(name, made(name), params, zero)

    rates = jnp.array([RATE, 2 * RATE], "float32")
    several, once, first, still = lanes(
        rates, params, jax.tree.map(jnp.copy, grads), zero
    )
    for a, b in zip(wide(still), wide(params), strict=True):
        np.testing.assert_array_equal(a, b)
    apart = 0.0
    for rows in wide(several):
        assert np.isfinite(rows).all()
        apart = max(apart, np.max(np.abs(rows[0] - rows[1]), initial=0))
    assert apart > 1e-6
    for a, b in zip(wide(once), wide(first), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@each
def test_parameters_and_state_can_be_donated(name):
    """Each array of the state is a buffer of its own."""
    params, grads = trees(name)
    tx = made(name)
    mine = jax.tree.map(jnp.copy, params)
    held = (mine, tx.init(mine))
    assert len({id(v) for v in jax.tree.leaves(held)}) == len(jax.tree.leaves(held))

    @functools.partial(jax.jit, donate_argnums=0)
    def step(held, grads):
        u, state = tx.update(grads, held[1], held[0], **extra(name, held[0]))
        return optax.apply_updates(held[0], u), state

    for _ in range(2):
        held = step(held, grads)
    assert all(np.isfinite(v).all() for v in wide(held[0]))


@each
def test_what_it_cannot_train_is_refused_with_the_cure(name):
    params, grads = trees(name)
    tx = made(name)
    for dtype in ("int32", "complex64"):
        with pytest.raises(bn.Misuse, match=r"optax\.masked"):
            tx.init({"w": jnp.ones((2, 2), dtype)})
    with pytest.raises(bn.Misuse, match="needs params"):
        tx.update(grads, tx.init(params))
    if rule(name).matrices:
        with pytest.raises(bn.Misuse, match="multi_transform"):
            tx.init({"b": jnp.ones(3)})
    for key in rule(name).extra:
        with pytest.raises(bn.Misuse, match=f"needs {key}="):
            tx.update(grads, tx.init(params), params)
    for bad in (-1.0, float("nan"), "fast"):
        with pytest.raises(bn.Misuse, match="learning_rate"):
            made(name, bad)
    with pytest.raises(bn.Misuse, match="it takes"):
        getattr(bn.train, name)(no_such_argument=1)


def test_names_are_listed_and_others_refused():
    assert set(RULES) <= set(dir(bn.train))
    with pytest.raises(AttributeError, match="amsgrad"):
        bn.train.amsgrd

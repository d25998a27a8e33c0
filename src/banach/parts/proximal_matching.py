"""Proximal matching: a network that is the prox of a prior known by samples."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from banach.core import compat, validation
from banach.core.annotations import Matrix, Real
from banach.core.door import door
from banach.core.problem import Misuse
from banach.terms.learned import LearnedProx

_RATE = 1e-2  # of Adam, halved from stage to stage (ours)
_STRONG = 1e-3
_LOSSES = ("matching", "l1", "l2")


@door
def learned_prox(
    samples: Matrix,
    noise: Real,
    *,
    units: int = 64,
    layers: int = 2,
    steps: int = 1000,
    stages: int = 4,
    batch: int = 512,
    loss: str = "matching",
    seed: int = 0,
) -> LearnedProx:
    """Train a `LearnedProx` whose R is near -noise^2 log p, p the samples' density.

    min E [1 - exp(-||f(x + noise z) - x||^2 / g^2)],  x a sample, z Gaussian

    As g falls to 0 the minimiser f is the mode of x given x + noise z, the prox of
    -noise^2 log p. After `steps` of Adam on the 1-norm of the error come `stages` of so
    many steps, with g = noise sqrt(d) / 2^k and a rate that halves too; nonnegative
    weights are clipped after each. `loss` "l1" or "l2" stays with that norm, for
    comparison: then f is a median or a mean, and no prox of -log p. g cannot fall much
    below what a batch resolves: fewer than one error in some hundred lies within g.

    Args:
        samples: (n, d), drawn with replacement.
        noise: > 0, in the units of the samples.
        units, layers: of the network.
        steps, stages, batch: of the training.
        loss: "matching", "l1" or "l2".
        seed: of weights, batches and noise.

    Source: Fang, Buchanan and Sulam, "What's in a Prior? Learned Proximal Networks for
    Inverse Problems", ICLR (2024), equation 3.3; rates and sizes are ours.

    Example:
        >>> coins = np.array([[-1.0], [1.0]])
        >>> R = bn.learned_prox(coins, 0.5, units=8, steps=200, stages=2)
        >>> R.prox(np.array([0.7]), 1.0).shape
        (1,)
    """
    rows = validation.array(samples, "samples")
    if rows.ndim != 2 or 0 in rows.shape:
        raise Misuse(
            f"samples must be (n, d), got shape {rows.shape}; pass samples[:, None] "
            "for numbers"
        )
    scale = float(validation.number(noise, "noise", low="positive"))
    sizes = {"units": units, "layers": layers, "steps": steps, "batch": batch}
    sizes = {k: validation.integer(v, k, low=1) for k, v in sizes.items()}
    stages = validation.integer(stages, "stages", low=0)
    loss = validation.choice(loss, "loss", _LOSSES)
    with compat.double():
        keys = jax.random.split(jax.random.key(validation.seed(seed)), stages + 2)
        d = rows.shape[1]
        net = _untrained(keys[0], d, scale, sizes["units"], sizes["layers"])
        data = jnp.asarray(rows, float)
        for k in range(stages + 1):
            now = "l1" if k == 0 and loss == "matching" else loss
            g, rate = scale * np.sqrt(d) / 2 ** (k - 1), _RATE / 2 ** max(k - 1, 0)
            chosen = jnp.asarray([float(now == name) for name in _LOSSES])
            net = _trained(
                net, data, g, rate, keys[k + 1], chosen, sizes["steps"], sizes["batch"]
            )
        return jax.device_get(net)


def _untrained(key: Array, d: int, unit: float, units: int, layers: int) -> LearnedProx:
    one, two, three = (jax.random.split(k, layers) for k in jax.random.split(key, 3))
    normal = jax.random.normal
    return LearnedProx(
        tuple(normal(k, (units, d)) / np.sqrt(d) for k in one),
        tuple(normal(k, (units,)) for k in two),
        tuple(jnp.abs(normal(k, (units, units))) / units for k in three[1:]),
        jnp.ones(units) / units,
        jnp.zeros(d),
        jnp.asarray(_STRONG),
        unit=jnp.asarray(unit),
    )


@functools.partial(jax.jit, static_argnames=("steps", "batch"))
def _trained(
    net: LearnedProx,
    data: Float[Array, "n d"],
    g: Any,
    rate: Any,
    key: Array,
    chosen: Float[Array, "3"],
    steps: int,
    batch: int,
) -> LearnedProx:
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))
    fixed = (net.strong, net.beta, net.unit)

    def whole(net: LearnedProx) -> LearnedProx:
        keep = lambda v: jnp.maximum(v, 0)  # noqa: E731
        clipped = (tuple(map(keep, net.hidden)), keep(net.out), *fixed)
        return eqx.tree_at(
            lambda n: (n.hidden, n.out, n.strong, n.beta, n.unit), net, clipped
        )

    def error(net: LearnedProx, key: Array) -> Array:
        one, two = jax.random.split(key)
        x = data[jax.random.randint(one, (batch,), 0, len(data))]
        y = x + net.unit * jax.random.normal(two, x.shape)
        r = (jax.vmap(net.denoise)(y) - x) / net.unit
        square = jnp.sum(r**2, axis=1)
        matching = 1 - jnp.exp(-square * (net.unit / g) ** 2)
        # One program for all losses: compiling takes longer than training.
        return jnp.mean(chosen @ jnp.stack([matching, jnp.sum(abs(r), axis=1), square]))

    def step(carry: Any, key: Array) -> tuple[Any, None]:
        net, state = carry
        update, state = optimiser.update(jax.grad(error)(net, key), state)
        return (whole(optax.apply_updates(net, update)), state), None

    first = (net, optimiser.init(net))
    return jax.lax.scan(step, first, jax.random.split(key, steps))[0][0]

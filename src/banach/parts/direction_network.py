"""A convolutional network that proposes search directions on grids, and its training.

The network is a U-Net without biases whose levels share their weights, so that one
set of weights serves every grid: coarser levels are added until a side has at most 4
cells. It is homogeneous of degree one and sees nothing but the residual and the cells
that are obstacles. Training is that of Kaneda et al. (2023): no solutions are needed.
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from banach.core import tree
from banach.parts.grid import Grid, GridLaplacian, obstacles, poisson
from banach.parts.ritz import ritz_vectors

CHANNELS = 8
_BOTTOM = 4


class GridNetwork(eqx.Module):
    """r -> direction on a grid (n, m); every leaf is a weight."""

    lift: Float[Array, "3 3 1 c"]
    enter: Float[Array, "2 3 3 c c"]
    leave: Float[Array, "2 3 3 c c"]
    coarse: Float[Array, "c c"]
    out: Float[Array, " c"]

    def __call__(self, r: Grid, apart: Bool[Array, "n m"]) -> Grid:
        """The direction; `apart` are the obstacles, where it is r itself."""
        free = (~apart).astype(r.dtype)
        free = free[..., None]
        h = self._level(_convolve(self.lift, free * r[..., None]) * free, free)
        d = jnp.matmul(h, self.out, precision=tree.PRECISION)
        return jnp.where(apart, r, d)

    def _level(
        self, h: Float[Array, "n m c"], free: Float[Array, "n m 1"]
    ) -> Float[Array, "n m c"]:
        h = h + _block(self.enter, h, free)
        n, m, _ = free.shape
        if min(n, m) > _BOTTOM:
            below = (_halved(free) > 0).astype(h.dtype)
            low = self._level(_halved(h) * below, below)
            low = jnp.matmul(low, self.coarse, precision=tree.PRECISION)
            h = h + free * _doubled(low)[:n, :m]
        return h + _block(self.leave, h, free)


def fresh(key: Array, kind: Any, channels: int = CHANNELS) -> GridNetwork:
    """Random weights around a sum over levels of coarsened residuals, times 4^level.

    Four is the ratio of the inverses of a Laplacian on two grids of unit spacing;
    such a sum is already a multilevel preconditioner (Bramble, Pasciak and Xu 1990),
    from which training starts.
    """
    keys = jax.random.split(key, 3)

    def draw(k, *shape):
        return jax.random.normal(k, shape, kind) / (9 * shape[-2]) ** 0.5

    centre = jnp.zeros((3, 3, 1, channels), kind).at[1, 1].set(1)
    return GridNetwork(
        lift=centre + draw(keys[0], 3, 3, 1, channels) / 4,
        enter=draw(keys[1], 2, 3, 3, channels, channels) / 2,
        leave=draw(keys[2], 2, 3, 3, channels, channels) / 2,
        coarse=4 * jnp.eye(channels, dtype=kind),
        out=jnp.ones(channels, kind) / channels,
    )


def loss(network: GridNetwork, A: GridLaplacian, r: Float[Array, "k n m"]) -> Array:
    """Mean of min over a of ||r - a A d||^2 over unit r, d = network(r).

    The minimum is 1 - (r'A d)^2 / ||A d||^2: the length of a direction is free.
    """
    apart = A.isolated()

    def one(r):
        curved = A.matvec(network(r, apart))
        return 1 - jnp.vdot(r, curved) ** 2 / jnp.vdot(curved, curved)

    return jnp.mean(jax.vmap(one)(r))


def train(
    matrices: list[GridLaplacian],
    *,
    steps: int,
    batch: int = 8,
    vectors: int = 200,
    rate: float = 3e-3,
    unroll: int = 1,
    seed: int = 0,
) -> tuple[GridNetwork, np.ndarray]:
    """Weights for these matrices of one shape, in their dtype; the loss at every step.

    Each batch is drawn anew for one matrix: mixtures of its Ritz vectors with normal
    coefficients, nine times larger for the lower half of the spectrum and a twentieth
    more, normalised. The residuals that `unroll` exact steps of the network leave of
    them are trained on as well: such are the ones that it meets.
    """
    basis = jnp.stack([jnp.asarray(ritz_vectors(A, vectors, seed)) for A in matrices])
    kind = basis.dtype
    stacked = jax.tree.map(lambda *v: jnp.stack(v), *matrices)
    weight = jnp.where(jnp.arange(vectors) < 0.55 * vectors, 9, 1).astype(kind)
    first, draws = jax.random.split(jax.random.key(seed))
    schedule = optax.cosine_decay_schedule(rate, steps)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))

    def samples(network, A, r):
        """Unit residuals: r, and what is left of them."""
        rows = [r]
        for _ in range(unroll):
            rows.append(jax.vmap(lambda r: _left(network, A, r))(rows[-1]))
        return jax.lax.stop_gradient(jnp.concatenate(rows))

    def step(carry, now):
        network, memory = carry
        key, i = now
        A, vectors_of = jax.tree.map(lambda v: v[i], (stacked, basis))
        c = weight * jax.random.normal(key, (batch, vectors), kind)
        r = jnp.tensordot(c, vectors_of, 1, precision=tree.PRECISION)
        r = samples(network, A, jax.vmap(_unit)(r))
        value, slope = jax.value_and_grad(loss)(network, A, r)
        moved, memory = optimiser.update(slope, memory)
        network = tree.cast(optax.apply_updates(network, moved), kind)
        return (network, tree.cast(memory, kind)), value

    @jax.jit
    def run(network):
        memory = tree.cast(optimiser.init(network), kind)
        turns = jnp.arange(steps) % len(matrices)
        rows = (jax.random.split(draws, steps), turns)
        return jax.lax.scan(step, (network, memory), rows)

    (network, _), losses = run(fresh(first, kind))
    return network, np.asarray(losses)


@functools.cache
def trained(size: int = 32, steps: int = 300, seed: int = 0) -> GridNetwork:
    """Weights for squares of this side: one empty, seven with random obstacles.

    Trained once a process. NumPy arrays in single precision, which is enough for a
    direction and half the work; cast them to the precision of the problem.
    """
    solids = [np.zeros((size, size), bool)]
    solids += [obstacles(size, seed + k) for k in range(1, 8)]
    matrices = [tree.cast(poisson(s), np.single) for s in solids]
    network, _ = train(matrices, steps=steps, seed=seed)
    return jax.tree.map(np.asarray, network)


def _unit(r: Grid) -> Grid:
    return r / jnp.sqrt(jnp.sum(r * r))


def _left(network: GridNetwork, A: GridLaplacian, r: Grid) -> Grid:
    """The unit residual after an exact step along the network's direction."""
    d = network(r, A.isolated())
    curved = A.matvec(d)
    return _unit(r - jnp.vdot(r, d) / jnp.vdot(d, curved) * curved)


def _block(weights: Array, h: Array, free: Array) -> Array:
    """Two convolutions with a ReLU between them, zero on obstacles."""
    inner = jax.nn.relu(_convolve(weights[0], h)) * free
    return _convolve(weights[1], inner) * free


def _convolve(weights: Float[Array, "3 3 d c"], h: Float[Array, "n m d"]) -> Array:
    """A 3 x 3 convolution with zeros around."""
    out = jax.lax.conv_general_dilated(
        h[None],
        weights,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=tree.PRECISION,
    )
    return out[0]


def _halved(h: Float[Array, "n m c"]) -> Array:
    """Means over 2 x 2 cells, zeros where a side is odd."""
    n, m, _ = h.shape
    h = jnp.pad(h, ((0, n % 2), (0, m % 2), (0, 0)))
    rows = h[::2] + h[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def _doubled(h: Float[Array, "n m c"]) -> Array:
    return jnp.repeat(jnp.repeat(h, 2, axis=0), 2, axis=1)

"""A convolutional network that proposes search directions on grids, and its training.

The network is a U-Net without biases whose levels share their weights, so that one
set of weights serves every grid: coarser levels are added until a side has at most 4
cells. It is homogeneous of degree one and sees nothing but the residual and the cells
that are obstacles. Training is that of Kaneda et al. (2023): no solutions are needed.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from banach.core import tree
from banach.methods.linear._ritz import ritz_vectors
from banach.parts.grid_laplacians import Grid, GridLaplacian, poisson_grid

CHANNELS = 8
WEIGHTS = Path(__file__).with_suffix(".npy")
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
        free = (~apart).astype(r.dtype)[..., None]
        h = _convolve(self.lift, _ghosts(free * r[..., None], free)) * free
        d = jnp.matmul(self._level(h, free), self.out, precision=tree.PRECISION)
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
            h = h + free * _doubled(_ghosts(low, below))[:n, :m]
        return h + _block(self.leave, h, free)


def as_module(network: Callable) -> Any:
    """The network as a pytree: a bare function is wrapped, a module stays."""
    plain = callable(network) and not isinstance(network, eqx.Module)
    return jax.tree_util.Partial(network) if plain else network


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
    A: GridLaplacian,
    *,
    steps: int,
    batch: int = 16,
    vectors: int = 200,
    rate: float = 3e-3,
    seed: int = 0,
) -> tuple[GridNetwork, np.ndarray]:
    """Weights for A, in its dtype, and the loss at every step.

    Each batch is drawn anew: mixtures of Ritz vectors with normal coefficients, nine
    times larger for the lower half of the spectrum and a twentieth more; normalised.
    """
    basis = jnp.asarray(ritz_vectors(A, vectors, seed))
    kind = basis.dtype
    low = jnp.where(jnp.arange(vectors) < 0.55 * vectors, 9, 1).astype(kind)
    schedule = optax.cosine_decay_schedule(rate, steps)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))

    @jax.jit
    def step(network, memory, key):
        c = low * jax.random.normal(key, (batch, vectors), kind)
        r = jnp.tensordot(c, basis, 1, precision=tree.PRECISION)
        r = r / jnp.sqrt(jnp.sum(r * r, axis=(1, 2), keepdims=True))
        value, slope = jax.value_and_grad(loss)(network, A, r)
        moved, memory = optimiser.update(slope, memory)
        network = tree.cast(optax.apply_updates(network, moved), kind)
        return network, tree.cast(memory, kind), value

    first, draws = jax.random.split(jax.random.key(seed))
    network, losses = fresh(first, kind), []
    memory = tree.cast(optimiser.init(network), kind)
    # No scan: on a CPU convolutions inside a loop are several times slower.
    for key in jax.random.split(draws, steps):
        network, memory, value = step(network, memory, key)
        losses.append(value)
    return network, np.asarray(losses)


def train_default(
    size: int = 32, steps: int = 300, seed: int = 0
) -> tuple[GridNetwork, np.ndarray]:
    """The shipped weights, trained again, and the loss at every step.

    On the square of this side without obstacles, in single precision, which is
    enough for a direction and half the work.
    """
    A = tree.cast(poisson_grid(np.zeros((size, size), bool)), np.single)
    return train(A, steps=steps, seed=seed)


@functools.cache
def trained() -> GridNetwork:
    """The shipped weights, NumPy arrays in single precision.

    `python -m banach.methods.linear._direction_network` trains and writes them:
    10 kB, the leaves one after another.
    """
    shape = jax.eval_shape(lambda: fresh(jax.random.key(0), np.single))
    leaves, structure = jax.tree.flatten(shape)
    ends = np.cumsum([v.size for v in leaves])
    parts = np.split(np.load(WEIGHTS), ends[:-1])
    rows = zip(parts, leaves, strict=True)
    return jax.tree.unflatten(structure, [p.reshape(v.shape) for p, v in rows])


def _block(weights: Array, h: Array, free: Array) -> Array:
    """Two convolutions with a ReLU between them, zero on obstacles."""
    inner = jax.nn.relu(_convolve(weights[0], _ghosts(h, free))) * free
    return _convolve(weights[1], _ghosts(inner, free)) * free


def _ghosts(h: Float[Array, "n m c"], free: Float[Array, "n m 1"]) -> Array:
    """h with the mean of its free neighbours in obstacles: no flux through walls."""
    around, count = _sums(h * free), _sums(free)
    return jnp.where(free > 0, h, around / jnp.maximum(count, 1))


def _sums(h: Float[Array, "n m c"]) -> Array:
    """Sums over 3 x 3 cells, zeros around."""
    wide = jnp.pad(h, ((1, 1), (1, 1), (0, 0)))
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]


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
    """Bilinear interpolation to half the spacing, zeros around."""
    for axis in (0, 1):
        pad = [(0, 0)] * 3
        pad[axis] = (1, 1)
        wide = jnp.pad(h, pad)
        n = h.shape[axis]
        before = jax.lax.slice_in_dim(wide, 0, n, axis=axis)
        after = jax.lax.slice_in_dim(wide, 2, n + 2, axis=axis)
        pair = jnp.stack([3 * h + before, 3 * h + after], axis=axis + 1) / 4
        shape = list(h.shape)
        shape[axis] = 2 * n
        h = pair.reshape(shape)
    return h


def main() -> None:
    """Train the shipped weights and write them."""
    network, losses = train_default()
    np.save(WEIGHTS, np.concatenate([np.ravel(w) for w in jax.tree.leaves(network)]))
    print(f"loss {losses[0]:.3f} to {np.mean(losses[-20:]):.4f}, wrote {WEIGHTS.name}")


if __name__ == "__main__":
    main()

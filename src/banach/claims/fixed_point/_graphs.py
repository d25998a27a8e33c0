"""Generated graphs with their stationary states, and the baselines of the claim."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from banach.parts.graph_network import (
    Layers,
    Messages,
    layers,
    messages,
    pairs,
    row_stochastic,
)


class Graphs(NamedTuple):
    """A batch: features (g, n, p), edges (g, n, n, r), adjacency, targets (g, n)."""

    features: np.ndarray
    edges: np.ndarray
    adjacency: np.ndarray
    targets: np.ndarray


def random_graphs(rng: Any, count: int, nodes: int) -> np.ndarray:
    """Symmetric adjacency of mean degree about 4, connected by a ring."""
    upper = rng.random((count, nodes, nodes)) < 2.0 / (nodes - 1)
    A = np.triu(upper, 1)
    ring = np.arange(nodes)
    A[:, ring[:-1], ring[1:]] = True
    A[:, 0, -1] = True
    return A | A.transpose(0, 2, 1)


def pagerank(rng: Any, count: int, nodes: int) -> Graphs:
    """Personalised PageRank with damping 0.85, in units of the uniform value.

    Teleportation follows random positive masses (the node feature, with the degree);
    edges carry nothing but their presence.
    """
    A = random_graphs(rng, count, nodes)
    degree = A.sum(-1)
    mass = rng.uniform(0.2, 1.8, (count, nodes))
    mass /= mass.mean(-1, keepdims=True)
    walk = A / degree[:, :, None]
    system = np.eye(nodes) - 0.85 * walk.transpose(0, 2, 1)
    targets = np.linalg.solve(system, 0.15 * mass[..., None])[..., 0]
    features = np.stack([mass, degree / 4], -1)
    return Graphs(features, A[..., None].astype(float), A, targets)


def digits_pagerank(n: int, q: float) -> tuple[np.ndarray, np.ndarray]:
    """(M, b) of x = M x + b, PageRank with damping q among n handwritten digits.

    Each points to its ten nearest neighbours, so that M = q P' is not symmetric.
    """
    from banach.zoo import datasets

    A = datasets.digits().A[:n]
    square = ((A[:, None] - A[None]) ** 2).sum(-1)
    np.fill_diagonal(square, np.inf)
    P = np.zeros((n, n))
    np.put_along_axis(P, np.argsort(square, axis=1)[:, :10], 0.1, axis=1)
    return q * P.T, np.full(n, (1 - q) / n)


def diodes(rng: Any, count: int, nodes: int) -> Graphs:
    """Voltages of a network of antiparallel diodes: sinh currents, leaks, sources.

    leak_i v_i + sum_j g_ij sinh(v_i - v_j) = s_i, by Newton. Node features are leak
    and source, the edge feature is the conductance.
    """
    A = random_graphs(rng, count, nodes)
    g = np.triu(rng.uniform(0.2, 1.0, A.shape), 1)
    g = (g + g.transpose(0, 2, 1)) * A
    leak = rng.uniform(0.3, 0.8, (count, nodes))
    source = rng.uniform(0.1, 2.0, (count, nodes))
    v = np.ones((count, nodes))
    for _ in range(100):
        gap = v[:, :, None] - v[:, None, :]
        F = leak * v + (g * np.sinh(gap)).sum(-1) - source
        slope = g * np.cosh(gap)
        J = -slope
        i = np.arange(nodes)
        J[:, i, i] = leak + slope.sum(-1)
        v = v - np.clip(np.linalg.solve(J, F[..., None])[..., 0], -0.5, 0.5)
    assert np.abs(F).max() < 1e-10
    return Graphs(np.stack([leak, source], -1), g[..., None], A, v)


class FiveLayers(eqx.Module):
    """Five rounds of messages, each with its own weights."""

    rounds: tuple[Messages, ...]
    decode: Layers

    def __call__(self, features, edges, adjacency):
        h = features
        for one in self.rounds:
            h = one(h, edges, adjacency)
        return self.decode(jnp.concatenate([h, features], -1))


class Equilibrium(eqx.Module):
    """A deep-equilibrium layer: a nonlinear map iterated, nothing makes it contract.

    H+ = tanh(update(H, A H) + B) with A and B from the same kind of network as the
    graph solver's; differentiated through its 30 iterations.
    """

    listen: Messages
    edge: Layers
    node: Layers
    update: Layers
    decode: Layers

    def __call__(self, features, edges, adjacency):
        heard = self.listen(features, edges, adjacency)
        state = jnp.concatenate([heard, features], -1)
        bias = self.node(state)
        scores = jnp.moveaxis(self.edge(pairs(state, edges)), -1, 0)
        A = row_stochastic(scores, adjacency)[0]

        def once(h, _):
            both = jnp.concatenate([h, A @ h], -1)
            return jnp.tanh(self.update(both) + bias), None

        h, _ = jax.lax.scan(once, jnp.zeros_like(bias), None, length=30)
        return self.decode(jnp.concatenate([h, features], -1))


def five_layers(key: Array, p: int, r: int, width: int) -> FiveLayers:
    """An untrained graph network of five layers."""
    keys = jax.random.split(key, 6)
    sizes = (p, *[width] * 4)
    rounds = tuple(
        messages(k, size, r, width) for k, size in zip(keys[:5], sizes, strict=True)
    )
    return FiveLayers(rounds, layers(keys[5], (width + p, 10, 1)))


def equilibrium(key: Array, p: int, r: int, width: int) -> Equilibrium:
    """An untrained deep-equilibrium graph network."""
    keys = jax.random.split(key, 5)
    return Equilibrium(
        messages(keys[0], p, r, 6),
        layers(keys[1], (2 * (6 + p) + r, 10, 1)),
        layers(keys[2], (6 + p, 10, width)),
        layers(keys[3], (2 * width, width)),
        layers(keys[4], (width + p, 10, 1)),
    )


def parameters(build: Any) -> int:
    """Number of trained entries of the model that `build()` would make."""
    leaves = jax.tree.leaves(eqx.filter_eval_shape(build))
    return sum(v.size for v in leaves if jnp.issubdtype(v.dtype, jnp.inexact))

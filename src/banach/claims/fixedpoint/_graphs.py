"""Generated graphs with their stationary states, and the baselines of the claim."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from banach.parts.graph_solver import Layers, layers, row_stochastic


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


class MessagePassing(eqx.Module):
    """Five rounds of attention-weighted messages, each with its own weights."""

    lift: Layers
    edge: tuple[Layers, ...]
    update: tuple[Layers, ...]
    decode: Layers

    def __call__(self, features, edges, adjacency):
        h = jnp.tanh(self.lift(features))
        for edge, update in zip(self.edge, self.update, strict=True):
            A = _attention(edge, h, edges, adjacency)
            h = jnp.tanh(update(jnp.concatenate([h, A @ h, features], -1)))
        return self.decode(jnp.concatenate([h, features], -1))


class Equilibrium(eqx.Module):
    """A deep-equilibrium layer: one nonlinear round iterated, nothing contracts it.

    Differentiated through its iteration; a solver of its own would only make it
    slower to train.
    """

    lift: Layers
    edge: Layers
    update: Layers
    decode: Layers

    def __call__(self, features, edges, adjacency):
        bias = self.lift(features)
        A = _attention(self.edge, features, edges, adjacency)

        def round(h, _):
            both = jnp.concatenate([h, A @ h], -1)
            return jnp.tanh(self.update(both) + bias), None

        h, _ = jax.lax.scan(round, jnp.zeros_like(bias), None, length=30)
        return self.decode(jnp.concatenate([h, features], -1))


def message_passing(key: Array, p: int, r: int, width: int) -> MessagePassing:
    """An untrained five-layer graph network."""
    keys = jax.random.split(key, 12)
    return MessagePassing(
        layers(keys[0], (p, width)),
        tuple(layers(k, (2 * width + r, 1)) for k in keys[1:6]),
        tuple(layers(k, (2 * width + p, width)) for k in keys[6:11]),
        layers(keys[11], (width + p, 16, 1)),
    )


def equilibrium(key: Array, p: int, r: int, width: int) -> Equilibrium:
    """An untrained deep-equilibrium graph network."""
    keys = jax.random.split(key, 4)
    return Equilibrium(
        layers(keys[0], (p, 16, width)),
        layers(keys[1], (2 * p + r, 16, 1)),
        layers(keys[2], (2 * width, width)),
        layers(keys[3], (width + p, 16, 1)),
    )


def _attention(edge, h, edges, adjacency):
    n = h.shape[0]
    here = jnp.broadcast_to(h[:, None], (n, n, h.shape[1]))
    pairs = jnp.concatenate([here, here.transpose(1, 0, 2), edges], -1)
    return row_stochastic(jnp.moveaxis(edge(pairs), -1, 0), adjacency)[0]


def parameters(model: Any) -> int:
    """Number of trained entries."""
    return sum(v.size for v in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))

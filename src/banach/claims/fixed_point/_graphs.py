"""Generated graphs with their stationary states, baselines, and how all are trained."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from banach.parts.graph_network import (
    Layers,
    Messages,
    graph_solver,
    layers,
    messages,
    pairs,
    row_stochastic,
)

STEPS, BATCH, RATE = 400, 25, 1e-2


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


def decisions(rng: Any, count: int, nodes: int, actions: int) -> Graphs:
    """Values of deterministic decision processes, as in the authors' script.

    Every node may go to `actions` others drawn with repetition, for a reward in
    [-1, 1] on the edge; the target is a tenth of v_i = max over j of r_ij + 0.9 v_j,
    a reward a step. A node has no features but 1.
    """
    A = np.zeros((count, nodes, nodes), bool)
    r = np.full(A.shape, -1.0)
    for g in range(count):
        for i in range(nodes):
            others = np.delete(np.arange(nodes), i)
            for j in rng.choice(others, actions):
                A[g, i, j] = True
                r[g, i, j] = max(r[g, i, j], rng.uniform(-1, 1))
    v = np.zeros((count, nodes))
    for _ in range(400):
        v = np.max(np.where(A, r + 0.9 * v[:, None], -np.inf), axis=-1)
    return Graphs(np.ones((count, nodes, 1)), np.where(A, r, 0)[..., None], A, 0.1 * v)


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


def models(graphs: Graphs) -> dict[str, Any]:
    """The graph solver, and baselines with as many parameters within a tenth."""
    p, r = graphs.features.shape[-1], graphs.edges.shape[-1]
    key = jax.random.key(1)
    found = {"graph solver": graph_solver(key, p, r, gamma=0.9)}
    size = parameters(lambda: found["graph solver"])
    for kind, build in (
        ("five layers", five_layers),
        ("deep equilibrium", equilibrium),
    ):
        sizes = {w: parameters(partial(build, key, p, r, w)) for w in range(3, 40)}
        width = min(sizes, key=lambda w: abs(sizes[w] - size))
        found[kind] = build(key, p, r, width)
    return found


def trained(model: Any, graphs: Graphs) -> Callable[[Graphs], float]:
    """Train by Adam on the relative squared error; the mean absolute one, as function.

    In float32, all models alike: steps, batches and the decay of the rate.
    """
    model = jax.tree.map(_single, model)
    params, static = eqx.partition(model, eqx.is_inexact_array)
    if hasattr(model, "gamma"):  # is none of the weights
        params = eqx.tree_at(lambda m: m.gamma, params, None)
        static = eqx.tree_at(
            lambda m: m.gamma, static, model.gamma, is_leaf=lambda v: v is None
        )

    def relative(params, features, edges, adjacency, targets):
        said = jax.vmap(eqx.combine(params, static))(features, edges, adjacency)
        return (said[..., 0] - targets) / targets

    adam = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))

    @jax.jit
    def train(params, data):
        def one(carry, key):
            params, state = carry
            at = jax.random.choice(key, len(data[0]), (BATCH,), replace=False)
            batch = [v[at] for v in data]
            g = jax.grad(lambda p: jnp.mean(relative(p, *batch) ** 2))(params)
            change, state = adam.update(g, state)
            return (optax.apply_updates(params, change), state), None

        keys = jax.random.split(jax.random.key(7), STEPS)
        return jax.lax.scan(one, (params, adam.init(params)), keys)[0][0]

    weights = train(params, [jnp.asarray(_single(v)) for v in graphs])
    error = jax.jit(lambda p, *graphs: jnp.mean(abs(relative(p, *graphs))))
    return lambda graphs: float(error(weights, *map(_single, graphs)))


def _single(v: Any) -> Any:
    return v.astype(np.float32) if np.issubdtype(v.dtype, np.floating) else v

"""A graph network whose hidden state is the fixed point of contractions it builds."""

import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Key

from banach.core import compat, validation
from banach.core.door import door
from banach.core.problem import Misuse
from banach.core.validated_fields import count, hyper


class Layers(eqx.Module):
    """A small dense network with tanh between its layers."""

    weights: tuple[Float[Array, "a b"], ...]
    shifts: tuple[Float[Array, " b"], ...]

    def __call__(self, x: Float[Array, "*batch a"]) -> Array:
        """Apply to the last axis."""
        for i, (W, b) in enumerate(zip(self.weights, self.shifts, strict=True)):
            x = x @ W + b
            if i + 1 < len(self.weights):
                x = jnp.tanh(x)
        return x


def layers(key: Key, sizes: tuple[int, ...], dtype: DTypeLike = float) -> Layers:
    """Random weights of variance 1 / fan-in, zero shifts."""
    keys = jax.random.split(key, len(sizes) - 1)
    shapes = list(itertools.pairwise(sizes))
    weights = tuple(
        jax.random.normal(k, (a, b), dtype) / math.sqrt(a)
        for k, (a, b) in zip(keys, shapes, strict=True)
    )
    return Layers(weights, tuple(jnp.zeros(b, dtype) for _, b in shapes))


class Messages(eqx.Module):
    """One round of messages: tanh(update(h_i, sum over j of tanh(message(...))))."""

    message: Layers
    update: Layers

    def __call__(
        self,
        h: Float[Array, "n k"],
        edges: Float[Array, "n n r"],
        adjacency: Bool[Array, "n n"],
    ) -> Float[Array, "n m"]:
        """The new state of every node."""
        sent = jnp.tanh(self.message(pairs(h, edges)))
        heard = jnp.sum(jnp.where(adjacency[..., None], sent, 0), 1)
        return jnp.tanh(self.update(jnp.concatenate([h, heard], -1)))


def messages(key: Key, k: int, r: int, m: int, dtype: DTypeLike = float) -> Messages:
    """An untrained round from states of size k to size m."""
    one, two = jax.random.split(key)
    return Messages(layers(one, (2 * k + r, m), dtype), layers(two, (k + m, m), dtype))


class GraphSolver(eqx.Module):
    """Features of a graph -> contractions -> their fixed points -> an answer a node.

    With node features F (n, p), edge features E (n, n, r) and adjacency[i, j] true
    where i listens to j: one round of messages makes a state a node, from which

        N = (listen(F, E), F)
        scores = edge(N_i, N_j, E_ij),  A_h = softmax over the neighbours j of i
        B_h    = node(N),               H_h = (I - gamma A_h)^-1 B_h
        answer = decode(H_1, ..., H_heads, F)

    gamma in (0, 1) makes H = gamma A_h H + B_h contract whatever the weights are, so
    the fixed point exists, is one, and depends smoothly on them: with U = (I - gamma
    A_h')^-1 dL/dH the gradients are dL/dB = U and dL/dA = gamma U H', which is what
    differentiating the linear solve gives. `maps` returns (scores, B), the data of
    a `GraphFixedPoint`, for large graphs or a certified answer.

    Source: Park, Choo and Park, Convergent Graph Solvers (2022); sizes and
    activations are ours.

    Args:
        listen, edge, node, decode: the networks of the formulas above.
        gamma: in (0, 1).
        heads: how many maps, at least 1.

    Example:
        >>> graph = bn.graph_solver(jax.random.key(0), features=2, edge_features=1)
        >>> near = ~np.eye(3, dtype=bool)
        >>> jax.eval_shape(graph, np.ones((3, 2)), np.ones((3, 3, 1)), near).shape
        (3, 1)
    """

    listen: Messages
    edge: Layers
    node: Layers
    decode: Layers
    gamma: Any = hyper("GraphSolver gamma", "positive", scalar=True)
    heads: int = count("GraphSolver heads")

    def __check_init__(self):
        _contracts(self.gamma)
        for name in ("listen", "edge", "node", "decode"):
            if not callable(part := getattr(self, name)):
                raise Misuse(
                    f"GraphSolver {name} must be a network, "
                    f"got {validation.shown(part)}; "
                    "bn.graph_solver(key, features, edge_features) makes all of them"
                )

    def maps(
        self,
        features: Float[Array, "n p"],
        edges: Float[Array, "n n r"],
        adjacency: Bool[Array, "n n"],
    ) -> tuple[Float[Array, "heads n n"], Float[Array, "heads n width"]]:
        """Scores of all pairs, and the biases."""
        heard = self.listen(features, edges, adjacency)
        state = jnp.concatenate([heard, features], -1)
        scores = jnp.moveaxis(self.edge(pairs(state, edges)), -1, 0)
        bias = self.node(state).reshape(features.shape[0], self.heads, -1)
        return scores, bias.transpose(1, 0, 2)

    def fixed_points(
        self,
        features: Float[Array, "n p"],
        edges: Float[Array, "n n r"],
        adjacency: Bool[Array, "n n"],
    ) -> Float[Array, "heads n width"]:
        """H of every head, by a direct solve."""
        scores, bias = self.maps(features, edges, adjacency)
        A = row_stochastic(scores, adjacency)
        system = jnp.eye(A.shape[-1], dtype=A.dtype) - self.gamma * A
        return jnp.linalg.solve(system, bias)

    def answer(
        self, H: Float[Array, "heads n width"], features: Float[Array, "n p"]
    ) -> Float[Array, "n out"]:
        """Decode fixed points, however they were found."""
        together = jnp.moveaxis(H, 0, 1).reshape(features.shape[0], -1)
        return self.decode(jnp.concatenate([together, features], -1))

    def __call__(
        self,
        features: Float[Array, "n p"],
        edges: Float[Array, "n n r"],
        adjacency: Bool[Array, "n n"],
    ) -> Float[Array, "n out"]:
        """The answer at every node."""
        return self.answer(self.fixed_points(features, edges, adjacency), features)


@door
def graph_solver(
    key: Key,
    features: int,
    edge_features: int,
    *,
    heads: int = 4,
    width: int = 4,
    state: int = 6,
    hidden: int = 10,
    out: int = 1,
    gamma: float = 0.9,
    dtype: DTypeLike = float,
) -> GraphSolver:
    """An untrained GraphSolver for graphs with so many features.

    Args:
        key: a JAX key, of the weights.
        features: p, of a node.
        edge_features: r, of an edge.
        heads: how many maps are solved.
        width: of each map, a node.
        state: what the messages make, a node.
        hidden: units of the hidden layers.
        out: numbers that are answered, a node.
        gamma: in (0, 1).
        dtype: of all weights, floating.

    Raises:
        Misuse: sizes below 1, gamma outside (0, 1), a dtype that is not floating.

    Source: Park, Choo and Park, Convergent Graph Solvers (2022).

    Example:
        >>> graph = bn.graph_solver(
        ...     jax.random.key(0), features=2, edge_features=1, heads=2
        ... )
        >>> graph.heads
        2
    """
    validation.key(key)
    features = validation.integer(features, "features", low=1)
    edge_features = validation.integer(edge_features, "edge_features", low=0)
    heads = validation.integer(heads, "heads", low=1)
    width = validation.integer(width, "width", low=1)
    state = validation.integer(state, "state", low=1)
    hidden = validation.integer(hidden, "hidden", low=1)
    out = validation.integer(out, "out", low=1)
    _contracts(validation.number(gamma, "gamma", low="positive"))
    dtype = _floating(dtype)
    keys = jax.random.split(key, 4)
    p, r = features, edge_features
    return GraphSolver(
        listen=messages(keys[0], p, r, state, dtype),
        edge=layers(keys[1], (2 * (state + p) + r, hidden, heads), dtype),
        node=layers(keys[2], (state + p, hidden, heads * width), dtype),
        decode=layers(keys[3], (heads * width + p, hidden, out), dtype),
        gamma=jnp.asarray(gamma, dtype),
        heads=heads,
    )


def _contracts(gamma: Any) -> None:
    if not compat.is_tracer(gamma) and not float(gamma) < 1:
        raise Misuse(f"gamma must be between 0 and 1 to contract, got {float(gamma):g}")


def _floating(dtype: Any) -> Any:
    try:
        good = dtype is not None and jnp.issubdtype(np.dtype(dtype), jnp.floating)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise Misuse(
            f"dtype must be a floating dtype, got {validation.shown(dtype)}; e.g. float"
        )
    return dtype


def pairs(h: Float[Array, "n k"], edges: Float[Array, "n n r"]) -> Array:
    """(h_i, h_j, E_ij) for all pairs, (n, n, 2 k + r)."""
    n, k = h.shape
    here = jnp.broadcast_to(h[:, None], (n, n, k))
    return jnp.concatenate([here, here.transpose(1, 0, 2), edges], -1)


def row_stochastic(
    scores: Float[Array, "heads n n"], adjacency: Bool[Array, "n n"]
) -> Float[Array, "heads n n"]:
    """Softmax of the scores over each node's neighbours; zero without any."""
    low = jnp.where(adjacency, scores, -jnp.inf)
    top = jax.lax.stop_gradient(jnp.max(low, -1, keepdims=True))
    top = jnp.where(jnp.isfinite(top), top, 0)
    grown = jnp.where(adjacency, jnp.exp(jnp.where(adjacency, scores, top) - top), 0)
    total = jnp.sum(grown, -1, keepdims=True)
    return grown / jnp.where(total > 0, total, 1)

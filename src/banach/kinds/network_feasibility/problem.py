"""Networks as feasibility: weights that give every training example its margin."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from banach.core import compat, tree, validation
from banach.core.annotations import Column, Matrix, Real
from banach.core.facts import Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem, in_own_precision
from banach.kinds import inputs
from banach.kinds.bases import structs
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.network_feasibility import projections

Scalar = Float[Array, ""]
Layers = tuple[Array, ...]


class Copies(eqx.Module):
    """What every edge of the network's graph holds, for each of m examples.

    `rows` (m, units, d) are copies of the weights, `outputs` (m, units) of what a layer
    puts out, and `inputs` (m, units, d - 1) of what it reads, without the first layer,
    which reads data.
    """

    rows: Layers
    outputs: Layers
    inputs: Layers


@kind(
    name="NetworkFeasibility",
    oracles="value copies project_operations project_agreement",
    checks="margin_shortfall",
    prefers={"": "projection_training"},
    term="the operations of the network",
    cures={
        "copies project_operations project_agreement": """State the network as \
bn.NetworkFeasibility(X, y, weights)"""
    },
    zoo="feasibility",
)
class NetworkFeasibility(Problem):
    """Find W with z_y(x_i; W) >= z_k(x_i; W) + margin for every i and k other than y_i.

    z = W_L [a_{L-1}, 1],  a_l = activation(W_l [a_{l-1}, 1]),  a_0 = x_i

    Each operation of the network is a set. `project_operations` is the projection on
    z = w.a + b, one set for each unit and example, on copies of its own;
    `project_agreement` is that on all else: copies of one weight agree, copies of one
    activation do and are that of the output below, and outputs have their margin.
    Nothing is differentiated: `activation` is "relu" or "step", 1 where z >= 0 and else
    0, whose hidden outputs are then kept out of (-margin, margin) by the projection.

    The objective is the mean shortfall of the margins, in units of z; the check judges
    the largest one by a forward evaluation.

    Args:
        X: (n, d), the inputs.
        y: (n,), whole labels 0 .. K - 1.
        weights: the start: one (units, inputs + 1) array a layer, biases last.
        activation: "relu" or "step", between layers.
        margin: > 0.

    Raises:
        Misuse: shapes that do not follow each other, other labels, a margin that is
            not positive.

    Example:
        >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0])
        >>> W = (np.array([[1.0, -0.5], [1.0, -1.5]]), np.zeros((2, 3)))
        >>> net = bn.solve(bn.NetworkFeasibility(X, y, W))
        >>> net.certified, net.problem.predict(net.x, X)
        (True, array([0, 1, 0]))
    """

    X: Any
    y: Any
    weights: Layers
    margin: Any
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        X: Matrix,
        y: Column,
        weights: PyTree,
        activation: str = "relu",
        margin: Real = 1.0,
    ):
        rows = glm_inputs.dense(X, "X")
        if not isinstance(weights, list | tuple):
            raise Misuse(
                "weights must be a tuple, one (units, inputs + 1) array a layer, got "
                f"{validation.shown(weights)}; pass (W,) for one layer"
            )
        read = inputs.variable(tuple(weights), "weights")
        dtype = glm_inputs.common_dtype(rows, *read)
        self.X = inputs.narrowed(rows, dtype, "X")
        self.weights = tuple(inputs.narrowed(W, dtype, "weights") for W in read)
        self.margin = inputs.narrowed(
            validation.number(margin, "margin", low="positive"), dtype, "margin"
        )
        self.activation = validation.choice(activation, "activation", ("relu", "step"))
        _follow(rows.shape[1], self.weights)
        self.y = _labels(y, rows.shape[0], self.weights[-1].shape[0])

    def restated(self) -> "NetworkFeasibility":
        """Through the constructor."""
        return self.through_constructor()

    @property
    def n(self) -> int:
        """Number of training examples."""
        return self.X.shape[0]

    def essential(self) -> frozenset[str]:
        """What knows of the operations."""
        return frozenset({"project_operations"})

    def prices(self) -> Mapping[str, float]:
        """A projection visits all weights once for each example, as a value does."""
        return {"copies": 1.0, "project_operations": 4.0, "project_agreement": 1.0}

    def space(self) -> PyTree:
        """Structure of the weights."""
        return structs(self.weights)

    def start(self) -> Point:
        """The weights as given."""
        return Point(self.weights)

    def facts(self) -> Facts:
        """Nothing is known."""
        return Facts({})

    def outputs(self, x: Layers, inputs_: Array) -> Float[Array, "m K"]:
        """z of rows of inputs."""
        return self._layers(x, jnp.asarray(inputs_))[-1]

    @in_own_precision
    def shortfalls(self, x: Layers) -> Float[Array, "n K"]:
        """(margin - z_y + z_k)_+ for every example and class; 0 at k = y."""
        z = self.outputs(x, self._X(x))
        own = jnp.arange(z.shape[1]) == jnp.asarray(self.y)[:, None]
        mine = jnp.sum(jnp.where(own, z, 0), axis=1, keepdims=True)
        short = jnp.maximum(jnp.asarray(self.margin, z.dtype) - (mine - z), 0)
        return jnp.where(own, 0, short)

    def value(self, x: Layers) -> Scalar:
        """The mean over the examples of their largest shortfall."""
        return jnp.mean(jnp.max(self.shortfalls(x), axis=1))

    def objective(self, x: Layers) -> Scalar:
        """The mean shortfall; 0 exactly where x is feasible."""
        return self.value(x)

    def copies(self, x: Layers, rows: Int[Array, " m"]) -> Copies:
        """Of a forward evaluation of these examples: all but margins are met."""
        data = self._X(x)[rows]
        outputs = self._layers(x, data)
        weights = [jnp.broadcast_to(W, (len(rows), *W.shape)) for W in x]
        read = [
            jnp.broadcast_to(self._act(z)[:, None], (len(rows), len(W), z.shape[1]))
            for z, W in zip(outputs[:-1], x[1:], strict=True)
        ]
        return Copies(tuple(weights), outputs, tuple(read))

    def project_operations(self, at: Copies, rows: Int[Array, " m"]) -> Copies:
        """The nearest copies with z = w.a + b, each unit and example by itself."""
        data = _with_one(self._X(at.outputs)[rows])
        first = projections.onto_affine(at.rows[0], at.outputs[0], data)
        W, z = [first[0]], [first[1]]
        a: list[Array] = []
        for r, out, read in zip(at.rows[1:], at.outputs[1:], at.inputs, strict=True):
            found = projections.onto_product(r, read, out)
            W, a, z = [*W, found[0]], [*a, found[1]], [*z, found[2]]
        return Copies(tuple(W), tuple(z), tuple(a))

    def project_agreement(self, at: Copies, rows: Int[Array, " m"]) -> Copies:
        """The nearest copies that agree, are activations, and have their margins."""
        margin = jnp.asarray(self.margin, at.outputs[-1].dtype)
        W = [jnp.broadcast_to(jnp.mean(r, axis=0), r.shape) for r in at.rows]
        z: list[Array] = []
        a: list[Array] = []
        for out, read in zip(at.outputs[:-1], at.inputs, strict=True):
            mean, units = jnp.mean(read, axis=1), read.shape[1]
            if self.activation == "relu":
                near = projections.onto_relu(out, mean, units)
            else:
                near = projections.onto_step(out, mean, units, margin)
            z, a = [*z, near[0]], [*a, jnp.broadcast_to(near[1][:, None], read.shape)]
        labels = jnp.asarray(self.y)[rows]
        z = [*z, projections.onto_margin(at.outputs[-1], labels, margin)]
        return Copies(tuple(W), tuple(z), tuple(a))

    def predict(self, x: Layers, new: Any, *, offset: Any = None) -> np.ndarray:
        """The labels of new rows: the largest output."""
        if offset is not None:
            raise Misuse("a network has no offset; drop offset=")
        rows = glm_inputs.dense(new, "new")
        if rows.shape[1] != self.X.shape[1]:
            raise Misuse(
                f"new has {rows.shape[1]} columns and X {self.X.shape[1]}; give rows "
                "like those of X"
            )
        with compat.double():
            return np.argmax(np.asarray(self.outputs(x, rows)), axis=1)

    def optimality(self, point: Point) -> Point:
        """The gradient of half the sum of squares of all shortfalls.

        Zero where x is feasible, and so is its derivative: no solution is isolated.
        """

        def half(x):
            short = self.shortfalls(x)
            return tree.vdot(short, short) / 2

        return Point(jax.grad(half)(jax.tree.map(jnp.asarray, point.x)))

    def formula(self) -> str:
        """The inequalities as text."""
        widths = "-".join(str(v) for v in [self.X.shape[1], *map(len, self.weights)])
        return (
            f"z_y(x_i; W) >= z_k(x_i; W) + margin, {widths} {self.activation} network, "
            f"{self.n} examples"
        )

    def _layers(self, x: Layers, a: Array) -> Layers:
        out: list[Array] = []
        for W in x:
            a = _with_one(self._act(out[-1]) if out else a)
            out = [*out, jnp.matmul(a, jnp.asarray(W).T, precision=tree.PRECISION)]
        return tuple(out)

    def _act(self, z: Array) -> Array:
        relu = self.activation == "relu"
        return jnp.maximum(z, 0) if relu else jnp.where(z >= 0, 1, jnp.zeros_like(z))

    def _X(self, like: PyTree) -> Array:
        return jnp.asarray(self.X, tree.dtype(like))


def _with_one(a: Array) -> Array:
    return jnp.concatenate([a, jnp.ones_like(a[..., :1])], axis=-1)


def _follow(d: int, weights: Layers) -> None:
    """Each layer reads what the one before puts out."""
    for i, W in enumerate(weights):
        if W.ndim != 2 or W.shape[1] != d + 1:
            raise Misuse(
                f"weights[{i}] must be (units, {d + 1}), a column for each of {d} "
                f"inputs and one of biases, got shape {W.shape}"
            )
        d = W.shape[0]
    if not weights or d < 2:
        raise Misuse("weights must end in a layer of at least two units, one a class")


def _labels(y: Any, n: int, classes: int) -> Any:
    read = glm_inputs.vector(y, "y", n)
    if glm_inputs.known(read):
        a = np.asarray(read)
        if not np.isin(a, np.arange(classes)).all():
            raise Misuse(
                f"y must hold whole labels 0 .. {classes - 1}, one a unit of the last "
                "layer; recode with np.unique(y, return_inverse=True)[1]"
            )
    return read.astype(np.int32)

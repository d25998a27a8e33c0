"""Graph maps that contract by construction: averages over neighbours, plus a bias."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.facts import CONSTRUCTION, Fact, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.view import Way
from banach.kinds import inputs
from banach.kinds.fixed_point.problem import contraction_factor

Heads = Float[Array, "heads nodes width"]


@kind(
    name="GraphFixedPoint",
    oracles="map linear_part",
    checks="contraction",
    views="inclusion_of_map root_of_map",
    prefers={"": "convergent_graph_solver anderson picard"},
    zoo="fixed_point",
)
class GraphFixedPoint(Problem):
    """Find H with H = gamma A H + B, head by head, on a directed graph.

    scores (heads, edges) become the weights of each node's incoming edges by a
    softmax: A_h is row-stochastic (a node without incoming edges averages nothing),
    so that T contracts with q = gamma in the maximum norm over all entries, by
    construction. B = bias (heads, nodes, width); senders and receivers (edges,) are
    node numbers. The reference is H = 0, where ||H - H*|| is bounded by
    max |B| / (1 - gamma).

    Source: the linear maps of Park, Choo and Park, Convergent Graph Solvers (2022).

    Args:
        scores: (heads, edges).
        bias: (heads, nodes, width).
        senders, receivers: (edges,), numbers of nodes.
        gamma: in (0, 1).

    Raises:
        Misuse: shapes or numbers of nodes that do not fit, gamma outside (0, 1).

    Example:
        >>> ring = bn.GraphFixedPoint(
        ...     np.zeros((1, 2)), np.ones((1, 2, 1)), [0, 1], [1, 0], gamma=0.5
        ... )
        >>> bn.solve(ring).x.ravel().round(4)
        array([2., 2.])
    """

    norm: ClassVar[str] = "inf"
    weights: ClassVar[None] = None

    scores: Float[Array, "heads edges"]
    bias: Heads
    senders: Int[Array, " edges"]
    receivers: Int[Array, " edges"]
    gamma: Any

    def __init__(
        self,
        scores: ArrayLike,
        bias: ArrayLike,
        senders: ArrayLike,
        receivers: ArrayLike,
        gamma: Real = 0.5,
    ):
        bias = inputs.variable(bias, "bias")
        scores = inputs.variable(scores, "scores")
        (self.scores, self.bias), _ = inputs.canonical((scores, bias), ())
        self.senders = _nodes(senders, "senders")
        self.receivers = _nodes(receivers, "receivers")
        q = contraction_factor(gamma, "gamma")
        if q is None:
            raise Misuse("gamma must be a number in (0, 1), got None; e.g. 0.5")
        self.gamma = q
        _fit(self.scores, self.bias, self.senders, self.receivers)

    def restated(self) -> "GraphFixedPoint":
        """Through the constructor."""
        return self.through_constructor()

    @classmethod
    def from_adjacency(
        cls,
        scores: Float[Array, "heads nodes nodes"],
        bias: Heads,
        adjacency: Bool[np.ndarray, "nodes nodes"],
        gamma: Any = 0.5,
    ) -> "GraphFixedPoint":
        """From dense scores; adjacency[i, j] says that node i listens to node j."""
        scores = inputs.variable(scores, "scores")
        adjacency = _relation(adjacency, np.shape(scores))
        receivers, senders = np.nonzero(adjacency)
        return cls(scores[:, receivers, senders], bias, senders, receivers, gamma)

    def views(self) -> tuple[Way, ...]:
        """As equations; its contraction is one of the maximum norm."""
        from banach.kinds.fixed_point import views

        return views.of(self)

    def space(self) -> jax.ShapeDtypeStruct:
        """That of the bias."""
        return jax.ShapeDtypeStruct(self.bias.shape, self.bias.dtype)

    def start(self) -> Point:
        """H = 0."""
        return Point(self._zero())

    def facts(self) -> Facts:
        """The contraction factor gamma, by construction."""
        properties = {"contractive": CONSTRUCTION, "nonexpansive": CONSTRUCTION}
        return Facts(properties, {"q": Fact(self.gamma, CONSTRUCTION)})

    def edge_weights(self) -> Float[Array, "heads edges"]:
        """The softmax of the scores over the incoming edges of each node."""
        nodes, to = self.bias.shape[1], self.receivers

        def one(s):
            top = jax.lax.stop_gradient(jax.ops.segment_max(s, to, nodes))
            grown = jnp.exp(s - top[to])
            return grown / jax.ops.segment_sum(grown, to, nodes)[to]

        return jax.vmap(one)(jnp.asarray(self.scores))

    def linear_part(self, v: Float[Array, "heads nodes k"]) -> Array:
        """Gamma A v, for any number of columns."""
        nodes, gamma = self.bias.shape[1], jnp.asarray(self.gamma, v.dtype)

        def one(w, h):
            carried = w[:, None] * h[self.senders]
            return jax.ops.segment_sum(carried, self.receivers, nodes)

        weights = jnp.asarray(self.edge_weights(), v.dtype)
        return gamma * jax.vmap(one)(weights, v)

    def map(self, x: Heads) -> Heads:
        """Gamma A x + B."""
        return self.linear_part(jnp.asarray(x)) + self.bias

    def weighted(self, x: Heads) -> Heads:
        """The norm has no weights."""
        return x

    def objective(self, x: Heads) -> Array:
        """The merit 1/2 ||x - T(x)||_2^2."""
        r = x - self.map(x)
        return tree.vdot(r, r) / 2

    def optimality(self, point: Point) -> Point:
        """x - T(x)."""
        return Point(point.x - self.map(point.x))

    def reference_point(self) -> Point:
        """H = 0."""
        return Point(self._zero())

    def undefined(self, x: Heads) -> Any:
        """Whether T(x) is not finite."""
        return ~tree.all_finite(self.map(x))

    def formula(self) -> str:
        """The equations as text."""
        heads, nodes, width = self.bias.shape
        edges = self.scores.shape[1]
        return (
            f"H = gamma A H + B, {heads} heads, {nodes} nodes of width {width}, "
            f"{edges} edges"
        )

    def _zero(self):
        zeros = np.zeros if isinstance(self.bias, np.ndarray) else jnp.zeros
        return zeros(self.bias.shape, self.bias.dtype)


def _nodes(values: Any, name: str) -> Any:
    values = validation.datum(values, name)
    if values.dtype.kind not in "iu":
        raise Misuse(
            f"{name} are node numbers, got dtype {values.dtype}; pass integers from 0 "
            "to nodes - 1"
        )
    if not isinstance(values, np.ndarray):
        return values
    # Before any narrowing: 2**32 would come out as node 0.
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < 2**31:
        raise Misuse(
            f"{name} has node numbers from {values.min()} to {values.max()}; number "
            "the nodes from 0"
        )
    return values.astype(np.int32)


def _relation(adjacency: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Who listens to whom, as booleans."""
    if compat.any_tracer(adjacency):
        raise Misuse(
            "from_adjacency reads its edges from adjacency, which is being traced; "
            "pass a concrete array"
        )
    a = np.asarray(validation.datum(adjacency, "adjacency"))
    if len(shape) != 3 or a.shape != shape[1:] or a.shape[0] != a.shape[1]:
        raise Misuse(
            "scores must be (heads, nodes, nodes) and adjacency (nodes, nodes), got "
            f"{shape} and {a.shape}"
        )
    if not np.isin(a, (0, 1)).all():
        raise Misuse("adjacency must hold True and False, or 0 and 1; recode it")
    return a


def _fit(scores, bias, senders, receivers) -> None:
    if np.ndim(scores) != 2 or np.ndim(bias) != 3 or scores.shape[0] != bias.shape[0]:
        raise Misuse(
            "scores must be (heads, edges) and bias (heads, nodes, width), got "
            f"{scores.shape} and {bias.shape}"
        )
    want = (scores.shape[1],)
    if senders.shape != want or receivers.shape != want:
        raise Misuse(
            f"senders and receivers must name one node for each of {want[0]} edges, "
            f"got shapes {senders.shape} and {receivers.shape}"
        )
    for name, ends in (("senders", senders), ("receivers", receivers)):
        if compat.is_tracer(ends) or not want[0]:
            continue
        low, high = int(np.min(ends)), int(np.max(ends))
        if low < 0 or high >= bias.shape[1]:
            raise Misuse(
                f"{name} has node numbers from {low} to {high}, the bias has "
                f"{bias.shape[1]} nodes; number them from 0"
            )

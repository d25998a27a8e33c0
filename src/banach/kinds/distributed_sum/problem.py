"""Minimise a finite sum whose terms are spread over workers."""

import copy
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, PyTree
from numpy.typing import ArrayLike

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.facts import DECLARED, Fact, Facts
from banach.core.kind import kind
from banach.core.mesh import Layout
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.kinds import inputs
from banach.kinds.finite_sum.problem import FiniteSum
from banach.parts import worker_map as by_worker

Scalar = Float[Array, ""]


@kind(
    name="DistributedSum",
    oracles="value grad hvp local_grad local_sample coded_grad",
    checks="full_sum",
    cures={
        "local_grad local_sample coded_grad": """Spread a sum over workers: \
bn.DistributedSum(finite_sum, workers)"""
    },
    zoo="distributed",
)
class DistributedSum(Problem):
    """minimise F(x) = 1/W sum_i f_i(x), worker i holding its own terms of a FiniteSum.

    f_i(x) = W/n sum_{j of worker i} f(x, d_j) + 1/2 sum_k l2_k x_k^2, so that F is the
    objective of `whole`, whatever the sizes of the shards: with n_i terms each, F
    weighs worker i's mean by n_i / n.

    Args:
        whole: the finite sum.
        workers: W, at least 1 and at most n.
        order: a permutation of the n terms; worker i gets the i-th of W contiguous
            pieces, of sizes that differ by at most 1. None: as they are.
        L: bounds the Lipschitz constant of each f_i's gradient (heterogeneous shards
            are steeper than their average); the fact L_worker. None: W times that of
            F where the sum is convex, which then has to hold term by term.
        mesh: devices with one axis called "workers", whose size divides W; methods
            then work inside shard_map, and data are cut over the mesh. None: all
            workers on the default device, the same mathematics.

    Oracles: value, grad and hvp of F, each term once; local_grad(x) and
    local_sample(x, key, size), the gradients of the f_i stacked over workers.
    Bad input raises Misuse.

    Example:
        >>> mean = bn.FiniteSum(
        ...     lambda x, d: (x - d) ** 2,
        ...     0.0,
        ...     np.array([1.0, 2.0, 6.0, 7.0]),
        ...     convex=True,
        ... )
        >>> bn.DistributedSum(mean, workers=2).facts().has("convex")
        True
    """

    # The terms by worker, padded to equal numbers; `real` tells them from padding.
    padded: FiniteSum
    real: Bool[Array, "workers most"]
    n: int = eqx.field(static=True)
    L: Any
    workers: int = eqx.field(static=True)
    mesh: Mesh | None = eqx.field(static=True)

    def __init__(
        self,
        whole: FiniteSum,
        workers: int,
        *,
        order: ArrayLike | None = None,
        L: Real | None = None,
        mesh: Mesh | None = None,
    ):
        if not isinstance(whole, FiniteSum):
            raise Misuse(
                f"whole must be the bn.FiniteSum to cut, got {type(whole).__name__}; "
                "a GLM gives one by glm.as_finite_sum()"
            )
        n = whole.n
        workers = validation.integer(workers, "workers", low=1)
        _check_workers(workers, n, mesh)
        index, real = _pieces(_permutation(order, n), workers)
        rows = jax.tree.map(lambda v: np.asarray(v)[index.ravel()], whole.data)
        self.padded = eqx.tree_at(lambda s: s.data, whole, rows)
        self.real, self.n, self.workers = real, n, workers
        self.L = inputs.constant(L, "L")
        inputs.ordered(self.padded.mu, self.L, ("mu", "L"), inputs.CURVATURES)
        # Axes whose shardings the compiler chooses, whatever the given mesh has.
        self.mesh = None if mesh is None else Mesh(mesh.devices, mesh.axis_names)

    def restated(self) -> "DistributedSum":
        """Through the constructor, the terms in the order of the workers."""
        whole = self.as_finite_sum()
        whole.validate()
        return DistributedSum(whole, self.workers, L=self.L, mesh=self.mesh)

    def prices(self) -> dict[str, float]:
        """All workers' gradients cost one gradient of F."""
        return {"local_grad": 2.0, "local_sample": 2.0 * self.workers / self.n}

    def layout(self) -> Layout | None:
        """Data cut by worker over the mesh; everything else on every device."""
        if self.mesh is None:
            return None
        whole = jax.tree.map(lambda _: PartitionSpec(), self)
        cut = jax.tree.map(
            lambda _: PartitionSpec(by_worker.AXIS), (self.padded.data, self.real)
        )
        specs = eqx.tree_at(lambda p: (p.padded.data, p.real), whole, cut)
        leaf = lambda v: isinstance(v, PartitionSpec)  # noqa: E731
        return Layout(self.mesh, jax.tree.leaves(specs, is_leaf=leaf))

    def space(self) -> PyTree:
        """Structure of x0."""
        return self.padded.space()

    def start(self) -> Point:
        """The start of the finite sum."""
        return self.padded.start()

    def facts(self) -> Facts:
        """Those of the finite sum, and L_worker."""
        known = self.padded.facts()
        constants = {
            k: Fact(known.get(k), known.provenance(k) or DECLARED)
            for k in ("L", "mu")
            if known.get(k) is not None
        }
        if self.L is not None:
            constants["L_worker"] = Fact(self.L, DECLARED)
        elif "L" in constants and known.has("convex"):
            steepest = self.workers * constants["L"].value
            constants["L_worker"] = Fact(steepest, constants["L"].provenance)
        return Facts(known.properties, constants)

    def value(self, x: PyTree) -> Scalar:
        """F(x)."""
        return self._total(x)[0]

    def grad(self, x: PyTree) -> PyTree:
        """The gradient of F, every term once."""
        return self.every_term(x)[0]

    def value_and_grad(self, x: PyTree) -> tuple[Scalar, PyTree]:
        """F(x) and its gradient in one pass."""
        (value, _), g = jax.value_and_grad(self._total, has_aux=True)(x)
        return value, g

    def every_term(self, x: PyTree) -> tuple[PyTree, Scalar]:
        """The gradient of F, and the number of terms that were added up in it."""
        return jax.grad(self._total, has_aux=True)(x)

    def hvp(self, x: PyTree, v: PyTree) -> PyTree:
        """The Hessian at x applied to v."""
        return jax.jvp(self.grad, (x,), (v,))[1]

    def local_grad(self, x: PyTree) -> PyTree:
        """The gradients of the f_i, stacked over workers."""

        def own(common, rows, real):
            x, term = common

            def mean(x):
                f = jax.vmap(lambda d: term.fun(x, d))(rows)
                f = jnp.sum(jnp.where(real, f, 0)) * (self.workers / self.n)
                return f + term.ridge(x)

            return jax.grad(mean)(x)

        rows, common = self._rows(), (x, self._term())
        return by_worker.each(self.mesh, own, common, rows, self.real)

    def local_sample(self, x: PyTree, key: Array, size: int) -> PyTree:
        """Unbiased estimates of local_grad from `size` terms of each worker.

        Terms are drawn uniformly with replacement from the worker's own.
        """

        def own(common, rows, real, key):
            x, term = common
            held = jnp.sum(real)
            index = jax.random.randint(key, (size,), 0, held)
            some = jax.tree.map(lambda v: v[index], rows)

            def mean(x):
                f = jnp.mean(jax.vmap(lambda d: term.fun(x, d))(some))
                share = held.astype(f.dtype) * (self.workers / self.n)
                return f * share + term.ridge(x)

            return jax.grad(mean)(x)

        keys = jax.random.split(key, self.workers)
        rows, common = self._rows(), (x, self._term())
        return by_worker.each(self.mesh, own, common, rows, self.real, keys)

    def coded_grad(
        self,
        xs: PyTree,
        pieces: int,
        index: Int[Array, "workers slots width"],
        weights: Float[Array, "workers slots width"],
    ) -> PyTree:
        """The gradients of sum_k weights_k P_(index_k) at xs, stacked as xs.

        F = sum of `pieces` pieces P_0, P_1, ... of as many terms each as possible; each
        holds its share of the l2 term. xs are pytrees stacked over workers and slots.
        A worker passes over its own tasks' terms alone, wherever they lie: it is
        supposed to store them, and on a mesh every device holds all terms.
        """
        real = jnp.asarray(self.real).ravel()
        size = -(-real.size // pieces)

        def task(term, rows, real, x, index, weights):
            at = index[:, None] * size + jnp.arange(size)
            inside = real.at[at].get(mode="fill", fill_value=False)
            some = jax.tree.map(
                lambda v: v[jnp.minimum(at, real.size - 1).ravel()], rows
            )

            def combined(x):
                f = jax.vmap(lambda d: term.fun(x, d))(some).reshape(at.shape)
                sums = jnp.sum(jnp.where(inside, f, 0), axis=1) / self.n
                ridge = term.ridge(x) / pieces
                return jnp.sum(weights * (sums + ridge))

            return jax.grad(combined)(x)

        def own(common, x, index, weights):
            return jax.vmap(lambda *one: task(*common, *one))(x, index, weights)

        rows = jax.tree.map(jnp.asarray, self.padded.data)
        weights = weights.astype(tree.dtype(xs))
        common = (self._term(), rows, real)
        return by_worker.each(self.mesh, own, common, xs, index, weights)

    def objective(self, x: PyTree) -> Scalar:
        """F(x)."""
        return self.value(x)

    def optimality(self, point: Point) -> Point:
        """The gradient of F."""
        return Point(self.grad(point.x))

    def reference_point(self) -> Point | None:
        """That of the finite sum."""
        return self.padded.reference_point()

    def formula(self) -> str:
        """The objective as text."""
        where = "one device" if self.mesh is None else f"{self.mesh.size} devices"
        return f"{self.padded.formula()}; {self.workers} workers on {where}"

    def local(self) -> "DistributedSum":
        """All workers on the default device."""
        made = copy.copy(self)
        object.__setattr__(made, "mesh", None)
        return made

    def as_finite_sum(self) -> FiniteSum:
        """The terms on one device, in the order of the workers."""
        at = np.flatnonzero(np.asarray(self.real).ravel())
        rows = jax.tree.map(lambda v: np.asarray(v)[at], self.padded.data)
        return eqx.tree_at(lambda s: s.data, self.padded, rows)

    def _total(self, x: PyTree) -> tuple[Scalar, Scalar]:
        f = self.padded.terms(x)
        real = jnp.asarray(self.real).ravel()
        value = jnp.sum(jnp.where(real, f, 0)) / self.n + self.padded.ridge(x)
        return value, jnp.sum(real).astype(tree.dtype(x))

    def _term(self) -> FiniteSum:
        """The sum without its data: what shard_map may take as one for all."""
        return eqx.tree_at(lambda s: s.data, self.padded, ())

    def _rows(self) -> PyTree:
        shape = (self.workers, -1)
        return jax.tree.map(
            lambda v: jnp.reshape(jnp.asarray(v), shape + v.shape[1:]),
            self.padded.data,
        )


def _check_workers(workers: int, n: int, mesh: Mesh | None) -> None:
    if workers > n:
        raise Misuse(f"{workers} workers for {n} terms; use at most {n}")
    if mesh is None:
        return
    if not isinstance(mesh, Mesh):
        raise Misuse(
            f"mesh is a jax.sharding.Mesh, got {type(mesh).__name__}; e.g. "
            "jax.make_mesh((jax.device_count(),), ('workers',))"
        )
    if mesh.axis_names != (by_worker.AXIS,):
        raise Misuse(
            f"the mesh has axes {mesh.axis_names}; make one with the single axis "
            f"'workers': jax.make_mesh(({mesh.size},), ('workers',))"
        )
    if workers % mesh.size:
        near = max(1, round(workers / mesh.size)) * mesh.size
        raise Misuse(
            f"{workers} workers cannot be spread evenly over {mesh.size} devices; use "
            f"a multiple of {mesh.size}, e.g. workers={near}, or a smaller mesh"
        )


def _permutation(order: Any, n: int) -> np.ndarray:
    if order is None:
        return np.arange(n)
    if compat.is_tracer(order):
        raise Misuse("order is being traced; pass a concrete permutation")
    order = np.asarray(validation.datum(order, "order"))
    if order.dtype.kind not in "iu":
        raise Misuse(f"order must hold integers, got {order.dtype}; pass term numbers")
    if order.shape != (n,) or not np.array_equal(np.sort(order), np.arange(n)):
        raise Misuse(
            f"order must hold each of 0..{n - 1} once, got shape {order.shape}; e.g. "
            "np.argsort(y, kind='stable')"
        )
    return order


def _pieces(order: np.ndarray, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Term numbers (workers, most), and which of them are real."""
    pieces = np.array_split(order, workers)
    most = max(map(len, pieces))
    index = np.stack([np.resize(piece, most) for piece in pieces])
    real = np.arange(most) < np.array([[len(piece)] for piece in pieces])
    return index, real

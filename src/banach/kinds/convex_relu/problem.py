"""Two-layer ReLU networks, trained as a convex program over activation patterns."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from banach.core import compat, tree, validation
from banach.core.annotations import Column, Matrix, Real
from banach.core.facts import CONSTRUCTION, Fact, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem, in_own_precision
from banach.core.view import Way
from banach.engine.precompute import evaluated
from banach.estimate import spectrum
from banach.kinds import inputs
from banach.kinds.convex_relu import inputs as relu_inputs
from banach.kinds.convex_relu.network import ReluNetwork, from_groups
from banach.kinds.convex_relu.normal_equations import (
    Factor,
    factored,
    loss_prox,
    solved,
)
from banach.kinds.glm import bounds as glm_bounds
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.glm import named_columns as labelled
from banach.kinds.glm.loss import Loss
from banach.kinds.glm.losses import SquaredLoss
from banach.parts.polyhedral_projection import project_cone
from banach.terms.term import shrink

Scalar = Float[Array, ""]
_SPLIT = frozenset({"split", "split_prox", "normal"})


@kind(
    name="ConvexRelu",
    oracles="value grad hvp prox split split_prox normal dual",
    checks="relu_gap",
    views="inclusion_of_gradient forward_backward envelope",
    prefers={"": "convex_relu_admm fista"},
    cures={
        "split split_prox normal": """State a program over activation patterns \
(bn.ConvexRelu)"""
    },
    pieces={"network": "ReluNetwork"},
    zoo="relu gated_relu",
)
class ConvexRelu(Problem):
    """Two-layer ReLU training over P given activation patterns; no factor 1/n.

    min sum_k l(z_k, y_k) + beta sum_i (||v_i|| + ||w_i||),  z = sum_i D_i X (v_i - w_i)
    subject to (2 D_i - 1) X v_i >= 0 and (2 D_i - 1) X w_i >= 0,

    with D_i = diag(1[X u_i >= 0]). x has shape (2, P, d): x[0] = v, x[1] = w.

    A feasible x is the network z(a) = sum_j c_j relu(<a, h_j>) with h = v / sqrt||v||
    and c = sqrt||v|| for v_i, -sqrt||w|| for w_i: `to_network(x)`. Its training
    objective sum_k l(z(a_k), y_k) + beta/2 sum_j (||h_j||^2 + c_j^2), given by
    `network_objective`, is the same number. Conversely every network is such an x once
    all patterns are listed (Pilanci and Ergen 2020): the least value over all patterns
    is the least over all networks of any width. Over fewer patterns it is an upper
    bound of that, and a certificate speaks of the program of those patterns alone.

    `patterns`: a number (that many distinct ones of Gaussian u, from `seed`), "all"
    (exact enumeration, X of rank up to 4), or rows of 0 and 1, shape (P, n), which
    must be patterns of X. There is no bias: append a column of ones to X. In units of
    PyTorch: n/2 MSELoss plus weight_decay = beta in the gradient of both layers.

    `gated=True` drops the constraints and merges v and w into x of shape (1, P, d):
    the gated ReLU program, a group Lasso whose least value is at most that of the
    constrained one. Its gates 1[X u_i >= 0] stay fixed.

    Raises Misuse for shapes, NaN, labels of another coding, beta <= 0, patterns of
    other data, too many patterns to enumerate.

    Args:
        X: (n, d), with a column of ones for a bias.
        y: (n,), targets or labels.
        beta: the weight of the penalty, > 0.
        patterns: how many, "all", or rows of 0 and 1, shape (P, n).
        loss: such as `bn.LogisticLoss()`; None: `bn.SquaredLoss()`.
        gated: whether the constraints are dropped.
        seed: of the patterns that are drawn.

    Example:
        >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> y = np.array([0.0, 1.0, 3.0])
        >>> net = bn.solve(bn.ConvexRelu(X, y, beta=0.01, patterns="all"), tol=1e-4)
        >>> (net.problem.to_network(net.x)(X) + 1).round(1)
        array([1., 2., 4.])
    """

    X: Any
    y: Any
    beta: Any
    masks: Any
    loss: Loss
    gated: bool = eqx.field(static=True)
    listed: str = eqx.field(static=True)
    classes: tuple = eqx.field(static=True)

    def __init__(
        self,
        X: Matrix,
        y: Column,
        beta: Real,
        patterns: int | str | ArrayLike = 50,
        *,
        loss: Loss | None = None,
        gated: bool = False,
        seed: int = 0,
    ):
        self.loss = SquaredLoss() if loss is None else loss
        relu_inputs.check_loss(self.loss)
        rows = glm_inputs.dense(X, "X")
        read, self.classes = glm_inputs.targets(y, self.loss, rows.shape[0])
        dtype = glm_inputs.common_dtype(rows, None if self.loss.discrete else read)
        self.X = inputs.narrowed(rows, dtype, "X")
        self.y = self.loss.labels(read, dtype)
        self.beta = relu_inputs.positive(beta, "beta", dtype)
        self.gated = validation.flag(gated, "gated")
        self.loss = inputs.in_dtype(self.loss, dtype)
        found, self.listed = relu_inputs.patterns(rows, patterns, seed)
        self.masks = found.masks

    def restated(self) -> "ConvexRelu":
        """Through the constructor with its masks, which must be patterns of X.

        "all" is enumerated again; how sampled ones were chosen is only a word.
        """
        everything = self.listed == "all"
        made = self.through_constructor(
            y=glm_inputs.named(self.y, self.classes),
            patterns="all" if everything else self.masks,
        )
        validation.choice(self.listed, "listed", ("all", "sampled", "given"))
        object.__setattr__(made, "listed", self.listed)
        return made

    @property
    def quadratic(self) -> bool:
        """Whether the loss is 1/2 (z - y)^2."""
        return isinstance(self.loss, SquaredLoss)

    @property
    def program(self) -> str:
        """Which program f* belongs to, for certificates."""
        gates = "gated, " if self.gated else ""
        if self.listed == "all":
            return f"{gates}all {len(self.masks)} patterns"
        return f"{gates}{len(self.masks)} {self.listed} patterns"

    @property
    def quantity(self) -> str:
        """What the gap bounds, for certificates."""
        first = "f(x)-f*" if self.gated else "network(x)-f*"
        return f"{first} ({self.program})"

    def oracles(self) -> frozenset[str]:
        """The splitting and derivatives; a prox where there is no constraint."""
        prox = {"prox", "hvp"} if self.gated else set()
        return _SPLIT | {"value", "grad", "dual"} | prox

    def essential(self) -> frozenset[str]:
        """What knows of the group norm and of the constraints."""
        return frozenset({"split_prox"} | ({"prox"} if self.gated else set()))

    def views(self) -> tuple[Way, ...]:
        """As sums with a term are seen, where it has a prox."""
        from banach.kinds.composite import views

        return views.of(self)

    def instead(self, oracle: str) -> str | None:
        """The cones have no closed prox: their own method, or no cones."""
        if oracle != "prox" or self.gated:
            return None
        return "Its cones have no closed prox: use convex_relu_admm, or gated=True"

    def space(self) -> jax.ShapeDtypeStruct:
        """(2, P, d), or (1, P, d) where gated."""
        dtype = jax.dtypes.canonicalize_dtype(self.X.dtype)
        return jax.ShapeDtypeStruct(self._shape(), dtype)

    def start(self) -> Point:
        """Zero: the network that says nothing."""
        return Point(np.zeros(self._shape(), self.X.dtype))

    @in_own_precision
    def outputs(self, x: Array | np.ndarray) -> Float[Array, " n"]:
        """z = sum_i D_i X (v_i - w_i)."""
        x = jnp.asarray(x)
        hidden = _matmul(self._signed(x), self._X(x).T)
        return jnp.sum(self._masks(x) * hidden, axis=0)

    def predict(self, x: Any, new: Any, *, offset: Any = None) -> np.ndarray:
        """The outputs of the network of x at new rows; of a classifier the labels."""
        if offset is not None:
            raise Misuse("a network has no offset; drop offset=")
        rows = glm_inputs.dense(new, "new")
        if rows.shape[1] != self.X.shape[1]:
            raise Misuse(
                f"new has {rows.shape[1]} columns and X {self.X.shape[1]}; give rows "
                "like those of X"
            )
        with compat.double():
            z = np.asarray(self.to_network(x)(jnp.asarray(rows, jnp.asarray(x).dtype)))
        return labelled.expected(self, z)

    def outputs_adjoint(self, th: Float[Array, " n"]) -> Array:
        """q_i = X' D_i th, and -q_i for w; shaped like x."""
        q = _matmul(self._masks(th) * th, self._X(th))
        return q[None] if self.gated else jnp.stack([q, -q])

    def cones(self, x: Array) -> Float[Array, "signs P n"]:
        """(2 D_i - 1) X v_i, nonnegative where x is feasible; no rows where gated."""
        x = jnp.asarray(x)
        if self.gated:
            return jnp.zeros((*x.shape[:2], 0), x.dtype)
        return self._signs(x) * _matmul(x, self._X(x).T)

    def cones_adjoint(self, dual: Float[Array, "signs P n"]) -> Array:
        """X' (2 D_i - 1) l_i."""
        if self.gated:
            return jnp.zeros(self._shape(), dual.dtype)
        return _matmul(self._signs(dual) * dual, self._X(dual))

    def value(self, x: Array | np.ndarray) -> Scalar:
        """The losses, without the norms."""
        x = jnp.asarray(x)
        return jnp.sum(self.loss.value(self.outputs(x), self._y(x)))

    def grad(self, x: Array | np.ndarray) -> Array:
        """The gradient of the losses."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x: Array | np.ndarray) -> tuple[Scalar, Array]:
        """Both from one prediction."""
        x = jnp.asarray(x)
        z, y = self.outputs(x), self._y(x)
        slope = self.loss.derivative(z, y)
        return jnp.sum(self.loss.value(z, y)), self.outputs_adjoint(slope)

    def hvp(self, x: Array | np.ndarray, v: Array | np.ndarray) -> Array:
        """The Hessian of the losses applied to v."""
        x, v = jnp.asarray(x), jnp.asarray(v)
        bent = self.loss.curve(self.outputs(x), self._y(x), self.outputs(v))
        return self.outputs_adjoint(bent)

    def norms(self, x: Array | np.ndarray) -> Scalar:
        """beta sum_i (||v_i|| + ||w_i||)."""
        x = jnp.asarray(x)
        return jnp.asarray(self.beta, x.dtype) * jnp.sum(_lengths(x))

    def objective(self, x: Array | np.ndarray) -> Scalar:
        """Losses and norms of the convex program; that of the network in its cones."""
        return self.value(x) + self.norms(x)

    def prox(self, v: Array | np.ndarray, t: Any) -> Array:
        """Each group shortened by t beta (the gated program alone offers it)."""
        return self.shorten(jnp.asarray(v), t)

    def split(self, x: Array) -> dict[str, Array]:
        """B x: the groups, the cones, and the predictions unless the loss is squared.

        f(x) = q(x) + h(B x) with q the squared loss, or zero. The cones are in units
        of the rows of X (root mean square), which changes no constraint.
        """
        x = jnp.asarray(x)
        blocks = {"groups": x, "cones": self.cones(x) / self.unit(x)}
        return blocks if self.quadratic else blocks | {"losses": self.outputs(x)}

    def split_adjoint(self, blocks: dict[str, Array]) -> Array:
        """B' of the blocks."""
        x = blocks["groups"]
        x = x + self.cones_adjoint(blocks["cones"]) / self.unit(x)
        return x + self.outputs_adjoint(blocks["losses"]) if "losses" in blocks else x

    def split_prox(self, blocks: dict[str, Array], t: Any) -> dict[str, Array]:
        """The prox of t h: shortened groups, clipped cones, each loss's own prox."""
        x = blocks["groups"]
        out = {
            "groups": self.shorten(x, t),
            "cones": jnp.maximum(blocks["cones"], 0),
        }
        if "losses" in blocks:
            out["losses"] = loss_prox(self.loss, blocks["losses"], self._y(x), t)
        return out

    def normal_size(self) -> int:
        """The order of the largest matrix that `normal_factor` decomposes."""
        return max(self.X.shape)

    def normal_factor(self) -> Factor:
        """What `normal_solve` needs, once: one d x d and one n x n decomposition."""
        X = jnp.asarray(self.X, self.space().dtype)
        masks = self._masks(X)
        unit = None if self.gated else self.unit(X)
        return factored(X, masks, unit, len(self._columns()), self.quadratic)

    def normal_solve(self, factor: Factor, r: Array, rho: Any) -> Array:
        """(hessian of q + rho B'B)^-1 r, exact to rounding for any rho."""
        return solved(factor, self.outputs, self.outputs_adjoint, r, rho)

    def normal_product(self, x: Array, rho: Any) -> Array:
        """(hessian of q + rho B'B) x, without a matrix."""
        out = jnp.asarray(rho, x.dtype) * self.split_adjoint(self.split(x))
        return out + self.outputs_adjoint(self.outputs(x)) if self.quadratic else out

    def normal_target(self) -> Array:
        """Minus the gradient of q at 0: X' D_i y where the loss is squared."""
        dtype = self.space().dtype
        if not self.quadratic:
            return jnp.zeros(self._shape(), dtype)
        return self.outputs_adjoint(jnp.asarray(self.y, dtype))

    def multipliers(self, scaled: dict[str, Array]) -> Array | None:
        """The dual point that the scaled duals of the blocks name: l >= 0, or None."""
        if self.gated:
            return None
        return jnp.maximum(-scaled["cones"], 0) / self.unit(scaled["cones"])

    def penalty(self) -> Any:
        """rho in the units of the data: beta unit / rms(y)."""
        return evaluated(_penalty, self)

    def facts(self) -> Facts:
        """Convex and smooth by construction; L from the matrix of all gates."""
        return Facts(
            {"convex": CONSTRUCTION, "smooth": CONSTRUCTION},
            {"L": Fact(self._lipschitz, self._how())},
        )

    def residual_step(self) -> Scalar:
        """1 / (c sum_ik D_ik ||x_k||^2), c the curvature of the loss."""
        X = jnp.asarray(self.X, self.space().dtype)
        counts = jnp.sum(self._masks(X), axis=0)
        top = jnp.vdot(counts, jnp.sum(jnp.square(X), axis=1))
        return 1 / (len(self._columns()) * self.loss.curvature_bound * top)

    def optimality(self, point: Point) -> Point:
        """x - prox(x - t grad) with the prox of norms and cones together.

        That prox is the projection onto the cone, then shortened.
        """
        x = jnp.asarray(point.x)
        t = jnp.asarray(self.residual_step(), x.dtype)
        ahead = x - t * self.grad(x)
        if not self.gated:
            M = self._signs(x)[..., None] * self._X(x)
            M = jnp.broadcast_to(M, (*x.shape[:2], *M.shape[1:]))
            ahead = jax.vmap(jax.vmap(lambda v, m: project_cone(v, m).x))(ahead, M)
        return Point(x - self.shorten(ahead, t))

    def reference_point(self) -> Point:
        """Zero."""
        return self.start()

    def undefined(self, x: Array | np.ndarray) -> Any:
        """Whether the predictions overflow."""
        return ~jnp.all(jnp.isfinite(self.outputs(x)))

    @in_own_precision
    def to_network(self, x: Array) -> ReluNetwork:
        """The network of x: h = v / sqrt||v|| and c = sqrt||v||, -sqrt||w|| for w."""
        if self.gated:
            raise Misuse(
                "a gated program's gates are fixed patterns, no ReLU network computes "
                "them; outputs(x) are those at the rows of X, gated=False a network"
            )
        return from_groups(jnp.asarray(x))

    @in_own_precision
    def network_objective(self, network: ReluNetwork) -> Scalar:
        """sum_k l(z(a_k), y_k) + beta/2 sum_j (||h_j||^2 + c_j^2), for any network."""
        h = network.hidden
        z = network(self._X(h))
        decay = jnp.sum(jnp.square(h)) + jnp.sum(jnp.square(network.output))
        beta = jnp.asarray(self.beta, h.dtype)
        return jnp.sum(self.loss.value(z, self._y(z))) + beta / 2 * decay

    def network_outputs(self, x: Array) -> Float[Array, " n"]:
        """The network's own predictions, relu of every unit (its gates if gated)."""
        x = jnp.asarray(x)
        if self.gated:
            return self.outputs(x)
        hidden = jax.nn.relu(_matmul(x, self._X(x).T))
        return jnp.sum(hidden[0] - hidden[1], axis=0)

    def cone_matrix(self, like: Array) -> Float[Array, "P n d"]:
        """(2 D_i - 1) X of every pattern."""
        return self._signs(like)[..., None] * self._X(like)

    def formula(self) -> str:
        """The objective as text."""
        n, d = self.X.shape
        cone = "" if self.gated else " s.t. (2 D_i - 1) X v_i, w_i >= 0"
        z = "D_i X u_i" if self.gated else "D_i X (v_i - w_i)"
        groups = "||u_i||" if self.gated else "(||v_i|| + ||w_i||)"
        return (
            f"sum_k {self.loss.text.replace('_i', '_k')} + beta sum_i {groups}{cone}, "
            f"z = sum_i {z}, X {n} x {d}, {self.program}"
        )

    def _shape(self) -> tuple[int, int, int]:
        return (len(self._columns()), self.masks.shape[0], self.X.shape[1])

    def _columns(self) -> tuple[int, ...]:
        return (1,) if self.gated else (1, -1)

    def _signed(self, x: Array) -> Array:
        return x[0] if self.gated else x[0] - x[1]

    def shorten(self, x: Array, t: Any) -> Array:
        """(1 - t beta / ||x_i||)_+ x_i for every group."""
        cut = jnp.asarray(t, x.dtype) * jnp.asarray(self.beta, x.dtype)
        return x * shrink(_lengths(x), cut)[..., None]

    def _X(self, like: Array | np.ndarray) -> Float[Array, "n d"]:
        return jnp.asarray(self.X, like.dtype)

    def _y(self, like: Array) -> Array:
        return jnp.asarray(self.y, like.dtype)

    def _masks(self, like: Array) -> Array:
        return jnp.asarray(self.masks).astype(like.dtype)

    def _signs(self, like: Array) -> Array:
        return 2 * self._masks(like) - 1

    def unit(self, like: Array) -> Scalar:
        """Root mean square of the norms of the rows of X."""
        return jnp.sqrt(jnp.mean(jnp.sum(jnp.square(self._X(like)), axis=1)))

    def _how(self) -> str:
        wide = self.masks.shape[0] * self.X.shape[1]
        return spectrum.known_how(min(len(self.X), wide), self.X, self.masks)

    def _lipschitz(self) -> Any:
        xp = np if glm_inputs.known(self.X, self.masks) else jnp
        A = xp.asarray(self.masks)[:, :, None] * xp.asarray(self.X)
        # Every column stands there once a sign.
        c = self.loss.curvature_bound * len(self._columns())
        return glm_bounds.gradient_lipschitz(
            xp.concatenate(list(A), axis=1), None, False, c
        )


def _lengths(x: Array) -> Float[Array, "signs P"]:
    """Norms of the groups; their derivative at zero is zero."""
    return jax.vmap(jax.vmap(tree.norm))(x)


def _matmul(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)


def _penalty(problem: ConvexRelu) -> Array:
    dtype = problem.space().dtype
    y = jnp.asarray(problem.y, dtype)
    size = jnp.sqrt(jnp.mean(jnp.square(y)))
    size = jnp.where(size > 0, size, 1)
    return jnp.asarray(problem.beta, dtype) * problem.unit(y) / size

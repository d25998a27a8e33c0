"""Adversarial training of a two-layer ReLU network as a convex program."""

from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from banach.core import compat, tree
from banach.core.annotations import Column, Matrix, Real
from banach.core.facts import CONSTRUCTION, Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.kinds.convex_relu import inputs as relu_inputs
from banach.kinds.convex_relu.network import ReluNetwork
from banach.kinds.convex_relu.problem import ConvexRelu
from banach.kinds.glm import inputs as glm_inputs
from banach.terms.term import soft

Scalar = Float[Array, ""]
_HALVINGS = 60


@kind(
    name="RobustConvexRelu",
    oracles="value split split_prox normal dual",
    checks="robust_relu_gap",
    prefers={"": "convex_relu_admm"},
    zoo="robust_relu",
)
class RobustConvexRelu(Problem):
    """Two-layer ReLU training where each row of X may move by eps in any coordinate.

    min sum_k (|z_k - y_k| + eps ||c_k||_1)^2 / 2 + beta sum_i (||v_i|| + ||w_i||)
    subject to (2 D_i - 1) X v_i >= eps ||v_i||_1 and the same for w_i, where
    z_k = <x_k, c_k> and c_k = sum_i D_i[k] (v_i - w_i) is the slope of the network at
    sample k. x has shape (2, P, d) as in ConvexRelu.

    Inside these cones no unit changes sign while a row of X moves by at most eps in
    each coordinate, so that the objective is exactly the training objective of the
    network under the worst such perturbation of every row: `attack(x)` is one. Units
    that do change sign belong to no such program; over them f* says nothing.

    `patterns`: a number (distinct ones of Gaussian u whose tightened cone has an
    interior, from `seed`; there may be fewer) or rows of 0 and 1, shape (P, n).
    Squared loss only.

    Raises Misuse as ConvexRelu does, for eps <= 0, and where no pattern survives eps.

    Source: Bai, Gautam and Sojoudi (2023), section 4; the dual is derived here.

    Args:
        X: (n, d), with a column of ones for a bias.
        y: (n,), targets.
        beta: the weight of the penalty, > 0.
        eps: how far each entry of X may move, > 0, in the unit of X.
        patterns: how many, or rows of 0 and 1, shape (P, n).
        seed: of the patterns that are drawn.

    Example:
        >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> y = np.array([0.0, 1.0, 3.0])
        >>> net = bn.RobustConvexRelu(X, y, beta=0.1, eps=0.05, patterns=4)
        >>> net.size()
        16
    """

    plain: ConvexRelu
    eps: Any

    def __init__(
        self,
        X: Matrix,
        y: Column,
        beta: Real,
        eps: Real,
        patterns: int | ArrayLike = 50,
        *,
        seed: int = 0,
    ):
        if isinstance(patterns, str):
            raise Misuse(
                "RobustConvexRelu takes a number of patterns or rows of 0 and 1, got "
                f"{patterns!r}; no list of patterns covers every network here"
            )
        rows = glm_inputs.dense(X, "X")
        self.eps = relu_inputs.positive(eps, "eps", rows.dtype)
        if compat.is_tracer(self.eps):
            raise Misuse(
                "RobustConvexRelu reads its patterns from eps, which is being traced; "
                "build it outside jit and vmap, and move its data with eqx.tree_at"
            )
        found, _ = relu_inputs.patterns(rows, patterns, seed, float(self.eps))
        self.plain = ConvexRelu(rows, y, beta, found.masks)
        self.eps = self.eps.astype(self.plain.X.dtype)

    def restated(self) -> "RobustConvexRelu":
        """Through the constructor with its masks, which must survive eps."""
        p = self.plain
        p.validate()
        return RobustConvexRelu(p.X, p.y, p.beta, self.eps, p.masks)

    @property
    def quantity(self) -> str:
        """What the gap bounds, for certificates."""
        count = len(self.plain.masks)
        return f"worst-case network(x)-f* ({count} robust patterns)"

    def essential(self) -> frozenset[str]:
        """What knows of norms, cones and losses."""
        return frozenset({"split_prox"})

    def space(self) -> jax.ShapeDtypeStruct:
        """(2, P, d)."""
        return self.plain.space()

    def start(self) -> Point:
        """Zero."""
        return self.plain.start()

    def slopes(self, x: Array) -> Float[Array, "n d"]:
        """c_k, the slope of the network at each sample."""
        x = jnp.asarray(x)
        return _matmul(self._masks(x).T, x[0] - x[1])

    def value(self, x: Array | np.ndarray) -> Scalar:
        """The worst-case losses, without the norms."""
        x = jnp.asarray(x)
        off = jnp.abs(self.plain.outputs(x) - jnp.asarray(self.plain.y, x.dtype))
        worst = off + self._eps(x) * jnp.sum(jnp.abs(self.slopes(x)), axis=1)
        return jnp.sum(jnp.square(worst)) / 2

    def objective(self, x: Array | np.ndarray) -> Scalar:
        """Worst-case losses and norms."""
        return self.value(x) + self.plain.norms(x)

    def attack(self, x: Array) -> Float[Array, "n d"]:
        """The worst perturbation of each row: eps sign(z_k - y_k) sign(c_k)."""
        x = jnp.asarray(x)
        r = self.plain.outputs(x) - jnp.asarray(self.plain.y, x.dtype)
        side = jnp.where(r >= 0, 1, -1).astype(x.dtype)
        return self._eps(x) * side[:, None] * jnp.sign(self.slopes(x))

    def predict(self, x: Any, new: Any, *, offset: Any = None) -> np.ndarray:
        """The outputs of the network of x at new rows, unperturbed."""
        return self.plain.predict(x, new, offset=offset)

    def to_network(self, x: Array) -> ReluNetwork:
        """The network of x."""
        return self.plain.to_network(x)

    def split(self, x: Array) -> dict[str, Array]:
        """B x: groups; cones and a copy of x for their 1-norm; predictions, slopes."""
        x = jnp.asarray(x)
        return {
            "box": x,
            "cones": self.plain.cones(x) / self.plain.unit(x),
            "groups": x,
            "losses": self.plain.outputs(x),
            "slopes": self.slopes(x),
        }

    def split_adjoint(self, blocks: dict[str, Array]) -> Array:
        """B' of the blocks."""
        x = blocks["groups"] + blocks["box"]
        x = x + self.plain.cones_adjoint(blocks["cones"]) / self.plain.unit(x)
        x = x + self.plain.outputs_adjoint(blocks["losses"])
        c = _matmul(self._masks(x), blocks["slopes"])
        return x + jnp.stack([c, -c])

    def split_prox(self, blocks: dict[str, Array], t: Any) -> dict[str, Array]:
        """Shortened groups; projection on the cones; the prox of each worst loss."""
        x = blocks["groups"]
        e = self._eps(x) / self.plain.unit(x)
        cones, box = _onto_cone(blocks["cones"], blocks["box"], e)
        y = jnp.asarray(self.plain.y, x.dtype)
        off, t = blocks["losses"] - y, jnp.asarray(t, x.dtype)
        r, c = _loss_prox(off, blocks["slopes"], self._eps(x), t)
        groups = self.plain.shorten(x, t)
        return {
            "box": box, "cones": cones, "groups": groups, "losses": y + r, "slopes": c,
        }  # fmt: skip

    def normal_size(self) -> int:
        """The order of the largest matrix that `normal_factor` decomposes."""
        return self.plain.masks.shape[0] * self.plain.X.shape[1]

    def normal_factor(self) -> tuple[Array, Array]:
        """Cholesky factors of B'B on v + w (one d x d block) and on v - w (P d)."""
        dtype = self.space().dtype
        X = jnp.asarray(self.plain.X, dtype)
        masks, (P, d) = self._masks(X), self.space().shape[1:]
        eye = jnp.eye(d, dtype=dtype)
        block = 2 * eye + _matmul(X.T, X) / self.plain.unit(X) ** 2
        gates = (masks.T[:, :, None] * X[:, None, :]).reshape(-1, P * d)
        both = _matmul(gates.T, gates) + jnp.kron(_matmul(masks, masks.T), eye)
        whole = jnp.kron(jnp.eye(P, dtype=dtype), block) + 2 * both
        return jnp.linalg.cholesky(block), jnp.linalg.cholesky(whole)

    def normal_solve(self, factor: tuple[Array, Array], r: Array, rho: Any) -> Array:
        """(rho B'B)^-1 r."""
        block, whole = factor
        total = jax.scipy.linalg.cho_solve((block, True), (r[0] + r[1]).T).T
        apart = jax.scipy.linalg.cho_solve((whole, True), (r[0] - r[1]).ravel())
        apart = apart.reshape(total.shape)
        twice = 2 * jnp.asarray(rho, r.dtype)
        return jnp.stack([total + apart, total - apart]) / twice

    def normal_product(self, x: Array, rho: Any) -> Array:
        """rho B'B x, without a matrix."""
        return jnp.asarray(rho, x.dtype) * self.split_adjoint(self.split(x))

    def normal_target(self) -> Array:
        """Zero: every loss is split off."""
        return jnp.zeros(self.space().shape, self.space().dtype)

    def multipliers(self, scaled: dict[str, Array]) -> dict[str, Array]:
        """The dual point that the blocks' duals name.

        l >= 0 of the cones (2, P, n), their 1-norm's part (2, P, d) within
        eps sum_k l_k, and a perturbation of X (n, d) within eps.
        """
        dual = jnp.maximum(-scaled["cones"], 0) / self.plain.unit(scaled["cones"])
        z = scaled["losses"]
        live = jnp.abs(z) > 0
        ratio = scaled["slopes"] / jnp.where(live, z, 1)[:, None]
        eps = self._eps(z)
        attack = jnp.where(live[:, None], jnp.clip(ratio, -eps, eps), 0)
        return {"attack": attack, "box": -scaled["box"], "cones": dual}

    def penalty(self) -> Any:
        """That of the plain program."""
        return self.plain.penalty()

    def facts(self) -> Facts:
        """Convex by construction."""
        return Facts({"convex": CONSTRUCTION})

    def optimality(self, point: Point) -> NoReturn:
        """Refused: losses and cones are both nonsmooth, no residual map is at hand."""
        raise Misuse(
            "RobustConvexRelu has no differentiable optimality map, so no sensitivity; "
            "use ConvexRelu, or finite differences of its solutions"
        )

    def reference_point(self) -> Point:
        """Zero."""
        return self.start()

    def undefined(self, x: Array | np.ndarray) -> Any:
        """Whether the predictions overflow."""
        return self.plain.undefined(x)

    def formula(self) -> str:
        """The objective as text."""
        n, d = self.plain.X.shape
        return (
            "sum_k 1/2 (|z_k - y_k| + eps ||c_k||_1)^2 + beta sum_i (||v_i|| + ||w_i||)"
            f" s.t. (2 D_i - 1) X v_i >= eps ||v_i||_1, X {n} x {d}, "
            f"{len(self.plain.masks)} patterns"
        )

    def _eps(self, like: Array) -> Array:
        return jnp.asarray(self.eps, like.dtype)

    def _masks(self, like: Array) -> Array:
        return jnp.asarray(self.plain.masks).astype(like.dtype)


def _onto_cone(a: Array, y: Array, e: Array) -> tuple[Array, Array]:
    """Projection of each (a_g, y_g) on {min_k a_k >= e ||y||_1}.

    y is soft-thresholded at e m and a lifted to t = e ||y||_1, where the multiplier m
    is the total lift: sum_k (t - a_k)_+ decreases in m, so halving finds it.
    """

    def lifted(m: Array) -> tuple[Array, Array]:
        x = soft(y, (e * m)[..., None])
        return x, e * jnp.sum(jnp.abs(x), axis=-1)

    def halve(_: Any, s: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = s
        m = (low + high) / 2
        lift = jnp.sum(jnp.maximum(lifted(m)[1][..., None] - a, 0), axis=-1)
        return jnp.where(lift > m, m, low), jnp.where(lift > m, high, m)

    first = e * jnp.sum(jnp.abs(y), axis=-1, keepdims=True)
    top = jnp.sum(jnp.maximum(first - a, 0), axis=-1)
    _, m = jax.lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros_like(top), top))
    x, t = lifted(m)
    return jnp.maximum(a, t[..., None]), x


def _loss_prox(r: Array, c: Array, eps: Array, t: Array) -> tuple[Array, Array]:
    """The prox of t (|r_k| + eps ||c_k||_1)^2 / 2, by halving its worst residual R_k.

    r and c are soft-thresholded at t R and t eps R, which must reproduce R.
    """

    def at(R: Array) -> tuple[Array, Array]:
        return soft(r, t * R), soft(c, (t * eps * R)[:, None])

    def size(p: Array, q: Array) -> Array:
        return jnp.abs(p) + eps * jnp.sum(jnp.abs(q), axis=1)

    def halve(_: Any, s: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = s
        R = (low + high) / 2
        more = size(*at(R)) > R
        return jnp.where(more, R, low), jnp.where(more, high, R)

    high = size(r, c)
    _, R = jax.lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros_like(high), high))
    return at(R)


def _matmul(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)

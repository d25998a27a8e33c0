"""Estimates of the diagonal of a Hessian, and the rules that take one.

For a transformation they are made by its user, with the gradient:

    h = hutchinson(loss, params, key)
    u, state = tx.update(grads, state, params, curvature=h)

A rule reads `curvature` every `every`-th step alone, t = 1, 1 + every, ...; elsewhere
any tree like the parameters will do. Without the work in between:

    h = jax.lax.cond(
        state.t % every == 0,
        lambda: hutchinson(loss, params, key),
        lambda: jax.tree.map(jnp.zeros_like, params),
    )
"""

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from banach.core import tree
from banach.parts import batches, rules


def probe(like: PyTree, key: Array, normal: bool = False) -> PyTree:
    """Independent entries of mean 0 and variance 1: signs, or normal ones."""
    leaves, structure = jax.tree.flatten(like)
    draw = jax.random.normal if normal else jax.random.rademacher
    keys = jax.random.split(key, max(1, len(leaves)))
    drawn = [draw(k, v.shape, v.dtype) for k, v in zip(keys, leaves, strict=False)]
    return jax.tree.unflatten(structure, drawn)


def sampled(
    product: Callable[[PyTree], PyTree], like: PyTree, key: Array, normal: bool = False
) -> PyTree:
    """z (H z) entry by entry, whose mean is diag(H); `product` gives H z."""
    z = probe(like, key, normal)
    return jax.tree.map(jnp.multiply, z, product(z))


def hutchinson(
    loss: Callable[[PyTree], Array], params: PyTree, key: Array, normal: bool = False
) -> PyTree:
    """One sample of the diagonal of the Hessian of loss(params), like params.

    `normal` draws z of Hutchinson's z (H z) from N(0, I), as Sophia-H does; signs are
    exact where H is diagonal. It costs about two gradients.
    """
    grad = jax.grad(loss)
    return sampled(lambda z: jax.jvp(grad, (params,), (z,))[1], params, key, normal)


def gauss_newton_bartlett(
    logits: Callable[[PyTree], Array], params: PyTree, key: Array
) -> PyTree:
    """B g^2 for labels drawn from the model itself: never negative.

    `logits(params)` is (B, classes) of a batch; g is the gradient of the mean cross
    entropy at those labels. Its mean is the diagonal of the Gauss-Newton matrix.
    """
    y = jax.random.categorical(key, jax.lax.stop_gradient(logits(params)))

    def loss(params: PyTree) -> Array:
        logp = jax.nn.log_softmax(logits(params))
        return -jnp.mean(jnp.take_along_axis(logp, y[:, None], axis=1))

    return jax.tree.map(lambda g: y.size * jnp.square(g), jax.grad(loss)(params))


class CurvedRule(rules.Rule):
    """A rule that takes a Hessian diagonal every `every` steps, a field of it.

    Its Method makes Hutchinson's estimate from the Hessian of the whole sum.
    """

    extra: ClassVar[tuple[str, ...]] = ("curvature",)
    normal: ClassVar[bool] = False

    @property
    def typical(self) -> dict[str, float]:  # type: ignore[override]
        """A batch, and a share of a product."""
        return {**super().typical, "hvp": 1 / self.every}  # type: ignore[attr-defined]

    def due(self, t: Array) -> Bool[Array, ""]:
        """Whether step t = 1, 2, .. reads the curvature."""
        return (t - 1) % self.every == 0  # type: ignore[attr-defined]

    def step(self, problem: Any, state: Any, key: Array) -> rules.TrainState:
        """One update on the next batch."""
        x, zero = state.x, rules.zeros(state.x)
        g, order = self.gradient(problem, x, state.order, key)

        def fresh() -> PyTree:
            # The keys that `gradient` splits off are the first two.
            third = jax.random.fold_in(key, 2)
            return sampled(lambda z: problem.hvp(x, z), x, third, self.normal)

        h = jax.lax.cond(self.due(state.t + 1), fresh, lambda: zero)
        u, rule = self.transformation().update(g, state.rule, x, curvature=h)
        return rules.TrainState(
            tree.add(x, u),
            rule,
            batches.spent(order, self.batch),  # type: ignore[attr-defined]
        )

    def calls(self, state: Any) -> dict[str, Any]:
        """A batch a step, and a product every `every`."""
        products = -(-state.t // self.every)  # type: ignore[attr-defined]
        return {**super().calls(state), "hvp": products}

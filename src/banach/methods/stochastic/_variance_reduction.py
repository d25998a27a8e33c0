"""What variance-reduced methods of finite sums share: draws, gradients, smoothness."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.facts import Facts
from banach.core.hyperparameters import upper
from banach.core.method import Method, Refusal
from banach.core.point import Point


def smoothness(name: str, problem: Any, facts: Facts, batch: int) -> Any:
    """L_B of the mean of `batch` terms drawn independently, or a Refusal.

    E ||g_B(x) - g_B(x*)||^2 <= 2 L_B (F(x) - F* - <grad F(x*), x - x*>) with
    L_B = L + (L_max - L) / batch: that of a term, L_max, where batch is 1. Without
    the fact L_max it is n L, which bounds that of every convex term.
    """
    L, most = upper(facts, "L"), upper(facts, "L_max")
    if L is None:
        return Refusal(
            "L", f"{name} needs L: declare L=..., pass step_size=..., or use adadagrad"
        )
    most = problem.n * L if most is None else most
    return L + (most - L) / batch


def batch_of(problem: Any) -> int:
    """At most 32 terms, and an eighth of the sum."""
    return min(32, max(1, problem.n // 8))


def epoch(problem: Any, batch: int) -> int:
    """Inner steps that draw 2 n terms."""
    return -(-2 * problem.n // batch)


def drawn(problem: Any, size: int, key: Array) -> Int[Array, " size"]:
    """Indices drawn independently and uniformly."""
    return jax.random.randint(key, (size,), 0, problem.n)


def full(problem: Any, x: PyTree) -> PyTree:
    """The gradient of F, as n gradients of terms."""
    return problem.stochastic_grad(x, jnp.arange(problem.n))


def each(problem: Any, x: PyTree, index: Int[Array, " m"]) -> PyTree:
    """The gradients of the indexed terms, stacked."""

    def one(i: Array) -> PyTree:
        # Every lane keeps its own term: whoever counts calls sees one a lane.
        return problem.stochastic_grad(x, i[None], i[None] >= 0)

    return jax.vmap(one)(index)


def difference(problem: Any, x: PyTree, y: PyTree, index: Int[Array, " m"]) -> PyTree:
    """The mean of the indexed terms' gradients at x, less that at y."""
    return tree.sub(
        problem.stochastic_grad(x, index), problem.stochastic_grad(y, index)
    )


class EpochState(eqx.Module):
    """Iterate, and the gradients of terms so far."""

    x: PyTree
    calls: Int[Array, ""]


class InEpochs(Method):
    """A method whose step is a whole gradient and at most `inner` pairs of batches."""

    absorbing: ClassVar[bool] = True

    @property
    def typical(self) -> dict[str, float]:  # type: ignore[override]
        """With epochs of two passes, as is usual."""
        return {"stochastic_grad": 2.5 * self.inner * self.batch}  # type: ignore[attr-defined]

    def calls(self, state: PyTree) -> dict[str, Any]:
        """As counted in the state."""
        return {"stochastic_grad": state.calls}


class OfSnapshots(InEpochs):
    """One with a `step_size` and nothing kept between epochs, as SVRG and SARAH.

    `share` is the default of step_size L_B.
    """

    share: ClassVar[float]

    @classmethod
    def suggest(  # type: ignore[override]
        cls, problem: Any, facts: Facts, batch: int | None = None
    ) -> Any:
        """Steps of `share` / L_B, and epochs of two passes."""
        batch = batch_of(problem) if batch is None else batch
        L = smoothness(cls.card.name, problem, facts, batch)
        if isinstance(L, Refusal):
            return L
        return cls(cls.share / L, epoch(problem, batch), batch)

    def init(self, problem: Any, start: Point, key: Array) -> EpochState:
        """At the start."""
        return EpochState(start.x, jnp.zeros((), jnp.int32))

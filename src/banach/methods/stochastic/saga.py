"""SAGA: a stochastic gradient corrected by a table of all terms' last gradients."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method, Refusal
from banach.methods.stochastic import _variance_reduction as reduced


class SagaState(eqx.Module):
    """Iterate, the gradient of each term where it was last drawn, their mean, steps."""

    x: PyTree
    table: PyTree
    mean: PyTree
    t: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"convex", "smooth"},
    paper="defazio2014saga",
    random=True,
)
class Saga(Method):
    """Steps along an unbiased gradient whose noise vanishes at the solution.

    x+ = x - gamma (mean_B(f_j'(x) - f_j'(phi_j)) + 1/n sum_i f_i'(phi_i))
    phi_j = x for j in B, drawn independently, |B| = batch

    With batch = 1 and gamma = `step_size` = 1 / (3 L_max), L_max of the gradients of
    the convex terms, E ||x_k - x*||^2 falls by 1 - min(1 / (4 n), mu / (3 L_max)) a
    step. The default for a batch has L_B = L + (L_max - L) / batch in its place:
    reconstructed from the bound of the estimator's variance, and 1 / (3 L_max) serves
    any batch. Where a problem knows no L_max, n L bounds it, and steps are as short as
    that.

    The table holds n gradients: n times the memory of x. Terms are taken as a check
    sees them, without their own randomness (dropout), which no table can cancel.
    Fails with steps far above 1 / L_B.
    """

    absorbing: ClassVar[bool] = True

    step_size: Any = real()
    batch: int = count(1, static=True)

    @classmethod
    def suggest(cls, problem, facts, batch=None):
        batch = reduced.batch_of(problem) if batch is None else batch
        L = reduced.smoothness("saga", problem, facts, batch)
        return L if isinstance(L, Refusal) else cls(1 / (3 * L), batch)

    @property
    def typical(self):
        return {"stochastic_grad": self.batch}

    def init(self, problem, start, key):
        table = reduced.each(problem, start.x, jnp.arange(problem.n))
        mean = jax.tree.map(lambda g: jnp.mean(g, axis=0), table)
        return SagaState(start.x, table, mean, jnp.zeros((), jnp.int32))

    def step(self, problem, state, key):
        index = reduced.drawn(problem, self.batch, key)
        new = reduced.each(problem, state.x, index)
        # Behind a branch, always the same one, rows are read before they are written.
        # Fused with their uses they would make XLA copy the whole table every step.
        old = jax.lax.cond(
            state.t < 0,
            lambda: new,
            lambda: jax.tree.map(lambda v: v[index], state.table),
        )
        change = tree.sub(new, old)
        # A term that was drawn twice moves its place in the table once.
        again = jnp.any(jnp.tril(index[:, None] == index[None, :], -1), axis=1)
        once = jax.tree.map(
            lambda c: jnp.where(again.reshape(-1, *[1] * (c.ndim - 1)), 0, c), change
        )
        g = jax.tree.map(lambda m, c: m + jnp.mean(c, axis=0), state.mean, change)
        step_size = jnp.asarray(self.step_size, tree.dtype(state.x))
        return SagaState(
            tree.axpy(-step_size, g, state.x),
            jax.tree.map(lambda v, c: v.at[index].add(c), state.table, once),
            jax.tree.map(
                lambda m, c: m + jnp.sum(c, axis=0) / problem.n, state.mean, once
            ),
            state.t + 1,
        )

    def calls(self, state):
        n = jax.tree.leaves(state.table)[0].shape[0]
        return {"stochastic_grad": n + state.t * self.batch}

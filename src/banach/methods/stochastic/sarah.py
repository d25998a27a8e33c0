"""SARAH: a gradient estimate carried along by differences at successive points."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, flag, real
from banach.methods.stochastic import _variance_reduction as reduced


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"convex", "smooth"},
    paper="nguyen2017sarah",
    random=True,
)
class Sarah(reduced.OfSnapshots):
    """Epochs along a recursive, biased gradient whose own steps fade away.

    v_0 = F'(w_0),  w_1 = w_0 - eta v_0
    v_t = v_{t-1} + mean_B(f_i'(w_t) - f_i'(w_{t-1})),  w_{t+1} = w_t - eta v_t
    w_0+ = w_{m+1}, or with `last` False w_t for t uniform in 0 .. m

    A step of the method is an epoch: n + 2 m batch gradients of terms, m = `inner`,
    drawn independently. With `last` False, batch = 1, convex terms and F mu-strongly
    convex, E ||F'||^2 falls by 1 / (mu eta (m + 1)) + eta L / (2 - eta L) an epoch, L
    of a term: steps as long as 1 / L, where SVRG's proof ends at 1 / (4 L). The default
    is eta = `step_size` = 1 / (2 L_B), L_B = L + (L_max - L) / batch by the variance of
    a mean, with n L for an L_max that nobody knows, and m = 2 n / batch.

    Terms are taken as a check sees them, without their own randomness. SARAH+, which
    ends an epoch when ||v_t|| has fallen, is not built. Fails with steps above 1 / L_B;
    late in a long epoch v_t is so short that nothing moves.
    """

    share: ClassVar[float] = 0.5

    step_size: Any = real()
    inner: int = count(static=True)
    batch: int = count(1, static=True)
    last: bool = flag(True, static=True)

    def step(self, problem, state, key):
        v = reduced.full(problem, state.x)
        choice, key = jax.random.split(key)
        # Steps 0 .. m; those beyond the point that is kept are not taken.
        end = self.inner + 1
        if not self.last:
            end = jax.random.randint(choice, (), 0, self.inner + 1)
        eta = jnp.asarray(self.step_size, tree.dtype(state.x))
        first = tree.where(end > 0, tree.axpy(-eta, v, state.x), state.x)

        def step(t, loop):
            w, old, v = loop
            index = reduced.drawn(problem, self.batch, jax.random.fold_in(key, t))
            v = tree.add(v, reduced.difference(problem, w, old, index))
            return tree.axpy(-eta, v, w), w, v

        w, _, _ = jax.lax.fori_loop(1, end, step, (first, state.x, v))
        pairs = jnp.maximum(jnp.asarray(end, jnp.int32) - 1, 0)
        return reduced.EpochState(w, state.calls + problem.n + 2 * self.batch * pairs)

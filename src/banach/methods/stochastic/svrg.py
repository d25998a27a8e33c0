"""SVRG: stochastic gradients corrected by a whole gradient at a snapshot."""

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
    paper="johnson2013accelerating",
    random=True,
)
class Svrg(reduced.OfSnapshots):
    """Epochs of stochastic steps whose noise falls with the distance to a snapshot.

    w_0 = x~,  w_t = w_{t-1} - eta (mean_B(f_i'(w_{t-1}) - f_i'(x~)) + F'(x~))
    x~+ = w_m (option I), or with `last` False w_t for t uniform in 0 .. m-1 (II)

    A step of the method is an epoch: n + 2 m |B| gradients of terms, |B| = batch,
    m = `inner`, terms drawn independently. For option II and batch = 1, F
    mu-strongly convex and terms convex, E F - F* falls by 1 / (mu eta (1 - 2 L eta) m)
    + 2 L eta / (1 - 2 L eta) an epoch, L of a term; eta = `step_size` =
    0.1 / L is the paper's. The
    default has m = 2 n / batch, as its experiments, and L_B = L + (L_max - L) / batch,
    with n L for an L_max that nobody knows: by the bound of the estimator's variance.

    Terms are taken as a check sees them, without their own randomness. Fails with steps
    above 1 / (4 L_B): nothing is proved, and soon it diverges.
    """

    share: ClassVar[float] = 0.1

    step_size: Any = real()
    inner: int = count(static=True)
    batch: int = count(1, static=True)
    last: bool = flag(True, static=True)

    def step(self, problem, state, key):
        whole = reduced.full(problem, state.x)
        choice, key = jax.random.split(key)
        end = self.inner
        if not self.last:
            end = jax.random.randint(choice, (), 0, self.inner)
        eta = jnp.asarray(self.step_size, tree.dtype(state.x))

        def step(t, w):
            index = reduced.drawn(problem, self.batch, jax.random.fold_in(key, t))
            change = reduced.difference(problem, w, state.x, index)
            return tree.axpy(-eta, tree.add(change, whole), w)

        # Steps beyond the one that is kept are not taken.
        w = jax.lax.fori_loop(0, end, step, state.x)
        return reduced.EpochState(w, state.calls + problem.n + 2 * self.batch * end)

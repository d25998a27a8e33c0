"""Katyusha: variance-reduced steps with momentum that a snapshot holds back."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, usable
from banach.core.method import Refusal
from banach.methods.stochastic import _variance_reduction as reduced


class KatyushaState(eqx.Module):
    """Snapshot, the two sequences, and gradients of terms so far."""

    x: PyTree
    y: PyTree
    z: PyTree
    calls: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"strongly_convex", "smooth"},
    paper="allenzhu2018katyusha",
    random=True,
)
class Katyusha(reduced.InEpochs):
    """Accelerated steps along SVRG's gradient, drawn half way back to the snapshot x~.

    x = t1 z + x~ / 2 + (1/2 - t1) y
    t1 = min(sqrt(m mu / (3 L)), 1/2),  a = 1 / (3 t1 L)
    g = F'(x~) + mean_B(f_i'(x) - f_i'(x~)) - mu x
    z+ = (z - a g) / (1 + a mu),  y+ = (3 L x - g) / (3 L + mu)  (option I)
    x~+ = sum_j (1 + a mu)^j y_{j+1} / sum_j (1 + a mu)^j,  j = 0 .. m - 1

    A step is an epoch of m = `inner` such steps: n + 2 m batch gradients of terms. The
    strong convexity stands in the paper's psi = mu/2 ||x||^2: every term has to be
    mu-strongly convex, as l2 makes it. With L = L_max and m = 2 n, E F - F* <= eps
    takes of order (n + sqrt(n L / mu)) log(1 / eps) gradients, where others need
    n + L / mu. For a batch, L_B = L + (L_max - L) / batch is at least what the proof
    asks, max(L, L_max / batch); where nobody knows L_max, n L bounds it.

    Terms are taken as a check sees them, without their own randomness. Fails where L is
    that of F instead of its terms' (batch = 1), or mu exceeds a term's.
    """

    L: Any = real()
    mu: Any = real()
    inner: int = count(static=True)
    batch: int = count(1, static=True)

    @classmethod
    def suggest(cls, problem, facts, batch=None):
        batch = reduced.batch_of(problem) if batch is None else batch
        L, mu = (
            reduced.smoothness("katyusha", problem, facts, batch),
            usable(facts, "mu"),
        )
        if isinstance(L, Refusal):
            return L
        if mu is None:
            return Refusal("mu", "katyusha needs mu: declare mu=..., or use svrg")
        return cls(L, mu, reduced.epoch(problem, batch), batch)

    def init(self, problem, start, key):
        x = start.x
        return KatyushaState(x, x, x, jnp.zeros((), jnp.int32))

    def step(self, problem, state, key):
        at, whole = state.x, reduced.full(problem, state.x)
        L, mu = (jnp.asarray(v, tree.dtype(at)) for v in (self.L, self.mu))
        t1 = jnp.minimum(jnp.sqrt(self.inner * mu / (3 * L)), 0.5)
        a = 1 / (3 * t1 * L)

        def step(j, loop):
            y, z, mean, r = loop
            x = tree.add(tree.scale(t1, z), tree.axpy(0.5 - t1, y, tree.scale(0.5, at)))
            index = reduced.drawn(problem, self.batch, jax.random.fold_in(key, j))
            g = tree.add(whole, reduced.difference(problem, x, at, index))
            g = tree.axpy(-mu, x, g)
            z = tree.scale(1 / (1 + a * mu), tree.axpy(-a, g, z))
            y = tree.scale(1 / (3 * L + mu), tree.axpy(3 * L, x, tree.neg(g)))
            # All weights so far over the last one: the powers alone would overflow.
            r = 1 + r / (1 + a * mu)
            return y, z, tree.lerp(1 / r, mean, y), r

        first = (state.y, state.z, at, jnp.zeros_like(a))
        y, z, x, _ = jax.lax.fori_loop(0, self.inner, step, first)
        calls = state.calls + problem.n + 2 * self.batch * self.inner
        return KatyushaState(x, y, z, calls)

"""Variance-reduced Halpern iteration for finite-sum monotone inclusions."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, flag, real, upper, usable
from banach.core.method import Method, Refusal, taking


class VrHalpernState(eqx.Module):
    """Iterate, anchor, estimate of F at the iterate (cocoercive case), steps, calls."""

    z: PyTree
    anchor: PyTree
    estimate: PyTree
    k: Int[Array, ""]
    calls: Int[Array, " 3"]


@method(
    problem="Inclusion",
    needs={"operator", "component", "resolvent"},
    assumes={"monotone"},
    paper="cai2024halpern",
    random=True,
)
class VrHalpern(Method):
    """Halpern iteration whose operator, or resolvent, is estimated from samples.

    inexact=False, F cocoercive on average with 1/L, s = 1/(4L):
      z+ = J_s(lam z0 + (1 - lam) z - s F~),  lam = 2/(k+4);  then, with probability
      p = 4/(min(k, sqrt n) + 5),  F~+ = F(z+),  else  F~+ = F~ + mean over a batch B
      of F_i(z+) - F_i(z)  (PAGE), |B| = ceil(sqrt n).
    inexact=True, F monotone with mean-square Lipschitz constant L, s = sqrt(n)/L:
      z+ = lam z0 + (1 - lam) v,  lam = 1/(k+2), v near J_{s(F+G)}(z) by variance-
      reduced forward-reflected-backward steps on A = s F + I - z, w = w' = v = z first,
      v+ = J_{qs}((1-p) v + p w - q (A(w) + A_B(v) - A_B(w'))),  w' <- w,  and w <- v+
      with probability p = |B|/n, |B| = 1, q = 0.9 sqrt(p) / (2 (1 + s L)).

    Both need of order n + sqrt(n) L / eps components for a residual eps. The inner
    length is effort / q log(k+2); the default effort 1 is not proved, the paper's is
    25. Resolvent and inner start are the authors' scripts', q is the inner solver's
    paper's (Alacaoglu and Malitsky 2022). Fails when L is that of F, not of the F_i.
    """

    step_size: Any = real()
    L: Any = real()
    effort: Any = real(1.0)
    batch: int = count(1, static=True)
    inexact: bool = flag(False, static=True)

    @property
    def typical(self):
        # An inner solve passes over the data several times.
        return {"operator": 10 if self.inexact else 1, "resolvent": 1}

    @classmethod
    def suggest(cls, problem, facts, inexact=None):
        beta = usable(facts, "cocoercive_average")
        L = upper(facts, "L_average")
        if beta is not None and not inexact:
            return cls(beta / 4, 1 / beta, batch=math.ceil(math.sqrt(problem.n)))
        if L is None:
            others = " or ".join(taking(("halpern", "extragradient"), problem, facts))
            return Refusal(
                "L_average",
                "vr_halpern needs a constant of the components: declare "
                "cocoercive_average=... or L_average=..."
                + (others and f", or use {others}: they need one of F alone"),
            )
        return cls(math.sqrt(problem.n) / L, L, inexact=True)

    def init(self, problem, start, key):
        z, zero = start.x, jnp.zeros((), jnp.int32)
        F = tree.zeros_like(z) if self.inexact else problem.operator(z)
        calls = jnp.stack([zero + (not self.inexact), zero, zero])
        return VrHalpernState(z, z, F, zero, calls)

    def step(self, problem, state, key):
        return (self._resolvent if self.inexact else self._page)(problem, state, key)

    def _page(self, problem, state, key):
        k, n = state.k.astype(tree.dtype(state.z)), problem.n
        s = jnp.asarray(self.step_size, k.dtype)
        coin, draw = jax.random.split(key)
        pulled = tree.lerp(2 / (k + 4), state.z, state.anchor)
        z = problem.resolvent(tree.axpy(-s, state.estimate, pulled), s)
        renew = jax.random.uniform(coin) < 4 / (jnp.minimum(k, math.sqrt(n)) + 5)
        batch = jax.random.randint(draw, (self.batch,), 0, n)

        def learn():
            new, old = (problem.component(v, batch) for v in (z, state.z))
            return tree.add(state.estimate, tree.sub(new, old))

        F = jax.lax.cond(renew, lambda: problem.operator(z), learn)
        sampled = jnp.where(renew, 0, 2 * self.batch)
        calls = jnp.stack([renew.astype(jnp.int32), sampled, jnp.ones_like(sampled)])
        return VrHalpernState(z, state.anchor, F, state.k + 1, state.calls + calls)

    def _resolvent(self, problem, state, key):
        z, n, p = state.z, problem.n, min(1, self.batch / problem.n)
        k = state.k.astype(tree.dtype(z))
        s, L = (jnp.asarray(v, k.dtype) for v in (self.step_size, self.L))
        q = 0.9 * math.sqrt(p) / (2 * (1 + s * L))
        length = jnp.ceil(self.effort / q * jnp.log(k + 2)).astype(jnp.int32)

        def inner(j, loop):
            v, w, old, F, full = loop
            coin, draw = jax.random.split(jax.random.fold_in(key, j))
            batch = jax.random.randint(draw, (self.batch,), 0, n)
            new, was = (problem.component(u, batch) for u in (v, old))
            slope = tree.axpy(s, tree.add(F, tree.sub(new, was)), tree.sub(w, z))
            slope = tree.add(slope, tree.sub(v, old))
            v = problem.resolvent(tree.axpy(-q, slope, tree.lerp(p, v, w)), q * s)
            renew = jax.random.uniform(coin) < p
            F = jax.lax.cond(renew, lambda: problem.operator(v), lambda: F)
            return v, tree.where(renew, v, w), w, F, full + renew

        first = (z, z, z, problem.operator(z), jnp.ones((), jnp.int32))
        v, _, _, _, full = jax.lax.fori_loop(0, length, inner, first)
        new = tree.lerp(1 / (k + 2), v, state.anchor)
        calls = state.calls + jnp.stack([full, 2 * self.batch * length, length])
        return VrHalpernState(new, state.anchor, state.estimate, state.k + 1, calls)

    def calls(self, state):
        # A full pass is n more components than those sampled.
        full, sampled, resolvents = state.calls
        return {"operator": full, "component": sampled, "resolvent": resolvents}

"""Momentum for energies that split into a convex quadratic and a concave rest."""

import equinox as eqx
import jax.numpy as jnp
import jax.scipy.linalg as jsl
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Flag, Real, flag, matrix, real, upper
from banach.core.method import Method, Refusal
from banach.parts.momentum import function_restart


class MomentumGinzburgLandauState(eqx.Module):
    """u, the one before, E there, steps since a restart, and a Cholesky factor."""

    u: PyTree
    old: PyTree
    E: Float[Array, ""]
    n: Int[Array, ""]
    factor: Float[Array, "n n"] | None
    stuck: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="akande2025momentum",
    cost={"value": 1, "grad": 1},
    init_cost={"value": 1},
)
class MomentumGinzburgLandau(Method):
    """FISTA-like time steps, implicit in the convex part of E, explicit in the rest.

    E = E_v - E_c,  E_v(u) = <u, (Q + c I) u> / 2 + linear,  both convex

    v = u + b (u - u-),  (I + t (Q + c I)) (u+ - v) = -t grad E(v),  b = n / (n + 3)

    which is u+ + t grad E_v(u+) = v + t grad E_c(v). With b = 0 it is the splitting of
    a gradient flow, and E falls for every time step t = `step_size`: by ||u+ - u||^2 /
    t and half of ||u+ - u||^2 in Q + c I at least. `momentum` gives a constant b, a
    damped hyperbolic equation. For eps/2 <u, L u> + sum W(u) / eps with W'' <= w on the
    range, Q = eps L and c = w / eps. `metric` is Q; None: 0, with c the constant of
    grad E.

    From its abstract: the weights b are FISTA's. `restart` (ours) refuses a step with
    momentum where E rose, and begins again without. Fails where Q + c I is too small:
    E_c is not convex then, and E may rise. Stationary points are what it finds.
    """

    step_size: Real = real()
    metric: Float[Array, "n n"] | None = matrix(None)
    c: Real = real(low="nonnegative")
    momentum: Real | None = real(None, low="nonnegative", below=1, optional=True)
    restart: Flag = flag(True)

    @classmethod
    def suggest(cls, problem, facts, step_size=None, metric=None, c=None, **given):
        if c is None:
            c = upper(facts, "L") if metric is None else 0.0
        if c is None:
            cure = "declare L=..., or pass c=... or metric=..., the convex part"
            return Refusal("L", cure)
        if step_size is None:
            Q = 0 if metric is None else metric.trace() / len(metric)
            step_size = 10 / (c + Q)
        return cls(step_size, metric, c, **given)

    def init(self, problem, start, key):
        E, factor = problem.value(start.x), None
        if self.metric is not None:
            Q = jnp.asarray(self.metric, E.dtype)
            t, c = (jnp.asarray(v, E.dtype) for v in (self.step_size, self.c))
            factor = jnp.linalg.cholesky(
                t * Q + (1 + t * c) * jnp.eye(len(Q), dtype=Q.dtype)
            )
        none = jnp.zeros((), jnp.int32)
        return MomentumGinzburgLandauState(
            start.x, start.x, E, none, factor, jnp.asarray(False)
        )

    def step(self, problem, state, key):
        n = state.n.astype(state.E.dtype)
        t, c = (jnp.asarray(v, n.dtype) for v in (self.step_size, self.c))
        given = self.momentum is not None
        b = jnp.asarray(self.momentum, n.dtype) if given else n / (n + 3)
        v = tree.axpy(b, tree.sub(state.u, state.old), state.u)
        g, back = tree.ravel(problem.grad(v))
        if state.factor is None:
            way = g / (1 + t * c)
        else:
            way = jsl.cho_solve((state.factor, True), g)
        u = tree.axpy(-t, back(way), v)
        E = problem.value(u)
        rose = function_restart(E, state.E) & (state.n > 0) & jnp.asarray(self.restart)
        still = tree.max_abs(tree.sub(u, state.u)) + tree.max_abs(tree.sub(v, state.u))
        return MomentumGinzburgLandauState(
            u=tree.where(rose, state.u, u),
            old=state.u,
            E=jnp.where(rose, state.E, E),
            n=jnp.where(rose, 0, state.n + 1),
            factor=state.factor,
            stuck=still == 0,
        )

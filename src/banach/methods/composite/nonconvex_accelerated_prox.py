"""Accelerated proximal gradient for terms that are not convex (SCAD, MCP)."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import compat, tree
from banach.core.card import method
from banach.core.hyperparameters import Flag, Real, flag, real, upper, word
from banach.core.method import Method, Refusal


class NonconvexAcceleratedProxState(eqx.Module):
    """x_ag, x, the weight alpha, x_md and its last move, steps since a restart."""

    ag: PyTree
    x: PyTree
    alpha: Float[Array, ""]
    md: PyTree
    moved: Float[Array, ""]
    age: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"grad", "prox"},
    assumes={"smooth"},
    paper="yang2024accelerated",
    cost={"grad": 1, "prox": 2},
)
class NonconvexAcceleratedProx(Method):
    """Ghadimi and Lan's accelerated steps, with damping of the least bound.

    x_md = (1 - a) x_ag + a x,  g = grad psi(x_md)

    x+ = P(x - l g, l),  x_ag+ = P(x_md - b g, b),  l = b / a

    1 / a+^2 = 1 / a^2 + 1 / a+, a_1 = 1 (`damping` "optimal": Yang, Asgharian and
    Bhatnagar); a_k = 2 / (k + 1), l = k b / 2 ("harmonic": Ghadimi and Lan, and the
    accelerated method of Yang's thesis). P is the prox of h, convex, and psi smooth,
    psi + h = f + g. With `rho` of the problem (g + rho/2 ||.||^2 is convex)

    h = g + rho/2 ||.||^2,  psi = f - rho/2 ||.||^2,  b < 1 / max(L - rho, rho)

    P(v, t) = prox_g(v / (1 + t rho), t / (1 + t rho)),

    so that any term with a rho will do. The papers split SCAD and MCP otherwise, as an
    l1 norm and a concave rest, with b < 1 / max(L, rho): this split is banach's own,
    and the theorem (Ghadimi and Lan 2016, theorem 2) holds for both. `restart` sets a
    to 1 where x_md moves less than in the step before, three steps after the last one
    at the earliest (the authors' package), and, ours, x to x_ag. Without a rho it is
    an accelerated method for convex terms: fista needs one prox a step.

    Fails where `step_size` is above its bound; what it finds is stationary, and which
    stationary point depends on the start.
    """

    step_size: Real = real()
    rho: Real = real(low="nonnegative")
    damping: str = word("optimal", "harmonic", default="optimal")
    restart: Flag = flag(True)

    @classmethod
    def suggest(cls, problem, facts, step_size=None, rho=None, **given):
        L, own = upper(facts, "L"), facts.get("rho")
        rho = (0.0 if own is None else own) if rho is None else rho
        if step_size is None:
            if L is None:
                return Refusal(
                    "L", "declare L on the problem, or use proximal_gradient"
                )
            step_size = 0.99 / _largest(L, rho)
        return cls(step_size, rho, **given)

    def init(self, problem, start, key):
        one = jnp.ones((), tree.dtype(start.x))
        none = jnp.zeros((), jnp.int32)
        x = start.x
        return NonconvexAcceleratedProxState(x, x, one, x, one, none, one < 0)

    def step(self, problem, state, key):
        b, rho = (jnp.asarray(v, state.alpha.dtype) for v in (self.step_size, self.rho))
        a, k = state.alpha, state.age + 1
        md = tree.lerp(a, state.ag, state.x)
        g = tree.axpy(-rho, md, problem.grad(md))

        def near(v, t):
            return problem.prox(tree.scale(1 / (1 + t * rho), v), t / (1 + t * rho))

        long = b / a if self.damping == "optimal" else k.astype(a.dtype) * b / 2
        x = near(tree.axpy(-long, g, state.x), long)
        ag = near(tree.axpy(-b, g, md), b)
        moved = tree.norm(tree.sub(md, state.md))
        slower = (moved < state.moved) & (k > 3) & jnp.asarray(self.restart)
        if self.damping == "optimal":
            after = 2 / (1 + jnp.sqrt(1 + 4 / a**2))
        else:
            after = 2 / (k + 2).astype(a.dtype)
        still = [tree.max_abs(tree.sub(v, md)) for v in (ag, state.ag, x)]
        return NonconvexAcceleratedProxState(
            ag,
            tree.where(slower, ag, x),
            jnp.where(slower, 1, after),
            md,
            moved,
            jnp.where(slower, 0, k),
            sum(still[1:], still[0]) == 0,
        )


def _largest(L: Any, rho: Any) -> Any:
    """The constant of grad psi, whose Hessian is between -rho and L - rho."""
    if compat.any_tracer((L, rho)):
        return jnp.maximum(L - rho, rho)
    return max(float(L) - float(rho), float(rho))

"""Proximal gradient (ISTA), with a step of 1/L or one found by backtracking."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, fact, flag, upper
from banach.core.method import Method
from banach.methods.composite import _curvature


class ProximalGradientState(eqx.Module):
    """Iterate with f and its gradient, the estimate of L, and what it cost."""

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    lipschitz: Float[Array, ""]
    trials: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "prox"},
    assumes={"smooth"},
    paper="beck2009fista",
    rate_of="F(x) - F*",
    rate=lambda c, t: c.L * c.radius**2 / (2 * t),
)
class ProximalGradient(Method):
    """Gradient steps on f, each followed by the prox of the term.

    x+ = prox(x - grad f(x) / L, 1 / L)

    With `backtrack` L begins at `lipschitz`, doubles until its quadratic model at x
    bounds f(x+), and shrinks by a tenth a step. The rate is proved for a fixed L.

    Fails with backtrack=False when `lipschitz` is below the true constant, and is
    slow where the condition number is large: fista then needs its square root.
    """

    lipschitz: Real = fact("L", instead="proximal_gradient with backtrack=True")
    backtrack: bool = flag(True, static=True)

    @classmethod
    def suggest(cls, problem, facts, backtrack=None):
        if upper(facts, "L") is None and backtrack is not False:
            return cls(1.0, backtrack=True)
        return super().suggest(problem, facts, backtrack=False)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        f, L = (jnp.asarray(v, tree.dtype(start.x)) for v in (f, self.lipschitz))
        one = jnp.ones((), jnp.int32)
        return ProximalGradientState(start.x, f, g, L, one, jnp.asarray(False))

    def step(self, problem, state, key):
        def trial(L):
            x = problem.prox(tree.axpy(-1 / L, state.g, state.x), 1 / L)
            f, g = problem.value_and_grad(x)
            return x, jnp.asarray(f, state.f.dtype), g

        def search(carry):
            L, _, _, n = carry
            new = trial(L)
            ok = _curvature.bounded(L, old, new)
            return jnp.where(ok, L, 2 * L), new, ok, n + 1

        old, L = (state.x, state.f, state.g), state.lipschitz
        if self.backtrack:
            zero = jnp.zeros((), jnp.int32)
            L, new, ok, n = jax.lax.while_loop(
                lambda c: ~c[2] & (c[3] < 60), search, (L, old, zero > 0, zero)
            )
            # A search that failed leaves everything as it was.
            new, L = tree.where(ok, new, old), 0.9 * L
        else:
            new, n = trial(L), 1
        stuck = tree.max_abs(tree.sub(new[0], state.x)) == 0
        return ProximalGradientState(*new, L, state.trials + n, stuck)

    def calls(self, state):
        return {"value": state.trials, "grad": state.trials, "prox": state.trials - 1}

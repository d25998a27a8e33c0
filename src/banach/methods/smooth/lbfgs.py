"""Limited-memory BFGS (L-BFGS)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count
from banach.core.method import Method
from banach.core.point import Point
from banach.methods.smooth import _memory as mem
from banach.parts.line_search import approximate_wolfe


class LbfgsState(eqx.Module):
    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    pairs: mem.GramMemory
    calls: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    name="lbfgs",
    family="smooth",
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="liu1989limited",
)
class Lbfgs(Method):
    """Quasi-Newton steps from the last `memory` pairs of steps and gradient changes.

    x+ = x - a H g,  H the BFGS matrix of the pairs on top of (s.y / y.y) I

    The first trial of the line search is a = 1 (the first step has length 1). The
    search accepts approximate Wolfe steps, which works down to the rounding error
    of the gradient. A failed search drops the pairs and tries the gradient once
    before the method is stuck. R-linear on strongly convex functions.

    Fails slowly when the Hessian changes faster than the memory follows, and on
    functions with kinks.
    """

    memory: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(memory=10)

    def init(self, problem, start, key):
        x = start.x
        f, g = problem.value_and_grad(x)
        pairs = mem.empty_gram(x, self.memory)
        length = tree.norm(g)
        pairs = mem.rescaled(pairs, 1 / jnp.where(length > 0, length, 1))
        return LbfgsState(x, f, g, pairs, jnp.ones((), jnp.int32), jnp.asarray(False))

    def step(self, problem, state, key):
        direction = tree.neg(mem.apply_gram(state.pairs, state.g))
        out = approximate_wolfe(
            problem.value_and_grad,
            state.x,
            state.f,
            state.g,
            direction,
            1.0,
            decrease=1e-4,
        )
        s, y = tree.sub(out.x, state.x), tree.sub(out.g, state.g)
        pairs = mem.forgotten(mem.push_gram(state.pairs, s, y), ~out.success)
        stuck = ~out.success & (state.pairs.pairs.count == 0)
        calls = state.calls + out.grad_calls
        return LbfgsState(out.x, out.f, out.g, pairs, calls, stuck)

    def point(self, state):
        return Point(state.x)

    def calls(self, state):
        return {"value": state.calls, "grad": state.calls}

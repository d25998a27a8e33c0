"""Extragradient with a step found by backtracking."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.parts import quotient


class BacktrackingExtragradientState(eqx.Module):
    """Iterate, F there, the step to try, what was spent, whether nothing moves."""

    z: PyTree
    F: PyTree
    length: Float[Array, ""]
    operators: Int[Array, ""]
    resolvents: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Inclusion",
    needs={"operator", "resolvent"},
    assumes={"monotone"},
    paper="khobotov1987modification",
)
class BacktrackingExtragradient(Method):
    """Extragradient steps, shortened until F changes little over the trial step.

    v = J_s(z - s F(z)),  s ||F(z) - F(v)|| <= share ||z - v||,  z+ = J_s(z - s F(v))

    s falls by `shrink` until the test holds, and every step begins with `grow` times
    the s before (in Khobotov's paper with that s, so that it only falls), the first
    with 1 over the difference quotient of F along itself. F need be continuous alone.
    For monotone F, ||z+ - z*||^2 <= ||z - z*||^2 - (1 - share^2) ||z - v||^2. Fails on
    F that is not monotone.
    """

    share: Any = real(0.9, below=1)
    shrink: Any = real(0.7, below=1)
    grow: Any = real(1.5)

    typical: ClassVar = {"operator": 3, "resolvent": 3}

    def init(self, problem, start, key):
        z, F = start.x, problem.operator(start.x)
        first = quotient.along_itself(problem.operator, z, F) / self.grow
        first = jnp.asarray(first, tree.dtype(z))
        none, no = jnp.zeros((), jnp.int32), jnp.asarray(False)
        return BacktrackingExtragradientState(z, F, first, none + 2, none, no)

    def step(self, problem, state, key):
        z, F = state.z, state.F

        def trial(loop):
            s, _, _, k = loop
            s = jnp.where(k > 0, self.shrink * s, s)
            v = problem.resolvent(tree.axpy(-s, F, z), s)
            Fv = problem.operator(v)
            change = s * tree.norm(tree.sub(F, Fv))
            good = change <= self.share * tree.norm(tree.sub(z, v))
            return s, Fv, good, k + 1

        s = jnp.asarray(self.grow * state.length, state.length.dtype)
        first = (s, F, jnp.asarray(False), jnp.zeros((), jnp.int32))
        s, Fv, good, k = jax.lax.while_loop(
            lambda loop: ~loop[2] & (loop[3] < 60), trial, first
        )
        after = tree.where(good, problem.resolvent(tree.axpy(-s, Fv, z), s), z)
        stuck = ~good | (tree.max_abs(tree.sub(after, z)) == 0)
        F = problem.operator(after)
        counts = state.operators + k + 1, state.resolvents + k + 1
        return BacktrackingExtragradientState(after, F, s, *counts, stuck)

    def calls(self, state):
        return {"operator": state.operators, "resolvent": state.resolvents}

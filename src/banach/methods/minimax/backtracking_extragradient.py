"""Extragradient with a step found by backtracking."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method

TRIALS = 60


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
    the s before (Khobotov's rule; he begins with that s itself, so that it only
    falls). F need be continuous alone: locally Lipschitz F make s settle. For
    monotone F the distance to every solution falls,
    ||z+ - z*||^2 <= ||z - z*||^2 - (1 - share^2) ||z - v||^2, whatever s was. The
    first s is 1 over the difference quotient of F along itself. Fails on F that is
    not monotone.
    """

    share: Any = real(0.9, below=1)
    shrink: Any = real(0.7, below=1)
    grow: Any = real(1.5)

    typical: ClassVar[Mapping[str, float]] = {"operator": 3, "resolvent": 3}

    def init(self, problem, start, key):
        z = start.x
        F = problem.operator(z)
        kind = tree.dtype(z)
        size, far = tree.norm(F), tree.norm(z)
        # Long enough that rounding spares three quarters of the quotient's digits.
        length = jnp.finfo(kind).eps ** (1 / 4) * jnp.where(far > 0, far, 1)
        move = -length / jnp.where(size > 0, size, 1)
        rise = tree.norm(tree.sub(problem.operator(tree.axpy(move, F, z)), F))
        known = (rise > 0) & jnp.isfinite(rise)
        first = jnp.where(known, length / jnp.where(known, rise, 1), 1)
        zero = jnp.zeros((), jnp.int32)
        return BacktrackingExtragradientState(
            z, F, jnp.asarray(first / self.grow, kind), zero + 2, zero,
            jnp.asarray(False),
        )  # fmt: skip

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

        def more(loop):
            return ~loop[2] & (loop[3] < TRIALS)

        s = jnp.asarray(self.grow * state.length, state.length.dtype)
        none = (s, F, jnp.asarray(False), jnp.zeros((), jnp.int32))
        s, Fv, good, k = jax.lax.while_loop(more, trial, none)
        after = problem.resolvent(tree.axpy(-s, Fv, z), s)
        after = tree.where(good, after, z)
        stuck = ~good | (tree.max_abs(tree.sub(after, z)) == 0)
        return BacktrackingExtragradientState(
            z=after,
            F=problem.operator(after),
            length=s,
            operators=state.operators + k + 1,
            resolvents=state.resolvents + k + 1,
            stuck=stuck,
        )

    def calls(self, state):
        return {"operator": state.operators, "resolvent": state.resolvents}

"""Conjugate directions proposed by a network (DCDM)."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, function
from banach.core.method import Method, Refusal
from banach.methods.linear._direction_network import as_module, trained
from banach.parts.grid_laplacians import GridLaplacian

_map = jax.tree.map


class DeepConjugateDirectionState(eqx.Module):
    """Iterate, residual, the last `memory` directions d, A d and d'A d, obstacles."""

    x: PyTree
    r: PyTree
    d: PyTree
    curved: PyTree
    curvature: Float[Array, " memory"]
    apart: Any
    steps: Int[Array, ""]
    products: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Linear",
    needs={"matvec", "residual"},
    assumes={"symmetric", "positive_definite"},
    paper="kaneda2023deep",
)
class DeepConjugateDirection(Method):
    """A network's direction, A-orthogonalised, with an exact step.

    d = f(r / ||r||),  d -= (d'A d_j / d_j'A d_j) d_j for the last `memory` d_j,
    a = r'd / d'A d,  x+ = x + a d,  r+ = r - a A d

    `network(r, apart)` maps a residual of norm 1 to a direction; `apart` are the
    obstacles of a GridLaplacian, else None. Any jittable module will do, for any
    operator: the step is exact, so that the error in the energy norm never grows. Where
    d'A d <= 0 or r'd is not positive beyond rounding the residual itself,
    orthogonalised, is the direction (one product more). The default network was
    trained on the empty 32 x 32 grid by `_direction_network`.

    Beside the paper: no biases, levels sharing weights, obstacles shown to the
    network, r by recurrence. Slow where the network knows nothing of A.
    """

    typical: ClassVar = {"matvec": 20.0}  # what a network costs

    network: Callable[[PyTree, Any], PyTree] = function(as_module)
    memory: int = count(2, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        if not isinstance(problem.A, GridLaplacian):
            return Refusal(
                "grid",
                "deep_conjugate_direction has a network for grids (bn.poisson_grid) "
                "only: pass your own, bn.DeepConjugateDirection(network=...)",
            )
        kind = tree.dtype(problem.space())
        return cls(_map(lambda w: w.astype(kind), trained()))

    def init(self, problem, start, key):
        stack = _map(lambda v: jnp.zeros((self.memory, *v.shape), v.dtype), start.x)
        r, ones = problem.residual(start.x), jnp.ones(self.memory, tree.dtype(start.x))
        apart = problem.A.isolated() if isinstance(problem.A, GridLaplacian) else None
        none, zero = jnp.asarray(False), jnp.zeros((), jnp.int32)
        return DeepConjugateDirectionState(
            start.x, r, stack, stack, ones, apart, zero, zero, none
        )

    def step(self, problem, state, key):
        size = tree.norm(state.r)
        unit = tree.scale(1 / jnp.where(size > 0, size, 1), state.r)
        d = self._conjugate(state, self.network(unit, state.apart))
        curved = problem.matvec(d)
        curvature, slope = tree.vdot(d, curved), tree.vdot(unit, d)
        # A good direction may be almost orthogonal to r: 2 / sqrt(condition number).
        least = 10 * jnp.finfo(size.dtype).eps * tree.norm(d)
        weak = ~((curvature > 0) & (slope > least))

        def fall_back(_):
            own = self._conjugate(state, unit)
            return own, problem.matvec(own)

        d, curved = jax.lax.cond(weak, fall_back, lambda _: (d, curved), None)
        curvature, fell = tree.vdot(d, curved), weak.astype(jnp.int32)
        bad = ~((curvature > 0) & (size > 0))
        safe = jnp.where(bad, 1, curvature)
        a = jnp.where(bad, 0, tree.vdot(state.r, d) / safe)
        at = state.steps % self.memory

        def keep(old, new):
            return _map(lambda o, v: o.at[at].set(jnp.where(bad, 0, v)), old, new)

        return DeepConjugateDirectionState(
            tree.axpy(a, d, state.x),
            tree.axpy(-a, curved, state.r),
            keep(state.d, d),
            keep(state.curved, curved),
            state.curvature.at[at].set(safe),
            state.apart,
            state.steps + 1,
            state.products + 1 + fell,
            bad,
        )

    def _conjugate(self, state, d):
        """D made A-orthogonal to the remembered directions, oldest first."""
        for back in range(self.memory, 0, -1):
            at = (state.steps - back) % self.memory
            old, curved = _map(lambda v, at=at: v[at], (state.d, state.curved))
            d = tree.axpy(-tree.vdot(d, curved) / state.curvature[at], old, d)
        return d

    def calls(self, state):
        return {"matvec": state.products, "residual": 1}

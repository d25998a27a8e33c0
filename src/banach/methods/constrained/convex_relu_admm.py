"""ADMM for the convex program of a two-layer ReLU network."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.cg import cg

_DENSE_UP_TO = 3000


class ConvexReluAdmmState(eqx.Module):
    """u, its split copies s, their scaled duals, the factor, and the calls made."""

    u: PyTree
    s: PyTree
    dual: PyTree
    target: PyTree
    factor: PyTree
    offer: PyTree
    products: Int[Array, ""]
    normals: Int[Array, ""]
    steps: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="ConvexRelu",
    needs={"split", "split_prox", "normal"},
    assumes={"convex"},
    paper="bai2023efficient",
)
class ConvexReluAdmm(Method):
    """Alternating directions on min q(u) + h(B u), one linear system factored once.

    u+ = (Q + rho B'B)^-1 (c + rho B'(s - dual))
    s+ = prox_{h / rho}(a B u+ + (1 - a) s + dual)
    dual+ = dual + a B u+ + (1 - a) s - s+

    For squared loss q(u) = 1/2 ||F u - y||^2 and B u holds the groups and the cones:
    s is then the paper's (v, s), soft-thresholded and clipped, and the dual its
    (lambda, nu). Another loss is split off as a third block. The answer is the
    thresholded copy of u; the cones' dual gives multipliers for the duality gap.

    `relaxation` a = 1 is the paper's iteration, 1.6 usually needs a third of its steps
    (Eckstein and Bertsekas 1992). `inner` None solves the system exactly through n x n
    eigenvectors; a number is that many conjugate gradient steps from the last u.

    Converges for every rho > 0; a rho off by a factor of 100 costs as much in steps.
    """

    rho: Any = real()
    relaxation: Any = real(1.6, below=2)
    inner: int | None = count(None, static=True, optional=True)

    @classmethod
    def suggest(cls, problem, facts):
        dense = problem.normal_size() <= _DENSE_UP_TO
        return cls(problem.penalty(), inner=None if dense else 20)

    def init(self, problem, start, key):
        u = jax.tree.map(jnp.asarray, start.x)
        s, exact = problem.split(u), self.inner is None
        dual = tree.zeros_like(s)
        factor = problem.normal_factor() if exact else None
        one = jnp.ones((), jnp.int32)
        return ConvexReluAdmmState(
            u, s, dual, problem.normal_target(), factor, problem.multipliers(dual),
            one, one * exact, 0 * one, jnp.asarray(False),
        )  # fmt: skip

    def step(self, problem, state, key):
        dtype = tree.dtype(state.u)
        rho, a = (jnp.asarray(v, dtype) for v in (self.rho, self.relaxation))
        back = problem.split_adjoint(tree.sub(state.s, state.dual))
        right = tree.axpy(rho, back, state.target)
        if self.inner is None:
            u, normals = problem.normal_solve(state.factor, right, rho), 1
        else:
            found = cg(
                lambda v: problem.normal_product(v, rho), right, state.u,
                tol=jnp.finfo(dtype).eps, max_steps=self.inner,
            )  # fmt: skip
            u, normals = found.x, found.calls
        mixed = tree.lerp(a, state.s, problem.split(u))
        ahead = tree.add(mixed, state.dual)
        s = problem.split_prox(ahead, 1 / rho)
        dual = tree.sub(ahead, s)
        moved = tree.max_abs(tree.sub(s, state.s))
        moved += tree.max_abs(tree.sub(dual, state.dual))
        return ConvexReluAdmmState(
            u, s, dual, state.target, state.factor,
            problem.multipliers(tree.scale(rho, dual)), state.products + 2,
            state.normals + normals, state.steps + 1, moved == 0,
        )  # fmt: skip

    def point(self, state):
        return Point(state.s["groups"], state.offer)

    def calls(self, state):
        made = {"split": state.products, "split_prox": state.steps}
        return {**made, "normal": state.normals}

"""Gradient methods preconditioned by polynomials of a curvature matrix."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, flag, matrix
from banach.core.method import Method
from banach.parts import newton
from banach.parts.trust_region import ratio


class SymmetricPolyPrecondState(eqx.Module):
    """Iterate, value, gradient, M, the matrix, and whether no step can move."""

    x: PyTree
    f: Float[Array, ""]
    g: Float[Array, " n"]
    M: Float[Array, ""]
    B: Float[Array, "n n"]
    stuck: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"smooth"},
    paper="doikov2023polynomial",
    cost={"value": 1, "grad": 1},
    init_cost={"value": 1, "grad": 1, "hess": 1},
)
class SymmetricPolyPrecond(Method):
    """Gradient steps x+ = x - p(B) grad f(x) / M, with p of degree tau.

    Where mu B <= H(x) <= L B for one matrix B. With sigma_k the elementary symmetric
    polynomials of B's eigenvalues, `krylov=False` takes

    P_0 = I,  P_tau = sigma_tau I - B P_(tau-1)

    which removes about tau large eigenvalues: B P_tau has lambda_i sigma_tau(the
    others), a condition of at most (n - 1 over tau) lambda_(tau+1) / lambda_n. sigma_k
    comes from traces of powers by Newton's identities. `krylov=True` takes the p that
    minimises <g, h> + M h'Bh / 2 over span(g, Bg, .., B^tau g), never worse a step. M
    is halved after a step and doubled where f fell by less than g.p(B) g / (2 M).

    `metric` is B; None takes |H(x0)| (ours), from eigenvectors. The paper's fast
    gradient method is left out. Fails, slowly, where H(x) soon looks nothing like B.
    """

    metric: Float[Array, "n n"] | None = matrix(None)
    tau: int = count(static=True, low=0)
    krylov: bool = flag(static=True)

    @classmethod
    def suggest(cls, problem, facts, metric=None):
        return cls(metric, tau=2, krylov=True)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g = tree.ravel(g)[0]
        values, V = jnp.linalg.eigh(problem.hess(start.x))
        B = _mul(V * jnp.abs(values), V.T) if self.metric is None else self.metric
        B = jnp.asarray(B, g.dtype)
        d = self.direction(B, g)
        M = jnp.vdot(d, _mul(B, d)) / newton.positive(jnp.vdot(g, d))
        M = newton.positive(M)
        return SymmetricPolyPrecondState(start.x, f, g, M, B, jnp.asarray(False))

    def direction(self, B, g):
        """p(B) g."""
        if self.krylov:
            basis = [g / newton.positive(tree.norm(g))]
            for _ in range(self.tau):
                # Against all before it, twice: powers of B are nearly parallel.
                v = _mul(B, basis[-1])
                Q = jnp.stack(basis)
                for _ in range(2):
                    v = v - _mul(Q.T, _mul(Q, v))
                basis.append(v / newton.positive(tree.norm(v)))
            Q = jnp.stack(basis)
            values, V = jnp.linalg.eigh(_mul(_mul(Q, B), Q.T))
            floor = g.size * jnp.finfo(g.dtype).eps * values[-1]
            inverse = jnp.where(values > floor, 1 / newton.positive(values), 0)
            return _mul(Q.T, _mul(V, inverse * _mul(V.T, _mul(Q, g))))
        B = B / newton.positive(jnp.trace(B))
        power, traces, sigma, out = B, [], [jnp.ones((), g.dtype)], g
        for k in range(1, self.tau + 1):
            traces.append(jnp.trace(power))
            terms = [(-1) ** i * sigma[k - 1 - i] * t for i, t in enumerate(traces)]
            sigma.append(sum(terms) / k)
            out, power = sigma[k] * g - _mul(B, out), _mul(power, B)
        return out

    def step(self, problem, state, key):
        (x, back), g, M = tree.ravel(state.x), state.g, state.M
        d = self.direction(state.B, g)
        trial = x - d / M
        f, after = problem.value_and_grad(back(trial))
        after = tree.ravel(after)[0]
        promised = jnp.vdot(g, d) / (2 * M)
        rho = ratio(state.f, f, g, after, -d / M, promised, noise=1e3)
        accept = rho >= 1 - 1e-8
        return SymmetricPolyPrecondState(
            x=tree.where(accept, back(trial), state.x),
            f=jnp.where(accept, f, state.f),
            g=jnp.where(accept, after, g),
            M=jnp.where(accept, M / 2, 2 * M),
            B=state.B,
            stuck=newton.idle(x, trial, g, after),
        )


def _mul(a, b):
    return jnp.matmul(a, b, precision=tree.PRECISION)

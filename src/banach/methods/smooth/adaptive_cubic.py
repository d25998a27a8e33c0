"""Adaptive regularisation with cubics (ARC), exact subproblems."""

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.methods.smooth._second_order import NewtonMethod, NewtonState
from banach.parts import newton
from banach.parts.cubic import cubic_step
from banach.parts.trust_region import Spectrum, spectrum


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"smooth"},
    paper="cartis2011adaptive",
)
class AdaptiveCubic(NewtonMethod):
    """Minimise a cubic model; its weight plays the part of a trust region's radius.

    s = argmin g.s + s.Hs / 2 + (sigma / 3) ||s||^3,  x+ = x + s if rho >= eta1

    rho is the decrease of f over that of the whole model. As in the paper's
    experiments sigma+ = max(min(sigma, ||g||), eps) where rho > eta2, 2 sigma where
    rho < eta1, and else sigma; `sigma` is the first. The model is minimised
    globally from eigenvectors, kept until x moves. Limit points satisfy the
    second-order conditions, at most O(eps^(-3/2)) evaluations bring ||g|| below eps,
    and convergence is quadratic where the Hessian is definite. Decreases below the
    rounding of f are read from gradients (ours).

    Fails slowly in bad units: sigma = 1 and its floor ||g|| mean something in those of
    the paper only. n^3 work a Hessian; newton_cg serves many unknowns.
    """

    sigma: Real = real()
    eta1: Real = real(below=1)
    eta2: Real = real(below=1)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(sigma=1.0, eta1=0.1, eta2=0.9)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g, zero = tree.ravel(g)[0], jnp.zeros((), jnp.int32)
        n, sigma = g.size, jnp.asarray(self.sigma, g.dtype)
        known = Spectrum(g, jnp.zeros((n, n), g.dtype)), sigma, jnp.asarray(True)
        return NewtonState(start.x, f, g, known, zero + 1, zero, jnp.asarray(False))

    def step(self, problem, state, key):
        (x, back), g = tree.ravel(state.x), state.g
        known, sigma, stale = state.known
        known = jax.lax.cond(
            stale, lambda: spectrum(problem.hess(state.x)), lambda: known
        )
        out = cubic_step(known, g, 2 * sigma)
        trial = x + out.step
        f, after = problem.value_and_grad(back(trial))
        after = tree.ravel(after)[0]
        rho = newton.agreement(state.f, f, g, after, out.step, out.predicted)
        accept = rho >= self.eta1
        tiny = jnp.finfo(g.dtype).eps
        eased = jnp.maximum(jnp.minimum(sigma, tree.norm(g)), tiny)
        sigma = jnp.where(rho > self.eta2, eased, jnp.where(accept, sigma, 2 * sigma))
        return NewtonState(
            x=tree.where(accept, back(trial), state.x),
            f=jnp.where(accept, f, state.f),
            g=jnp.where(accept, after, g),
            known=(known, sigma, accept),
            evaluations=state.evaluations + 1,
            seconds=state.seconds + stale,
            stuck=newton.idle(x, trial, g, after),
        )

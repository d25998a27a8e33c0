"""Accelerated cubic Newton steps that know how inexact their derivatives are."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, Whole, count, real, upper
from banach.core.method import Method
from banach.core.problem import Misuse
from banach.parts import batches, newton
from banach.parts.cubic import cubic_step
from banach.parts.trust_region import Spectrum, spectrum


class AcceleratedStochasticCubicState(eqx.Module):
    """Iterate, x_0 and the slope of psi there, M, kappa_3, steps taken, and trials."""

    x: PyTree
    centre: Float[Array, " n"]
    slope: Float[Array, " n"]
    M: Float[Array, ""]
    kappa: Float[Array, ""]
    t: Int[Array, ""]
    trials: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"grad", "hess"},
    assumes={"convex", "smooth"},
    paper="agafonov2024advancing",
    random=True,
)
class AcceleratedStochasticCubic(Method):
    """Cubic steps from between x_t and the least point y_t of an estimating function.

    v = (1 - a) x + a y,  a = 3 / (t + 3),  A = 6 / ((t + 1) (t + 2) (t + 3))
    x+ = v + argmin g.h + h.Hh / 2 + d ||h||^2 / 2 + M ||h||^3 / 6,  g, H at v
    psi(u) = (k2 + l) / 2 ||u - x_0||^2 + k3 / 3 ||u - x_0||^3 + sum a / A g(x+).u

    d = 2 delta + sigma / R (t + 3)^(3/2),  l = sigma / R (t + 3)^(5/2),
    k2 = 2 d a^2 / A,  k3 = 8/3 M a^3 / A;  M >= 2 L2, L2 the Hessian's constant.

    E f - f* = O(sigma R / sqrt(T) + delta R^2 / T^2 + L2 R^3 / T^3), where E ||g - grad
    f||^2 <= sigma^2, ||H - f''|| <= delta and R = `radius` >= ||x_0 - x*||: Nesterov's
    accelerated cubic method where both are 0. `batch` and `hessian_batch` terms of a
    FiniteSum are drawn, with replacement, for each g and H; None: exact. A sampled H is
    counted as its columns. The model is minimised exactly (the paper's tau is 0).

    From its abstract and memory: the constants were derived anew, and agree with the
    rates. `M=None` (ours; exact gradients only) doubles M, without moving, until
    g+.(v - x+) >= min(||g+||^2 / (4 d), ||g+||^(3/2) / sqrt(3 M)), all that the proof
    asks of a step. Slow where f is strongly convex: lazy_newton is quadratic there.
    """

    M: Real | None = real(None, optional=True)
    sigma: Real = real(0.0, low="nonnegative")
    delta: Real = real(0.0, low="nonnegative")
    radius: Real = real()
    batch: Whole | None = count(None, static=True, optional=True)
    hessian_batch: Whole | None = count(None, static=True, optional=True)

    @classmethod
    def suggest(cls, problem, facts):
        radius = upper(facts, "radius")
        return cls(radius=1.0 if radius is None else radius)

    @property
    def typical(self):
        n = {"grad": 2} if self.batch is None else {"stochastic_grad": 2 * self.batch}
        return n | ({"hess": 1} if self.hessian_batch is None else {})

    def draws(self):
        """Whether terms are drawn."""
        return self.batch is not None or self.hessian_batch is not None

    def init(self, problem, start, key):
        for size in (self.batch, self.hessian_batch):
            if size is not None:
                if "stochastic_grad" not in problem.oracles():
                    raise Misuse("batch: only a sum has terms; state bn.FiniteSum")
                batches.fits(size, problem.n)
        if self.batch is not None and self.M is None:
            raise Misuse("M=None tests exact gradients; pass M=2 L2, or batch=None")
        x, zero = tree.ravel(start.x)[0], jnp.zeros((), jnp.int32)
        M = jnp.asarray(0 if self.M is None else self.M, x.dtype)
        flat, no = jnp.zeros_like(x), jnp.asarray(False)
        return AcceleratedStochasticCubicState(
            start.x, x, flat, M, jnp.zeros_like(M), zero, zero, no
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        t = state.t.astype(x.dtype)
        sigma, delta, R = (
            jnp.asarray(v, x.dtype) for v in (self.sigma, self.delta, self.radius)
        )
        here, there, second = jax.random.split(key, 3)
        a = 3 / (t + 3)
        A = 6 / ((t + 1) * (t + 2) * (t + 3))
        d = 2 * delta + sigma / R * (t + 3) ** 1.5
        k3 = jnp.maximum(state.kappa, 8 / 3 * state.M * a**3 / A)
        weight = 2 * d * a**2 / A + sigma / R * (t + 3) ** 2.5
        # rho = ||y - x_0|| solves k3 rho^2 + weight rho = ||slope||.
        pull = tree.norm(state.slope)
        bottom = weight + jnp.sqrt(weight**2 + 4 * k3 * pull)
        y = state.centre - 2 * state.slope / newton.positive(bottom)
        v = (1 - a) * x + a * y
        g = self.gradient(problem, v, back, here)
        H = spectrum(self.hessian(problem, v, back, second))
        first = (0.01 * jnp.mean(jnp.abs(H.values))) ** 2
        M = jnp.where(state.M > 0, state.M, first / newton.positive(tree.norm(g)))
        h = cubic_step(Spectrum(H.values + d, H.vectors), g, M).step
        trial = v + h
        after = self.gradient(problem, trial, back, there)
        good = tree.all_finite((trial, after))
        if self.M is None:
            size = tree.norm(after)
            square = size**2 / newton.positive(4 * d)
            least = size * jnp.sqrt(size / (3 * M))
            least = jnp.where(d > 0, jnp.minimum(square, least), least)
            # Below the resolution of x the test reads rounding errors.
            blind = tree.norm(h) <= 1e3 * jnp.finfo(x.dtype).eps * tree.norm(v)
            good = good & (blind | (-jnp.vdot(after, h) >= least))
        return AcceleratedStochasticCubicState(
            x=back(jnp.where(good, trial, x)),
            centre=state.centre,
            slope=state.slope + jnp.where(good, a / A * after, 0),
            M=jnp.where(good, M, 2 * M),
            kappa=jnp.where(good, k3, state.kappa),
            t=state.t + good,
            trials=state.trials + 1,
            stuck=~good & (self.M is not None),
        )

    def gradient(self, problem, x, back, key):
        """At x: exact, or of a batch."""
        if self.batch is None:
            return tree.ravel(problem.grad(back(x)))[0]
        index = jax.random.randint(key, (self.batch,), 0, problem.n)
        return tree.ravel(problem.stochastic_grad(back(x), index))[0]

    def hessian(self, problem, x, back, key):
        """At x: exact, or of a batch, column by column."""
        if self.hessian_batch is None:
            return problem.hess(back(x))
        index = jax.random.randint(key, (self.hessian_batch,), 0, problem.n)

        def column(e):
            def grad(z):
                return tree.ravel(problem.stochastic_grad(back(z), index))[0]

            return jax.jvp(grad, (x,), (e,))[1]

        H = jax.lax.map(column, jnp.eye(x.size, dtype=x.dtype))
        return (H + H.T) / 2

    def calls(self, state):
        trials, b, c = state.trials, self.batch, self.hessian_batch
        terms = 2 * (b or 0) + (c or 0) * state.centre.size
        exact = {"grad": 2 * trials * (b is None), "hess": trials * (c is None)}
        return exact | {"stochastic_grad": terms * trials}

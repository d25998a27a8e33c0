"""Descent in a Sobolev metric contracts, whatever the grid.

Marwah, Lipton, Lu and Risteski follow u+ = u - eta (I - laplace)^-1 E'(u), whose energy
falls exponentially, to bound the size of networks that represent u. Tried on
-div((c + 1 / (1 + |grad u|^2)) grad u) + u = f on the square, whose contrast grows as c
falls, against the discrete minimiser by Newton's method with conjugate gradients.
Reduced: two dimensions; finite elements instead of networks. The step and the factor
are those of strong monotonicity, (upper - lower) / (upper + lower); the number of
their lemma could not be verified.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, fresh, ours, out_of_reach, proved
from banach.kinds.elliptic.problem import EllipticEnergy
from banach.methods.sciml.sobolev_gradient_flow import SobolevGradientFlow
from banach.methods.smooth.gradient_descent import GradientDescent


def density(s, c):
    """Of p -> A(|p|^2), the Hessian's eigenvalues are in [c - 1/8, c + 1]."""
    return (c * s + jnp.log1p(s)) / 2


def half_square(u, c):
    """The reaction u."""
    return u**2 / 2


def energy(n, c, seed=0):
    """n x n nodes, a smooth load of this seed."""
    rng = np.random.default_rng(seed)
    x = np.pi * np.arange(1, n + 1) / (n + 1)
    waves = np.sin(np.outer(np.arange(1, 5), x))
    load = 30 * waves.T @ rng.standard_normal((4, 4)) @ waves
    return EllipticEnergy(
        density, load, lower=c - 0.125, upper=c + 1, potential=half_square,
        curvature=(1.0, 1.0), args=(np.array(c),),
    )  # fmt: skip


@jax.jit
def newton(problem):
    """The discrete minimiser."""

    def one(_, u):
        step, _ = jax.scipy.sparse.linalg.cg(
            lambda v: problem.hvp(u, v), problem.grad(u), M=problem.riesz,
            tol=1e-10, atol=0.0, maxiter=100,
        )  # fmt: skip
        return u - step

    return jax.lax.fori_loop(0, 10, one, jnp.zeros_like(problem.load))


def distance(problem, us):
    """(|v|_H1^2 + ||v||^2)^(1/2) from the minimiser, the metric of the flow."""
    v = us.reshape(-1, *problem.load.shape) - newton(problem)
    w = np.pad(v, ((0, 0), (1, 1), (1, 1)))
    slopes = [np.sum(np.diff(w, axis=k) ** 2, (1, 2)) for k in (1, 2)]
    return np.sqrt(sum(slopes) + problem.cell() * np.sum(v**2, (1, 2)))


@functools.lru_cache
def distances(n, c, seed):
    """The distance to the minimiser after each step, and the proved factor."""
    problem = energy(n, c, seed)
    low, high = (float(v) for v in problem.ellipticity(1.0))
    rho = (high - low) / (high + low)
    steps = int(np.ceil(np.log(1e-8) / np.log(rho)))
    method = runs.suggested(SobolevGradientFlow, problem)
    us = runs.trace(problem, method, steps, x=runs.where)["x"]
    return distance(problem, us), rho


def cases():
    """Grids, and contrasts from 1.6 to 60."""
    grids = {f"h = 1/{n + 1}": (n, 1.0, 0) for n in (15, 31, 63, 127)}
    contrasts = {f"c = {c:g}": (31, c, 1) for c in (2.0, 0.5, 0.25, 0.145)}
    return {**grids, **contrasts, "fresh": (31, 0.7, fresh())}


@proved("Marwah et al. 2023, exponential descent", at_most(1 + 1e-9))
def contraction():
    """e_t over rho^t e_0, the largest of the steps that the bound needs for 1e-8."""
    worst, curves = {}, {}
    for name, case in cases().items():
        e, rho = distances(*case)
        bound = rho ** np.arange(len(e)) * e[0]
        # The rounding of Newton's point.
        worst[name] = np.max(((e - 1e-12 * e[0]) / bound)[1:])
        curves[name] = {"distance": e, "bound": bound}
    few = {k: curves[k] for k in ("h = 1/128", "c = 0.145")}
    return Seen(worst, few, ("steps", "|u - u*|"))


@ours("a user's question", at_most(1.05))
def grid_free():
    """The factor a step on five grids over that on the coarsest."""
    factors = {}
    for n in (15, 31, 63, 127, 47):
        e, _ = distances(n, 1.0, fresh() if n == 47 else 0)
        factors[f"h = 1/{n + 1}" + ", fresh" * (n == 47)] = (e[10] / e[2]) ** (1 / 8)
    return {k: v / factors["h = 1/16"] for k, v in factors.items()}


@ours("a user's question", at_most(0.05), few="a plain gradient takes h^-2 steps")
def against_plain_gradient():
    """Steps until the distance is 1 % over those of the plain gradient."""
    found = {}
    for n in (15, 31):
        problem = energy(n, 1.0)
        e, _ = distances(n, 1.0, 0)
        facts = problem.facts()
        plain = GradientDescent(2 / (facts.L + facts.mu), search=False)
        us = runs.trace(problem, plain, 6000, every=10, x=runs.where)["x"]
        slow = distance(problem, us)
        found[f"h = 1/{n + 1}"] = np.argmax(e <= 0.01 * e[0]) / (
            10 * np.argmax(slow <= 0.01 * slow[0])
        )
    return found


headline = out_of_reach(
    "Marwah et al. 2023, the theorem of the abstract",
    "the solution is approximated within epsilon by a function whose Barron norm is "
    "polynomial in the dimension",
    "nothing: Barron norms are not computed here, and grids end at dimension 2",
)

"""EControl converges where error compensation stalls and naive compression diverges.

Reduced: logistic regression (l2 = 0.1) in place of the paper's least squares, LIBSVM
and networks; Top-K of a tenth of the entries. Run is eta = delta / (3 r (1 + r)),
r = sqrt(1 - delta), far above what the proofs ask for (about delta / 400), and steps
that are multiples of 1 / L: the rates are seen there, not proved.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_least, at_most, between, ours, reported, tuned
from banach.claims.distributed._instances import logistic, tables
from banach.methods.distributed._compressors import of_share
from banach.methods.distributed.econtrol import Econtrol

WORKERS, STEPS, EVERY, RIDGE = 8, 4000, 10, 0.1
SIZES = [2.0**k for k in range(-3, 7)]
SOURCE = "Gao, Islamov and Stich 2024, "


@functools.cache
def full(name):
    """The problem spread by label, its minimiser, and EControl's own eta."""
    problem, best = logistic(*tables()[name], WORKERS, RIDGE)
    return problem, best, Econtrol.of(of_share(0.1, best.size), 1.0, best.size)


def errors(problem, best, method, steps=STEPS, every=EVERY):
    """||x - x*||^2 over ||x*||^2, every `every` steps."""
    x = runs.trace(problem, method, steps, every=every, x=runs.where)["x"]
    with np.errstate(all="ignore"):
        return np.sum((x - best) ** 2, axis=1) / np.sum(best**2)


@functools.cache
def curve(name, size=1.0, eta=None):
    """Errors with full gradients at step size / L; eta = 0 is EF21."""
    problem, best, own = full(name)
    size = size / float(problem.facts().get("L_worker"))
    method = Econtrol(size, own.eta if eta is None else eta, own.compressor)
    return errors(problem, best, method)


def reach(e, level):
    """Steps until the error is at most `level`."""
    return EVERY * np.argmax(e <= level) if np.any(e <= level) else np.inf


@reported(SOURCE + "linear convergence from full gradients", between(0.5, 2.0))
def linear():
    """Steps from an error of 1e-8 to 1e-10 over those from 1e-6 to 1e-8."""
    found, curves = {}, {}
    for name in tables():
        e = curve(name)
        at = [reach(e, level) for level in (1e-6, 1e-8, 1e-10)]
        found[name], curves[name] = (at[2] - at[1]) / (at[1] - at[0]), e
    return Seen(found, {"||x - x*||^2, relative": curves}, (f"{EVERY} steps", ""))


@reported(SOURCE + "error compensation on heterogeneous data", at_least(1e3))
def compensation_stalls():
    """The error of classic error compensation over that of EControl, 4,000 steps."""
    return {name: compensated(name) / curve(name)[-1] for name in tables()}


def compensated(name):
    """Of d = C(e + g), e+ = e + g - d, x+ = x - mean d / L: the least error."""
    problem, best, own = full(name)
    size = 1 / float(problem.facts().get("L_worker"))
    compress = jax.vmap(lambda v: own.compressor(v, jax.random.key(0)))

    def step(carry, _):
        x, e = carry
        g = problem.local_grad(x)
        d = compress(e + g)
        return (x - size * jnp.mean(d, axis=0), e + g - d), jnp.sum((x - best) ** 2)

    first = jnp.zeros(best.size), jnp.zeros((WORKERS, best.size))
    found = jax.jit(lambda c: jax.lax.scan(step, c, length=STEPS)[1])(first)
    return float(jnp.min(found)) / np.sum(best**2)


@functools.cache
def floor(name, workers, own=True):
    """The mean error of 10,000 steps of 0.02 / L, batches of one datum, shuffled."""
    problem, best = logistic(*tables()[name], workers, RIDGE, sort=False)
    made = Econtrol.of(of_share(0.1, best.size), 1.0, best.size)
    size = 0.02 / float(problem.facts().get("L"))
    method = Econtrol(size, made.eta if own else 0.0, made.compressor, batch=1)
    e = errors(problem, best, method, 20_000, 50)
    return np.mean(e[len(e) // 2 :])


@reported(SOURCE + "linear speed-up: the floor falls like 1 / n", between(0.15, 0.4))
def speed_up():
    """The floor of batches of one with 16 workers over that with 4."""
    return {name: floor(name, 16) / floor(name, 4) for name in tables()}


@reported(SOURCE + "EF21 needs large batches", at_most(1.0))
def below_ef21():
    """The floor of batches of one, 16 workers, over that of EF21."""
    return {name: floor(name, 16) / floor(name, 16, False) for name in tables()}


@reported("Beznosikov et al. 2023, divergence of naive Top-1", at_least(10), few="one")
def naive():
    """Growth of ||x|| in 200 steps of Top-1 gradients on their quadratics."""
    a, x = np.full((3, 3), 2.0) - 5 * np.eye(3), np.ones(3)
    for _ in range(200):
        g = 2 * a * (a @ x)[:, None] + x / 2
        x = x - 0.02 * np.mean(g * (np.abs(g) == np.abs(g).max(1)[:, None]), axis=0)
    return {"three workers": np.linalg.norm(x) / np.sqrt(3)}


@ours("nobody's claim: bits with full gradients", at_most(1.0))
def bits():
    """Bits to 1e-10 over those of EF21, the step of each the best of a grid."""

    def least(name, eta):
        return tuned(SIZES, lambda s: reach(curve(name, s, eta), 1e-10))[1]

    return {name: least(name, None) / least(name, 0.0) for name in tables()}

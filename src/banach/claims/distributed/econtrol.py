"""EControl converges where error compensation stalls, and with noise as 1 / n.

Reduced: logistic regression (l2 = 0.1) in place of the paper's least squares, LIBSVM
and networks; Top-K of a tenth of the entries. Run is eta = delta / (3 r (1 + r)),
r = sqrt(1 - delta), far above what the proofs ask for (about delta / 400), and steps
that are multiples of 1 / L: the rates are seen there, not proved.
"""

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_least, at_most, between, reported
from banach.claims.distributed._instances import logistic, tables
from banach.methods.distributed._compressors import of_share
from banach.methods.distributed.econtrol import Econtrol

SOURCE = "Gao, Islamov and Stich 2024, "


class Compensation(Econtrol):
    """Classic error compensation, d = C(e + g): EControl that believes nothing."""

    def step(self, problem, state, key):
        """With eta = 1."""
        blank = eqx.tree_at(lambda s: (s.h, s.mean), state, replace_fn=jnp.zeros_like)
        return Econtrol.step(self, problem, blank, key)


def spread(name, workers, sort):
    """The problem, by label or shuffled, its minimiser, and EControl's own settings."""
    problem, best = logistic(*tables()[name], workers, 0.1, sort=sort)
    return problem, best, Econtrol.of(of_share(0.1, best.size), 1.0, best.size)


def errors(problem, best, method, steps, every):
    """||x - x*||^2 over ||x*||^2, every `every` steps."""
    x = runs.trace(problem, method, steps, every=every, x=runs.where)["x"]
    return np.sum((x - best) ** 2, axis=1) / np.sum(best**2)


@functools.cache
def curve(name, kind=Econtrol):
    """Errors with full gradients of 8 workers, 4,000 steps of 1 / L."""
    problem, best, made = spread(name, 8, True)
    eta = made.eta if kind is Econtrol else 1.0
    step = 1 / float(problem.facts().get("L_worker"))
    return errors(problem, best, kind(step, eta, made.compressor), 4000, 10)


@functools.cache
def floor(name, workers, own=True):
    """The mean error of 10,000 steps of 0.02 / L after as many, batches of one datum.

    With eta = 0 it is EF21.
    """
    problem, best, made = spread(name, workers, False)
    step = 0.02 / float(problem.facts().get("L"))
    method = Econtrol(step, made.eta * own, made.compressor, batch=1)
    e = errors(problem, best, method, 20_000, 50)
    return np.mean(e[len(e) // 2 :])


@reported(SOURCE + "linear convergence from full gradients", between(0.5, 2.0))
def linear():
    """Steps from an error of 1e-8 to 1e-10 over those from 1e-6 to 1e-8."""
    found, curves = {}, {name: curve(name) for name in tables()}
    for name, e in curves.items():
        at = [np.flatnonzero(e <= level)[0] for level in (1e-6, 1e-8, 1e-10)]
        found[name] = (at[2] - at[1]) / (at[1] - at[0])
    return Seen(found, {"||x - x*||^2, relative": curves}, ("10 steps", ""))


@reported(SOURCE + "error compensation on heterogeneous data", at_least(1.0))
def compensation_stalls():
    """The least error of classic error compensation over the last of EControl."""
    return {k: min(curve(k, Compensation)) / curve(k)[-1] for k in tables()}


@reported(SOURCE + "linear speed-up: the floor falls like 1 / n", between(0.15, 0.4))
def speed_up():
    """The floor of batches of one with 16 workers over that with 4."""
    return {name: floor(name, 16) / floor(name, 4) for name in tables()}


@reported(SOURCE + "EF21 needs large batches", at_most(1.0))
def below_ef21():
    """The floor of batches of one, 16 workers, over that of EF21."""
    return {name: floor(name, 16) / floor(name, 16, False) for name in tables()}

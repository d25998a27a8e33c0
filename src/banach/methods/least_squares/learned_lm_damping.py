"""Levenberg-Marquardt whose damping a policy chooses, a learned one by default."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, part, real
from banach.methods.least_squares import _nielsen, _region
from banach.parts import least_squares as ls


class Marquardt(eqx.Module):
    """lam / factor after a step that was taken, lam factor after one refused."""

    factor: Real = 10.0

    def after(self, lam, nu, ratio, fall, accept):
        """The next lam, and what a refusal multiplies it by (nu)."""
        return jnp.where(accept, lam / self.factor, lam * self.factor), nu


class Nielsen(eqx.Module):
    """lam max(1 / 3, 1 - (2 ratio - 1)^3); a refusal: lam nu, nu doubling in a row."""

    def after(self, lam, nu, ratio, fall, accept):
        """As Marquardt's."""
        return _nielsen.after(lam, nu, _nielsen.eased(lam, ratio), accept)


class Learned(eqx.Module):
    """lam 10^u, u = bias + gain tanh ratio + pace fall, held within 3 by tanh.

    After a refusal it is Nielsen's rule.
    """

    bias: Real = 0.37
    gain: Real = -0.75
    pace: Real = -0.74

    def after(self, lam, nu, ratio, fall, accept):
        """As Marquardt's."""
        u = self.bias + self.gain * jnp.tanh(ratio) + self.pace * fall
        return _nielsen.after(lam, nu, lam * 10 ** (3 * jnp.tanh(u / 3)), accept)


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian"},
    assumes={"smooth"},
    paper="belder2023game",
)
class LearnedLmDamping(_region.RegionMethod):
    """Choose the damping lam of Levenberg-Marquardt by a policy: a game.

    p = argmin ||r + J p||^2 + lam ||D p||^2,  x+ = x + p if ||r|| fell

    A move is lam, its price 1 a step until convergence. `policy` is Marquardt's rule,
    Nielsen's, or learned: linear in what was seen of the last step (ratio: the fall of
    ||r||^2 over what the model promised; fall: relative to ||r||^2), with three weights
    found by evolution on synthetic bundle adjustments (claims/least_squares/_games.py).
    D holds the largest norms of the columns of J. `damping` is the first lam, 1e-3; for
    as many residuals as unknowns, where a root is hoped for, 1e-10: Newton's step.

    Ours: the paper trains an actor-critic network on seconds, its state the error; the
    policy here sees ratios only, so that units do not matter, and a refused step falls
    back to Nielsen's rule. J is dense, without the Schur complement of the cameras.
    On games like those of its training it saves steps over Marquardt's rule, and about
    equals Nielsen's; far from them it may do worse than either.
    """

    policy: Marquardt | Nielsen | Learned = part(Marquardt, Nielsen, Learned)
    damping: Real = real()

    @classmethod
    def suggest(cls, problem, facts):
        start = problem.start().x
        r = jax.eval_shape(lambda x: tree.ravel(problem.residual(x))[0], start)
        if r.size == problem.size():
            return cls(policy=Learned(), damping=1e-10)
        return cls(policy=Learned(), damping=1e-3)

    damps: ClassVar[bool] = True

    def step(self, problem, state, key):
        here = _region.at(problem, state, 1)
        first = state.jacobians == 0
        lam = jnp.where(first, self.damping, state.damping)
        nu = jnp.where(first, 2, state.radius)  # kept where others keep a radius
        z, _ = ls.damped(here.model, lam)
        trial = _region.tried(problem, here, z)
        known = jnp.isfinite(trial.after)
        fall = jnp.where(known, trial.fall, -1)
        linear = jnp.square(tree.norm(ls.along(here.model, z)) / trial.safe)
        predicted = linear + 2 * lam * jnp.square(trial.size / trial.safe)
        ratio, quiet = _region.agreement(here, trial, fall, predicted)
        accept = known & (ratio > 0)
        lam, nu = self.policy.after(lam, nu, ratio, fall, accept)
        lam = jnp.maximum(lam, jnp.finfo(here.f.dtype).eps)
        return _region.moved(state, here, trial, accept, quiet, nu, lam)

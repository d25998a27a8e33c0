"""Cai, Alacaoglu and Diakonikolas (2024): algorithms 1 and 2, with the same draws."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.inclusion.problem import Inclusion
from banach.terms.sets import Box

_rng = np.random.default_rng(4)
_half, _turn = _rng.standard_normal((2, 9, 3, 3)) / 2
M = _half @ _half.swapaxes(1, 2) + _turn - _turn.swapaxes(1, 2) + 0.1 * np.eye(3)
Q = _rng.standard_normal((9, 3)) + np.array([2.0, 0.1, -0.1])


def affine(z, datum):
    return jnp.matmul(datum[0], z, precision="highest") + datum[1]


def sums(**facts):
    """The mean of nine affine operators over a box of 3 unknowns: both parts."""
    start, known = np.array([0.4, -0.3, 0.2]), {"monotone": True} | facts
    return Inclusion(affine, start, (M, Q), term=Box(-0.5, 0.5), **known), ORACLES


ORACLES = SimpleNamespace(
    n=9,
    operator=lambda z: M.mean(0) @ z + Q.mean(0),
    sample=lambda batch, z: np.mean(M[batch] @ z + Q[batch], axis=0),
    resolvent=lambda v, t: np.clip(v, -0.5, 0.5),
)


def draws(key, batch):
    """The coin and the indices that a step takes from its key."""
    coin, draw = jax.random.split(key)
    return jax.random.uniform(coin), jax.random.randint(draw, (batch,), 0, 9)


def told(**values):
    return lambda keys: {"keys": keys[1:], **values}


OWN = {"step_size": 0.7, "L": 2.0, "effort": 2.0, "batch": 2, "inexact": True}
PAGE = told(step_size=0.05, L=5.0, batch=3)
INEXACT = told(step_size=1.0, L=3.0, inexact=True)
CASES = [
    Case(*sums(cocoercive_average=0.2), told=PAGE, steps=20),
    Case(*sums(L_average=3.0), told=INEXACT, steps=8),
    Case(*sums(), OWN, told(), steps=5),
]


def iterates(o, z0, steps, *, keys, step_size, L, effort=1.0, batch=1, inexact=False):
    if inexact:
        return lipschitz(o, z0, keys, step_size, L, effort, batch)
    z, F, out = z0, o.operator(z0), []
    for k, key in enumerate(keys):
        coin, drawn = draws(key, batch)
        lam, p, old = 2 / (k + 4), 4 / (min(k, np.sqrt(o.n)) + 5), z
        z = o.resolvent(lam * z0 + (1 - lam) * z - step_size * F, step_size)
        F = o.operator(z) if coin < p else F + o.sample(drawn, z) - o.sample(drawn, old)
        out.append(z)
    return out


def lipschitz(o, z0, keys, s, L, effort, batch):
    p = batch / o.n
    z, out, q = z0, [], 0.9 * np.sqrt(p) / (2 * (1 + s * L))
    for k, key in enumerate(keys):
        u = v = w = old = z
        for j in range(int(np.ceil(effort / q * np.log(k + 2)))):
            coin, drawn = draws(jax.random.fold_in(key, j), batch)
            # A(z) = s F(z) + z - u, whole at w, sampled at v and at the w before.
            A = s * o.operator(w) + w - u
            A = A + s * (o.sample(drawn, v) - o.sample(drawn, old)) + v - old
            v = o.resolvent((1 - p) * v + p * w - q * A, q * s)
            w, old = (v if coin < p else w), w
        z = z0 / (k + 2) + (k + 1) / (k + 2) * v
        out.append(z)
    return out

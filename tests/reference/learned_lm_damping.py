"""Levenberg-Marquardt by normal equations; the policies as documented."""

import numpy as np
from reference._case import Case, fit, valley

from banach.methods.least_squares.learned_lm_damping import Learned, Marquardt, Nielsen

CASES = [
    Case(*valley([-1.2, 1.0]), given={"policy": Marquardt(), "damping": 1e-2}, steps=9),
    Case(*valley([-1.2, 1.0]), given={"policy": Nielsen(), "damping": 1e-2}, steps=9),
    Case(*fit([1.0, 0.2, 0.0]), given={"policy": Nielsen(), "damping": 1.0}, steps=6),
    Case(*fit([1.0, 0.2, 0.0]), given={"policy": Marquardt(), "damping": 1.0}, steps=6),
    Case(*fit([1.0, 0.2, 0.0]), told={"policy": Learned(), "damping": 1e-3}, steps=6),
    Case(*valley([-1.2, 1.0]), told={"policy": Learned(), "damping": 1e-10}, steps=9),
    Case(*valley([-1.2, 1.0]), given={"policy": Learned(), "damping": 1e-2}, steps=9),
    Case(*fit([1.0, 0.2, 0.0]), given={"policy": Learned(), "damping": 1.0}, steps=6),
]


def iterates(oracles, x, steps, *, policy, damping):
    out, lam, nu, scale = [], damping, 2.0, np.zeros(x.size)
    for _ in range(steps):
        r, J = oracles.residual(x), oracles.jacobian(x)
        scale = np.maximum(scale, np.linalg.norm(J, axis=0))
        D = np.where(scale > 0, scale, 1)
        p = -np.linalg.solve(J.T @ J + lam * np.diag(D**2), J.T @ r)
        after = oracles.residual(x + p)
        fall = 1 - after @ after / (r @ r)
        ratio = fall * (r @ r) / (r @ r - np.sum((r + J @ p) ** 2))
        accept = ratio > 0
        if isinstance(policy, Marquardt):
            lam *= 0.1 if accept else 10
        elif not accept:
            lam, nu = lam * nu, 2 * nu
        else:
            nu, up = 2.0, max(1 / 3, 1 - (2 * ratio - 1) ** 3)
            if isinstance(policy, Learned):
                w = np.array([policy.bias, policy.gain, policy.pace])
                up = 10 ** (3 * np.tanh(w @ [1, np.tanh(ratio), fall] / 3))
            lam *= up
        x = x + p if accept else x
        out.append(x)
    return out

"""Conjugate gradients: Hestenes and Stiefel (1952), equations 3:1, preconditioned."""

from types import SimpleNamespace

import numpy as np
from reference._case import Case

from banach.kinds.linear.problem import Linear
from banach.parts.preconditioners import Jacobi, Plain

rng = np.random.default_rng(2)
Q = rng.standard_normal((12, 12))
A, B = Q @ Q.T + np.diag(np.arange(1.0, 13)), rng.standard_normal(12)
DENSE = Linear(A, B), SimpleNamespace(A=A, b=B)
CASES = [
    Case(*DENSE, given={"preconditioner": Plain()}),
    Case(*DENSE, told={"preconditioner": Jacobi()}),
]


def iterates(oracles, x0, steps, *, preconditioner):
    A, b = oracles.A, oracles.b
    scale = np.diag(A) if isinstance(preconditioner, Jacobi) else np.ones(len(b))
    x, r = x0, b - A @ x0
    z = p = r / scale
    out = []
    for _ in range(steps):
        a = (r @ z) / (p @ A @ p)
        x = x + a * p
        r_new = r - a * (A @ p)
        z_new = r_new / scale
        p = z_new + (r_new @ z_new) / (r @ z) * p
        r, z = r_new, z_new
        out.append(x)
    return out

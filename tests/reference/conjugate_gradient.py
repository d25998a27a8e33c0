"""Conjugate gradients: Hestenes and Stiefel (1952), equations 3:1, preconditioned."""

import numpy as np
from reference._case import Case
from reference._linear import DENSE

from banach.parts.preconditioners import Jacobi, Plain

CASES = [
    Case(*DENSE, given={"preconditioner": Plain()}),
    Case(*DENSE, told={"preconditioner": Jacobi()}),
]


def iterates(oracles, x0, steps, *, preconditioner):
    A, x, r = oracles.A, x0, oracles.b - oracles.A @ x0
    M = np.diag(A) if isinstance(preconditioner, Jacobi) else 1
    p, out = r / M, []
    for _ in range(steps):
        a = (r @ (r / M)) / (p @ A @ p)
        x, old, r = x + a * p, r, r - a * (A @ p)
        p = r / M + (r @ (r / M)) / (old @ (old / M)) * p
        out.append(x)
    return out

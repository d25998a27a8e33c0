"""aGRAAL: algorithm 2 of Malitsky (2020), the first step as in the author's code."""

import numpy as np
from reference import _quotient
from reference._case import Case, boxed, cubic

CASES = [Case(*cubic(), told={"phi": 1.5}), Case(*boxed(), given={"phi": 1.3})]


def iterates(oracles, z, steps, *, phi):
    lam = phi / 2 * _quotient.length(oracles, z)
    mean, theta, rho, out = z, 1.0, 1 / phi + 1 / phi**2, []
    for _ in range(steps):
        new = oracles.resolvent(mean - lam * oracles.operator(z), lam)
        rise = oracles.operator(new) - oracles.operator(z)
        told = phi * theta / (4 * lam) * np.sum((new - z) ** 2) / np.sum(rise**2)
        old, lam = lam, min(rho * lam, told)
        mean = ((phi - 1) * new + mean) / phi
        theta, z = phi * lam / old, new
        out.append(z)
    return out

"""Korpelevich's steps with Khobotov's search, begun above the step before."""

import numpy as np
from reference import _quotient
from reference._case import Case, boxed, cubic

CASES = [
    Case(*cubic(), told={"share": 0.9, "shrink": 0.7, "grow": 1.5}),
    Case(*cubic(), given={"share": 0.5, "shrink": 0.4, "grow": 3.0}),
    Case(*boxed(), given={"share": 0.3, "shrink": 0.6, "grow": 1.2}),
]


def iterates(oracles, z, steps, *, share, shrink, grow):
    s, out = _quotient.length(oracles, z) / grow, []
    for _ in range(steps):
        F, s = oracles.operator(z), s * grow
        while True:
            v = oracles.resolvent(z - s * F, s)
            G = oracles.operator(v)
            if s * np.linalg.norm(F - G) <= share * np.linalg.norm(z - v):
                break
            s = s * shrink
        z = oracles.resolvent(z - s * G, s)
        out.append(z)
    return out

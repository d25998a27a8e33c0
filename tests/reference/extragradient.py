"""Extragradient: Korpelevich (1976), equations 2 and 3."""

from reference._case import Case, boxed

CASES = [
    Case(*boxed(L=4.0), told={"step_size": 0.5**0.5 / 4}),
    Case(*boxed(), given={"step_size": 0.3}),
]


def iterates(oracles, z0, steps, *, step_size):
    z, out = z0, []
    for _ in range(steps):
        trial = oracles.resolvent(z - step_size * oracles.operator(z), step_size)
        z = oracles.resolvent(z - step_size * oracles.operator(trial), step_size)
        out.append(z)
    return out

"""Halpern iteration of a forward-backward step: Lieder (2021), Diakonikolas (2020)."""

from reference._case import Case, boxed

CASES = [
    Case(*boxed(cocoercive=0.2), told={"step_size": 0.4}),
    Case(*boxed(), given={"step_size": 0.25}),
]


def iterates(oracles, z0, steps, *, step_size):
    z, out = z0, []
    for k in range(steps):
        after = oracles.resolvent(z - step_size * oracles.operator(z), step_size)
        z = z0 / (k + 2) + (k + 1) / (k + 2) * after
        out.append(z)
    return out

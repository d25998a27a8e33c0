"""Halpern iteration of a forward-backward step: Lieder (2021), Diakonikolas (2020)."""


def iterates(oracles, z0, steps, *, step_size):
    z, out = z0, []
    for k in range(steps):
        after = oracles.resolvent(z - step_size * oracles.operator(z), step_size)
        z = z0 / (k + 2) + (k + 1) / (k + 2) * after
        out.append(z)
    return out

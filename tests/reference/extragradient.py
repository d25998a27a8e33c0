"""Extragradient: Korpelevich (1976), equations 2 and 3."""


def iterates(oracles, z0, steps, *, step_size):
    z, out = z0, []
    for _ in range(steps):
        trial = oracles.resolvent(z - step_size * oracles.operator(z), step_size)
        z = oracles.resolvent(z - step_size * oracles.operator(trial), step_size)
        out.append(z)
    return out

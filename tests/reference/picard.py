"""Banach-Picard: repeated substitution; averaged as by Krasnoselskii and Mann."""


def iterates(T, x0, steps, *, relaxation=1.0):
    x, out = x0, []
    for _ in range(steps):
        x = (1 - relaxation) * x + relaxation * T(x)
        out.append(x)
    return out

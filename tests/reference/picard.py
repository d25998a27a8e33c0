"""Banach-Picard: repeated substitution; averaged as by Krasnoselskii and Mann."""

from reference._case import Case
from reference._sine import sine

CASES = [
    Case(*sine(0.8, contraction=0.8), told={"relaxation": 1.0}),
    Case(*sine(0.8, nonexpansive=True), told={"relaxation": 0.5}),
    Case(*sine(0.8), given={"relaxation": 0.3}),
]


def iterates(T, x0, steps, *, relaxation):
    x, out = x0, []
    for _ in range(steps):
        x = (1 - relaxation) * x + relaxation * T(x)
        out.append(x)
    return out

"""Polak-Ribiere-plus: Gilbert and Nocedal (1992), section 4, on a quadratic.

There the search has a closed form; its first trial expects the decrease of the step
before (Nocedal and Wright 2006, equation 3.60), in the first step that of Hager and
Zhang (2005), step I0.
"""

from reference._case import Case, bowl
from reference.nonlinear_cg import conjugate

CASES = [
    Case(*bowl(scale=0.1), told={"curvature": 0.1}, steps=5),
    Case(*bowl(scale=0.2), told={"curvature": 0.1}, steps=5),
    # Here -g + beta d descends by 0.3 and by 3 per cent, and less.
    Case(*bowl(scale=0.06), given={"curvature": 0.9}),
    Case(*bowl(scale=0.58, far=0.1), given={"curvature": 0.9}),
]


def iterates(oracles, x0, steps, *, curvature, descent=0.01):
    def beta(g, y, old, d):
        value = max(g @ y / (old @ old), 0)
        falls = g @ (-g + value * d) <= -descent * (g @ g)
        return value if falls else 0.0

    return conjugate(oracles, x0, steps, curvature, beta)

"""Hager and Zhang (2013), section 1: their beta with the floor eta d.g / d.d.

On a quadratic, where the search has a closed form, begun as in polak_ribiere.
"""

from reference._case import Case, bowl
from reference.nonlinear_cg import conjugate

CASES = [
    Case(*bowl(scale=0.1), told={"curvature": 0.1}, steps=5),
    Case(*bowl(scale=0.2), told={"curvature": 0.1}, steps=5),
    Case(*bowl(), given={"curvature": 0.6}),
]


def iterates(oracles, x0, steps, *, curvature, eta=0.4):
    def beta(g, y, old, d):
        value = (y - 2 * d * (y @ y) / (d @ y)) @ g / (d @ y)
        return max(value, eta * (d @ old) / (d @ d))

    return conjugate(oracles, x0, steps, curvature, beta)

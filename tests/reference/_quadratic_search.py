"""The approximate Wolfe search of Hager and Zhang (2005) where f is a quadratic.

There the conditions bound the slope alone, and interpolation and extrapolation of
slopes both give the exact minimiser along the line; an extrapolation goes at least 1.1
and at most 10 times as far.
"""


def length(oracles, x, d, a, *, decrease, curvature):
    """The first acceptable step from the trial a."""
    slope = oracles.grad(x) @ d
    for _ in range(40):
        after = oracles.grad(x + a * d) @ d
        if curvature * slope <= after <= (2 * decrease - 1) * slope:
            return a
        best = a * slope / (slope - after)
        a = min(max(best, 1.1 * a), 10 * a) if after < 0 else best
    raise ArithmeticError("no step: the case has converged, shorten it")

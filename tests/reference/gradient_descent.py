"""Gradient descent: Nesterov (2018), scheme 1.2.16 with a constant step.

With a search, on a quadratic: there the approximate Wolfe conditions (Hager and Zhang
2005) bound the slope alone, and the second trial is the exact minimiser along the
line. The first trial expects the decrease of the step before (Nocedal and Wright 2006,
equation 3.60).
"""

from reference._case import Case, bowl

CASES = [
    Case(*bowl(L=5.0), told={"step_size": 0.2, "search": False}),
    Case(*bowl(), given={"step_size": 0.3, "search": False}),
    # Here the first trial is taken, so that its length is felt.
    Case(*bowl(scale=0.3), told={"step_size": 1.0, "search": True}, steps=20),
    Case(*bowl(), given={"step_size": 0.1, "search": True}, steps=20),
]


def iterates(oracles, x0, steps, *, step_size, search=False):
    x, g, a, out = x0, oracles.grad(x0), step_size, []
    for _ in range(steps):
        if search:
            slope, after = -g @ g, -oracles.grad(x - a * g) @ g
            if not 0.9 * slope <= after <= (2 * 0.1 - 1) * slope:
                a = a * slope / (slope - after)
        x, old = x - a * g, g
        g = oracles.grad(x)
        a = a * (old @ old) / (g @ g) if search else a
        out.append(x)
    return out

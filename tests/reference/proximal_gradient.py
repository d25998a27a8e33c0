"""ISTA with backtracking: Beck and Teboulle (2009), section 3, L cut between steps."""


def iterates(oracles, x0, steps, *, lipschitz, backtrack, cut=0.9):
    x, L, out = x0, lipschitz, []
    for _ in range(steps):
        g = oracles.grad(x)
        while True:
            y = oracles.prox(x - g / L, 1 / L)
            d = y - x
            bound = oracles.f(x) + g @ d + L / 2 * d @ d
            if not backtrack or oracles.f(y) <= bound:
                break
            L = 2 * L
        L = cut * L if backtrack else L
        x = y
        out.append(x)
    return out

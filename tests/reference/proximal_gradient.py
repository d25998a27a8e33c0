"""ISTA with backtracking: Beck and Teboulle (2009), section 3, L cut between steps."""

from reference._case import Case, lasso, logarithms

CASES = [
    Case(*lasso(L=30.0), told={"lipschitz": 30.0, "backtrack": False}),
    Case(*lasso(), given={"lipschitz": 0.01, "backtrack": True}, steps=15),
    Case(*lasso(L=None), told={"lipschitz": 1.0, "backtrack": True}, steps=15),
    # Trials end outside the domain.
    Case(*logarithms([3, 0.2]), given={"lipschitz": 1e-3, "backtrack": True}),
]


def iterates(oracles, x0, steps, *, lipschitz, backtrack):
    x, L, out = x0, lipschitz, []
    for _ in range(steps):
        g = oracles.grad(x)
        while True:
            y = oracles.prox(x - g / L, 1 / L)
            d = y - x
            bound = oracles.value(x) + g @ d + L / 2 * d @ d
            if not backtrack or oracles.value(y) <= bound:
                break
            L = 2 * L
        x, L = y, 0.9 * L if backtrack else L
        out.append(x)
    return out

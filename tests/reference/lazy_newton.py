"""Doikov, Chayti and Jaggi (2023): algorithms 1 and 2; M adapted as documented."""

import numpy as np
from reference._case import Case
from reference._newton import logistic, rosenbrock, steep
from scipy.optimize import brentq

from banach.parts.newton import Cubic, Quadratic, Secant

HARD, CONVEX = [30.0, -7.0], {"convex": True}
ADAPTED = {"contraction": 0.7}
CASES = [
    Case(*logistic(), given={"model": Cubic(), "period": 3, "M": 2.0}),
    Case(*logistic(), given={"model": Quadratic(), "period": 3, "M": 2.0}),
    Case(*logistic(**CONVEX), told={"model": Secant(), "period": 5} | ADAPTED, steps=6),
    Case(*steep(HARD, **CONVEX), told={"model": Secant(), "period": 2} | ADAPTED),
    Case(*steep(HARD), given={"model": Quadratic(), "period": 4}, told=ADAPTED),
    Case(
        *rosenbrock([-1.2, 1.0, -0.5]), told={"model": Cubic(), "period": 3} | ADAPTED
    ),
    Case(
        *logistic(),
        given={"model": Quadratic(), "period": 9, "contraction": 0.3},
        steps=5,
    ),
]
EXEMPT = {
    "else 0.1": "says how often to look",
    "(rho >= 0.1)": "trials of the cases promise well or fail: none lies near",
    "near = ": "steps near the resolution of x, which end a run",
}


def cubic(H, g, M):
    """argmin g.h + h.Hh / 2 + (M / 6) ||h||^3, and minus that."""
    values, V = np.linalg.eigh(H)
    s = V.T @ g
    if M == 0 and values[0] > 0:
        h = -s / values
        return V @ h, -(s @ h + h @ (values * h) / 2)
    M = max(M, (np.finfo(float).eps * np.abs(values).mean()) ** 2 / np.linalg.norm(g))
    size = lambda r: np.linalg.norm(s / (values + M * r / 2))  # noqa: E731
    low = max(0.0, -2 * values[0] / M) * (1 + 1e-13) + 1e-12
    high = 2 * low
    while size(high) > high:
        high *= 2
    r = brentq(lambda r: np.log(size(r) / r), low, high, xtol=1e-300, rtol=1e-15)
    h = -s / (values + M * r / 2)
    return V @ h, -(s @ h + h @ (values * h) / 2 + M / 6 * r**3)


@np.errstate(all="ignore")  # steps without bounds are tried, and refused
def iterates(oracles, x, steps, *, model, period, M=None, contraction=None):
    fixed, M = M is not None, M or 0.0
    out, age, refresh, B = [], 0, True, None
    for _ in range(steps):
        f, g = oracles.value(x), oracles.grad(x)
        if refresh:
            H, B, age = oracles.hess(x), None, 0
        shifted = H + np.sqrt(M * np.linalg.norm(g)) * np.eye(x.size)
        scale = np.abs(np.diag(H)).mean()
        if isinstance(model, Cubic):
            scale = np.abs(np.linalg.eigvalsh(H)).mean()
            h, promised = cubic(H, g, M)
        elif isinstance(model, Quadratic):
            h = -np.linalg.solve(shifted, g)
            promised = -(g @ h + h @ H @ h / 2)
        else:
            B = np.linalg.inv(shifted) if B is None else B
            h = -B @ g
            promised = -(g @ h) / 2
        after = oracles.grad(x + h)
        rho = (f - oracles.value(x + h)) / promised
        accept, poor = fixed or rho >= 0.1, False
        if not fixed:
            size = np.linalg.norm(g)
            poor = np.linalg.norm(after) > contraction * size
            least = (1e-3 * scale) ** 2 / size
            M = (M / 16 if rho >= 0.75 else M) if accept else max(16 * M, least)
        if isinstance(model, Secant):
            y, eye = after - g, np.eye(x.size)
            left = eye - np.outer(h, y) / (h @ y)
            B = left @ B @ left.T + np.outer(h, h) / (h @ y) if accept else None
        refresh = accept and (age + 1 >= period or poor)
        age, x = age + accept, x + h if accept else x
        out.append(x)
    return out

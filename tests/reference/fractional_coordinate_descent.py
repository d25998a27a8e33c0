"""Yuan (2023): FCD and PCD; one-dimensional minima by the roots of every piece."""

from types import SimpleNamespace

import numpy as np
from reference._case import Case

from banach.kinds.fractional.problem import Fractional


def ratio(k, lam, m=8, n=5, x0=None):
    """A ratio of 5 unknowns: (problem, oracles)."""
    rng = np.random.default_rng(8)
    A, b = rng.standard_normal((m, n)), 2 * rng.standard_normal(m)
    x0 = rng.standard_normal(n) if x0 is None else np.array(x0)
    return Fractional(A, b, lam, k, x0), SimpleNamespace(A=A, b=b, lam=lam, k=k)


TOLD = {"theta": 1e-6, "ratio": True}
CASES = [
    Case(*ratio(2, 0.5), told=TOLD, steps=4),
    Case(*ratio(1, 3.0), {"theta": 0.2, "ratio": False}, steps=4),
    Case(*ratio(5, 1.0), {"theta": 0.5, "ratio": True}, steps=4),
    Case(*ratio(2, 1.0, x0=[0, 0, 1.0, 0, 0]), {"theta": 0.1, "ratio": True}, steps=4),
]


def iterates(oracles, x, steps, *, theta, ratio):
    out = []
    for _ in range(steps):
        x = x.copy()
        for i in range(x.size):
            top, bottom = along(oracles, x.copy(), i, theta)
            F = None if ratio else top(0.0) / bottom(0.0)
            others = np.abs(np.delete(x, i))
            corners = np.unique([0, *others, *-others]) - x[i]
            x[i] += smallest(top, bottom, corners, F)
        out.append(x)
    return out


def along(o, x, i, theta):
    """Numerator of the model and denominator at x + s e_i, as functions of s."""
    a, r = o.A[:, i], o.A @ x - o.b
    e = np.eye(x.size)[i]

    def top(s):
        f = r @ r / 2 + a @ r * s + (1 + theta) * a @ a / 2 * s**2
        return f + o.lam * np.abs(x + s * e).sum()

    return top, lambda s: np.sort(np.abs(x + s * e))[-o.k :].sum()


def smallest(top, bottom, corners, F):
    """Between corners top is a parabola and bottom a line: polynomials through them."""
    found = list(corners)
    for low, high in zip([-np.inf, *corners], [*corners, np.inf], strict=True):
        first = high - 2 if np.isinf(low) else low
        width = min(high, first + 2) - first
        if width < 1e-9:
            continue
        t = first + width * np.array([0.0, 0.5, 1.0])
        N = np.polyfit(t - first, [top(s) for s in t], 2)
        D = np.polyfit(t - first, [bottom(s) for s in t], 1)
        if F is None:
            slope = np.polysub(np.polymul(np.polyder(N), D), D[0] * N)
        else:
            slope = np.polysub(np.polyder(N), [F * D[0]])
        roots = np.roots(slope)
        found += [
            first + s.real
            for s in roots
            if abs(s.imag) < 1e-12 and low <= first + s.real <= high
        ]

    def value(s):
        if F is not None:
            return top(s) - F * bottom(s)
        return top(s) / bottom(s) if bottom(s) > 0 else np.inf

    return min(found, key=value)

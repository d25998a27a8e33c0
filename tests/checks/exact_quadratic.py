"""Quadratics with truth in rational arithmetic."""

from fractions import Fraction

import numpy as np

from banach.kinds.smooth.problem import Smooth

N = 3


def f(x, H, b, c):
    return 0.5 * x @ H @ x - b @ x + c


def problem(H, b, c=0.0, **facts):
    return Smooth(f, np.zeros(N), (H, b, c), **facts)


def instances(seed=0, count=12):
    """(H, b, c, x) with integer H of eigenvalues >= 1, scaled over 18 decades.

    Points lie at the rounded minimiser, and around it at all distances; offsets c
    reach 1e6 times the scale.
    """
    draw = np.random.default_rng(seed)
    out = []
    for i in range(count):
        M = draw.integers(-3, 4, (N, N)).astype(float)
        scale = 2.0 ** (-30, 0, 30)[i % 3]
        H = (M @ M.T + np.eye(N)) * scale
        b = draw.normal(size=N) * scale
        x = np.linalg.solve(H, b)
        if i % 4:
            x = x + draw.normal(size=N) * 10.0 ** draw.integers(-12, 6)
        out.append((H, b, (0.0, 1e6)[i % 2] * scale, x))
    return [np.stack(column) for column in zip(*out, strict=True)]


def frac(a):
    return [[Fraction(float(v)) for v in row] for row in np.atleast_2d(a)]


def gradient(H, b, x):
    """H x - b as Fractions."""
    (x,), (b,), H = frac(x), frac(b), frac(H)
    return [
        sum(h * v for h, v in zip(row, x, strict=True)) - c
        for row, c in zip(H, b, strict=True)
    ]


def solve(H, r):
    """H^{-1} r as Fractions, by elimination."""
    A = [[*row, v] for row, v in zip(frac(H), r, strict=True)]
    n = len(A)
    for i in range(n):
        A[i] = [v / A[i][i] for v in A[i]]
        for j in range(n):
            if j != i:
                A[j] = [p - A[j][i] * q for p, q in zip(A[j], A[i], strict=True)]
    return [row[-1] for row in A]


def gap(H, b, x):
    """f(x) - f* = <g, H^{-1} g> / 2 as a Fraction."""
    g = gradient(H, b, x)
    return sum(p * q for p, q in zip(g, solve(H, g), strict=True)) / 2


def distance(H, b, x):
    """||x - x*||^2 as a Fraction."""
    return sum(v * v for v in solve(H, gradient(H, b, x)))

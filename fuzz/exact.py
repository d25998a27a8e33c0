"""Extended precision: `Decimal`, whose exponents end nowhere near those of floats.

A float becomes a Decimal exactly; sums and products round to the digits of the
context. A first judgement uses `DIGITS`; what it flags is judged again at `SURE`
digits, where sums of products of float64 numbers lose nothing that matters.
"""

import contextlib
import decimal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np

DIGITS, SURE = 60, 2600
ZERO, ONE, TWO = Decimal(0), Decimal(1), Decimal(2)


@contextlib.contextmanager
def digits(n: int) -> Iterator[None]:
    """Arithmetic of n digits that never traps."""
    with decimal.localcontext() as c:
        c.prec, c.Emax, c.Emin = n, decimal.MAX_EMAX, decimal.MIN_EMIN
        c.clear_traps()
        yield


def dec(x: Any) -> Decimal:
    """A float, an extended float or a Decimal, exactly (extended: to the context)."""
    if isinstance(x, Decimal):
        return x
    if isinstance(x, np.longdouble):
        if not np.isfinite(x):
            return Decimal(float(x))
        m, e = np.frexp(x)
        whole = int(np.ldexp(m, 64))
        return Decimal(whole) * TWO ** (int(e) - 64)
    return Decimal(float(x))


def decs(v: Any) -> list[Any]:
    """A (nested) list of Decimals."""
    a = np.asarray(v)
    if a.ndim > 1:
        return [decs(row) for row in a]
    return [dec(x) for x in a]


def dot(a: list[Decimal], b: list[Decimal]) -> Decimal:
    """The sum of products."""
    total = ZERO
    for p, q in zip(a, b, strict=True):
        if p and q:
            total += p * q
    return total


def matvec(A: list[list[Decimal]], x: list[Decimal]) -> list[Decimal]:
    """A x."""
    return [dot(row, x) for row in A]


def transposed(A: list[list[Any]]) -> list[list[Any]]:
    """A'."""
    return [list(column) for column in zip(*A, strict=True)]


def sub(a: list[Decimal], b: list[Decimal]) -> list[Decimal]:
    """a - b."""
    return [p - q for p, q in zip(a, b, strict=True)]


def norm(a: list[Decimal]) -> Decimal:
    """The 2-norm."""
    return dot(a, a).sqrt()


def solve(A: list[list[Decimal]], b: list[Decimal]) -> list[Decimal] | None:
    """A^-1 b by elimination with full pivots, or None where a pivot vanishes."""
    n = len(b)
    M = [[*row, r] for row, r in zip(A, b, strict=True)]
    big = [max((abs(v) for v in row[:n]), default=ZERO) for row in M]
    if any(v == 0 for v in big):
        return None
    M = [[v / s for v in row] for row, s in zip(M, big, strict=True)]
    order = list(range(n))
    for k in range(n):
        pick = max(
            ((i, j) for i in range(k, n) for j in range(k, n)),
            key=lambda at: abs(M[at[0]][at[1]]),
        )
        i, j = pick
        if M[i][j] == 0:
            return None
        M[k], M[i] = M[i], M[k]
        for row in M:
            row[k], row[j] = row[j], row[k]
        order[k], order[j] = order[j], order[k]
        for i in range(k + 1, n):
            f = M[i][k] / M[k][k]
            if f:
                M[i] = [p - f * q for p, q in zip(M[i], M[k], strict=True)]
    x = [ZERO] * n
    for k in reversed(range(n)):
        left = M[k][n] - dot(M[k][k + 1 : n], x[k + 1 :])
        x[k] = left / M[k][k]
    out = [ZERO] * n
    for k, j in enumerate(order):
        out[j] = x[k]
    return out


def log1p(t: Decimal) -> Decimal:
    """log(1 + t), t >= 0, with relative accuracy."""
    if t < Decimal("1e-9"):
        total, power, k = t, -t * t, 2
        while power and abs(power) > total * TWO ** (-4 * _prec()):
            total += power / k
            power, k = -power * t, k + 1
        return total
    return (ONE + t).ln()


FAR = Decimal(10) ** 6


def exp(t: Decimal) -> Decimal:
    """exp(t); beyond a million it is 0 or infinite, as it is for every float."""
    if t > FAR:
        return Decimal("Infinity")
    return ZERO if t < -FAR else t.exp()


def softplus(t: Decimal) -> Decimal:
    """log(1 + exp(t))."""
    return log1p(exp(-abs(t))) + max(t, ZERO)


def _prec() -> int:
    return decimal.getcontext().prec

"""Adam in 8 bits: Dettmers et al. (2022), codes by an exhaustive search."""

import numpy as np
from reference import _matrices

_some = {"learning_rate": 0.05, "b1": 0.7, "b2": 0.9, "eps": 1e-3, "batch": 5}
CASES = [
    _matrices.case(**_some),
    _matrices.case(**_some, block=4, least=1),
    _matrices.case(**_some, block=5, least=5),
    _matrices.case(batch=5),
]


def book(signed):
    """Sign bit, e zeros, a one, then the fraction: by the bits of the code."""
    values = {0.0, 1.0}
    bits = 7 if signed else 8
    for zeros in range(7):
        width = bits - 1 - zeros  # of the fraction
        for k in range(2**width):
            v = 10.0**-zeros * (0.1 + 0.9 * (k + 0.5) / 2**width)
            values |= {v, -v} if signed else {v}
    assert len(values) == 256
    return np.array(sorted(values))


BOOKS = {True: book(True), False: book(False)}


def rounded(x, block):
    out = np.zeros_like(x)
    for i in range(0, x.size, block):
        b = x[i : i + block]
        top = np.abs(b).max()
        Q = BOOKS[bool((b < 0).any())]
        out[i : i + block] = top * Q[np.abs(b[:, None] / (top or 1) - Q).argmin(axis=1)]
    return out


def iterates(
    o, x0, steps, *, take, batch, learning_rate=1e-2, b1=0.9, b2=0.999, eps=1e-8,
    block=2048, least=4096,
):  # fmt: skip
    x, m, v, out = x0, 0 * x0, 0 * x0, []

    def kept(s):
        leaves = [s[:12], s[12:]]
        return np.concatenate(
            [rounded(u, block) if u.size >= least else u for u in leaves]
        )

    for t in range(1, steps + 1):
        g = _matrices.joined(_matrices.gradients(x, take, batch, t))
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        d = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        x, m, v = x - learning_rate * d, kept(m), kept(v)
        out.append(x)
    return out

"""Online subspace descent: Liang et al. (2024), gradients of P written out."""

import numpy as np
from reference import _matrices

_some = {
    "learning_rate": 0.05, "rank": 2, "basis_rate": 0.02, "penalty": 0.3, "b1": 0.7,
    "b2": 0.9, "eps": 1e-3, "weight_decay": 0.2, "batch": 5,
}  # fmt: skip
CASES = [
    _matrices.case(**_some),
    _matrices.case(rank=2, batch=5),
    _matrices.case(6, batch=5),
]


class Adam:
    def __init__(self, b1, b2, eps):
        self.b1, self.b2, self.eps, self.m, self.v, self.t = b1, b2, eps, 0.0, 0.0, 0

    def __call__(self, g):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g**2
        m, v = self.m / (1 - self.b1**self.t), self.v / (1 - self.b2**self.t)
        return m / (np.sqrt(v) + self.eps)


def iterates(
    o, x0, steps, *, take, batch, learning_rate=1e-2, rank=8, basis_rate=5e-3,
    penalty=0.1, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0,
):  # fmt: skip
    (W, b), out, P = _matrices.split(x0), [], None
    ofW, ofb, ofP = (Adam(b1, b2, eps) for _ in range(3))
    for t in range(1, steps + 1):
        G, g = _matrices.gradients(_matrices.joined([W, b]), take, batch, t)
        if rank < 3:
            P = np.linalg.svd(G)[0][:, :rank] if P is None else P
            d = P @ ofW(P.T @ G)
            S = G @ G.T / np.sum(G**2)
            slope = -4 * S @ P + 2 * S @ P @ P.T @ P + 2 * P @ P.T @ S @ P
            slope = slope + 4 * penalty * P @ (P.T @ P - np.eye(rank))
            P = P - basis_rate * ofP(slope) if t > 1 else P
        else:
            d = ofW(G)
        W = W - learning_rate * (d + weight_decay * W)
        b = b - learning_rate * (ofb(g) + weight_decay * b)
        out.append(_matrices.joined([W, b]))
    return out

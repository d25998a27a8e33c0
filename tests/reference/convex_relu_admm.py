"""ADMM for convex ReLU training: Bai, Gautam and Sojoudi (2023), algorithm 3.1.

Dense matrices, u = (v_1 .. v_P, w_1 .. w_P) stacked, squared loss; `relaxation` is that
of Eckstein and Bertsekas (1992), 1 in the paper. Cones are in units of the rows of X.
"""

import numpy as np
from reference import _relu
from reference._case import Case

CASES = [
    Case(*_relu.case(gated), given={"rho": 0.7, "relaxation": relaxation}, steps=25)
    for gated in (False, True)
    for relaxation in (1.0, 1.6)
] + [
    Case(*_relu.case(), told={"rho": _relu.penalty(), "relaxation": 1.6}, steps=25),
    Case(*_relu.case(), {"rho": 0.7, "inner": 100}, {"relaxation": 1.6}, steps=20),
]


def iterates(o, x0, steps, *, rho, relaxation, inner=None):
    n, d = o.X.shape
    unit = np.sqrt(np.mean(np.sum(o.X**2, axis=1)))
    F = np.hstack([s * D[:, None] * o.X for s in o.signs for D in o.masks])
    K = np.zeros((len(o.signs) * len(o.masks) * n, F.shape[1]))
    for i in range(len(o.signs) * len(o.masks)):
        D = 2 * o.masks[i % len(o.masks)][:, None] - 1
        K[i * n : (i + 1) * n, i * d : (i + 1) * d] = D * o.X / unit
    K = K if len(o.signs) == 2 else K[:0]
    H = F.T @ F + rho * (np.eye(F.shape[1]) + K.T @ K)
    z, s = np.zeros(F.shape[1]), np.zeros(len(K))
    lam, nu, out = z, s, []
    for _ in range(steps):
        u = np.linalg.solve(H, F.T @ o.y + rho * (z - lam + K.T @ (s - nu)))
        mixed = relaxation * u + (1 - relaxation) * z
        cones = relaxation * K @ u + (1 - relaxation) * s
        g = (mixed + lam).reshape(-1, d)
        size = np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 1e-300)
        z = (g * np.maximum(1 - o.beta / rho / size, 0)).ravel()
        s = np.maximum(cones + nu, 0)
        lam, nu = lam + mixed - z, nu + cones - s
        out.append(z)
    return out

"""ADMM for convex ReLU training: Bai, Gautam and Sojoudi (2023), algorithm 3.1.

Dense matrices, u = (v_1 .. v_P, w_1 .. w_P) stacked, squared loss; `relax` is the
over-relaxation of Eckstein and Bertsekas (1992), 1 in the paper. Cones are in units
of the rows of X.
"""

import numpy as np


def iterates(X, y, beta, masks, steps, *, rho, relax=1.0, signs=(1, -1)):
    n, d = X.shape
    unit = np.sqrt(np.mean(np.sum(X**2, axis=1)))
    F = np.hstack([s * D[:, None] * X for s in signs for D in masks])
    K = np.zeros((len(signs) * len(masks) * n, F.shape[1]))
    for i in range(len(signs) * len(masks)):
        D = 2 * masks[i % len(masks)][:, None] - 1
        K[i * n : (i + 1) * n, i * d : (i + 1) * d] = D * X / unit
    K = K if len(signs) == 2 else K[:0]
    H = F.T @ F + rho * (np.eye(F.shape[1]) + K.T @ K)
    z, s = np.zeros(F.shape[1]), np.zeros(len(K))
    lam, nu, out = z, s, []
    for _ in range(steps):
        u = np.linalg.solve(H, F.T @ y + rho * (z - lam + K.T @ (s - nu)))
        mixed, cones = relax * u + (1 - relax) * z, relax * K @ u + (1 - relax) * s
        g = (mixed + lam).reshape(-1, d)
        size = np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 1e-300)
        z = (g * np.maximum(1 - beta / rho / size, 0)).ravel()
        s = np.maximum(cones + nu, 0)
        lam, nu = lam + mixed - z, nu + cones - s
        out.append(z.reshape(len(signs), -1, d))
    return out

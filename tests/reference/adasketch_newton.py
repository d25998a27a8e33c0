"""Sketched Newton-KKT steps on the exact augmented Lagrangian: Hong et al. (2023)."""

import numpy as np
from numpy.linalg import norm


def iterates(oracles, x, lam, steps, draws, *, mu, nu, delta, rho, beta, shift):
    def merit(w):
        f, g, c, J = oracles.first(w[:n])
        return f + w[n:] @ c + mu / 2 * c @ c + nu / 2 * norm(g + w[n:] @ J) ** 2

    out, n, w = [], x.size, np.append(x, lam)
    for k in range(steps):
        (_, g, c, J), H = oracles.first(w[:n]), oracles.hess(w[:n], w[n:])
        s, Z = g + w[n:] @ J, np.linalg.qr(J.T, mode="complete")[0][:, len(J) :]
        low = np.linalg.eigvalsh(Z.T @ H @ Z)[0]
        B = H + (shift + norm(H)) * (low <= 0) * np.eye(n)
        K, r = np.block([[B, J.T], [J, np.zeros((len(J),) * 2)]]), np.append(s, c)
        z, tries, alpha, slope = 0 * r, 0, 1.0, np.inf
        while slope > -nu / 2 * r @ r:
            if tries:
                mu, nu, delta = mu * rho**2, nu / rho, delta / rho**4
            sweep, tries = 0, tries + 1
            while norm(K @ z + r) > delta * norm(r):
                for S in draws(k, tries - 1, sweep):
                    z = z - np.linalg.lstsq(S.T @ K, S.T @ (K @ z + r))[0]
                sweep += 1
            slope = np.append(s + mu * c @ J + nu * H @ s, c + nu * J @ s) @ z
        while merit(w + alpha * z) > merit(w) + alpha * beta * slope:
            alpha /= 2
        out.append(w := w + alpha * z)
    return out

"""Broyden's good method, on B and not its inverse; Li and Fukushima's search."""

import numpy as np
from reference._case import Case, system

_MILD = {"sigma": 1e-3, "slack": 0.1}
CASES = [
    Case(*system("mild"), told=_MILD, steps=6),
    Case(*system("far"), given={"sigma": 0.3, "slack": 0.5}, steps=9),
    Case(*system("singular"), told=_MILD, steps=6),
    # Updates that would be singular, of either sign.
    Case(*system("far", [-5.5, 0.5]), given={"sigma": 0.5, "slack": 0.5}, steps=7),
    Case(*system("far", [-0.2, -4.7]), given={"sigma": 2.0, "slack": 1.0}, steps=9),
    Case(*system("valley", [0.0, 0.2]), given={"sigma": 1e-3, "slack": 0.5}, steps=5),
]
EXEMPT = {
    '"jacobian": 0.1': "says how often to look",
    "real(1e-3)": "small beside what steps gain; other cases feel the field",
    "real(0.1)": "rises of a tenth happen in no case; others feel the field",
}


def iterates(oracles, x, steps, *, sigma, slack):
    F, J = oracles.residual(x), oracles.jacobian(x)
    w = 1 / (np.abs(F) + np.abs(J) @ np.abs(x))
    C = np.linalg.norm(w[:, None] * J, axis=0)
    F, B, out, exact = w * F, None, [], True
    for k in range(steps):
        if B is None:
            A, exact = w[:, None] * oracles.jacobian(x) / C, True
            B = A if np.linalg.matrix_rank(A) == x.size else None
        if B is None:
            eye = np.eye(x.size)
            H = np.linalg.solve(A.T @ A + np.linalg.norm(F) * eye, A.T)
            d = -H @ F
        else:
            d = np.linalg.solve(B, -F)
        size, step, found = np.linalg.norm(F), np.linalg.norm(d), None
        for i in range(40 if exact else 8):
            t = 0.5**i
            new = w * oracles.residual(x + t * d / C)
            after, charge = np.linalg.norm(new), sigma * (t * step) ** 2
            if after <= (1 + slack / (k + 1) ** 2) * size - charge:
                found = i
                break
        exact = False
        if found is None:
            B = None
        else:
            s, y = t * d, new - F
            x, F = x + s / C, new
            if found >= 3 or B is None:
                B = None
            else:
                q = s @ np.linalg.solve(B, y) / (s @ s)
                edge = -0.1 if q < 0 else 0.1
                theta = 1.0 if abs(q) >= 0.1 else (1 - edge) / (1 - q)
                B = B + theta * np.outer(y - B @ s, s) / (s @ s)
        out.append(x)
    return out

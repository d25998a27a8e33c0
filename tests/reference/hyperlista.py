"""Chen, Liu, Wang and Yin (2021), the adaptive parameters, with ALISTA's weight.

The weight is found here from its definition, a column at a time.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.least_squares.problem import NonlinearLeastSquares


def equations(m, n, x0=None):
    """A x = b for an x of two entries: (problem, oracles)."""
    rng = np.random.default_rng(6)
    A, x = rng.standard_normal((m, n)), np.zeros(n)
    x[[1, 3]] = 1.0, -2.0
    b = A @ x + (0.1 * rng.standard_normal(m) if m > n else 0)
    x0 = np.zeros(n) if x0 is None else x0
    problem = NonlinearLeastSquares(
        lambda x: jnp.matmul(A, x, precision="highest") - b, x0
    )
    return problem, SimpleNamespace(A=A, b=b)


TOLD = {"c1": 0.03, "c2": 0.008, "c3": 0.25}
CASES = [
    Case(*equations(8, 14), told=TOLD, steps=14),
    Case(*equations(8, 14), given={"c1": 0.01, "c2": 0.02, "c3": 0.5}, steps=10),
    Case(*equations(9, 4, np.ones(4)), {"c1": 0.1, "c3": 0.0}, {"c2": 0.008}, steps=8),
]
EXEMPT = {
    "np.allclose(A, B": "rounding of a Jacobian that is constant: it decides a refusal"
}


def iterates(o, x0, steps, *, c1, c2, c3):
    A, b, n = o.A, o.b, o.A.shape[1]
    G = A @ A.T if len(A) < n else None
    W = []
    for i, a in enumerate(A.T):
        if G is None:  # tall: orthogonal to the other columns, of least length
            Q = np.linalg.qr(np.delete(A, i, axis=1))[0]
            w = a - Q @ (Q.T @ a)
        else:
            w = np.linalg.solve(G, a)
        W.append(w / (w @ a))
    W, P = np.array(W).T, np.linalg.pinv(A)
    x, old, out = x0, x0, []
    for _ in range(steps):
        r = A @ x - b
        error = np.linalg.norm(P @ r, 1)
        theta, beta = c1 * error, c2 * np.count_nonzero(x)
        share = min(c3 * np.log(np.linalg.norm(P @ b, 1) / error), 1)
        p = max(int(share * n), 0)
        z = x - W.T @ r + beta * (x - old)
        new = np.sign(z) * np.maximum(np.abs(z) - theta, 0)
        top = np.argsort(-np.abs(z))[:p]
        new[top] = np.where(np.abs(z) > theta, z, 0)[top]
        x, old = new, x
        out.append(x)
    return out

"""Ready monotone inclusions and saddle points; listing them imports no jax."""

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Inclusion")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named("saddle:quadratic", "mean of 400 convex-concave quadratics, 20 + 20 unknowns")
def quadratic():
    """phi_i = |A_i'x|^2/2 + (u_i'x)(v_i'y) + x'Sy - |C_i'y|^2/2 + a_i'x - c_i'y.

    A_i and C_i have five columns; the curvature of the mean falls from about 1 to
    0.01, and S couples x and y as strongly as they bend. The cocoercivity constants
    are the least eigenvalues of sym(M) against M'M and against mean M_i'M_i, less
    1e-8 of themselves.
    """
    from banach.kinds.inclusion.problem import saddle

    n, d, rank = 400, 20, 5
    rng = np.random.default_rng(17)
    size = np.logspace(0, -1, d)
    A, C = (
        size[:, None] * rng.standard_normal((n, d, rank)) / np.sqrt(rank)
        for _ in range(2)
    )
    u, v = (size * rng.standard_normal((n, d)) / d**0.25 for _ in range(2))
    a, c = (size * (rng.standard_normal((n, d)) + 1) for _ in range(2))
    S = np.diag(size**2)
    B = S + u[:, :, None] * v[:, None, :]
    flat = [K @ K.transpose(0, 2, 1) for K in (A, C)]
    M = np.block([[flat[0], B], [-B.transpose(0, 2, 1), flat[1]]])
    mean, square = M.mean(0), np.einsum("nij,nik->jk", M, M) / n
    known = {
        "cocoercive": (1 - 1e-8) * _least(mean, mean.T @ mean),
        "cocoercive_average": (1 - 1e-8) * _least(mean, square),
        "L": (1 + 1e-8) * np.linalg.norm(mean, 2),
        "L_average": (1 + 1e-8) * np.sqrt(np.linalg.eigvalsh(square)[-1]),
        "mu": (1 - 1e-8) * np.linalg.eigvalsh((mean + mean.T) / 2)[0],
    }
    zero = np.zeros(d)

    def phi(x, y, q):
        A, C, u, v, a, c = q
        bend = (A.T @ x) @ (A.T @ x) / 2 - (C.T @ y) @ (C.T @ y) / 2
        return bend + (u @ x) * (v @ y) + x @ (np.diag(S) * y) + a @ x - c @ y

    data = (A, C, u, v, a, c)
    return saddle(phi, zero, zero, data, reference=(zero, zero), **known)


def _least(M, square):
    """The largest beta with sym(M) - beta square positive semidefinite."""
    half = np.linalg.inv(np.linalg.cholesky(square))
    return float(np.linalg.eigvalsh(half @ (M + M.T) @ half.T / 2)[0])


@_named(
    "saddle:breast_cancer",
    "logistic regression against an adversary of margins, breast_cancer, 30 + 30",
)
def robust_logistic():
    """phi_i = log(1 + exp(a_i'y - b_i a_i'x)) + lam ||x||^2/2 - rho ||y||^2/2.

    The adversary y lowers the margin of a sample by a linear function of its
    features, at a quadratic price; lam = 0.01, rho = 1. Rows a_i have norm 1, so that
    with the curvature c of the loss in [0, 1/4] the Jacobian of each component acts
    along a_i as [[c + lam, -+c], [+-c, rho - c]] and beside it as diag(lam, rho). The
    symmetric part of its inverse is at least 1 / rho: every component is cocoercive
    with beta = min over c of min(rho - c, c + lam) / ((c + lam)(rho - c) + c^2) and
    1 / rho.
    """
    from banach.kinds.inclusion.problem import saddle

    lam, rho = 1e-2, 1.0
    raw = datasets.breast_cancer()
    A = datasets.standardised(raw.A)
    A = A / np.linalg.norm(A, axis=1, keepdims=True)
    b = 2.0 * raw.y - 1
    c = np.linspace(0, 0.25, 10001)
    along = np.minimum(rho - c, c + lam) / ((c + lam) * (rho - c) + c**2)
    # Between two of the grid the function moves by far less than this margin.
    beta = (1 - 1e-3) * min(along.min(), 1 / rho)
    data = {"a": A, "b": b, "lam": np.full(len(b), lam), "rho": np.full(len(b), rho)}
    zero = np.zeros(A.shape[1])
    return saddle(
        _robust, zero, zero, data, reference=(zero, zero),
        cocoercive_average=beta, mu=min(lam, rho - 0.25),
    )  # fmt: skip


def _robust(x, y, d):
    import jax

    loss = jax.nn.softplus(d["a"] @ y - d["b"] * (d["a"] @ x))
    return loss + d["lam"] * x @ x / 2 - d["rho"] * y @ y / 2


@_named(
    "saddle:matrix_game", "zero-sum game, 20 x 20, payoff the mean of 400 scenarios"
)
def matrix_game():
    """phi_i = x' A_i y over two simplices; A_i a Gaussian matrix plus Gaussian noise.

    L and L_average are the spectral norms of the mean of A_i and of the root mean
    square, rounded up.
    """
    from banach.kinds.inclusion.problem import saddle
    from banach.terms.product import Product
    from banach.terms.sets import Simplex

    n, d = 400, 20
    rng = np.random.default_rng(5)
    A = rng.standard_normal((d, d)) + 0.5 * rng.standard_normal((n, d, d))
    squares = [np.mean([M @ M.T for M in side], 0) for side in (A, A.swapaxes(1, 2))]
    even = np.full(d, 1 / d)
    return saddle(
        lambda x, y, A: x @ (A @ y),
        even,
        even,
        A,
        term=Product(Simplex(), Simplex()),
        monotone=True,
        L=(1 + 1e-8) * np.linalg.norm(A.mean(0), 2),
        L_average=(1 + 1e-8) * np.sqrt(max(np.linalg.norm(S, 2) for S in squares)),
        reference=(even, even),
    )

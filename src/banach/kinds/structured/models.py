"""Sums of squares beside a norm of a linear map: total variation, generalised lasso."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from banach.core import validation
from banach.core.annotations import Column, Matrix, Real
from banach.core.door import door
from banach.core.problem import Misuse
from banach.kinds import sparse_input
from banach.kinds.structured.problem import Structured
from banach.parts.operators import Operator
from banach.terms.groups import GroupL2
from banach.terms.norms import L1
from banach.terms.term import Term

# Columns up to which A'A is factorised for its extreme eigenvalues (ours).
DENSE = 2000


def differences(height: int, width: int) -> Any:
    """Forward differences of an image, right and down, as SciPy's CSR array.

    Rows: height (width - 1) to the right, then (height - 1) width down, each by rows of
    the image; it acts on the image's ravel().
    """
    from scipy.sparse import csr_array, diags_array, eye_array, kron, vstack

    def forward(n: int) -> Any:
        if n == 1:
            return csr_array((0, 1))
        return diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1],
                           shape=(n - 1, n))  # fmt: skip

    right = kron(eye_array(height), forward(width))
    return csr_array(vstack([right, kron(forward(height), eye_array(width))]))


@door
def TotalVariation(
    image: Float[np.ndarray, "height width"], lam: Real, *, isotropic: bool = True
) -> Structured:
    """minimise 1/2 ||x - image||^2 + lam TV(x): an image without its noise.

    TV is the sum over pixels of the length of (step to the right, step down), or of
    the absolute steps (`isotropic=False`). Beyond the border steps are 0.

    Args:
        image: (height, width), real numbers in any unit.
        lam: the weight, a number > 0, in the unit of the image.
        isotropic: lengths of steps, or their absolute values.

    Returns:
        Structured: the problem, whose `primal_dual_gap` bounds F(x) - F*.

    Raises:
        Misuse: an image that is no array of two axes, one pixel, NaN; lam out of range.

    Source: Rudin, Osher and Fatemi, Physica D 60 (1992); Chambolle and Pock, J. Math.
    Imaging Vis. 40 (2011), section 6.2, for the discrete form.

    Example:
        >>> image = np.array([[0.0, 0.1, 5.0], [0.1, 0.0, 5.1]])
        >>> problem = bn.TotalVariation(image, lam=0.2)
        >>> bn.solve(problem, check="primal_dual_gap").x.round(2)
        array([[0.15, 0.15, 4.85],
               [0.15, 0.15, 4.85]])
    """
    noisy = np.asarray(validation.array(image, "image", ndim=2))
    height, width = noisy.shape
    if noisy.size < 2:
        raise Misuse("TotalVariation's image has one pixel; there is nothing to smooth")
    weight = float(validation.number(lam, "lam", low="positive"))
    K = differences(height, width)
    term: Term = L1(weight)
    if validation.flag(isotropic, "isotropic"):
        # The pixel that each step belongs to.
        at = np.arange(height * width).reshape(height, width)
        pixels = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()])
        term = GroupL2(weight, np.unique(pixels, return_inverse=True)[1])
    # TV sees no constant: neither the start nor what is small against may.
    flat = np.full_like(noisy, np.mean(noisy, dtype=np.float64))
    return Structured(
        _distance, None, term, K, flat, (noisy,), mu=1.0, L=1.0, quadratic=True,
        reference=flat,
    )  # fmt: skip


@door
def GeneralizedLasso(
    A: Matrix, b: Column, D: Matrix | Operator, lam: Real, *, g: Term | None = None
) -> Structured:
    """minimise 1/2 ||A c - b||^2 + lam ||D c||_1 (+ g(c)).

    D = differences of neighbours is trend filtering or the fused lasso (with g an l1
    norm), differences along edges the one of a graph. L is the largest eigenvalue of
    A'A, and mu the smallest, where A has at most 2000 columns and full column rank:
    `primal_dual_gap` then bounds F(c) - F*.

    Args:
        A: (n, p), an array.
        b: (n,), the targets, in any unit.
        D: (m, p), an array or a sparse matrix.
        lam: the weight, a number > 0.
        g: a further term with a prox, such as bn.L1(0.1), or None.

    Returns:
        Structured: the problem.

    Raises:
        Misuse: shapes that do not fit, NaN, lam out of range, each with the cure.

    Source: Tibshirani and Taylor, The solution path of the generalized lasso, Annals of
    Statistics 39 (2011).

    Example:
        >>> b, D = np.array([0.0, 0.2, 3.0, 3.2]), np.diff(np.eye(4), axis=0)
        >>> steps = bn.GeneralizedLasso(np.eye(4), b, D, lam=0.5)
        >>> bn.solve(steps).x.round(3)
        array([0.35, 0.35, 2.85, 2.85])
    """
    if sparse_input.is_sparse(A):
        raise Misuse("GeneralizedLasso's A must be an array: pass A.toarray()")
    rows = np.asarray(validation.array(A, "A", ndim=2))
    targets = np.asarray(validation.array(b, "b", ndim=1))
    if len(rows) != len(targets):
        raise Misuse(f"A has {len(rows)} rows and b {len(targets)} entries")
    weight = float(validation.number(lam, "lam", low="positive"))
    if not rows.size:
        raise Misuse(f"GeneralizedLasso's A is empty, shape {rows.shape}")
    if D is None:
        raise Misuse("GeneralizedLasso needs D, a matrix (m, p); np.eye(p) is a Lasso")
    L, mu = _curvatures(rows)
    zero = np.zeros(rows.shape[1], np.result_type(rows, targets))
    convex = None if mu is not None else True
    return Structured(
        _misfit, g, L1(weight), D, zero, (rows, targets), mu=mu, L=L, convex=convex,
        quadratic=True, reference=zero,
    )  # fmt: skip


def _distance(x: Any, image: Any) -> Any:
    return jnp.sum((x - image) ** 2) / 2


def _misfit(c: Any, A: Any, b: Any) -> Any:
    return jnp.sum((A @ c - b) ** 2) / 2


def _curvatures(A: np.ndarray) -> tuple[float, float | None]:
    """The extreme eigenvalues of A'A, or bounds of them; None where the least may be 0.

    What forming A'A and its eigenvalues in float64 is off by is taken away.
    """
    A = np.asarray(A, np.float64)
    n, p = A.shape
    if p > DENSE:
        size = np.abs(A)
        return float(np.max(size.sum(0)) * np.max(size.sum(1))), None
    with np.errstate(all="ignore"):
        square = A.T @ A
    if not np.isfinite(square).all() or not np.max(np.diag(square)) > 1e-290:
        raise Misuse(
            "the squares of A's entries overflow or vanish; state A, b and lam in "
            "other units"
        )
    values = np.linalg.eigvalsh(square)
    low, top = float(values[0]), float(values[-1])
    # Of the product n eps ||A||_F^2, of the eigenvalues p eps times their largest.
    off = 4 * (n + p) * np.finfo(float).eps * float(np.trace(square))
    low = low - off
    return top + off, low if low > off else None

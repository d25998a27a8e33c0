"""Half-spaces, affine sets and the second-order cone."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from banach.core import tree, validation
from banach.core.problem import Misuse
from banach.core.tree import PRECISION
from banach.core.validated_fields import hyper
from banach.terms.term import (
    Scalar,
    Set,
    arrays,
    concrete,
    positive,
    rebuild,
    single,
    spread,
)

_PLAIN = frozenset({"prox", "project"})


class HalfSpace(Set):
    """{<a, x> <= b}; a is one array, or a pytree like the variable.

    Args:
        a: the normal, like the variable.
        b: a number.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.2.

    Example:
        >>> bn.HalfSpace(np.array([1.0, 0.0]), 2.0).project(np.array([3.0, 1.0]))
        Array([2., 1.], dtype=float32)
    """

    oracles = _PLAIN

    a: Any = hyper("HalfSpace a")
    b: Any = hyper("HalfSpace b", scalar=True)

    def __check_init__(self):
        if concrete(self.a):
            if not any(np.any(np.asarray(w)) for w in jax.tree.leaves(self.a)):
                raise Misuse(
                    "HalfSpace a is 0 in every entry, which bounds nothing: give a "
                    "direction, or drop the half-space"
                )

    def project(self, v: PyTree) -> PyTree:
        """v - (<a, v> - b)_+ a / ||a||^2."""
        v = arrays(v)
        excess, unit = self._excess(v)
        return tree.axpy(-excess, unit, v)

    def violation(self, x: PyTree) -> Scalar:
        """(<a, x> - b)_+ / ||a||."""
        return self._excess(arrays(x))[0]

    def _excess(self, x: PyTree) -> tuple[Scalar, PyTree]:
        (a,) = spread(x, self.a)
        n = tree.norm(a)
        unit = tree.scale(1 / n, a)
        return jnp.maximum(
            tree.vdot(unit, x) - jnp.asarray(self.b, n.dtype) / n, 0
        ), unit


class AffineSet(Set):
    """{A x = b}, on one 1-D array; A is (m, n), b is (m,).

    Holds an orthonormal basis of the rows of A (QR of A', once). Dependent rows
    of a concrete A are dropped if b agrees with them and refused otherwise; the
    rows of a traced A must be independent.

    Args:
        A: shape (m, n).
        b: shape (m,).

    Source: Beck, First-Order Methods in Optimization (2017), chapter 6.

    Example:
        >>> line = bn.AffineSet(np.array([[1.0, 1.0]]), np.array([2.0]))
        >>> np.round(line.project(np.array([3.0, 1.0])), 6)
        Array([2., 0.], dtype=float32)
    """

    oracles = _PLAIN

    basis: Array
    level: Array

    def __init__(self, A: Any, b: Any):
        A = validation.array(A, "AffineSet A", ndim=2)
        b = validation.array(b, "AffineSet b", ndim=1)
        if np.shape(b) != np.shape(A)[:1]:
            raise Misuse(
                f"AffineSet needs A of shape (m, n) and b of shape (m,), got "
                f"{np.shape(A)} and {np.shape(b)}"
            )
        if concrete(A, b):
            self.basis, self.level = _row_space(np.asarray(A), np.asarray(b))
            return
        if A.shape[0] > A.shape[1]:
            raise Misuse("AffineSet: more rows than unknowns in a traced A")
        A, b = jnp.asarray(A), jnp.asarray(b)
        self.basis, r = jnp.linalg.qr(A.T)
        self.level = jax.scipy.linalg.solve_triangular(r, b, trans=1)

    def __check_init__(self):
        if not concrete(self.basis, self.level):
            return
        q = validation.array(self.basis, "AffineSet basis", ndim=2)
        c = validation.array(self.level, "AffineSet level", ndim=1)
        # Read from a file, these two are all that is known of A and b.
        slack = 100 * np.finfo(q.dtype).eps * max(q.shape, default=1)
        q = np.asarray(q, np.float64)
        off = np.abs(q.T @ q - np.eye(q.shape[1]))
        if np.shape(c) != q.shape[1:] or np.max(off, initial=0) > slack:
            raise Misuse(
                "AffineSet's basis must be orthonormal, with one level a column; state "
                "it by A and b"
            )

    def project(self, v: PyTree) -> PyTree:
        """v - Q (Q'v - c), with Q an orthonormal basis of the rows."""
        w = single(self, v, 1)
        q, off = self._off(w)
        return rebuild(v, w - jnp.matmul(q, off, precision=PRECISION))

    def violation(self, x: PyTree) -> Scalar:
        """||Q'x - c||."""
        return tree.norm(self._off(single(self, x, 1))[1])

    def _off(self, x: Array) -> tuple[Array, Array]:
        q, c = jnp.asarray(self.basis, x.dtype), jnp.asarray(self.level, x.dtype)
        if q.shape[0] != x.size:
            raise Misuse(f"AffineSet has {q.shape[0]} columns, x has {x.size}")
        return q, jnp.matmul(q.T, x, precision=PRECISION) - c


class SecondOrderCone(Set):
    """{(s, z): ||z|| <= s}, on one 1-D array whose first entry is s.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.3.

    Example:
        >>> bn.SecondOrderCone().project(np.array([0.0, 3.0, 4.0]))
        Array([2.5, 1.5, 2. ], dtype=float32)
    """

    oracles = _PLAIN

    def project(self, v: PyTree) -> PyTree:
        """v inside, 0 in the polar cone, else half of (1 + s/||z||) (||z||, z)."""
        w = single(self, v, 1)
        s, z = w[0], w[1:]
        n = tree.norm(z)
        half = (n + s) / 2
        mixed = jnp.concatenate([half[None], half / positive(n) * z])
        return rebuild(v, jnp.where(n <= s, w, jnp.where(n <= -s, 0, mixed)))


def _row_space(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, s, rows = np.linalg.svd(A, full_matrices=False)
    small = max(A.shape) * np.finfo(s.dtype).eps * (s[0] if s.size else 0)
    rank = int(np.sum(s > small))
    if rank == 0:
        raise Misuse("AffineSet needs a nonzero A")
    if rank == len(A):
        # Full rank: QR keeps the accuracy of badly scaled independent rows.
        q, r = np.linalg.qr(A.T)
        return q, np.linalg.solve(r.T, b)
    level = (left.T @ b)[:rank] / s[:rank]
    miss = np.linalg.norm(A @ (rows[:rank].T @ level) - b)
    if miss > 100 * small * max(np.linalg.norm(level), 1) + 1e3 * small:
        raise Misuse(
            f"AffineSet is empty: A has rank {rank} for {len(A)} rows and b is off "
            f"its range by {miss:.1e}. Drop or repair the dependent rows"
        )
    return rows[:rank].T, level

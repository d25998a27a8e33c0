"""Sketch-and-project: random projections that solve K z = b (Gower, Richtarik 2015)."""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from banach.core import tree, validation
from banach.core.validated_fields import count

Vector = Float[Array, " d"]
Matrix = Float[Array, "d d"]
KINDS = ("rows", "gaussian")


class Solved(NamedTuple):
    """An approximate solution, the norm of its residual, and the sweeps spent."""

    z: Vector
    residual: Float[Array, ""]
    sweeps: Int[Array, ""]


class Sketch(eqx.Module):
    """Projects onto random consequences S'K z = S'b of a symmetric system K z = b:

    z <- z - K S (S'K K S)^+ S'(K z - b)

    `kind` "rows": S are `block` columns of the identity, drawn uniformly (block 1:
    randomised Kaczmarz, Strohmer and Vershynin 2009, with equal chances).
    "gaussian": S has `block` columns of independent normal numbers. A sweep is
    ceil(d / block) projections and one residual. The expected error shrinks by a
    factor that depends on the condition of K, and on its upper spectrum less and
    less as the block grows; with block d one projection is an exact solve.
    """

    kind: str = eqx.field(static=True)
    block: int = count("Sketch block")

    def __check_init__(self):
        validation.choice(self.kind, "Sketch kind", KINDS)

    def draw(self, key: Array, d: int, dtype) -> Array:
        """S of one projection: row numbers, or a (d, block) matrix."""
        if self.kind == "gaussian":
            return jax.random.normal(key, (d, min(self.block, d)), dtype)
        if self.block == 1:
            return jax.random.randint(key, (1,), 0, d)
        return jax.random.choice(key, d, (min(self.block, d),), replace=False)

    def projections(self, d: int) -> int:
        """Projections of one sweep."""
        return math.ceil(d / self.block)

    def flops(self, d: int) -> float:
        """Additions and multiplications of one sweep over a dense K, and residual."""
        q = min(self.block, d)
        if self.kind == "rows" and q == 1:
            one = 6.0 * d
        else:
            form = 2.0 * d * d * q if self.kind == "gaussian" else 0.0
            one = form + 2 * d * q * q + q**3 / 3 + 2 * q * q + 6 * d * q
        return self.projections(d) * one + 2.0 * d * d

    def sweep(self, K: Matrix, b: Vector, z: Vector, key: Array) -> Vector:
        """`projections` random projections of z."""
        d = b.size

        def project(i, z):
            S = self.draw(jax.random.fold_in(key, i), d, b.dtype)
            if self.kind == "gaussian":
                Y, right = _mm(K, S), _mm(S.T, b)
            else:
                Y, right = K[:, S], b[S]
            missing = _mm(Y.T, z) - right
            return z - _mm(Y, _least(_mm(Y.T, Y), missing))

        return jax.lax.fori_loop(0, self.projections(d), project, z)

    def solve(
        self,
        K: Matrix,
        b: Vector,
        z: Vector,
        key: Array,
        target: Float[Array, ""],
        max_sweeps: Int[Array, ""],
    ) -> Solved:
        """Sweeps from z until ||K z - b|| <= target, at most `max_sweeps`."""

        def size(z):
            return tree.norm(_mm(K, z) - b)

        def go(s):
            return (s.residual > target) & (s.sweeps < max_sweeps)

        def more(s):
            z = self.sweep(K, b, s.z, jax.random.fold_in(key, s.sweeps))
            return Solved(z, size(z), s.sweeps + 1)

        first = Solved(z, size(z), jnp.zeros((), jnp.int32))
        return jax.lax.while_loop(go, more, first)


def _mm(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)


def _least(gram: Array, right: Array) -> Array:
    """gram^+ right; a row of zeros asks for nothing."""
    if right.size == 1:
        g = gram[0]
        return jnp.where(g > 0, right / jnp.where(g > 0, g, 1), 0)
    q = right.size
    size = jnp.trace(gram)
    # A pseudo-inverse without its eigenvalues: the ridge is below the rounding of
    # the products, and what it leaves over the next projections take.
    ridge = 4 * q * jnp.finfo(gram.dtype).eps * jnp.where(size > 0, size, 1)
    lower = jnp.linalg.cholesky(gram + ridge * jnp.eye(q, dtype=gram.dtype))
    return jax.scipy.linalg.cho_solve((lower, True), right)

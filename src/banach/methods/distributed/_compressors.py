"""Compressors: what a worker sends in place of a vector, and how much it weighs.

Each is contractive: E ||C(v) - v||^2 <= (1 - delta) ||v||^2 with 0 < delta <= 1
(`delta(n)`, proved for every v); those of `Unbiased` are unbiased before a scaling.
`sent(n, word)` counts the bits of one message for a vector of n entries of `word` bits:
values and, where they travel, indices. What is returned is the vector that the receiver
rebuilds.
"""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree, validation
from banach.core.problem import Misuse
from banach.core.validated_fields import count

Vector = Float[Array, " n"]


class Compressor(eqx.Module):
    """C(v); unbiased ones are scaled down so that they contract."""

    @abc.abstractmethod
    def __call__(self, v: Vector, key: Array) -> Vector:
        """What the receiver rebuilds of v."""

    @abc.abstractmethod
    def delta(self, n: int) -> float:
        """The proved contraction for vectors of n entries."""

    @abc.abstractmethod
    def sent(self, n: int, word: int) -> int:
        """Bits of one message."""


class Unbiased(Compressor):
    """A compressor whose C(v) / delta is unbiased: E C(v) = delta v."""

    def unbiased(self, v: Vector, key: Array) -> Vector:
        """Q(v) = C(v) / delta: E Q = v, E ||Q - v||^2 <= omega ||v||^2."""
        return self(v, key) / self.delta(v.size)

    def omega(self, n: int) -> float:
        """The proved variance of Q, 1 / delta - 1."""
        return 1 / self.delta(n) - 1


class Identity(Unbiased):
    """No compression."""

    def __call__(self, v: Vector, key: Array) -> Vector:
        """V itself."""
        return v

    def delta(self, n: int) -> float:
        """1."""
        return 1.0

    def sent(self, n: int, word: int) -> int:
        """All entries."""
        return n * word


class TopK(Compressor):
    """The k entries of largest magnitude; delta = k / n. k >= n sends everything."""

    k: int = count("TopK k")

    def __call__(self, v: Vector, key: Array) -> Vector:
        """The k largest, exactly; zeros elsewhere."""
        if self.k >= v.size:
            return v
        at = jax.lax.top_k(jnp.abs(v), self.k)[1]
        return jnp.zeros_like(v).at[at].set(v[at])

    def delta(self, n: int) -> float:
        """K / n, attained where all magnitudes are equal."""
        return min(1.0, self.k / n)

    def sent(self, n: int, word: int) -> int:
        """Values and their indices."""
        return _sparse(self.k, n, word, indices=True)


class RandK(Unbiased):
    """K entries drawn without replacement, unscaled; delta = k / n in expectation.

    Sender and receiver draw from one key, so that indices need not travel.
    """

    k: int = count("RandK k")

    def __call__(self, v: Vector, key: Array) -> Vector:
        """The drawn entries, exactly; zeros elsewhere."""
        if self.k >= v.size:
            return v
        at = jax.random.permutation(key, v.size)[: self.k]
        return jnp.zeros_like(v).at[at].set(v[at])

    def delta(self, n: int) -> float:
        """K / n, an equality for every v."""
        return min(1.0, self.k / n)

    def sent(self, n: int, word: int) -> int:
        """Values."""
        return _sparse(self.k, n, word, indices=False)


class LowRank(Compressor):
    """The vector as a rows x columns matrix V, projected: P P' V, P = orth(V G).

    G is Gaussian, of `rank` columns, drawn anew for each message (one step of
    subspace iteration, as in PowerSGD without its memory). A projection never grows:
    ||C(v) - v||^2 = ||V||^2 - ||P' V||^2. In the left singular vectors of V the
    matrix E P P' is diagonal, of trace `rank`, with larger entries where singular
    values are larger, so that delta >= rank / min(rows, columns), attained where all
    are equal. rows = ceil(n / columns), the last row padded with zeros.
    """

    rank: int = eqx.field(static=True)
    columns: int | None = eqx.field(static=True)

    def __init__(self, rank: int, columns: int | None = None):
        self.rank = validation.integer(rank, "LowRank rank", low=1)
        if columns is not None:
            columns = validation.integer(columns, "LowRank columns", low=1)
        self.columns = columns

    def shape(self, n: int) -> tuple[int, int]:
        """(rows, columns), about square unless columns are given."""
        columns = self.columns or max(1, math.isqrt(n))
        return -(-n // columns), columns

    def __call__(self, v: Vector, key: Array) -> Vector:
        """P (P' V)."""
        rows, columns = self.shape(v.size)
        if self.rank >= min(rows, columns):
            return v
        V = jnp.pad(v, (0, rows * columns - v.size)).reshape(rows, columns)
        G = jax.random.normal(key, (columns, self.rank), v.dtype)
        P = jnp.linalg.qr(jnp.matmul(V, G, precision=tree.PRECISION))[0]
        rebuilt = jnp.matmul(P, jnp.matmul(P.T, V, precision=tree.PRECISION))
        # The factors of a zero matrix are arbitrary, its product is not.
        return jnp.where(jnp.any(v != 0), rebuilt.ravel()[: v.size], 0)

    def delta(self, n: int) -> float:
        """Rank / min(rows, columns)."""
        return min(1.0, self.rank / min(self.shape(n)))

    def sent(self, n: int, word: int) -> int:
        """Both factors, or all entries where they are fewer."""
        rows, columns = self.shape(n)
        return min(n, self.rank * (rows + columns)) * word


class Quantised(Unbiased):
    """Each magnitude rounded at random to one of `levels` steps of ||v||_2, unbiased.

    QSGD (Alistarh et al. 2017): E Q = v and E ||Q - v||^2 <= w ||v||^2 with
    w = min(n / levels^2, sqrt(n) / levels); what is sent is Q / (1 + w), so that
    delta = 1 / (1 + w). A message is the norm, and for each entry a sign and a level.
    """

    levels: int = count("Quantised levels")

    def __call__(self, v: Vector, key: Array) -> Vector:
        """Q(v) / (1 + w)."""
        norm = jnp.sqrt(jnp.sum(jnp.square(v)))
        safe = jnp.where(norm > 0, norm, 1)
        steps = self.levels * jnp.abs(v) / safe
        up = jax.random.uniform(key, v.shape, v.dtype) < steps - jnp.floor(steps)
        level = jnp.floor(steps) + up
        return jnp.sign(v) * norm * level / self.levels * self.delta(v.size)

    def delta(self, n: int) -> float:
        """1 / (1 + w)."""
        w = min(n / self.levels**2, math.sqrt(n) / self.levels)
        return 1 / (1 + w)

    def sent(self, n: int, word: int) -> int:
        """A norm, n signs and n levels."""
        return word + n * (1 + math.ceil(math.log2(self.levels + 1)))


def of_share(share: float, n: int) -> TopK:
    """TopK of a share of n entries, at least one."""
    share = float(validation.number(share, "share"))
    if not 0 < share <= 1:
        raise Misuse(f"a share is above 0 and at most 1, got {share:g}; e.g. 0.1")
    n = validation.integer(n, "the number of entries", low=1)
    return TopK(max(1, math.floor(share * n)))


def _sparse(k: int, n: int, word: int, *, indices: bool) -> int:
    if k >= n:
        return n * word
    return k * (word + (max(1, math.ceil(math.log2(n))) if indices else 0))

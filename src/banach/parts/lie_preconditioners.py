"""Preconditioners P = Q'Q whose Q stays in a group, fitted to pairs (v, h).

Each step lessens h'P h + v'P^-1 v, whose mean is least at P = |H|^-1 for h = H v, and
at P = (E g g')^(-1/2) for h = g, with v standard normal.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree


class XShaped(eqx.Module):
    """Q = diag(a) + adiag(b): two numbers a row, entries i and n - 1 - i together.

    Source:
        Pooladzandi and Li 2024, section on sparse groups.
    """

    a: Float[Array, " n"]
    b: Float[Array, " n"]

    def apply(self, h: Float[Array, " n"]) -> Float[Array, " n"]:
        """P h.

        Args:
            h: a vector.
        """
        s = self.a * h + self.b * h[::-1]
        return self.a * s + (self.b * s)[::-1]

    def fitted(
        self, v: Float[Array, " n"], h: Float[Array, " n"], rate: Any
    ) -> "XShaped":
        """One step on the pair.

        Args:
            v: the probe.
            h: H v, or a gradient.
            rate: the length of the step, below 1.
        """
        a, b = self.a, self.b
        s = a * h + b * h[::-1]
        w = (a[::-1] * v - b[::-1] * v[::-1]) / (a * a[::-1] - b * b[::-1])
        on, off = s**2 - w**2, s * s[::-1] - w * w[::-1]
        # The entry in the middle is on both diagonals: it belongs to a.
        middle = jnp.arange(len(a)) * 2 == len(a) - 1
        off = jnp.where(middle, 0, off)
        mu = rate / _or_one(jnp.max(s**2 + w**2))
        return XShaped(
            a - mu * (on * a + off * b[::-1]), b - mu * (on * b + off * a[::-1])
        )


class LowRank(eqx.Module):
    """Q = (I + U V') diag(d), U and V of few columns.

    Steps of U and V take turns. A step multiplies Q by I - mu M; mu is the rate over a
    bound on ||M||, so that Q stays invertible.

    Source:
        Pooladzandi and Li 2024, section on low-rank groups.
    """

    U: Float[Array, "n r"]
    V: Float[Array, "n r"]
    d: Float[Array, " n"]

    def apply(self, h: Float[Array, " n"]) -> Float[Array, " n"]:
        """P h.

        Args:
            h: a vector.
        """
        s = self._times(self.d * h)
        return self.d * (s + _product(self.V, _product(self.U.T, s)))

    def fitted(
        self, v: Float[Array, " n"], h: Float[Array, " n"], rate: Any, turn: Any
    ) -> "LowRank":
        """One step on the pair.

        Args:
            v: the probe.
            h: H v, or a gradient.
            rate: the length of the step, below 1.
            turn: true: U moves, false: V.
        """
        U, V, d = self.U, self.V, self.d
        small = jnp.eye(U.shape[1], dtype=d.dtype) + _product(V.T, U)
        s = self._times(d * h)
        # Q^-T v = (I + V U')^-1 (v / d), and P^-1 v = diag(1 / d) (I + U V')^-1 of it.
        w = v / d
        w = w - _product(V, jnp.linalg.solve(small.T, _product(U.T, w)))
        back = w - _product(U, jnp.linalg.solve(small, _product(V.T, w)))
        one, two = self.apply(h) * h, v * back / d
        moved = d - rate / _or_one(jnp.max(jnp.abs(one) + jnp.abs(two))) * d * (
            one - two
        )
        sV, wV, sU, wU = (_product(M.T, x) for M in (V, U) for x in (s, w))
        mu = rate / _bound(V, (s, sV), (w, wV))
        newU = U - mu * _product(jnp.outer(s, sV) - jnp.outer(w, wV), small)
        mu = rate / _bound(U, (s, sU), (w, wU))
        newV = V - mu * (
            jnp.outer(s + _product(V, sU), sU) - jnp.outer(w + _product(V, wU), wU)
        )
        return LowRank(jnp.where(turn, newU, U), jnp.where(turn, V, newV), moved)

    def _times(self, x: Array) -> Array:
        return x + _product(self.U, _product(self.V.T, x))


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)


def _bound(M: Array, *pairs: tuple[Array, Array]) -> Array:
    """sum ||s|| ||M M's|| of pairs (s, M's)."""
    total = sum(_size(s) * _size(_product(M, low)) for s, low in pairs)
    return _or_one(jnp.asarray(total))


def _size(x: Array) -> Array:
    return jnp.sqrt(jnp.sum(x**2))


def _or_one(x: Array) -> Array:
    return jnp.where(x > 0, x, 1)

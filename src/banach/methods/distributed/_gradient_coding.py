"""Gradient codes: a sum of gradients from those workers that answered in time.

Tandon, Lei, Dimakis and Karampatziakis (2017) for one round; Krishnan, Ebrahimi and
Khisti (2023) for sequences of rounds, where a straggler's work may be made good later.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from banach.core import validation
from banach.core.problem import Misuse


def code(n: int, s: int) -> np.ndarray:
    """Coefficients (n, n) of GC(n, s): worker i sends sum_c code[i, c] g_c.

    Row i is nonzero on the s + 1 parts i, ..., i + s (mod n), or on those of its
    group where s + 1 divides n (the repetition code, coefficients 1). Any n - s rows
    span the vector of ones. The cyclic code lies in the null space of a random s x n
    matrix whose rows sum to zero, drawn once from a fixed seed.
    """
    n = validation.integer(n, "n (workers)", low=1)
    s = validation.integer(s, "s (stragglers)")
    if not 0 <= s < n:
        raise Misuse(f"a code for {n} workers survives 0 to {n - 1} of them, got {s}")
    if n % (s + 1) == 0:
        group = np.arange(n) // (s + 1)
        return (group[:, None] == group).astype(float)
    H = np.random.default_rng(n * 1009 + s).standard_normal((s, n))
    H[:, -1] = -H[:, :-1].sum(axis=1)
    B = np.zeros((n, n))
    for i in range(n):
        rest = np.arange(i + 1, i + s + 1) % n
        B[i, i] = 1
        B[i, rest] = -np.linalg.solve(H[:, rest], H[:, i])
    return B


def decoder(
    B: Float[Array, "n n"], alive: Bool[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """A with a'B = 1' and a = 0 for the dead, and the largest error in a'B - 1'.

    The error is of the order of 1 where the survivors cannot tell the sum.
    """
    rows = jnp.where(alive[:, None], B, 0)
    a = jnp.linalg.lstsq(rows.T, jnp.ones(B.shape[1], B.dtype))[0]
    a = jnp.where(alive, a, 0)
    return a, jnp.max(jnp.abs(a @ rows - 1))


def conforms(history: Bool[Array, "rounds n"], B: int, W: int, lam: int) -> Array:
    """Whether stragglers obey the (B, W, lam)-bursty model, as a Boolean scalar.

    In every window of W rounds at most lam workers straggle, and each of them only
    within B consecutive rounds. `history` has one row a round.
    """
    rounds = history.shape[0]
    good = jnp.asarray(True)
    for first in range(max(1, rounds - W + 1)):
        window = history[first : first + W]
        length = window.shape[0]
        distinct = jnp.sum(jnp.any(window, axis=0))
        at = jnp.arange(length)[:, None]
        begins = jnp.min(jnp.where(window, at, length), axis=0)
        ends = jnp.max(jnp.where(window, at, -1), axis=0)
        bursts = jnp.all(ends - begins + 1 <= B)
        good = good & (distinct <= lam) & bursts
    return good


def check_model(n: int, B: int, W: int, lam: int) -> None:
    """Refuse a model that no code of n workers can hold."""
    n = validation.integer(n, "n (workers)", low=1)
    B, W = validation.integer(B, "burst"), validation.integer(W, "window")
    lam = validation.integer(lam, "stragglers")
    if not (1 <= B <= W and 0 <= lam <= n and W >= 1):
        raise Misuse(
            "the bursty model needs 1 <= burst <= window and 0 <= stragglers <= "
            f"{n} workers, got burst {B}, window {W}, stragglers {lam}"
        )


def repeats_needed(B: int, W: int, lam: int) -> int:
    """The s of SR-SGC: stragglers that one round's code has to survive."""
    return math.ceil(B * lam / (W - 1 + B))


def load_gc(n: int, s: int) -> float:
    """The share of the data that each worker passes over in a round."""
    return (s + 1) / n


def load_multiplexed(n: int, B: int, W: int, lam: int) -> float:
    """The share of the data a worker passes over in a round of M-SGC."""
    if lam == n:
        return (W - 1 + B) / (n * (W - 1))
    return (lam + 1) * (W - 1 + B) / (n * (B + (W - 1) * (lam + 1)))
